"""Running a program of a machine that is told of a peer."""

from __future__ import annotations

import json

from greenroom.errors import OperationError
from greenroom.model.inventory import PeerNotice
from greenroom.model.stack import Machine
from greenroom.providers.hearsay import text
from greenroom.providers.local.command import run_bounded
from greenroom.providers.local.layout import MachineLayout
from greenroom.providers.local.machine import exec_argv

HOOK_TIMEOUT_S = 30
_SCRIPT = """
said=$(printf %s "$2" | "$1" 2>&1 >/dev/null)
printf '%s\\n%.300s\\n' $? "$said"
"""


def run_hook(place: MachineLayout, machine: Machine, notice: PeerNotice) -> None:
    """Tell the machine's hook of a peer: the facts on its standard input, the main ones also as
    variables. Raises OperationError E_HOOK if it does not end well, and in time."""
    subscription = machine.subscription
    if subscription is None:
        # Its environment was made anew by another blueprint.
        return
    words = [f"{name}={value}" for name, value in _variables(notice).items()]
    bounded = ["timeout", "--kill-after=2", str(HOOK_TIMEOUT_S)]
    shell = ["sh", "-c", _SCRIPT, "sh", subscription.hook, facts_of(notice)]
    argv = exec_argv(place, ["env", *words, *bounded, *shell], tty=False)
    code, _, said = run_bounded(argv, timeout_s=HOOK_TIMEOUT_S + 5).partition("\n")
    if code != "0":
        how = f"ended with exit code {code}" if code.isdecimal() else "did not end in time"
        told = text(said).strip()
        raise OperationError(
            "E_HOOK", f"{machine.name}: {subscription.hook} {how}{f': {told}' if told else ''}"
        )


def facts_of(notice: PeerNotice) -> str:
    """What the hook reads: the event, and the peer's facts, as one line of JSON."""
    peer = notice.peer
    facts = {
        "event": notice.event.value,
        "at": notice.at.isoformat(),
        "environment": peer.environment,
        "machine": peer.name,
        "role": peer.role,
        "branch": peer.branch,
        "address": peer.address,
        "private_dns": peer.private_dns,
        "services": dict(peer.services),
        "tags": dict(peer.tags),
        "health": peer.health.value,
        "failing": peer.failing,
    }
    return json.dumps(facts) + "\n"


def _variables(notice: PeerNotice) -> dict[str, str]:
    peer = notice.peer
    return {
        "GREENROOM_EVENT": notice.event.value,
        "GREENROOM_PEER": peer.name,
        "GREENROOM_PEER_ENVIRONMENT": peer.environment,
        "GREENROOM_PEER_ROLE": peer.role,
        "GREENROOM_PEER_ADDRESS": peer.address,
        "GREENROOM_PEER_HEALTH": peer.health.value,
    }
