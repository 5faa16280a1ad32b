"""Jobs: what can be run, the form that asks for its options, and what ran."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from greenroom.app.sessions import Session
from greenroom.errors import GreenroomError, OptionsError
from greenroom.model.access import Action, Caller
from greenroom.model.job_words import OptionKind
from greenroom.model.jobs import MASK, JobView
from greenroom.web.page.asking import Form, LoggedIn, Posted
from greenroom.web.page.audited import audited
from greenroom.web.page.render import page
from greenroom.web.page.rights import does, shows
from greenroom.web.page.site_parts import Parts

HISTORY_MAX = 25


def job_pages(parts: Parts) -> APIRouter:
    """The list, and one job's form."""
    routes = APIRouter()
    jobs = parts.jobs

    @routes.get("/jobs", dependencies=[shows()])
    def all_jobs(request: Request, session: LoggedIn, before: str | None = None) -> Response:
        history = jobs.history.page(session.caller, limit=HISTORY_MAX, before=before)
        return page(
            request,
            "jobs.html",
            session=session,
            jobs=[] if before else jobs.definitions.all(session.caller),
            history=history,
            older=history[-1].id if len(history) == HISTORY_MAX else None,
            before=before,
        )

    @routes.get("/jobs/run", dependencies=[shows()])
    def job(request: Request, session: LoggedIn, name: str, environment: str = "") -> Response:
        found = jobs.definitions.one(name, session.caller)
        given = Form(((f"option.{found.environment_option}", environment),))
        return _form(parts, request, session, found, given, None)

    @routes.post("/jobs/run", dependencies=[does(Action.RUN_JOB)])
    def run(request: Request, session: LoggedIn, form: Posted) -> Response:
        caller = session.caller
        found = jobs.definitions.one(form.one("job"), caller)
        options = _options(found, form)
        try:
            with audited(
                parts,
                caller,
                Action.RUN_JOB,
                found.name,
                outcome=None,
                parameters=_masked(found, options),
            ):
                begun = jobs.executions.run(found.name, options, caller)
        except GreenroomError as error:
            return _form(parts, request, session, found, form, error)
        return RedirectResponse(f"/executions/{begun.id}", status_code=303)

    return routes


def _options(job: JobView, form: Form) -> dict[str, str]:
    """The values that were given; of one that was left empty its default counts."""
    values = {option.name: form.one(f"option.{option.name}") for option in job.options}
    return {name: value for name, value in values.items() if value}


def _masked(job: JobView, options: dict[str, str]) -> tuple[tuple[str, str], ...]:
    secret = {option.name for option in job.options if option.kind is OptionKind.SECRET}
    return tuple((name, MASK if name in secret else value) for name, value in options.items())


def _form(
    parts: Parts,
    request: Request,
    session: Session,
    job: JobView,
    given: Form,
    error: GreenroomError | None,
) -> Response:
    wrong = error.options if isinstance(error, OptionsError) else {}
    return page(
        request,
        "job.html",
        session=session,
        status_code=200 if error is None else 422,
        job=job,
        given=given,
        # What has a field is said there.
        error=None if wrong else error,
        wrong=wrong,
        history=parts.jobs.history.page(session.caller, job=job.name, limit=HISTORY_MAX),
        **_known(parts, session.caller, job.stack),
    )


def _known(parts: Parts, caller: Caller, stack: str) -> dict[str, Any]:
    """The environments and machines that options may name."""
    views = [
        view
        for view in parts.control.environments()
        if caller.role_on(view.name.partition("/")[0]) is not None
        and stack in ("greenroom", view.name.partition("/")[0])
    ]
    machines = sorted({machine for view in views for machine in view.machines})
    return {"environments": [view.name for view in views], "machines": machines}
