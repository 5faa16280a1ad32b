"""The definitions of jobs: read from a blueprint and the folder beside it, and registered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from greenroom.app.audit import entry_of
from greenroom.app.clock import Clock
from greenroom.app.host_paths import require_blueprint
from greenroom.app.jobs import built_in
from greenroom.app.jobs.admission import find_job, visible
from greenroom.app.jobs.history import seen
from greenroom.app.jobs.views import view_job
from greenroom.app.rights import require
from greenroom.blueprint.parse import load_blueprint
from greenroom.errors import GreenroomError, RefusedError
from greenroom.model.access import EVERY_STACK, Action, Caller, allows
from greenroom.model.audit import AuditEntry, Outcome, shown
from greenroom.model.jobs import Job, JobView
from greenroom.model.requests import CreateRequest, Request
from greenroom.plan.jobs import plan_jobs
from greenroom.store.audit import insert_audit
from greenroom.store.database import Database
from greenroom.store.executions import last_executions, list_executions
from greenroom.store.jobs import blueprint_of_jobs, list_jobs, replace_jobs

_logger = logging.getLogger(__name__)

JobsReader = Callable[[Path], tuple[str, tuple[Job, ...]]]
"""The stack of a blueprint and its jobs; raises InputError with all faults."""


class Definitions:
    """What can be run. ``changed`` is called after each registration."""

    def __init__(self, database: Database, read_jobs: JobsReader, clock: Clock) -> None:
        self._database = database
        self._read_jobs = read_jobs
        self._clock = clock
        self.changed: Callable[[], None] = lambda: None

    def register(self, blueprint: Path, caller: Caller) -> tuple[JobView, ...]:
        """Have the stack's jobs be those of this blueprint, which they are until the next time.

        Raises InputError E_BLUEPRINT with all faults; RefusedError E_FORBIDDEN for anybody but an
        operator of the stack, and of every stack where a definition names the user; and for a path
        that the caller may not name.
        """
        with self._database.read() as connection:
            require_blueprint(connection, caller, Action.REGISTER_JOBS, blueprint)
        stack, found = self._read_jobs(blueprint)
        require(caller, Action.REGISTER_JOBS, stack)
        _require_users(found, caller)
        now, source = self._clock.now(), str(blueprint.resolve())
        with self._database.write() as connection:
            replace_jobs(connection, stack, found, blueprint=source, by=caller.name, now=now)
            insert_audit(connection, _registered(stack, found, blueprint, caller), now)
        self.changed()
        return tuple(view for view in self.all(caller) if view.stack == stack)

    def register_beside(self, request: Request, caller: Caller) -> None:
        """What a create does for the jobs of its blueprint: register them, if the caller may and
        the stack's jobs do not come from another file. Whatever is wrong is the create's to tell.
        """
        if not isinstance(request, CreateRequest):
            return
        try:
            stack, found = self._read_jobs(request.blueprint)
            with self._database.read() as connection:
                source = blueprint_of_jobs(connection, stack)
                known = tuple(record.job for record in list_jobs(connection, stack))
            is_ours = source in (None, str(request.blueprint.resolve()))
            if is_ours and known != found:
                self.register(request.blueprint, caller)
        except GreenroomError as error:
            _logger.info("the jobs of %s: %s", request.blueprint, error.message)

    def all(self, caller: Caller) -> tuple[JobView, ...]:
        """All jobs that the caller may see, by name; the built-in ones come last."""
        with self._database.read() as connection:
            registered = [record.job for record in list_jobs(connection)]
            last = last_executions(connection)
        now = self._clock.now()
        known = [job for job in registered if visible(caller, job.stack)]
        return tuple(
            view_job(job, seen(last.get(job.full_name), caller), caller, now)
            for job in (*known, *built_in.BUILT_IN_JOBS)
        )

    def one(self, text: str, caller: Caller) -> JobView:
        """The job called ``text``; raises InputError."""
        with self._database.read() as connection:
            job = find_job(connection, text, caller)
            last = list_executions(connection, limit=1, job=job.full_name)
        newest = seen(last[0], caller) if last else None
        return view_job(job, newest, caller, self._clock.now())


def read_jobs(path: Path) -> tuple[str, tuple[Job, ...]]:
    """The stack of the blueprint at ``path``, and its jobs; raises InputError with all faults.

    Their folder is what ``path`` leads to now: a link that is changed later moves no job.
    """
    blueprint = load_blueprint(path)
    jobs = plan_jobs(blueprint)
    return blueprint.stack, tuple(
        replace(job, folder=str(Path(job.folder).resolve())) for job in jobs
    )


def _require_users(found: Sequence[Job], caller: Caller) -> None:
    """A user of this host is no stack's: whoever runs commands as root, or as the user of another
    stack's jobs, has all stacks."""
    named = [job for job in found if job.user is not None]
    if named and not allows(caller, Action.REGISTER_JOBS, EVERY_STACK, production=True):
        job = named[0]
        raise RefusedError(
            "E_FORBIDDEN",
            f"registering {job.full_name} with user: {job.user} takes the role operator on every "
            f"stack, which {caller.name} has not",
            hint="leave out user: and it runs with no rights on this host, or have somebody who is "
            "operator of every stack register it",
        )


def _registered(stack: str, found: Sequence[Job], blueprint: Path, caller: Caller) -> AuditEntry:
    names = [job.name for job in found]
    parameters = shown({"blueprint": blueprint, "jobs": names})
    return entry_of(
        caller,
        Action.REGISTER_JOBS,
        Outcome.DONE,
        stack=stack,
        subject=stack,
        parameters=parameters,
    )
