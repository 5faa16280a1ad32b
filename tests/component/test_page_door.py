"""The page's door: names, origins, logins, forms, and what every answer says to the browser."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient, Response
from sqlalchemy import update
from starlette.types import Receive, Scope, Send
from tests.component.app_stage import Stage
from tests.component.page_stage import COOKIE, PageStage, Visitor, problem_of, somebody

from greenroom.app.sessions import SESSION_TTL_S, TICKET_TTL_S
from greenroom.errors import UsageError
from greenroom.model.access import EVERY_STACK, Grant, Role
from greenroom.model.peer import Peer
from greenroom.region import Region
from greenroom.store.access_tables import tokens
from greenroom.web.openapi import GreenroomApi
from greenroom.web.page.asking import own_path
from greenroom.web.page.guard import CONTENT_POLICY
from greenroom.web.page.render import STATIC, static_version
from greenroom.web.place import WebPlace, further_hosts, open_web
from greenroom.web.problems import add_problems
from greenroom.web.tickets import ticket_routes


class Steps:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
        self.seconds = 1000.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.seconds

    def step(self, seconds: float) -> None:
        with self._lock:
            self.at += timedelta(seconds=seconds)
            self.seconds += seconds


@pytest.fixture
def clock() -> Steps:
    return Steps()


@pytest.fixture
def page(tmp_path: Path, clock: Steps) -> Iterator[PageStage]:
    stage = Stage(tmp_path, clock=clock)
    made = PageStage(stage)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8090", 200),
        ("localhost:1", 200),
        ("localhost", 200),
        ("[::1]:8090", 200),
        ("greenroom.localhost:8090", 200),
        ("ROOM.example:443", 200),
        ("api.feature-x.localhost:8090", 421),
        ("evil.example", 421),
        ("evil.example:8090", 421),
        ("127.0.0.1.evil.example", 421),
        ("xlocalhost", 421),
    ],
)
def test_only_our_own_names_are_answered(page: PageStage, host: str, status: int) -> None:
    answer = Visitor(page).send("GET", "/login", host=host)
    assert answer.status_code == status
    assert ("E_HOST_NAME" in answer.text) is (status == 421)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8080"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_a_form_of_another_page_is_refused_whatever_it_knows(
    page: PageStage, headers: dict[str, str]
) -> None:
    visitor = page.visitor()
    body = f"form_token={visitor.form_token}".encode()
    answer = visitor.send("POST", "/logout", body, **headers)
    assert answer.status_code == 403
    assert answer.text.startswith("E_ORIGIN:")
    assert visitor.get("/").status_code == 200


def test_every_answer_has_a_policy_without_inline(page: PageStage) -> None:
    visitor = page.visitor()
    refused = Visitor(page).send("GET", "/", host="evil.example")
    for answer in (visitor.get("/"), visitor.get("/nowhere"), Visitor(page).get("/"), refused):
        headers = answer.headers
        assert headers["content-security-policy"] == CONTENT_POLICY
        assert "unsafe" not in CONTENT_POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"


def test_nobody_sees_anything_without_a_login(page: PageStage) -> None:
    answer = Visitor(page).get("/environments/photos/feature-x?a=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?back=%2Fenvironments%2Fphotos%2Ffeature-x%3Fa%3D1"
    part = Visitor(page).get("/environments/stream", **{"hx-request": "true"})
    assert (part.status_code, part.headers["hx-redirect"][:6]) == (401, "/login")
    assert problem_of(Visitor(page).get("/v1/who")) == "E_TOKEN_MISSING"
    assert Visitor(page).get("/v1/openapi.json").status_code == 401


def test_a_login_link_works_once(page: PageStage) -> None:
    ticket = page.sessions.ticket(somebody(Role.OPERATOR))
    answer = Visitor(page).get(f"/login?ticket={ticket}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    key = answer.cookies[COOKIE]
    assert Visitor(page, {COOKIE: key}).get("/").status_code == 200
    again = Visitor(page).get(f"/login?ticket={ticket}")
    assert again.status_code == 403
    assert "used already, or is older than a minute" in again.text


def test_a_login_link_lasts_a_minute(page: PageStage, clock: Steps) -> None:
    ticket = page.sessions.ticket(somebody(Role.OPERATOR))
    clock.step(TICKET_TTL_S)
    assert Visitor(page).get(f"/login?ticket={ticket}").status_code == 403


def test_guesses_are_slowed_down(page: PageStage) -> None:
    statuses = [Visitor(page).get(f"/login?ticket={n}").status_code for n in range(12)]
    assert statuses == [403] * 10 + [429] * 2
    assert int(Visitor(page).get("/login?ticket=x").headers["retry-after"]) > 0
    ticket = page.sessions.ticket(somebody(Role.OPERATOR))
    assert Visitor(page).get(f"/login?ticket={ticket}").status_code == 303


def test_a_login_by_token_ends_with_the_token(page: PageStage) -> None:
    root = somebody(Role.OPERATOR, name="root")
    grant = Grant(stack=EVERY_STACK, role=Role.DEVELOPER)
    view, text = page.access.tokens.create(root, "laptop", [grant])
    answer = Visitor(page).send("POST", "/login", f"token={text}&back=/new".encode())
    assert (answer.status_code, answer.headers["location"]) == (303, "/new")
    visitor = Visitor(page, {COOKIE: answer.cookies[COOKIE]})
    assert "laptop" in visitor.get("/").text
    page.access.tokens.revoke(root, view.id)
    assert visitor.get("/").status_code == 303
    wrong = Visitor(page).send("POST", "/login", b"token=grt_nonsense")
    assert wrong.status_code == 403
    assert "this is not a token" in wrong.text


def test_a_login_by_token_is_worth_that_token_whatever_it_is_called(page: PageStage) -> None:
    """A ledger may hold such a name from before it was refused."""
    root = somebody(Role.OPERATOR, name="root")
    everything = Grant(stack=EVERY_STACK, role=Role.OPERATOR)
    mighty, _ = page.access.tokens.create(root, "boss", [everything])
    _, text = page.access.tokens.create(root, "small", [Grant(stack="photos", role=Role.VIEWER)])
    with page.stage.database.write() as connection:
        small = tokens.c.name == "small"
        connection.execute(update(tokens).where(small).values(name=mighty.id))

    found = page.sessions.find(page.sessions.by_token(text, "here"))

    assert found is not None
    assert found.caller.grants == (Grant(stack="photos", role=Role.VIEWER),)


def test_a_session_ends_by_logout_and_by_time(page: PageStage, clock: Steps) -> None:
    first, second = page.visitor(), page.visitor()
    out = first.post("/logout")
    assert out.headers["location"] == "/login"
    assert first.get("/").status_code == 303
    assert second.get("/").status_code == 200
    clock.step(SESSION_TTL_S)
    assert second.get("/").status_code == 303


def test_a_new_login_ends_the_one_before_it(page: PageStage) -> None:
    before = page.visitor()
    ticket = page.sessions.ticket(somebody(Role.OPERATOR))
    answer = before.get(f"/login?ticket={ticket}")
    assert answer.cookies[COOKIE] != before.cookies[COOKIE]
    assert before.get("/").status_code == 303


def test_the_ledger_has_no_key_that_opens(page: PageStage) -> None:
    visitor = page.visitor()
    with page.stage.database.read() as connection:
        kept = connection.exec_driver_sql("SELECT * FROM sessions").fetchall()
    key = visitor.cookies[COOKIE]
    assert key not in repr(kept)
    assert hashlib.sha256(key.encode()).hexdigest() in repr(kept)


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_a_form_without_the_logins_token_does_nothing(page: PageStage, token: str) -> None:
    visitor = page.visitor()
    answer = visitor.post("/logout", token=token)
    assert answer.status_code == 403
    assert "E_FORM_TOKEN" in answer.text
    assert visitor.get("/").status_code == 200


def test_the_token_of_another_login_does_not_serve(page: PageStage) -> None:
    visitor, other = page.visitor(), page.visitor()
    assert visitor.post("/logout", token=other.form_token).status_code == 403


def test_a_form_that_is_too_large_is_refused(page: PageStage) -> None:
    answer = page.visitor().post("/theme", [("theme", "x" * 70_000)])
    assert answer.status_code == 422
    assert "E_BODY_SIZE" in answer.text


def test_the_api_takes_a_session_and_for_changes_its_form_token_too(page: PageStage) -> None:
    visitor = page.visitor()
    assert visitor.get("/v1/who").json() == "ann"
    assert problem_of(visitor.send("POST", "/v1/who")) == "E_FORM_TOKEN"
    good = visitor.send("POST", "/v1/who", x_greenroom_form=visitor.form_token)
    assert good.json() == "ann"


def test_the_api_takes_a_token_by_tcp(page: PageStage) -> None:
    root = somebody(Role.OPERATOR, name="root")
    _, text = page.access.tokens.create(root, "ci", [Grant(stack="photos", role=Role.VIEWER)])
    assert Visitor(page).get("/v1/who", authorization=f"Bearer {text}").json() == "ci"
    wrong = Visitor(page).get("/v1/who", authorization="Bearer grt_x")
    assert problem_of(wrong) == "E_TOKEN_MALFORMED"


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/a\nb", "/" * 1200],
)
def test_a_login_sends_nobody_elsewhere(path: str) -> None:
    assert own_path(path) == "/"


def test_the_theme_is_chosen_without_script(page: PageStage) -> None:
    answer = page.visitor().post("/theme", [("theme", "dark"), ("back", "/new")])
    assert (answer.headers["location"], answer.cookies["greenroom-theme"]) == ("/new", "dark")
    visitor = page.visitor()
    visitor.cookies["greenroom-theme"] = "dark"
    assert '<html lang="en" data-theme="dark">' in visitor.get("/").text
    visitor.cookies["greenroom-theme"] = '"><script>'
    assert '<html lang="en" data-theme="auto">' in visitor.get("/").text


def test_static_files_are_kept_for_ever_by_an_address_that_changes_with_them(
    page: PageStage,
) -> None:
    answer = Visitor(page).get(f"/static/{static_version()}/page.css")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert Visitor(page).get("/static/old/page.css").status_code == 404


def test_vendored_files_are_what_their_readme_says() -> None:
    rows = re.findall(
        r"^\| `([^`]+)` .*`([0-9a-f]{64})` \|$", (STATIC / "vendor/README.md").read_text(), re.M
    )
    assert len(rows) == 4
    for name, sha256 in rows:
        content = (STATIC / "vendor" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == sha256, name


def test_a_port_that_is_taken_is_told_and_not_fatal() -> None:
    taken, _ = open_web(Region(label="", web_port=0))
    assert taken is not None
    port = taken.getsockname()[1]
    listener, place = open_web(Region(label="", web_port=port))
    assert (listener, place.url) == (None, None)
    assert f"port {port} of 127.0.0.1 cannot be had (Address already in use)" in place.notice
    taken.close()


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"GREENROOM_WEB_PORT": "x"}, "GREENROOM_WEB_PORT is 'x': expected 1 to 65535"),
        ({"GREENROOM_WEB_PORT": "0"}, "GREENROOM_WEB_PORT is '0': expected 1 to 65535"),
        ({"GREENROOM_PORT": "65530"}, "GREENROOM_WEB_PORT is '65540': expected 1 to 65535"),
        ({"GREENROOM_WEB_PORT": "8080"}, "GREENROOM_PORT and GREENROOM_WEB_PORT are both 8080"),
    ],
)
def test_a_port_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as refused:
        Region.from_environment()
    assert (refused.value.code, refused.value.message) == ("E_REGION_PORT", message)


def test_the_page_is_ten_ports_beside_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Region.from_environment().web_port == 8090
    monkeypatch.setenv("GREENROOM_PORT", "18080")
    assert Region.from_environment().web_port == 18090
    monkeypatch.setenv("GREENROOM_WEB_PORT", "7000")
    assert Region.from_environment().web_port == 7000


def test_further_names_are_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_WEB_HOSTS", "room.example, box-1.lan")
    assert further_hosts() == ("room.example", "box-1.lan")
    monkeypatch.setenv("GREENROOM_WEB_HOSTS", "http://room.example")
    with pytest.raises(UsageError, match="expected host names without ports"):
        further_hosts()


# Links for who is at the unix socket.


def ask_for_link(page: PageStage, peer: Peer | None, url: str | None, **headers: str) -> Response:
    place = WebPlace(url=url, notice="port 8090 cannot be had")
    api = GreenroomApi()
    api.state.access = page.access
    add_problems(api)
    api.include_router(ticket_routes(page.sessions, place))

    async def at_socket(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {} if peer is None else {"peer": peer}
        await api(scope, receive, send)

    async def ask() -> Response:
        transport = ASGITransport(app=at_socket)
        async with AsyncClient(transport=transport, base_url="http://greenroom") as client:
            return await client.post("/v1/web/tickets", headers=headers)

    return asyncio.run(ask())


ROOT = Peer(pid=1, uid=0, gid=0)


def test_root_gets_a_link_that_logs_root_in(page: PageStage) -> None:
    answer = ask_for_link(page, ROOT, "http://127.0.0.1:8090")
    assert (answer.status_code, answer.json()["expires_s"]) == (201, 60.0)
    url = answer.json()["url"]
    assert url.startswith("http://greenroom.localhost:8090/login?ticket=")
    login = Visitor(page).get(url.removeprefix("http://greenroom.localhost:8090"))
    text = Visitor(page, {COOKIE: login.cookies[COOKIE]}).get("/").text
    assert "operator of everything" in text


def test_a_token_gets_no_link_that_could_outlive_it(page: PageStage) -> None:
    root = somebody(Role.OPERATOR, name="root")
    grant = Grant(stack=EVERY_STACK, role=Role.OPERATOR)
    _, text = page.access.tokens.create(root, "ci", [grant])
    token = {"authorization": f"Bearer {text}"}
    for peer in (ROOT, None):
        answer = ask_for_link(page, peer, "http://127.0.0.1:8090", **token)
        assert problem_of(answer) == "E_NO_TICKET"


def test_where_no_page_is_served_the_link_says_why(page: PageStage) -> None:
    answer = ask_for_link(page, ROOT, None)
    assert problem_of(answer) == "E_WEB_PORT"
    assert answer.json()["message"] == "port 8090 cannot be had"
