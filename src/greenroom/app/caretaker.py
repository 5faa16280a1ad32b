"""What is done when a part of a running environment ends, without anybody asking.

A machine's end becomes a recovery, an operation of its own. A service's end is mended where it
happened, written down, and the environment is proved again. Either is given up when it happens
too often: then the environment is *failed*, with the reason.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import Connection

from greenroom.app.clock import Clock
from greenroom.app.patience import prove_patiently
from greenroom.errors import GreenroomError, HostError, RefusedError
from greenroom.model.incidents import Ended, Incident, Part
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Verdict
from greenroom.model.requests import RecoverRequest
from greenroom.model.views import EnvironmentStatus
from greenroom.ports import Provider
from greenroom.store.database import Database
from greenroom.store.environments import (
    STANDING,
    EnvironmentRecord,
    find_environment,
    find_findings,
    save_proof,
    set_status,
    stacks_beside,
)
from greenroom.store.incidents import count_incidents, record_incident
from greenroom.store.operations import unfinished_on

MACHINE_DELAYS_S = (0.0, 1.0, 4.0, 15.0)
"""Before a machine is started again, by how often it ended in the time below."""
MACHINE_WINDOW = timedelta(minutes=10)
SERVICE_ENDS_MAX = 10
SERVICE_WINDOW = timedelta(minutes=1)
_AT_ONCE = 4
_Lane = tuple[EnvironmentName, bool]
"""An environment, and whether it is the lane of what is short: watching it anew, or asking for a
recovery, waits for no service's proof."""

_logger = logging.getLogger(__name__)


class Caretaker:
    """Watches the environments that stand and deals with what ends. Thread-safe."""

    def __init__(
        self,
        *,
        database: Database,
        provider: Provider,
        clock: Clock,
        submit: Callable[[RecoverRequest], object],
    ) -> None:
        self._database = database
        self._provider = provider
        self._clock = clock
        self._submit = submit
        self._workers = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="caretaker")
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._waiting: dict[_Lane, deque[Callable[[], None]]] = {}
        self._listener: Callable[[EnvironmentName, str], None] = lambda _, __: None

    def settled(self, name: EnvironmentName) -> None:
        """An operation on the environment has ended: watch what stands now, in the background."""
        self._later((name, True), lambda: self.adopt(name))

    def adopt(self, name: EnvironmentName, why_lost: str = "was found not to run") -> None:
        """Watch an environment that stands; recover it if a machine of it does not run."""
        with self._database.read() as connection:
            record = _idle(connection, name)
        if record is None:
            self._provider.leave(name)
            return
        lost = self._provider.lost(record.stack)
        if lost:
            self._recover(record, f"{', '.join(lost)} {why_lost}")
        else:
            self._provider.attend(record.stack, self.ended)

    def listen(self, listener: Callable[[EnvironmentName, str], None]) -> None:
        """Tell ``listener`` of each machine that ends, before that is dealt with; it must not
        block."""
        self._listener = listener

    def thrown_away(self, name: EnvironmentName, machine: str) -> None:
        """A machine ended on purpose: who listens hears of it, and nothing is to be mended."""
        self._listener(name, machine)

    def ended(self, ended: Ended) -> None:
        """Deal with it, in the background."""
        if ended.part is Part.MACHINE:
            self._listener(ended.environment, ended.machine)
        lane = (ended.environment, ended.part is Part.MACHINE)
        self._later(lane, lambda: self._deal_with(ended))

    def close(self) -> None:
        """Take nothing up any more, and wait for what is being done."""
        self._closing.set()
        self._workers.shutdown(cancel_futures=True)

    def _later(self, lane: _Lane, work: Callable[[], None]) -> None:
        """One after the other in a lane: an environment whose services end all the time must not
        have all workers."""
        with self._lock:
            if lane in self._waiting:
                self._waiting[lane].append(work)
                return
            self._waiting[lane] = deque([work])
        self._take_up(lane)

    def _take_up(self, lane: _Lane) -> None:
        # After close there are no workers any more, and nothing is taken up.
        with contextlib.suppress(RuntimeError):
            self._workers.submit(self._work, lane)

    def _work(self, lane: _Lane) -> None:
        with self._lock:
            work = self._waiting[lane].popleft()
        try:
            if not self._closing.is_set():
                work()
        except GreenroomError as error:
            _logger.warning("care failed: %s: %s", error.code, error.message)
        except Exception:
            _logger.exception("care broke")
        with self._lock:
            if not self._waiting[lane]:
                del self._waiting[lane]
                return
        self._take_up(lane)

    def _deal_with(self, ended: Ended) -> None:
        with self._database.read() as connection:
            record = _idle(connection, ended.environment)
        # While an operation is at work on it, things end on purpose; it is adopted afterwards.
        if record is None:
            return
        if ended.part is Part.MACHINE:
            self._machine_ended(record, ended)
        else:
            self._service_ended(record, ended)

    def _machine_ended(self, record: EnvironmentRecord, ended: Ended) -> None:
        what = f"its first process (s6-svscan, process {ended.pid}) {ended.how}"
        times = self._times(ended, MACHINE_WINDOW)
        can_boot = self._can_boot(record)
        if can_boot and times >= len(MACHINE_DELAYS_S):
            self._give_up(record, ended, f"{what}, time {times + 1} in ten minutes")
            return
        self._write_down(record, Incident(at=ended.at, subject=ended.subject, message=what))
        if not can_boot:
            return
        request = RecoverRequest(
            environment=str(record.name),
            reason=f"{ended.machine}: {what}",
            delay_s=MACHINE_DELAYS_S[times],
            since=ended.at,
        )
        self._ask(request)

    def _service_ended(self, record: EnvironmentRecord, ended: Ended) -> None:
        process = f"process {ended.pid}"
        if ended.part is Part.SUPERVISOR:
            process = f"supervisor (s6-supervise, {process})"
        what = f"its {process} {ended.how}"
        times = self._times(ended, SERVICE_WINDOW)
        if times >= SERVICE_ENDS_MAX:
            if not self._can_boot(record):
                return
            self._provider.hold(ended)
            self._give_up(record, ended, f"{what}, time {times + 1} in a minute")
            return
        self._doubt(record)
        away_s: float | None = None
        try:
            if not self._provider.mend(ended):
                # Its whole machine has ended, of which we are told as well.
                return
            # The host's clock may have been set back since.
            away_s = max(0.0, (self._clock.now() - ended.at).total_seconds())
            message = f"{what}; the service was started again"
        except GreenroomError as error:
            # Somebody may have taken it down on purpose: the proof below says what that means.
            message = f"{what}; {error.message}"
        self._write_down(
            record,
            Incident(at=ended.at, subject=ended.subject, message=message, away_s=away_s),
        )
        self.adopt(record.name)
        self._prove_again(record)

    def _prove_again(self, record: EnvironmentRecord) -> None:
        with self._database.read() as connection:
            reports = find_findings(connection, record.name).reports
            others = stacks_beside(connection, record.name)
        proof = prove_patiently(
            lambda: self._provider.prove(record.stack, reports, others, recheck=True),
            self._closing.wait,
        )
        with self._database.write() as connection:
            if _idle(connection, record.name) is not None:
                save_proof(connection, record, proof, self._clock.now())

    def _times(self, ended: Ended, window: timedelta) -> int:
        """How often that ended before, in the time before it ended now."""
        where, since = (ended.environment, ended.subject), ended.at - window
        with self._database.read() as connection:
            return count_incidents(connection, *where, since, ended.at)

    def _give_up(self, record: EnvironmentRecord, ended: Ended, what: str) -> None:
        message = (
            f"{what}: it is not started again; greenroom logs {record.name} may say why, "
            f"greenroom recover {record.name} starts it once more"
        )
        _logger.warning("%s %s: %s", record.name, ended.subject, message)
        incident = Incident(at=ended.at, subject=ended.subject, message=message)
        with self._database.write() as connection:
            record_incident(connection, record.name, incident)
            if _idle(connection, record.name) is not None:
                failed = (EnvironmentStatus.FAILED, Verdict.NOT_VERIFIED)
                set_status(connection, record.name, *failed)
        self._provider.leave(record.name)

    def _doubt(self, record: EnvironmentRecord) -> None:
        """What was proved need not be true just now."""
        with self._database.write() as connection:
            if _idle(connection, record.name) is not None:
                doubt = (EnvironmentStatus.NOT_PROVED, Verdict.NOT_VERIFIED)
                set_status(connection, record.name, *doubt)

    def _write_down(self, record: EnvironmentRecord, incident: Incident) -> None:
        _logger.warning("%s %s: %s", record.name, incident.subject, incident.message)
        with self._database.write() as connection:
            record_incident(connection, record.name, incident)

    def _recover(self, record: EnvironmentRecord, reason: str) -> None:
        incident = Incident(at=self._clock.now(), subject=str(record.name), message=reason)
        with self._database.read() as connection:
            # An operation that has begun since it was looked at ends machines on purpose.
            if _idle(connection, record.name) is None:
                return
        if not self._can_boot(record):
            return
        self._write_down(record, incident)
        self._ask(RecoverRequest(environment=str(record.name), reason=reason))

    def _can_boot(self, record: EnvironmentRecord) -> bool:
        """Whether the host boots any machine now. What is left alone is found lost, and recovered,
        as soon as it does; until then nothing of it is given up."""
        try:
            self._provider.require_host()
        except HostError:
            if record.status is EnvironmentStatus.READY:
                self._doubt(record)
            return False
        return True

    def _ask(self, request: RecoverRequest) -> None:
        try:
            self._submit(request)
        except RefusedError as error:
            # Somebody was quicker; the environment is looked at again when that has ended.
            _logger.info("%s", error.message)


def _idle(connection: Connection, name: EnvironmentName) -> EnvironmentRecord | None:
    """The environment, if it stands and no operation is at work on it."""
    record = find_environment(connection, name)
    if record is None or record.status not in STANDING:
        return None
    return record if unfinished_on(connection, name) is None else None
