"""The inventory as a service: it looks, writes down what changed, and answers.

It looks when somebody says that something may have changed, and every few seconds besides. Only
its own thread writes, and what it has written it remembers: a look without news costs a read of
the environments and nothing else, and who asks is answered without the ledger.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice

from greenroom.app.clock import Clock
from greenroom.app.inventory.changes import changes_between, rolled_back
from greenroom.app.inventory.peers import plan_notices
from greenroom.app.inventory.records import Seen, records_of
from greenroom.app.inventory.snapshot import Snapshot, snapshot_of
from greenroom.app.replaceable import replaces
from greenroom.errors import InputError
from greenroom.model.inventory import (
    Health,
    MachineChange,
    MachineKey,
    MachinePage,
    MachineQuery,
    MachineRecord,
    PeerNotice,
)
from greenroom.model.names import EnvironmentName
from greenroom.model.views import MachineReport
from greenroom.ports import Provider
from greenroom.store.database import Database
from greenroom.store.environments import (
    STANDING,
    EnvironmentRecord,
    list_environments,
    reports_by_environment,
)
from greenroom.store.inventory import (
    changes_since,
    forget_changes,
    history_begins,
    keys_since,
    last_change_at,
    list_machines,
    write_changes,
)
from greenroom.store.notices import drop_queues, queue_notices
from greenroom.store.operations import OperationRecord, unfinished_operations

LOOK_EVERY_S = 5.0
PAUSE_S = 0.2
"""Between two looks: who changes a thousand times a second is written down five times."""
CATCH_UP_S = 1.0
"""How long a reader waits for a look that is due."""
FORGET_EVERY_S = 3600.0

_logger = logging.getLogger(__name__)


class Inventory:
    """Who is there. Thread-safe; ``look`` is for one thread at a time."""

    def __init__(
        self,
        *,
        database: Database,
        provider: Provider,
        clock: Clock,
        changed: Callable[[tuple[MachineChange, ...]], None] = lambda _: None,
    ) -> None:
        """``changed`` hears of what a look has written down."""
        self._database = database
        self._provider = provider
        self._clock = clock
        self._changed = changed
        # What the ledger has; None if that has to be read first.
        self._snapshot: Snapshot | None = None
        self._reading = threading.Lock()
        self._closing = threading.Event()
        # Looks that somebody wanted, and how many of them are done.
        self._looks = threading.Condition()
        self._wanted = 0
        self._done = 0
        self._thread: threading.Thread | None = None
        self._forgot_s: float | None = None
        self._lock = threading.Lock()
        self._ended: set[MachineKey] = set()

    def start(self) -> None:
        """Look from now on, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="inventory", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more. Idempotent."""
        self._closing.set()
        self.nudge()
        if self._thread is not None:
            self._thread.join()

    def nudge(self) -> None:
        """Something may have changed: look soon. Never blocks."""
        with self._looks:
            self._wanted += 1
            self._looks.notify_all()

    def ended(self, environment: EnvironmentName, machine: str) -> None:
        """A machine has ended: the next look finds it gone, even if it runs again by then. Never
        blocks."""
        with self._lock:
            self._ended.add((str(environment), machine))
        self.nudge()

    def machines(
        self, query: MachineQuery, *, after: str | None = None, limit: int | None = None
    ) -> MachinePage:
        """The machines that match; a page of ``limit``, behind the ``next`` of another."""
        self._catch_up()
        found = self._committed().find(query, after=_key(after))
        page = tuple(found if limit is None else islice(found, limit + 1))
        if limit is None or len(page) <= limit:
            return MachinePage(machines=page, next=None)
        last = page[limit - 1]
        return MachinePage(machines=page[:limit], next=f"{last.environment}/{last.name}")

    def machines_at(
        self, query: MachineQuery, at: datetime, *, after: str | None = None, limit: int
    ) -> MachinePage:
        """The machines that matched at that instant, of ``limit`` that were there or have come
        since: a page may hold fewer, also none, and still have a ``next``. Raises InputError
        E_INVENTORY_TIME for an instant that is not known (any more)."""
        behind = _key(after)
        with self._database.read() as connection:
            _refuse_unknown_time(at, self._clock.now(), history_begins(connection))
            found = keys_since(connection, at, query, after=behind, limit=limit + 1)
            keys = found[:limit]
            if not keys:
                return MachinePage(machines=(), next=None)
            last = keys[-1]
            records = list_machines(connection, after=behind, last=last)
            changes = changes_since(connection, at, query, after=behind, last=last)
        wanted = set(keys)
        now = {record.key: record for record in records if record.key in wanted}
        then = rolled_back(now, changes)
        return MachinePage(
            machines=tuple(then[key] for key in keys if key in then and query.matches(then[key])),
            next="/".join(last) if len(found) > limit else None,
        )

    def changes(
        self, query: MachineQuery, since: datetime, limit: int
    ) -> tuple[MachineChange, ...]:
        """The newest changes since that instant of machines of the environment, stack or stacks
        that are asked for, the oldest first. Raises InputError E_INVENTORY_TIME."""
        with self._database.read() as connection:
            _refuse_unknown_time(since, self._clock.now(), history_begins(connection))
            found = changes_since(connection, since, query, limit=limit)
        return tuple(reversed(found))

    def targets(self, query: MachineQuery) -> Iterator[MachineRecord]:
        """The machines that match, for a monitoring system: it asks again and again, so that no
        look is waited for."""
        return self._committed().find(query)

    def look(self) -> tuple[MachineChange, ...]:
        """Compare what is known with what is there, and write down the difference."""
        now = self._clock.now()
        with self._lock:
            ended = frozenset(self._ended)
        before = self._committed().records
        with self._database.read() as connection:
            environments = list_environments(connection)
            reports = reports_by_environment(connection)
            last_at = last_change_at(connection)
            operations = {str(each.environment): each for each in unfinished_operations(connection)}
        # A clock that was set back must not make a history that runs backwards.
        now = now if last_at is None else max(now, last_at)
        known = _by_environment(before.values())
        desired: dict[MachineKey, MachineRecord] = {}
        # Who was away is so until it runs: nobody need have taken it up yet.
        doubtful = ended | {key for key, each in before.items() if each.health is Health.STOPPED}
        for environment in environments:
            name, operation = str(environment.name), operations.get(str(environment.name))
            lost = self._lost(environment, operation, doubtful)
            lost |= {machine for key, machine in ended if key == name}
            seen = self._seen(environment, reports.get(name, ()), operation, lost)
            for record in records_of(seen, known.get(name, {}), now):
                desired[record.key] = record
        changes = changes_between(before, desired, now)
        if changes:
            subscriptions = {
                (str(environment.name), machine.name): machine.subscription
                for environment in environments
                for machine in environment.stack.machines
                if machine.subscription is not None
            }
            notices = plan_notices(before, desired, subscriptions, now)
            self._write(changes, desired, notices)
        self._have_noted(ended)
        self._forget(now)
        return changes

    def _run(self) -> None:
        while not self._closing.is_set():
            wanted = self._wanted
            try:
                changes = self.look()
                if changes:
                    self._changed(changes)
            except Exception:
                # Whether its last transaction was committed is not known: the ledger tells.
                self._snapshot = None
                _logger.exception("the inventory could not look")
            with self._looks:
                self._done = wanted
                self._looks.notify_all()
            self._closing.wait(PAUSE_S)
            with self._looks:
                self._looks.wait_for(lambda: self._wanted > self._done, LOOK_EVERY_S)

    def _catch_up(self) -> None:
        """Wait for what was due before we were asked: who has just seen an environment proved must
        not read that its machines are starting."""
        if self._thread is None:
            return
        with self._looks:
            wanted = self._wanted
            self._looks.wait_for(lambda: self._done >= wanted, CATCH_UP_S)

    def _committed(self) -> Snapshot:
        """All machines as the ledger has them. It is read before the first look, and after one
        that failed; who comes meanwhile waits for the same reading. A look asks as well before it
        writes, so what was read here is never older than what it wrote."""
        with self._reading:
            # Looked at once: a look that fails takes it away at any moment.
            found = self._snapshot
            if found is None:
                with self._database.read() as connection:
                    found = self._snapshot = snapshot_of(list_machines(connection))
            return found

    def _lost(
        self,
        record: EnvironmentRecord,
        operation: OperationRecord | None,
        doubtful: frozenset[MachineKey],
    ) -> frozenset[str]:
        """The machines that do not run; none, unasked, where there is no reason to doubt it."""
        name = str(record.name)
        rests = record.status in STANDING and operation is None
        if rests and not any(environment == name for environment, _ in doubtful):
            return frozenset()
        return frozenset(self._provider.lost(record.stack))

    def _seen(
        self,
        record: EnvironmentRecord,
        reports: tuple[MachineReport, ...],
        operation: OperationRecord | None,
        lost: frozenset[str],
    ) -> Seen:
        return Seen(
            stack=record.stack,
            status=record.status,
            reports=reports,
            lost=lost,
            problems=self._provider.problems(record.stack),
            replacing=operation is not None and replaces(operation.request),
        )

    def _have_noted(self, ended: Collection[MachineKey]) -> None:
        """These ends are written down. Not before: a look that fails must not lose them."""
        with self._lock:
            self._ended.difference_update(ended)
        if ended:
            # They may run again by now, and nobody need say so.
            self.nudge()

    def _write(
        self,
        changes: tuple[MachineChange, ...],
        desired: dict[MachineKey, MachineRecord],
        notices: tuple[PeerNotice, ...],
    ) -> None:
        """All at once: who is to be told of a change is told of it even if we end now."""
        keys = [(change.environment, change.machine) for change in changes]
        with self._database.write() as connection:
            records = [desired[key] for key in keys if key in desired]
            gone = [key for key in keys if key not in desired]
            write_changes(connection, changes, records, gone)
            queue_notices(connection, notices)
            drop_queues(connection, gone)
        self._snapshot = snapshot_of(desired.values())

    def _forget(self, now: datetime) -> None:
        now_s = self._clock.monotonic_s()
        if self._forgot_s is None or now_s - self._forgot_s > FORGET_EVERY_S:
            self._forgot_s = now_s
            with self._database.write() as connection:
                forget_changes(connection, now)


def _by_environment(
    records: Iterable[MachineRecord],
) -> dict[str, dict[str, MachineRecord]]:
    found: dict[str, dict[str, MachineRecord]] = {}
    for record in records:
        found.setdefault(record.environment, {})[record.name] = record
    return found


def _key(cursor: str | None) -> MachineKey | None:
    """The machine that a page ended with; raises InputError E_CURSOR."""
    if cursor is None:
        return None
    environment, separator, machine = cursor.rpartition("/")
    if not separator or "/" not in environment:
        raise InputError(
            "E_CURSOR",
            f"{cursor!r} is not where a page of machines ended",
            hint="pass on what «next» of the former page says",
        )
    return environment, machine


def _refuse_unknown_time(at: datetime, now: datetime, kept_since: datetime | None) -> None:
    if at > now:
        raise InputError(
            "E_INVENTORY_TIME", f"{at.isoformat()} has not come yet", hint="give a time that has"
        )
    if kept_since is not None and at < kept_since:
        raise InputError(
            "E_INVENTORY_TIME",
            f"how machines stood at {at.isoformat()} is not known any more",
            hint=f"changes are kept since {kept_since.isoformat()}",
        )
