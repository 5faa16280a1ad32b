"""What was done before: the operations on an environment, and the blueprints that were created
from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from greenroom.model.events import OperationStatus
from greenroom.model.names import EnvironmentName
from greenroom.model.requests import CreateRequest
from greenroom.store.database import Database
from greenroom.store.environments import find_environment, list_environments
from greenroom.store.operations import newest_creates, operations_on

_CREATES_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PastOperation:
    """One line of an environment's history; ``error`` is why it failed."""

    id: str
    kind: str
    status: OperationStatus
    asked_by: str
    created_at: datetime
    ended_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBlueprint:
    """A blueprint that an environment stands on, or once was created from."""

    stack: str
    path: Path


class History:
    """What the ledger remembers. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, name: EnvironmentName, limit: int) -> tuple[PastOperation, ...]:
        """The operations on environments of that name, newest first."""
        with self._database.read() as connection:
            found = operations_on(connection, name, limit)
        return tuple(
            PastOperation(
                id=record.id,
                kind=record.kind,
                status=record.status,
                asked_by=record.asked_by,
                created_at=record.created_at,
                ended_at=record.ended_at,
                error=error,
            )
            for record, error in found
        )

    def create_of(self, name: EnvironmentName) -> str | None:
        """The id of the operation that created the environment that stands now."""
        with self._database.read() as connection:
            record = find_environment(connection, name)
        return None if record is None else record.created_by

    def blueprints(self) -> tuple[KnownBlueprint, ...]:
        """Each blueprint file once, by stack; those that are gone are left out."""
        with self._database.read() as connection:
            known = known_blueprints(connection)
        # The newest say whose a file is, so those of what stands come last here.
        by_path = {each.path: each for each in reversed(known)}
        there = (path for path in by_path if path.is_absolute() and path.is_file())
        blueprints = (by_path[path] for path in there)
        return tuple(sorted(blueprints, key=lambda each: (each.stack, each.path)))


def known_blueprints(connection: Connection) -> tuple[KnownBlueprint, ...]:
    """The blueprints of the environments that exist, then those of what was created last. All of
    them were accepted: see ``greenroom.app.host_paths`` for who can have named them."""
    standing = list_environments(connection)
    known = [KnownBlueprint(stack=e.name.stack, path=e.stack.blueprint_path) for e in standing]
    for record in newest_creates(connection, _CREATES_MAX):
        if isinstance(record.request, CreateRequest):
            stack, path = record.environment.stack, record.request.blueprint
            known.append(KnownBlueprint(stack=stack, path=path))
    return tuple(known)
