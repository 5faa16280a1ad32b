"""Each page on the simulated host: what it shows, to whom, and what its forms begin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.component.page_stage import BLUEPRINT, BlueprintStage, PageStage, somebody

from greenroom.app.clock import SystemClock
from greenroom.errors import HostError
from greenroom.model.access import EVERY_STACK, Grant, Role
from greenroom.model.audit import AuditFilter, Outcome
from greenroom.model.names import EnvironmentName
from greenroom.model.requests import CreateRequest
from greenroom.store.lifetimes import extend_environment
from greenroom.web.page import inventory as inventory_page
from greenroom.web.page.words import clock

AT = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
NAME = EnvironmentName("photos", "feature-x")
FEATURE = "/environments/photos/feature-x"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageStage]:
    """A branch and production, which the tests of a module look at and leave as they are."""
    folder = tmp_path_factory.mktemp("page")
    made = PageStage(BlueprintStage(folder, clock=SystemClock()))
    made.create("feature_x", ttl_s=8 * 3600.0)
    made.create("master")
    made.jobs.definitions.register(made.blueprint, somebody(Role.OPERATOR, name="root"))
    made.inventory.look()
    yield made
    made.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[PageStage]:
    """Nothing yet, for tests that change things."""
    made = PageStage(BlueprintStage(tmp_path, clock=SystemClock()))
    yield made
    made.close()


class Structure(HTMLParser):
    """What a page must have, and must not, read from its text."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.inline: list[str] = []
        self.tags: list[str] = []
        self.labelled: set[str] = set()
        self.fields: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        if tag == "label":
            self.labelled.add(str(given.get("for")))
        if tag in ("input", "select") and given.get("type") != "hidden":
            self.fields.add(str(given.get("id")))


PAGES = [
    "/",
    FEATURE,
    "/environments/photos/master",
    "/new",
    "/new?blueprint=",
    "/jobs",
    "/jobs/run?name=photos/count-rows",
    "/jobs/run?name=greenroom:deploy",
    "/drills",
    "/inventory",
    "/inventory?role=db",
    "/audit",
    "/tokens",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_and_has_nothing_inline(page: PageStage, path: str) -> None:
    answer = page.visitor().get(path)
    assert answer.status_code == 200
    read = Structure()
    read.feed(answer.text)
    assert read.inline == []
    assert len(read.ids) == len(set(read.ids))
    assert read.tags.count("h1") == 1
    assert read.tags.count("main") == 1
    assert read.fields <= read.labelled


def test_the_list_shows_production_first_and_whose_each_is(page: PageStage) -> None:
    text = page.visitor().get("/").text
    assert text.index("/environments/photos/master") < text.index(FEATURE)
    assert "http://api.feature-x.photos.localhost:8080" in text
    assert "production" in text
    assert "greenroom:daemon" in text


def test_one_environment_shows_its_evidence(page: PageStage) -> None:
    text = page.visitor().get(FEATURE).text
    for said in ("Proved", "2 machines of 2 as expected", "backend1", "db1", "<svg", "extract"):
        assert said in text
    # The declared flow is drawn, and is in the table too.
    assert "backend to db: 3306/tcp; declared, and proved open" in text
    assert re.search(r"<td>backend1</td><td>db1</td><td>3306/tcp</td><td>yes</td>", text)


@pytest.mark.parametrize(
    ("role", "shown"),
    [
        (Role.VIEWER, set()),
        (Role.DEVELOPER, {"deploy", "prove", "stop", "replace", "drill", "destroy", "extend"}),
        (Role.OPERATOR, {"deploy", "prove", "stop", "replace", "drill", "destroy", "extend"}),
    ],
)
def test_a_button_is_shown_to_who_may_press_it(
    page: PageStage, role: Role, shown: set[str]
) -> None:
    text = page.visitor(role).get(FEATURE).text
    assert set(re.findall(rf'action="{FEATURE}/([a-z]+)"', text)) == shown
    production = page.visitor(role).get("/environments/photos/master").text
    may = role is Role.OPERATOR
    assert ('action="/environments/photos/master/destroy"' in production) is may


@pytest.mark.parametrize("action", ["deploy", "stop", "replace", "drill", "destroy", "extend"])
def test_what_is_not_shown_is_also_refused(page: PageStage, action: str) -> None:
    viewer = page.visitor(Role.VIEWER)
    answer = viewer.post(f"{FEATURE}/{action}")
    assert answer.status_code == 403
    assert "E_FORBIDDEN" in answer.text
    assert page.stage.control.environment("photos/feature-x").summary.operation is None


def test_somebody_of_another_stack_sees_nothing_of_this_one(page: PageStage) -> None:
    stranger = page.visitor(Role.OPERATOR, "shop")
    assert "feature-x" not in stranger.get("/").text
    assert "backend1" not in stranger.get("/inventory").text
    assert "feature-x" not in stranger.get("/drills").text
    assert stranger.get(FEATURE).status_code == 403
    assert stranger.get("/jobs/run?name=photos/count-rows").status_code == 404
    operation = page.parts.history.create_of(NAME)
    assert stranger.get(f"/operations/{operation}").status_code == 404


def test_only_operators_see_audit_and_tokens(page: PageStage) -> None:
    developer = page.visitor(Role.DEVELOPER)
    assert 'href="/audit"' not in developer.get("/").text
    assert developer.get("/audit").status_code == 403
    assert developer.get("/tokens").status_code == 403
    assert 'href="/tokens"' in page.visitor().get("/").text


def test_what_does_not_exist_is_said(page: PageStage) -> None:
    visitor = page.visitor()
    for path in ("/nowhere", "/environments/photos/gone", "/operations/x", "/executions/x"):
        answer = visitor.get(path)
        assert answer.status_code == 404, path
        assert "That did not work" in answer.text


def test_production_asks_for_its_name(page: PageStage) -> None:
    visitor = page.visitor()
    assert "This is production" in visitor.get("/environments/photos/master").text
    answer = visitor.post("/environments/photos/master/destroy", [("confirm", "feature-x")])
    assert answer.status_code == 409
    assert "E_PRODUCTION" in answer.text


def test_what_is_stopped_shows_its_last_proof_as_one_of_before(fresh: PageStage) -> None:
    fresh.create("feature_x")
    visitor = fresh.visitor()
    running = visitor.get(FEATURE).text
    assert "<h2>Proved</h2>" in running
    assert "before the stop" not in running
    stop = visitor.post(f"{FEATURE}/stop").headers["location"].removeprefix("/operations/")
    assert fresh.stage.finish(stop)[1].code is None

    text = visitor.get(FEATURE).text

    proof = fresh.stage.control.environment("photos/feature-x").proof
    assert proof is not None
    assert "<h2>Stopped, so nothing is proved now</h2>" in text
    assert f"<strong>Proved before the stop</strong>, on {clock(proof.at)} UTC:" in text
    assert "<strong>As it was before the stop</strong>" in text
    assert "<dt>seen</dt>" not in text
    for name in ("backend1", "db1"):
        heading = re.findall(rf"<h3>{name} .*?</h3>", text, re.DOTALL)[0]
        assert "stopped" in heading
        assert "proved" not in heading


# The form that creates.


def test_a_branch_is_booted_from_the_form(fresh: PageStage) -> None:
    visitor, path = fresh.visitor(), str(fresh.blueprint)
    form = visitor.get(f"/new?blueprint={path}").text
    assert 'id="machine-backend" name="machine" value="backend" checked' in form
    assert '<option value="master">' in form
    answer = visitor.post("/new", [*_filled(path), ("branch", "feature_x"), ("ttl", "8h")])
    assert answer.status_code == 303
    operation = answer.headers["location"].removeprefix("/operations/")
    assert fresh.stage.finish(operation)[1].code is None
    shown = visitor.get(f"/operations/{operation}").text
    assert "Up, and proved" in shown
    assert "http://api.feature-x.photos.localhost:8080" in shown
    view = fresh.stage.control.environment("photos/feature-x").summary
    assert view.expires_at is not None
    assert view.owner == "ann"
    assert (view.expires_at - view.created_at) == timedelta(hours=8)
    # The jobs of the blueprint are there, too.
    assert "count-rows" in visitor.get("/jobs").text


@pytest.mark.parametrize(
    ("lifetime", "said", "then"),
    [
        ("", "never ends, as the blueprint gives no ttl", "With an end, it is then removed"),
        ("lifetime: {max: 3d}\n", "never ends, as the blueprint gives no ttl", "With an end"),
        ("lifetime: {ttl: 2h}\n", "2 h, as the blueprint says", "Then it is removed by itself"),
        ("lifetime: {ttl: 1d12h}\n", "1 d 12 h, as the blueprint says", "Then it is removed"),
    ],
)
def test_the_form_says_how_long_a_branch_lives(
    fresh: PageStage, lifetime: str, said: str, then: str
) -> None:
    path = fresh.blueprint
    path.write_text(f"{BLUEPRINT}{lifetime}")
    text = fresh.visitor().get(f"/new?blueprint={path}").text
    assert f'<option value="">{said}</option>' in text
    assert then in text
    assert "Production, which is <code>master</code>, never ends" in text


def _filled(path: str) -> list[tuple[str, str]]:
    machines = [("machine", "backend"), ("machine", "db"), ("count.backend", "1")]
    return [("blueprint", path), *machines, ("restore.db", "extract")]


@pytest.mark.parametrize(
    ("changes", "beside", "said"),
    [
        ({"branch": ""}, "branch-error", "the branch has no name"),
        ({"branch": "a" * 300}, "branch-error", "E_BRANCH"),
        ({"machine": ""}, "machines-error", "no machine is chosen"),
        ({"machine": "backend"}, "machines-error", "E_NEEDS"),
        ({"count.backend": "0"}, "machines-error", "E_MACHINE_COUNT"),
        ({"restore.db": "nowhere"}, "restore-error", "E_RESTORE_SOURCE"),
        ({"ttl": "soon"}, "ttl-error", "E_TTL"),
    ],
)
def test_an_error_stands_beside_its_field_and_nothing_is_lost(
    fresh: PageStage, changes: dict[str, str], beside: str, said: str
) -> None:
    path = str(fresh.blueprint)
    fields = [*_filled(path), ("branch", "feature_x")]
    kept = [(name, value) for name, value in fields if name not in changes]
    answer = fresh.visitor().post("/new", [*kept, *changes.items()])
    assert answer.status_code == 422
    error = answer.text[answer.text.index(f'id="{beside}"') :][:2500]
    assert said in error
    if "branch" not in changes:
        assert 'value="feature_x"' in answer.text
    assert fresh.stage.control.environments() == ()


@pytest.mark.parametrize("role", list(Role))
def test_only_an_operator_of_everything_names_a_file_of_the_host(
    page: PageStage, role: Role, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("password: hunter2")
    answer = page.visitor(role).get(f"/new?blueprint={secret}")
    assert answer.status_code == (403 if role is Role.VIEWER else 422)
    said = "is no blueprint that can be chosen here"
    assert (said in answer.text) is (role is Role.DEVELOPER)
    assert "hunter2" not in answer.text
    other = page.visitor(Role.OPERATOR, "photos").get("/new?blueprint=/etc/shadow")
    assert "is no blueprint that can be chosen here" in other.text


def test_the_only_blueprint_is_taken_and_another_can_be_chosen(page: PageStage) -> None:
    visitor = page.visitor()
    assert "New environment of photos" in visitor.get("/new").text
    choice = visitor.get("/new?blueprint=").text
    assert "Which stack?" in choice
    assert "Another blueprint" in choice


def test_a_branch_that_exists_is_refused_beside_its_name(page: PageStage) -> None:
    fields = [*_filled(str(page.blueprint)), ("branch", "feature_x")]
    answer = page.visitor().post("/new", fields)
    assert answer.status_code == 422
    assert "E_ENVIRONMENT_EXISTS" in answer.text[answer.text.index('id="branch-error"') :]


# From the buttons to the audit log.


def test_extend_stop_start_and_destroy_from_the_page_are_in_the_audit_log(
    fresh: PageStage,
) -> None:
    fresh.create("feature_x", ttl_s=3600.0)
    visitor = fresh.visitor()
    before = fresh.stage.control.environment("photos/feature-x").summary.expires_at
    assert visitor.post(f"{FEATURE}/extend", [("ttl", "1d")]).status_code == 303
    after = fresh.stage.control.environment("photos/feature-x").summary.expires_at
    assert before is not None
    assert after is not None
    assert after > before
    for action in ("stop", "start", "deploy", "replace", "destroy"):
        answer = visitor.post(f"{FEATURE}/{action}")
        assert answer.status_code == 303, answer.text
        operation = answer.headers["location"].removeprefix("/operations/")
        assert fresh.stage.finish(operation)[1].code is None
    gone = visitor.get(answer.headers["location"]).text
    assert "Gone, with nothing left over" in gone
    log = visitor.get("/audit?on=photos/feature-x").text
    for action in ("extend", "stop", "start", "deploy", "replace", "destroy"):
        assert f'<span class="name">{action}</span> photos/feature-x' in log


def test_what_is_in_doubt_is_said_to_have_been_proved(fresh: PageStage) -> None:
    path, visitor = f"/environments/{fresh.create()}", fresh.visitor()
    assert "<strong>was proved</strong>" not in visitor.get(path).text
    fresh.stage.control.doubt_all("disk", HostError("E_DISK", "full"))
    text = visitor.get(path).text
    assert "<h2>Not verified</h2>" in text
    assert "<strong>was proved</strong>, and something has happened since" in text


def test_what_has_expired_is_said_to_be_going_and_not_to_expire_soon(fresh: PageStage) -> None:
    name, visitor = fresh.create(ttl_s=8 * 3600.0), fresh.visitor()
    assert "in 8 h" in visitor.get("/").text
    assert "expires <time" in visitor.get(f"/environments/{name}").text
    with fresh.stage.database.write() as connection:
        ended_at = datetime.now(UTC) - timedelta(days=2, hours=12)
        extend_environment(connection, EnvironmentName.parse(name), ended_at, None)
    for path in ("/", f"/environments/{name}"):
        words = re.sub("<[^>]*>", "", visitor.get(path).text)
        assert "expired 2 d ago, going" in words
        assert "expires expired" not in words


def test_a_token_that_is_refused_is_in_the_audit_log(fresh: PageStage) -> None:
    operator = fresh.visitor(Role.OPERATOR, "photos")
    fields = [("name", "more"), ("role", "operator"), ("stack", "shop")]
    assert operator.post("/tokens", fields).status_code == 422

    wanted = AuditFilter(outcome=Outcome.REFUSED)
    (told,) = fresh.access.audit.newest(somebody(Role.OPERATOR), wanted, before=None, limit=9)
    assert (told.entry.action, told.entry.stack, told.entry.code) == (
        "tokens",
        "shop",
        "E_FORBIDDEN",
    )


def test_a_refusal_is_in_the_audit_log(fresh: PageStage) -> None:
    fresh.create("feature_x")
    fresh.visitor(Role.VIEWER).post(f"{FEATURE}/destroy")
    log = fresh.visitor().get("/audit?on=photos/feature-x").text
    assert "refused" in log
    assert "E_FORBIDDEN: destroy on stack photos takes the role developer" in log


# Jobs.


def test_the_form_of_a_job_follows_its_options(page: PageStage) -> None:
    text = page.visitor().get("/jobs/run?name=photos/count-rows&environment=photos/master").text
    assert "<option selected>photos/master</option>" in text
    assert "<option selected>posts</option>" in text
    assert 'type="password" autocomplete="off" id="option-token"' in text
    assert 'min="1" max="9"' in text
    viewer = page.visitor(Role.VIEWER).get("/jobs/run?name=photos/count-rows").text
    assert "You may look at this job, and not run it" in viewer


def test_a_job_runs_from_its_form_and_shows_no_secret(page: PageStage) -> None:
    visitor = page.visitor()
    fields = [
        ("job", "photos/count-rows"),
        ("option.environment", "photos/feature-x"),
        ("option.token", "hunter2"),
    ]
    answer = visitor.post("/jobs/run", fields)
    assert answer.status_code == 303, answer.text
    shown = visitor.get(answer.headers["location"]).text
    assert "environment=photos/feature-x" in shown
    assert "token=******" in shown
    for path in (answer.headers["location"], "/jobs", "/audit"):
        assert "hunter2" not in visitor.get(path).text
    execution = answer.headers["location"].split("/")[-1]
    assert page.jobs.executions.abort(execution, somebody(Role.OPERATOR))
    accepted = AuditFilter(reference=execution, outcome=Outcome.ACCEPTED)
    (told,) = page.access.audit.newest(somebody(Role.OPERATOR), accepted, before=None, limit=9)
    assert (told.entry.action, told.entry.subject) == ("run-job", "photos/count-rows")


def test_a_value_that_is_wrong_is_said_at_its_field(page: PageStage) -> None:
    fields = [
        ("job", "photos/count-rows"),
        ("option.environment", "photos/feature-x"),
        ("option.limit", "77"),
    ]
    answer = page.visitor().post("/jobs/run", fields)
    assert answer.status_code == 422
    field = re.search(r'<input type="number"[^>]*>', answer.text)
    assert field is not None
    assert 'value="77"' in field[0]
    assert 'aria-invalid="true"' in field[0]
    assert 'aria-describedby="option-limit-hint option-limit-error"' in field[0]
    assert answer.text.count('aria-invalid="true"') == answer.text.count('role="alert"') == 1
    said = answer.text[answer.text.index('id="option-limit-error"') :][:300]
    assert "limit 77 is" in said
    assert "page Jobs" not in answer.text


def test_what_concerns_no_field_of_a_job_is_said_above_its_form(page: PageStage) -> None:
    fields = [("job", "photos/count-rows"), ("option.environment", "photos/nowhere")]
    answer = page.visitor().post("/jobs/run", fields)
    assert answer.status_code == 422
    above, _, form = answer.text.partition('<form class="form"')
    assert "E_NO_ENVIRONMENT" in above
    assert 'role="alert"' not in form


# Tokens, inventory, drills.


def test_a_token_is_shown_once_and_can_be_revoked(fresh: PageStage) -> None:
    visitor = fresh.visitor()
    made = visitor.post("/tokens", [("name", "ci"), ("role", "viewer"), ("expires", "7d")])
    text = re.search(r"grt_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", made.text)
    assert text is not None
    listed = visitor.get("/tokens").text
    assert "viewer of everything" in listed
    assert text[0] not in listed
    assert fresh.access.tokens.verify(text[0]).grants == (
        Grant(stack=EVERY_STACK, role=Role.VIEWER),
    )
    found = re.search(r'action="(/tokens/tok-[0-9a-f]+/revoke)"', listed)
    assert found is not None
    assert visitor.post(found[1]).status_code == 303
    assert "revoked" in visitor.get("/tokens").text
    wrong = visitor.post("/tokens", [("name", "Not Good"), ("role", "king")])
    assert wrong.status_code == 422
    assert "is no role" in wrong.text


def test_the_inventory_is_filtered_and_asked_for_a_time(page: PageStage) -> None:
    visitor = page.visitor()
    text = visitor.get("/inventory?role=db&branch=feature_x").text
    assert "db1" in text
    assert "backend1" not in text
    wrong = visitor.get("/inventory?at=yesterday")
    assert wrong.status_code == 422
    assert "E_TIME" in wrong.text
    unknown = visitor.get("/inventory?at=2999-01-01T00:00")
    assert "E_INVENTORY_TIME" in unknown.text
    before = visitor.get("/inventory?at=2020-01-01T00:00")
    assert before.status_code == 200
    assert "The inventory knew of no such machine then." in before.text


def test_a_page_of_a_former_time_that_is_empty_leads_on_to_the_next(
    page: PageStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory_page, "PAGE_MAX", 1)
    text = page.visitor().get("/inventory?at=2020-01-01T00:00").text
    assert "None of those on this page was there then." in text
    assert re.search(r'href="/inventory\?[^"]*after=[^"]+">More<', text)


def test_the_drills_page_plots_what_was_timed_and_has_it_in_a_table(page: PageStage) -> None:
    text = page.visitor().get("/drills").text
    assert 'role="img"' in text
    assert "photos/feature-x" in text
    assert text.count("<polyline") >= 1


def test_the_list_and_the_page_say_what_it_would_cost_on_aws(page: PageStage) -> None:
    listed = page.visitor().get("/").text
    assert listed.count("$0.0400 an hour on AWS") == 2
    assert "on demand in eu-west-1, by prices of 2026-01-02" in listed
    text = page.visitor().get(FEATURE).text
    assert "On AWS these machines would cost $0.0400 an hour, $0.32 a workday of 8 hours" in text
    assert "Nobody charges for what runs on this host" in text


def test_an_operation_that_ended_is_streamed_once(page: PageStage) -> None:
    operation = page.parts.history.create_of(NAME)
    text = page.visitor().get(f"/operations/{operation}/stream").text
    assert text.count("Up, and proved") == 1
    assert text.endswith("event: ended\ndata: \n\n")


def test_what_somebody_named_a_branch_is_text(fresh: PageStage) -> None:
    asked = CreateRequest(blueprint=fresh.blueprint, branch='<img/src="x">&')
    view, result = fresh.stage.run(asked)
    assert result.code is None
    visitor = fresh.visitor()
    for path in ("/", f"/environments/{view.environment}", f"/operations/{view.id}"):
        assert "<img/src" not in visitor.get(path).text


def test_a_visitor_without_a_role_is_told_so(page: PageStage) -> None:
    answer = page.visitor(None).get("/")
    assert answer.status_code == 403
    assert "ann has no role at all" in answer.text
    assert 'href="/new"' not in answer.text


# Colours: WCAG 2.2, 1.4.3 (text 4.5 to 1) and 1.4.11 (what shows a field's bounds 3 to 1).
