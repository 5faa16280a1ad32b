"""What the agent's ``deploy`` answers through Systems Manager."""

from __future__ import annotations

from greenroom.errors import OperationError
from greenroom.model.cloud_views import Ran
from greenroom.model.views import MachineReport
from greenroom.providers.hearsay import text
from greenroom.providers.reports import object_of, report_of

_SAID_MAX = 300


def deploy_report(machine: str, ran: Ran) -> MachineReport:
    """The line of JSON that the agent printed, as a report (pure).

    Raises OperationError E_MACHINE_FAILED with the agent's reason; where there is none, with the
    end of what was printed instead.
    """
    printed = ran.stdout.strip().splitlines()
    data = object_of(printed[-1]) if printed else {}
    if ran.exit_code == 0 and data.get("status") == "SUCCESS":
        return report_of(machine, data)
    said = " ".join((ran.stderr or ran.stdout).split())[-_SAID_MAX:]
    silent = f"its agent ended with {ran.exit_code} and without a reason: {said or 'no output'}"
    raise OperationError(
        "E_MACHINE_FAILED",
        f"{machine}: {text(data['error']) if 'error' in data else silent}",
        hint="mend what it says, push the artifact again where it is the code "
        "(greenroom artifact push --provider aws), and deploy again",
    )
