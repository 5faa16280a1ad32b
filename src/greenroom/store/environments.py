"""Named queries on the environments that exist."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from greenroom.errors import RefusedError
from greenroom.model.names import SHARED_SLUG, EnvironmentName
from greenroom.model.proof import Proof, Verdict
from greenroom.model.stack import Stack
from greenroom.model.views import EnvironmentStatus, MachineReport
from greenroom.store import codec
from greenroom.store.tables import environments

STANDING = (EnvironmentStatus.READY, EnvironmentStatus.NOT_PROVED)
"""The environments whose machines run."""

_AWAY = (
    EnvironmentStatus.STOPPING,
    EnvironmentStatus.STOPPED,
    EnvironmentStatus.DESTROYING,
)

SUBNETS = 255
"""The /24s of a region's /16; the last one links the region to its host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRecord:
    """An environment; what was found out about it are its ``Findings``.

    ``created_by`` is the operation that created it; ``ready_at`` is when it was first proved.
    ``expires_at`` None: it never expires. ``warned_at`` is when its end was told, ``awake_until``
    how long working hours leave it alone; ``stopped_by`` is the name of the caller.
    """

    name: EnvironmentName
    subnet_index: int
    secret: str = field(repr=False)
    status: EnvironmentStatus
    stack: Stack
    created_by: str
    created_at: datetime
    verdict: Verdict = Verdict.NOT_VERIFIED
    ready_at: datetime | None = None
    owner: str = "root"
    expires_at: datetime | None = None
    warned_at: datetime | None = None
    awake_until: datetime | None = None
    stopped_at: datetime | None = None
    stopped_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the machines said of themselves, and the last proof. Kept apart from the record: they
    are long, and most questions do not need them."""

    reports: tuple[MachineReport, ...] = ()
    proof: Proof | None = None


_LIFETIME = ("owner", "expires_at", "warned_at", "awake_until", "stopped_at", "stopped_by")
_RECORD = [column for column in environments.c if column.name not in ("proof_json", "reports_json")]


def insert_environment(connection: Connection, record: EnvironmentRecord) -> None:
    """Reserve the name and the subnet: both are unique."""
    values = {
        "name": str(record.name),
        "stack": record.name.stack,
        "slug": record.name.slug,
        "branch": record.stack.branch,
        "subnet_index": record.subnet_index,
        "secret": record.secret,
        "status": record.status,
        "production": record.stack.production,
        "stack_json": codec.dump_stack(record.stack),
        "verdict": record.verdict,
        "reports_json": codec.dump_reports(()),
        "created_by": record.created_by,
        "created_at": record.created_at,
        "ready_at": record.ready_at,
        **{name: getattr(record, name) for name in _LIFETIME},
    }
    connection.execute(insert(environments), values)


def find_environment(connection: Connection, name: EnvironmentName) -> EnvironmentRecord | None:
    """The environment of that name."""
    query = select(*_RECORD).where(environments.c.name == str(name))
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _record(row)


def is_production(connection: Connection, name: str) -> bool:
    """Whether there is an environment of that name, and it is production."""
    query = select(environments.c.production).where(environments.c.name == name)
    return bool(connection.scalar(query))


def list_environments(connection: Connection) -> tuple[EnvironmentRecord, ...]:
    """All environments, by name."""
    rows = connection.execute(select(*_RECORD).order_by(environments.c.name)).mappings()
    return tuple(_record(row) for row in rows)


def find_findings(connection: Connection, name: EnvironmentName) -> Findings:
    """What is known about the environment; empty if there is none of that name."""
    query = select(environments.c.proof_json, environments.c.reports_json).where(
        environments.c.name == str(name)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return Findings()
    return Findings(
        reports=codec.load_reports(row.reports_json),
        proof=None if row.proof_json is None else codec.load_proof(row.proof_json),
    )


def reports_by_environment(connection: Connection) -> dict[str, tuple[MachineReport, ...]]:
    """What the machines of all environments said of themselves at boot."""
    rows = connection.execute(select(environments.c.name, environments.c.reports_json))
    return {row.name: codec.load_reports(row.reports_json) for row in rows}


def stacks_beside(connection: Connection, name: EnvironmentName) -> tuple[Stack, ...]:
    """The Stacks of the other environments, by name, also of those that come or go just now:
    their machines may be there already, or still."""
    query = (
        select(environments.c.stack_json)
        .where(environments.c.name != str(name))
        .order_by(environments.c.name)
    )
    return tuple(codec.load_stack(text) for text in connection.scalars(query))


def branches_by_slug(connection: Connection, stack: str) -> dict[str, str]:
    """Which slugs of a stack are taken, and by which raw branch.

    Without the shared environment: it belongs to no branch, and its slug is nobody's to take.
    """
    columns = select(environments.c.slug, environments.c.branch)
    mine = columns.where(environments.c.stack == stack, environments.c.slug != SHARED_SLUG)
    rows = connection.execute(mine)
    return {row.slug: row.branch for row in rows}


def lowest_free_index(connection: Connection) -> int:
    """The lowest subnet index that no environment has; raises RefusedError E_REGION_FULL.

    Call it in the transaction that inserts the environment: that makes it a reservation.
    """
    taken = set(connection.scalars(select(environments.c.subnet_index)))
    for index in range(SUBNETS):
        if index not in taken:
            return index
    raise RefusedError(
        "E_REGION_FULL",
        f"all {SUBNETS} subnets of this region are taken by environments",
        hint="greenroom list, then greenroom destroy what nobody needs",
    )


def set_status(
    connection: Connection,
    name: EnvironmentName,
    status: EnvironmentStatus,
    verdict: Verdict | None = None,
) -> None:
    """Where the environment stands now; the verdict stays as it is if None."""
    values: dict[str, object] = {"status": status}
    if verdict is not None:
        values["verdict"] = verdict
    connection.execute(update(environments).where(environments.c.name == str(name)).values(values))


def save_reports(
    connection: Connection, name: EnvironmentName, reports: tuple[MachineReport, ...]
) -> None:
    """Keep what the machines said of themselves."""
    connection.execute(
        update(environments)
        .where(environments.c.name == str(name))
        .values(reports_json=codec.dump_reports(reports))
    )


def save_proof(
    connection: Connection, record: EnvironmentRecord, proof: Proof, at: datetime
) -> None:
    """Keep the proof and what follows from it: ready if it holds, else not proved.

    Matches on the creating operation too, so that a proof that took long cannot speak for a
    namesake that was created meanwhile; nor does it revive what is destroyed or stopped by now.
    """
    proved = proof.verdict is Verdict.PROVED
    values: dict[str, object] = {
        "proof_json": codec.dump_proof(proof),
        "verdict": proof.verdict,
        "status": EnvironmentStatus.READY if proved else EnvironmentStatus.NOT_PROVED,
    }
    if proved and record.ready_at is None:
        values["ready_at"] = at
    connection.execute(
        update(environments)
        .where(environments.c.name == str(record.name))
        .where(environments.c.created_by == record.created_by)
        .where(environments.c.status.not_in(_AWAY))
        .values(values)
    )


def delete_environment(connection: Connection, name: EnvironmentName) -> None:
    """Forget the environment: its name and subnet are free again."""
    connection.execute(delete(environments).where(environments.c.name == str(name)))


def _record(row: RowMapping) -> EnvironmentRecord:
    return EnvironmentRecord(
        name=EnvironmentName(row["stack"], row["slug"]),
        subnet_index=row["subnet_index"],
        secret=row["secret"],
        status=EnvironmentStatus(row["status"]),
        stack=codec.load_stack(row["stack_json"]),
        created_by=row["created_by"],
        created_at=row["created_at"],
        verdict=Verdict(row["verdict"]),
        ready_at=row["ready_at"],
        **{name: row[name] for name in _LIFETIME},
    )
