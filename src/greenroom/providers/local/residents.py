"""Who lives in the region: which machine an address belongs to, and which wait handle is whose.

The region's services tell machines apart by their source address, which a machine cannot forge.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from greenroom.model.names import EnvironmentName
from greenroom.model.stack import Machine, Stack


@dataclass(frozen=True, slots=True)
class Resident:
    """A machine and the Stack that it belongs to."""

    stack: Stack
    machine: Machine


class Residents:
    """The machines of all environments, by address and by signal token. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_address: dict[str, Resident] = {}
        self._by_token: dict[str, Resident] = {}

    def admit(self, stack: Stack) -> None:
        """Make the Stack's machines and drills known. Idempotent."""
        with self._lock:
            for machine in (*stack.machines, *stack.drills):
                resident = Resident(stack, machine)
                self._by_address[str(machine.address)] = resident
                self._by_token[machine.signal_token] = resident

    def dismiss(self, environment: EnvironmentName) -> None:
        """Forget an environment. Idempotent."""
        with self._lock:
            for table in (self._by_address, self._by_token):
                gone = [key for key, r in table.items() if r.stack.environment == environment]
                for key in gone:
                    del table[key]

    def stacks(self) -> tuple[Stack, ...]:
        """The Stacks of all environments that have machines here."""
        with self._lock:
            found = {r.stack.environment: r.stack for r in self._by_address.values()}
        return tuple(found.values())

    def at(self, address: str) -> Resident | None:
        """The machine with that address."""
        with self._lock:
            return self._by_address.get(address)

    def holding(self, token: str) -> Resident | None:
        """The machine whose wait handle ends in that token."""
        with self._lock:
            return self._by_token.get(token)
