"""Every route of the page says what it takes, and nobody gets past it: the walk that
test_api_rights.py takes over the API, over the pages, their streams and their forms."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.routing import Mount
from tests.component.page_stage import ANSWER_S, BlueprintStage, PageStage, Visitor, somebody

from greenroom.app.clock import SystemClock
from greenroom.model.access import Action, Role
from greenroom.model.audit import AuditFilter, Outcome
from greenroom.model.names import EnvironmentName
from greenroom.web.page.rights import Change, Look, PageRight
from greenroom.web.page.site import page_app

FOR_EVERYBODY = {("GET", "/login"), ("POST", "/login")}
HERE = "/environments/{stack}/{slug}"
TAKES: dict[tuple[str, str], tuple[Action | None, str, str]] = {
    # the route: its action, who may on a branch's environment, who may on production
    ("GET", "/"): (Action.READ, "VDO", "VDO"),
    ("GET", "/environments/stream"): (Action.READ, "VDO", "VDO"),
    ("GET", HERE): (Action.READ, "VDO", "VDO"),
    ("GET", f"{HERE}/stream"): (Action.READ, "VDO", "VDO"),
    ("GET", f"{HERE}/log"): (Action.READ, "VDO", "VDO"),
    ("POST", f"{HERE}/deploy"): (Action.DEPLOY, "DO", "O"),
    ("POST", f"{HERE}/recover"): (Action.RECOVER, "DO", "O"),
    ("POST", f"{HERE}/stop"): (Action.STOP, "DO", "O"),
    ("POST", f"{HERE}/start"): (Action.START, "DO", "O"),
    ("POST", f"{HERE}/replace"): (Action.REPLACE, "DO", "O"),
    ("POST", f"{HERE}/drill"): (Action.DRILL, "DO", "O"),
    ("POST", f"{HERE}/prove"): (Action.PROVE, "DO", "O"),
    ("POST", f"{HERE}/extend"): (Action.EXTEND, "DO", "O"),
    ("POST", f"{HERE}/destroy"): (Action.DESTROY, "DO", "O"),
    ("GET", "/new"): (Action.CREATE, "DO", "DO"),
    ("POST", "/new"): (Action.CREATE, "DO", "DO"),
    ("GET", "/operations/{operation}"): (Action.READ, "VDO", "VDO"),
    ("GET", "/operations/{operation}/stream"): (Action.READ, "VDO", "VDO"),
    ("POST", "/operations/{operation}/cancel"): (Action.CANCEL, "DO", "O"),
    ("GET", "/jobs"): (Action.READ, "VDO", "VDO"),
    ("GET", "/jobs/run"): (Action.READ, "VDO", "VDO"),
    ("POST", "/jobs/run"): (Action.RUN_JOB, "DO", "DO"),
    ("GET", "/executions/{execution}"): (Action.READ, "VDO", "VDO"),
    ("GET", "/executions/{execution}/stream"): (Action.READ, "VDO", "VDO"),
    ("GET", "/executions/{execution}/log"): (Action.READ, "VDO", "VDO"),
    ("POST", "/executions/{execution}/abort"): (Action.RUN_JOB, "DO", "O"),
    ("POST", "/executions/{execution}/approve"): (Action.RUN_JOB, "DO", "DO"),
    ("POST", "/executions/{execution}/reject"): (Action.RUN_JOB, "DO", "DO"),
    ("POST", "/executions/{execution}/retry"): (Action.RUN_JOB, "DO", "O"),
    ("GET", "/drills"): (Action.READ, "VDO", "VDO"),
    ("GET", "/inventory"): (Action.READ, "VDO", "VDO"),
    ("GET", "/audit"): (Action.AUDIT, "O", "O"),
    ("GET", "/tokens"): (Action.TOKENS, "O", "O"),
    ("POST", "/tokens"): (Action.TOKENS, "O", "O"),
    ("POST", "/tokens/{token}/revoke"): (Action.TOKENS, "O", "O"),
    ("POST", "/logout"): (None, "VDO", "VDO"),
    ("POST", "/theme"): (None, "VDO", "VDO"),
}
"""Written down a second time, so that a route whose line is changed is seen."""
FILTERS = {
    "/jobs/run": "?name=photos/count-rows",
    f"{HERE}/stream": "?seen=0",
    "/drills": "?stack=photos",
}
POSTED = re.compile(r'<form[^>]* method="post" action="([^"]+)"')
LINKED = re.compile(r'<a [^>]*href="(/[^"]*)"')
JOB = [("job", "photos/count-rows"), ("option.token", "hunter2")]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[PageStage]:
    made = PageStage(BlueprintStage(tmp_path, clock=SystemClock()))
    yield made
    made.close()


def declared(page: PageStage) -> dict[tuple[str, str], list[PageRight]]:
    found = {}
    for route in iter_route_contexts(page_app(page.parts).routes):
        if not isinstance(route.original_route, APIRoute):
            assert isinstance(route.original_route, Mount), route
            continue
        calls = [each.dependency for each in route.dependencies]
        for method in route.methods or ():
            found[method, route.path] = [each for each in calls if isinstance(each, PageRight)]
    return found


def test_every_route_declares_the_right_that_it_takes(page: PageStage) -> None:
    without = {route for route, rights in declared(page).items() if len(rights) != 1}
    assert without == FOR_EVERYBODY


def test_every_route_takes_the_right_of_the_table(page: PageStage) -> None:
    told = {route: right.action for route, rights in declared(page).items() for right in rights}
    assert told == {route: action for route, (action, *_) in TAKES.items()}


def test_what_changes_something_is_declared_as_a_form(page: PageStage) -> None:
    for (method, path), rights in declared(page).items():
        for right in rights:
            assert isinstance(right, Look if method == "GET" else Change), path


@pytest.mark.parametrize("production", [False, True], ids=["branch", "production"])
@pytest.mark.parametrize("role", list(Role))
def test_the_matrix_of_role_route_and_stage_holds(
    page: PageStage, role: Role, production: bool
) -> None:
    fill = places(page, "master" if production else "feature_x")
    visitor = page.visitor(role, "photos")

    for (method, path), (_, *least) in TAKES.items():
        may = role[0].upper() in least[production]
        # Whoever goes out has another login for what is left.
        who_asks = page.visitor(role, "photos") if path == "/logout" else visitor
        if path.endswith("/retry"):
            end(page, fill["execution"])
        status = ask(who_asks, method, path, fill)
        assert (status != 403) is may, (method, path, status)
        assert status in (200, 303, 403, 404, 409, 422), (method, path, status)
        settle(page)


@pytest.mark.parametrize("production", [False, True], ids=["branch", "production"])
@pytest.mark.parametrize("role", list(Role))
def test_no_page_offers_what_it_then_refuses(page: PageStage, role: Role, production: bool) -> None:
    fill = places(page, "master" if production else "feature_x")
    visitor = page.visitor(role, "photos")
    pages = [path for method, path in TAKES if method == "GET" and not is_stream(path)]
    texts = [visitor.get(target_of(path, fill)).text for path in pages]
    texts.append(visitor.get("/jobs/run?name=greenroom:deploy").text)

    forms = {each for text in texts for each in POSTED.findall(text)}
    links = {each for text in texts for each in LINKED.findall(text)}

    assert len(forms) > 1
    for link in sorted(links):
        assert visitor.status("GET", html.unescape(link)) == 200, link
    for form in sorted(forms - {"/logout"}):
        assert ask(visitor, "POST", form, fill) != 403, form
        settle(page)


@pytest.mark.parametrize(
    ("approver", "role", "offered"),
    [
        ("developer", Role.DEVELOPER, True),
        ("operator", Role.DEVELOPER, False),
        ("operator", Role.OPERATOR, True),
        ("viewer", Role.VIEWER, False),
    ],
)
@pytest.mark.parametrize("branch", ["feature_x", "master"])
def test_a_decision_is_offered_to_whom_the_definition_names(
    page: PageStage, branch: str, approver: str, role: Role, offered: bool
) -> None:
    name = page.create(branch)
    path = page.blueprint
    path.write_text(f"{path.read_text()}    approval: {{role: {approver}}}\n")
    root = somebody(Role.OPERATOR, name="root")
    page.jobs.definitions.register(path, root)
    run = page.jobs.executions.run("photos/count-rows", {"environment": name}, root)
    visitor = page.visitor(role, "photos")

    forms = POSTED.findall(visitor.get(f"/executions/{run.id}").text)

    assert (f"/executions/{run.id}/approve" in forms) is offered
    assert (visitor.post(f"/executions/{run.id}/approve").status_code == 303) is offered


def test_who_asked_for_a_create_that_did_not_begin_may_ask_again(page: PageStage) -> None:
    page.create()
    visitor = page.visitor(Role.DEVELOPER, "photos")
    options = {"blueprint": str(page.blueprint), "branch": "feature_x"}
    ann = somebody(Role.DEVELOPER, "photos")
    run = page.jobs.executions.run("greenroom:create", options, ann).id
    deadline = time.monotonic() + ANSWER_S
    while not page.jobs.history.one(run, ann).status.final:
        assert time.monotonic() < deadline
        time.sleep(0.002)

    assert page.jobs.history.one(run, ann).operation is None
    assert f"/executions/{run}/retry" in POSTED.findall(visitor.get(f"/executions/{run}").text)


def test_who_has_a_role_on_another_stack_gets_nothing_of_this_one(page: PageStage) -> None:
    fill = places(page, "feature_x")
    stranger = page.visitor(Role.OPERATOR, "shop")

    for method, path in TAKES:
        if "{" not in path or path == "/tokens/{token}/revoke":
            continue
        assert ask(stranger, method, path, fill) in (403, 404), (method, path)
    assert ask(stranger, "GET", "/drills", fill) == 403
    assert ask(stranger, "GET", "/jobs/run", fill) == 404


def test_who_has_no_role_at_all_gets_no_page(page: PageStage) -> None:
    fill = places(page, "feature_x")
    nobody = page.visitor(None)

    for (method, path), (action, *_) in TAKES.items():
        if action is not None:
            assert ask(nobody, method, path, fill) == 403, (method, path)


def test_without_a_login_every_route_leads_to_it(page: PageStage) -> None:
    fill = places(page, "feature_x")

    for method, path in TAKES:
        answer = Visitor(page).send(method, target_of(path, fill))
        assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login"), path


def test_a_page_that_is_refused_is_in_the_audit_log(page: PageStage) -> None:
    fill = places(page, "feature_x")
    developer = page.visitor(Role.DEVELOPER, "photos")
    for path in ("/audit", "/tokens"):
        assert ask(developer, "GET", path, fill) == 403
    stranger = page.visitor(Role.OPERATOR, "shop")
    # What they are told is that there is none.
    assert ask(stranger, "GET", "/operations/{operation}", fill) == 404

    wanted = AuditFilter(outcome=Outcome.REFUSED)
    told = page.access.audit.newest(somebody(Role.OPERATOR), wanted, before=None, limit=9)

    assert [(each.entry.action, each.entry.subject) for each in told] == [
        ("read", f"/operations/{fill['operation']}"),
        ("tokens", "/tokens"),
        ("audit", "/audit"),
    ]
    assert {each.entry.code for each in told} == {"E_FORBIDDEN"}
    assert told[0].entry.stack == "photos"


def test_a_job_that_is_refused_is_in_the_audit_log_without_its_secret(page: PageStage) -> None:
    viewer = page.visitor(Role.VIEWER, "photos")
    assert viewer.post("/jobs/run", JOB).status_code == 403

    wanted = AuditFilter(outcome=Outcome.REFUSED)
    (told,) = page.access.audit.newest(somebody(Role.OPERATOR), wanted, before=None, limit=9)

    assert (told.entry.action, told.entry.subject) == ("run-job", "photos/count-rows")
    assert told.entry.parameters == (("job", "photos/count-rows"),)


def places(page: PageStage, branch: str) -> dict[str, str]:
    """An environment, an execution of a job on it, and the operation that made it."""
    name = page.create(branch)
    page.jobs.definitions.register(page.blueprint, somebody(Role.OPERATOR, name="root"))
    options = {"environment": name}
    execution = page.jobs.executions.run(
        "photos/count-rows", options, somebody(Role.OPERATOR, name="root")
    )
    stack, _, slug = name.partition("/")
    operation = page.parts.history.create_of(EnvironmentName(stack, slug))
    assert operation is not None
    return {
        "stack": stack,
        "slug": slug,
        "operation": operation,
        "execution": execution.id,
        "token": "tok-0",
    }


def target_of(path: str, fill: dict[str, str]) -> str:
    return path.format(**fill) + FILTERS.get(path, "")


def ask(visitor: Visitor, method: str, path: str, fill: dict[str, str]) -> int:
    """The status; what comes then does not matter, and a stream has no end."""
    fields: list[tuple[str, str]] = []
    if method == "POST":
        fields = [*JOB, ("blueprint", str(visitor.stage.blueprint)), ("environment", fill["slug"])]
        fields.append(("option.environment", f"{fill['stack']}/{fill['slug']}"))
    return visitor.status(method, target_of(path, fill), fields)


def is_stream(path: str) -> bool:
    return path.endswith(("/stream", "/log"))


def end(page: PageStage, execution: str) -> None:
    """Have it end, and wait until it has."""
    root = somebody(Role.OPERATOR, name="root")
    page.jobs.executions.abort(execution, root)
    deadline = time.monotonic() + ANSWER_S
    while not page.jobs.history.one(execution, root).status.final:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def settle(page: PageStage) -> None:
    for _, view in page.stage.control.operations(somebody(Role.OPERATOR), None, None, 3):
        if not view.status.final:
            page.stage.finish(view.id)
