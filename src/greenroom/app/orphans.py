"""What the host holds of environments that the ledger does not have: found, told, removed.

Only what bears an environment's name is ever removed, and never while a create of that name is
accepted or at work.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from greenroom.app.rights import require
from greenroom.errors import InputError, OperationError, RefusedError
from greenroom.model.access import Action, Caller
from greenroom.model.names import EnvironmentName
from greenroom.model.orphans import Orphan
from greenroom.model.receipt import Receipt
from greenroom.ports import Provider
from greenroom.store.database import Database
from greenroom.store.environments import find_environment, list_environments
from greenroom.store.operations import last_operation


class Orphans:
    """Finds and removes orphans. Thread-safe."""

    def __init__(self, *, database: Database, provider: Provider) -> None:
        self._database = database
        self._provider = provider
        self._lock = threading.Lock()
        self._clearing: set[EnvironmentName] = set()

    def find(self) -> tuple[Orphan, ...]:
        """All that the host holds and no environment owns, by name, strangers last."""
        # In this order: what begins in between is in the ledger before it is on the host.
        census = self._provider.census()
        with self._database.read() as connection:
            known = {record.name for record in list_environments(connection)}
            lost = [name for name in census.environments if name not in known]
            ended = {name for name in lost if _has_ended(connection, name)}
        found = [
            Orphan(environment=str(name), ended=name in ended, resources=resources)
            for name in lost
            # What was just being destroyed is gone by now.
            if (resources := self._provider.observe(name))
        ]
        if census.strangers:
            found.append(Orphan(environment=None, ended=False, resources=census.strangers))
        return tuple(found)

    def remove(self, text: str, caller: Caller) -> Receipt:
        """Remove all that bears the name ``stack/slug``, which no environment has.

        Raises InputError E_NO_ENVIRONMENT for what is no such name, RefusedError E_NOT_ORPHAN for
        an environment that the ledger has, OperationError E_LEFT_OVER if something stays.
        """
        try:
            name = EnvironmentName.parse(text)
        except ValueError as error:
            raise InputError(
                "E_NO_ENVIRONMENT", f"{text[:80]!r} is no stack/branch", hint="see doctor --orphans"
            ) from error
        # Nobody knows any more whether it was production.
        require(caller, Action.DESTROY, name.stack, production=True)
        with self._held(name):
            receipt = self._provider.destroy(name)
        if receipt.left_over:
            raise OperationError(
                "E_LEFT_OVER",
                f"the host still holds {len(receipt.left_over)} of {name}, such as "
                f"{receipt.left_over[0].kind} {receipt.left_over[0].name}",
                hint="the daemon's log says why it stayed; greenroom doctor --orphans lists it",
            )
        return receipt

    def refuse_create(self, name: EnvironmentName) -> None:
        """Refuse a create of what is just being removed; call it in the create's transaction.
        Raises RefusedError E_BUSY."""
        with self._lock:
            if name in self._clearing:
                raise RefusedError(
                    "E_BUSY",
                    f"{name} is busy: what was left of an earlier one is being removed",
                    hint="try again in a moment",
                )

    @contextmanager
    def _held(self, name: EnvironmentName) -> Iterator[None]:
        """Keep creates of that name out; refuses if there is an environment of that name."""
        # Writers take turns, and a create looks in its own transaction: so either it sees this,
        # or this sees it.
        with self._database.write() as connection:
            if find_environment(connection, name) is not None:
                raise RefusedError(
                    "E_NOT_ORPHAN",
                    f"{name} is an environment, no orphan",
                    hint=f"greenroom destroy {name} removes it",
                )
            self.refuse_create(name)
            with self._lock:
                self._clearing.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._clearing.discard(name)


def _has_ended(connection: Connection, name: EnvironmentName) -> bool:
    """Whether the ledger knows of it, and that it came to its end."""
    last = last_operation(connection, name)
    return last is not None and last.status.final
