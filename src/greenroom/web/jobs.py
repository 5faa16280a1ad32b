"""Jobs and their executions over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from greenroom.app.jobs.follow import follow_log
from greenroom.app.jobs.service import PAGE_MAX, Jobs
from greenroom.model.jobs import ExecutionView, JobView
from greenroom.web.access import Asking
from greenroom.web.event_stream import NDJSON


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RegisterBody(_Body):
    """``greenroom job register``."""

    blueprint: Path


class RunBody(_Body):
    """``greenroom job run``: the job's full name, or its name; the options' values as text."""

    job: str
    options: dict[str, str] = Field(default={}, repr=False)


class RetryBody(_Body):
    """``greenroom job retry``: the secrets, which were not kept."""

    options: dict[str, str] = Field(default={}, repr=False)


def job_routes(jobs: Jobs) -> APIRouter:
    """What can be run."""
    routes = APIRouter()

    @routes.get("/v1/jobs")
    def list_jobs(caller: Asking) -> list[JobView]:
        return list(jobs.jobs(caller))

    @routes.get("/v1/job")
    def job(name: str, caller: Asking) -> JobView:
        return jobs.job(name, caller)

    @routes.post("/v1/jobs/register")
    def register(body: RegisterBody, caller: Asking) -> list[JobView]:
        return list(jobs.register(body.blueprint, caller))

    return routes


def execution_routes(jobs: Jobs) -> APIRouter:
    """What ran, runs and waits."""
    routes = APIRouter()

    @routes.post("/v1/executions", status_code=202)
    def run(body: RunBody, caller: Asking) -> ExecutionView:
        return jobs.run(body.job, body.options, caller)

    @routes.get("/v1/executions")
    def history(
        caller: Asking,
        job: str | None = None,
        environment: str | None = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
        before: str | None = None,
    ) -> list[ExecutionView]:
        found = jobs.history(caller, job=job, environment=environment, limit=limit, before=before)
        return list(found)

    @routes.get("/v1/executions/{execution_id}")
    def execution(execution_id: str, caller: Asking) -> ExecutionView:
        return jobs.execution(execution_id, caller)

    @routes.get("/v1/executions/{execution_id}/log")
    def log(
        execution_id: str,
        caller: Asking,
        after: Annotated[int, Query(ge=0)] = 0,
        follow: bool = False,
    ) -> StreamingResponse:
        jobs.execution(execution_id, caller)
        lines = follow_log(jobs, execution_id, after=after, follow=follow)
        return StreamingResponse(lines, media_type=NDJSON)

    @routes.post("/v1/executions/{execution_id}/abort", status_code=202)
    def abort(execution_id: str, caller: Asking) -> ExecutionView:
        return jobs.abort(execution_id, caller)

    @routes.post("/v1/executions/{execution_id}/approve", status_code=202)
    def approve(execution_id: str, caller: Asking) -> ExecutionView:
        return jobs.approve(execution_id, caller)

    @routes.post("/v1/executions/{execution_id}/reject", status_code=202)
    def reject(execution_id: str, caller: Asking) -> ExecutionView:
        return jobs.reject(execution_id, caller)

    @routes.post("/v1/executions/{execution_id}/retry", status_code=202)
    def retry(execution_id: str, body: RetryBody, caller: Asking) -> ExecutionView:
        return jobs.retry(execution_id, caller, body.options)

    return routes
