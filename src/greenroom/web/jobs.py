"""Jobs and their executions over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from greenroom.app.jobs.follow import follow_log
from greenroom.app.jobs.history import PAGE_MAX
from greenroom.app.jobs.service import Jobs
from greenroom.model.access import Action, Caller
from greenroom.model.audit import Outcome as AuditOutcome
from greenroom.model.jobs import ExecutionView, JobView
from greenroom.web.access import Asking
from greenroom.web.event_stream import NDJSON, ndjson, one_stream
from greenroom.web.rights import concerns, needs_somewhere

# Write-only, as the document says: some of them are secrets, and no answer repeats any.
_Options = Annotated[dict[str, str], Field(repr=False, json_schema_extra={"writeOnly": True})]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RegisterBody(_Body):
    """``greenroom job register``."""

    blueprint: Path


class RunBody(_Body):
    """``greenroom job run``: the job's full name, or its name; the options' values as text."""

    job: str
    options: _Options = {}


class RetryBody(_Body):
    """``greenroom job retry``: the secrets, which were not kept."""

    options: _Options = {}


def job_routes(jobs: Jobs) -> APIRouter:
    """What can be run."""
    routes = APIRouter(tags=["jobs"])

    @routes.get("/v1/jobs", dependencies=[needs_somewhere(Action.READ)])
    def list_jobs(caller: Asking) -> list[JobView]:
        """The jobs that the caller may see, by name; the built-in ones come last."""
        return list(jobs.definitions.all(caller))

    @routes.get("/v1/job", dependencies=[needs_somewhere(Action.READ)])
    def get_job(name: str, caller: Asking) -> JobView:
        """A job by its full name, or its name."""
        return jobs.definitions.one(name, caller)

    @routes.post(
        "/v1/jobs/register",
        dependencies=[needs_somewhere(Action.REGISTER_JOBS, body=RegisterBody)],
    )
    def register_jobs(body: RegisterBody, caller: Asking) -> list[JobView]:
        """Have a stack's jobs be those of this blueprint."""
        return list(jobs.definitions.register(body.blueprint, caller))

    return routes


def execution_routes(jobs: Jobs) -> APIRouter:
    """What ran, runs and waits."""
    routes = APIRouter(tags=["jobs"])
    _add_requests(routes, jobs)
    _add_history(routes, jobs)
    _add_log(routes, jobs)
    _add_decisions(routes, jobs)
    return routes


def _add_requests(routes: APIRouter, jobs: Jobs) -> None:
    @routes.post(
        "/v1/executions",
        status_code=202,
        dependencies=[needs_somewhere(Action.RUN_JOB, secret=("options",), body=RunBody)],
    )
    def run_job(body: RunBody, caller: Asking) -> ExecutionView:
        """Run a job with values for its options, or ask for its approval."""
        return jobs.executions.run(body.job, body.options, caller)

    @routes.post(
        "/v1/executions/{execution_id}/retry",
        status_code=202,
        dependencies=[needs_somewhere(Action.RUN_JOB, secret=("options",), body=RetryBody)],
    )
    def retry_execution(execution_id: str, body: RetryBody, caller: Asking) -> ExecutionView:
        """Run the job again with the same options."""
        return jobs.executions.retry(execution_id, caller, body.options)


def _add_history(routes: APIRouter, jobs: Jobs) -> None:
    @routes.get("/v1/executions", dependencies=[needs_somewhere(Action.READ)])
    def list_executions(
        caller: Asking,
        job: str | None = None,
        environment: str | None = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
        before: str | None = None,
    ) -> list[ExecutionView]:
        """The newest executions first; ``before`` is the last one of the page before."""
        found = jobs.history.page(
            caller, job=job, environment=environment, limit=limit, before=before
        )
        return list(found)

    @routes.get("/v1/executions/{execution_id}", dependencies=[needs_somewhere(Action.READ)])
    def get_execution(execution_id: str, caller: Asking) -> ExecutionView:
        """Where an execution stands."""
        return jobs.history.one(execution_id, caller)


def _add_log(routes: APIRouter, jobs: Jobs) -> None:
    @routes.get(
        "/v1/executions/{execution_id}/log",
        dependencies=[needs_somewhere(Action.READ), one_stream()],
        **ndjson("One line of the log each."),
    )
    def get_execution_log(
        execution_id: str,
        caller: Asking,
        after: Annotated[int, Query(ge=0)] = 0,
        follow: bool = False,
    ) -> StreamingResponse:
        """The log as NDJSON past a line; with ``follow`` until the execution has ended."""
        jobs.history.one(execution_id, caller)
        lines = follow_log(jobs, execution_id, after=after, follow=follow)
        return StreamingResponse(lines, media_type=NDJSON)


def _add_decisions(routes: APIRouter, jobs: Jobs) -> None:
    for verb, act, what in (
        ("abort", jobs.executions.abort, "End an execution and all its processes."),
        ("approve", jobs.waiting.approve, "Let an execution begin that somebody else asked for."),
        ("reject", jobs.waiting.reject, "End an execution that waits for approval."),
    ):
        routes.add_api_route(
            f"/v1/executions/{{execution_id}}/{verb}",
            _decision(jobs, act),
            methods=["POST"],
            status_code=202,
            name=f"{verb}_execution",
            description=what,
            dependencies=[needs_somewhere(Action.RUN_JOB, recorded=AuditOutcome.DONE)],
        )


def _decision(
    jobs: Jobs, act: Callable[[str, Caller], ExecutionView]
) -> Callable[..., ExecutionView]:
    def decide(request: Request, execution_id: str, caller: Asking) -> ExecutionView:
        execution = jobs.history.one(execution_id, caller)
        concerns(request, execution.job, execution.id)
        return act(execution_id, caller)

    return decide
