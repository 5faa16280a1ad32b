"""Each page on the simulated host: what it shows, to whom, and what its forms begin."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.unit.cli_values import environment
from tests.unit.cost_values import PRICES
from tests.unit.page_stage import BlueprintStage, PageStage, somebody

from greenroom.app.clock import SystemClock
from greenroom.blueprint.instance_types import DEFAULT_INSTANCE_TYPE
from greenroom.drawing.plot import Point, Series, plot
from greenroom.model.access import EVERY_STACK, Grant, Role
from greenroom.model.audit import AuditFilter, Outcome
from greenroom.model.events import Event, EventKind, OperationStatus
from greenroom.model.names import EnvironmentName
from greenroom.model.requests import CreateRequest
from greenroom.model.views import EnvironmentStatus
from greenroom.providers.aws.price_table import shipped_table
from greenroom.web.page.board import board_of
from greenroom.web.page.costs import PRICED_IN, estimate_of
from greenroom.web.page.log_stream import log_pieces
from greenroom.web.page.render import STATIC
from greenroom.web.page.stream import Piece, changed_pieces, listen_to
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


def test_the_drills_page_plots_what_was_timed_and_has_it_in_a_table(page: PageStage) -> None:
    text = page.visitor().get("/drills").text
    assert 'role="img"' in text
    assert "photos/feature-x" in text
    assert text.count("<polyline") >= 1


def test_a_plot_says_its_values_in_words() -> None:
    points = tuple(
        Point(at=AT + timedelta(days=n), seconds=seconds, words="create of <b>")
        for n, seconds in enumerate((0.004, 2.0, 130.0))
    )
    drawn = plot((Series(name="restore", points=points),), "Times")
    assert drawn is not None
    assert "restore: 3 values, median 2.00 s" in drawn
    assert "restore: 2 min 10 s, create of &lt;b&gt;, 2026-11-25 05:00 UTC" in drawn
    for tick in ("1 ms", "1 s", "100 s", "1000 s"):
        assert f">{tick}</text>" in drawn
    assert plot((Series(name="restore", points=()),), "Times") is None


# What it would cost.


def test_the_list_and_the_page_say_what_it_would_cost_on_aws(page: PageStage) -> None:
    listed = page.visitor().get("/").text
    assert listed.count("$0.0400 an hour on AWS") == 2
    assert "on demand in eu-west-1, by prices of 2026-01-02" in listed
    text = page.visitor().get(FEATURE).text
    assert "On AWS these machines would cost $0.0400 an hour, $0.32 a workday of 8 hours" in text
    assert "Nobody charges for what runs on this host" in text


@pytest.mark.parametrize(
    ("types", "hour", "unknown"),
    [
        (("t3.small", "t3.micro"), "$0.0300", ()),
        (("t3.small", "m5.large"), "at least $0.0200", ("m5.large",)),
    ],
)
def test_a_price_that_is_not_known_is_said(
    types: tuple[str, ...], hour: str, unknown: tuple[str, ...]
) -> None:
    estimate = estimate_of(environment(machines=types, instance_types=types), PRICES)
    assert estimate is not None
    assert (estimate.hour, estimate.unknown) == (hour, unknown)


def test_nothing_is_told_of_what_costs_nothing_or_has_no_price() -> None:
    stopped = environment(status=EnvironmentStatus.STOPPED)
    assert estimate_of(stopped, PRICES) is None
    assert estimate_of(environment(instance_types=("m5.large",)), PRICES) is None
    nowhere = replace(PRICES, regions={})
    assert estimate_of(environment(), nowhere) is None


def test_the_region_that_is_told_has_prices_in_the_package() -> None:
    assert shipped_table().regions[PRICED_IN].instances[DEFAULT_INSTANCE_TYPE] > 0


# The board.


def event(seq: int, at_s: float, kind: EventKind, phase: str = "", **more: object) -> Event:
    at = AT + timedelta(seconds=at_s)
    return Event(seq=seq, at=at, operation="op", kind=kind, phase=phase, **more)  # type: ignore[arg-type]


def test_a_board_places_phases_where_they_were() -> None:
    events = [
        event(1, 0, EventKind.PHASE_STARTED, "images"),
        event(2, 1, EventKind.PHASE_DONE, "images", seconds=1.0),
        event(3, 1, EventKind.PHASE_STARTED, "boot", machine="db1"),
        event(4, 4, EventKind.PHASE_DONE, "restore", machine="db1", seconds=2.0),
        event(5, 4, EventKind.PHASE_DONE, "checks", machine="db1", seconds=1.0),
        event(6, 4, EventKind.PHASE_FAILED, "boot", machine="db1", message="no", hint="try"),
    ]
    board = board_of(events, AT + timedelta(seconds=10))
    assert [lane.machine for lane in board.lanes] == [None, "db1"]
    boot, restore, checks = board.lanes[1].bars
    assert (boot.state, boot.left, boot.width) == ("failed", 100, 300)
    # Told at the end, but done one after the other.
    assert (restore.left, restore.width) == (100, 200)
    assert (checks.left, checks.width) == (300, 100)
    assert [(note.message, note.bad, note.hint) for note in board.notes] == [("no", True, "try")]
    assert (board.seconds, board.result) == (10.0, None)


def test_a_board_grows_while_something_runs_and_stands_when_it_has_ended() -> None:
    events = [event(1, 0, EventKind.PHASE_STARTED, "proof")]
    running = board_of(events, AT + timedelta(seconds=4)).lanes[0].bars[0]
    assert (running.state, running.seconds, running.width) == ("running", 4.0, 1000)
    events.append(event(2, 5, EventKind.RESULT, status=OperationStatus.SUCCEEDED))
    assert board_of(events, AT + timedelta(seconds=99)).seconds == 5.0
    assert board_of([], AT).lanes == ()


def test_a_clock_that_was_set_back_breaks_no_board() -> None:
    events = [
        event(1, 0, EventKind.PHASE_STARTED, "proof"),
        event(2, -60, EventKind.PHASE_DONE, "proof", seconds=1.0),
    ]
    bar = board_of(events, AT - timedelta(hours=1)).lanes[0].bars[0]
    assert bar.left >= 0
    assert 0 < bar.width <= 1000


# What is live.


def test_a_piece_is_an_event_as_browsers_read_it() -> None:
    assert Piece("a\nb", id="7").encoded() == b"id: 7\ndata: a\ndata: b\n\n"
    assert Piece("", event="ended").encoded() == b"event: ended\ndata: \n\n"


def test_a_browser_that_goes_away_leaves_no_listener(fresh: PageStage) -> None:
    control = fresh.stage.control
    listeners = control._journal._listeners
    before = len(listeners)

    async def look_once() -> None:
        pieces = changed_pieces(listen_to(control), lambda: "x", look_again_s=60)
        async with aclosing(pieces) as stream:  # type: ignore[type-var]
            async for piece in stream:
                assert piece.data == "x"
                assert len(listeners) == before + 1
                break

    asyncio.run(look_once())
    assert len(listeners) == before


def test_news_are_told_when_they_come_and_the_same_thing_is_not_told_twice(
    fresh: PageStage,
) -> None:
    states = iter(["old", "old", "new", None])

    async def follow() -> list[Piece]:
        pieces = changed_pieces(
            listen_to(fresh.stage.control), lambda: next(states), look_again_s=0
        )
        return [piece async for piece in pieces]

    assert asyncio.run(follow()) == [Piece("old"), Piece("new"), Piece("", event="ended")]


class _Line:
    def __init__(self, line: str) -> None:
        self.machine, self.service, self.line = "db1", "mariadb", line


class _Burst:
    """Ten thousand lines at once, and then none."""

    def __init__(self) -> None:
        self.lines = [_Line(f"line <{n}> \x1b[31m") for n in range(10_000)]

    def read_new(self) -> list[_Line]:
        lines, self.lines = self.lines, []
        return lines


def test_of_a_burst_the_newest_lines_are_sent_and_escaped() -> None:
    async def first() -> Piece:
        async with aclosing(log_pieces([_Burst()], lambda: True)) as pieces:  # type: ignore[type-var]
            return await anext(pieces)

    text = asyncio.run(first()).data
    assert text.count("<li>") == 300
    assert "9700 lines left out" in text
    assert "line &lt;9999&gt;" in text
    assert "\x1b" not in text


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

GROUNDS = ("paper", "surface", "sunken")
TINTED = ("good", "bad", "open", "moving", "idle")
TEXT_ON = [
    *((ink, ground) for ink in ("ink", "muted", "accent") for ground in GROUNDS),
    *((tint, f"{tint}-soft") for tint in TINTED),
    *(("ink", f"{tint}-soft") for tint in TINTED),
    *((tint, "surface") for tint in ("good", "bad", "open", "moving")),
    ("accent-ink", "accent"),
    ("accent", "accent-soft"),
]


def colours(scheme: int) -> dict[str, tuple[float, ...]]:
    sheet = (STATIC / "page.css").read_text()
    pairs = re.findall(r"--([a-z-]+): light-dark\((#[0-9a-fA-F]{6}), (#[0-9a-fA-F]{6})\)", sheet)
    return {
        name: tuple(int(pair[scheme][at : at + 2], 16) / 255 for at in (1, 3, 5))
        for name, *pair in pairs
    }


def luminance(colour: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_ON)
def test_text_can_be_read_on_its_ground(ink: str, ground: str, scheme: int) -> None:
    known = colours(scheme)
    assert contrast(known[ink], known[ground]) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "surface"])
def test_the_bounds_of_fields_and_buttons_are_seen(ground: str, scheme: int) -> None:
    known = colours(scheme)
    assert contrast(known["edge"], known[ground]) >= 3
