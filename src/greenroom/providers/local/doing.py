"""What machines do while they boot, for whoever watches.

A machine tells how long each of its phases took when all are over. Meanwhile its agent leaves word
in a file of its log, to explain a missed deadline: we read it there, which costs the boot nothing.
"""

from __future__ import annotations

from greenroom.ports import Progress

LASTING_S = 0.5
"""A shorter phase is told when it is over, with all others."""
_PHASES = frozenset({"restore", "provision", "deploy", "services", "checks"})


class Doing:
    """Tells each phase that lasts, once. Whoever is root in a machine can write into its file, so
    nothing is repeated of it but the names of phases."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._seen: dict[str, tuple[str, float]] = {}
        self._told: set[tuple[str, str]] = set()

    def look(self, machine: str, word: str, now_s: float) -> None:
        """Take up a machine's word, such as ``restore`` or ``restore: loading the dump``; now_s is
        monotonic."""
        phase = word.partition(":")[0]
        seen, since_s = self._seen.get(machine, ("", now_s))
        if phase != seen:
            self._seen[machine] = phase, now_s
        elif now_s - since_s >= LASTING_S and phase in _PHASES - self._phases_told(machine):
            self._told.add((machine, phase))
            self._progress.started(phase, machine)

    def _phases_told(self, machine: str) -> set[str]:
        return {phase for of, phase in self._told if of == machine}
