"""Wait conditions: a machine says SUCCESS or FAILURE at its own unguessable URL.

Source of the body's shape: AWS CloudFormation user guide, «Wait condition signals».
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from greenroom.errors import OperationError
from greenroom.model.stack import Machine
from greenroom.model.views import MachineReport
from greenroom.providers.hearsay import text
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.residents import Resident
from greenroom.providers.reports import object_of, report_of

BODY_LIMIT_BYTES = 16384


class SignalBody(BaseModel):
    """What a machine PUTs. ``Data`` is a JSON string, see docs/data.md."""

    model_config = ConfigDict(extra="ignore")

    Status: str = Field(pattern="^(SUCCESS|FAILURE)$")
    UniqueId: str
    Reason: str = Field(max_length=8192)
    Data: str = Field(default="{}", max_length=4096)


@dataclass(frozen=True, slots=True)
class Signal:
    """A machine's first signal, which is the one that counts."""

    success: bool
    reason: str
    data: dict[str, Any]


class Signals:
    """Receives signals and lets a boot wait for them. Thread-safe."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._arrived = threading.Condition()

    def receive(self, resident: Resident, body: bytes) -> int:
        """Keep a signal; returns the HTTP status. The first one wins, as on AWS.

        It is on disk before the machine is told that it arrived, so that a crash of the daemon
        between the two cannot lose it.
        """
        if len(body) > BODY_LIMIT_BYTES:
            return 413
        try:
            parsed = SignalBody.model_validate_json(body)
        except ValidationError:
            return 400
        place = self._layout.machine(resident.stack.environment, resident.machine.name)
        with self._arrived:
            if place.bundle.is_dir() and not place.signal.exists():
                partial = place.signal.with_suffix(".partial")
                partial.write_text(parsed.model_dump_json())
                partial.rename(place.signal)
            self._arrived.notify_all()
        return 200

    def of(self, resident: Resident) -> Signal | None:
        """The machine's signal, if it has sent one."""
        place = self._layout.machine(resident.stack.environment, resident.machine.name)
        try:
            parsed = SignalBody.model_validate_json(place.signal.read_bytes())
        except FileNotFoundError:
            return None
        return Signal(parsed.Status == "SUCCESS", text(parsed.Reason), object_of(parsed.Data))

    def wait(self, timeout_s: float) -> None:
        """Wait until any signal arrives, or the time is over."""
        with self._arrived:
            self._arrived.wait(timeout_s)


def now() -> float:
    """The clock of all deadlines here (monotonic seconds)."""
    return time.monotonic()


def deploy_report(machine: Machine, data: dict[str, Any], bucket: Path) -> MachineReport:
    """What the agent's ``deploy`` printed, as a report; ``bucket`` is where the artifact lies.

    Raises OperationError (E_MACHINE_FAILED) with the agent's reason.
    """
    if data.get("status") != "SUCCESS":
        reason = text(data.get("error", "its agent did not say that it succeeded"))
        raise OperationError(
            "E_MACHINE_FAILED",
            f"{machine.name}: {reason}",
            hint=f"mend the artifact and its .sha256 in {bucket}, and deploy again",
        )
    return report_of(machine.name, data)
