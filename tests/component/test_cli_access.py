"""greenroom token and audit, as a person and as a program sees them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.component.cli_daemon import Answer, FakeDaemon, running

from greenroom.cli import shapes
from greenroom.cli.main import main
from greenroom.region import Region
from greenroom.web import audit, status, tokens

TOKEN = {
    "id": "tok-1",
    "name": "ann",
    "grants": [{"stack": "photos", "role": "developer"}, {"stack": "*", "role": "viewer"}],
    "status": "good",
    "created_by": "root",
    "created_at": "2026-11-23T04:00:00Z",
    "expires_at": "2026-12-23T04:00:00Z",
    "last_used_at": None,
    "revoked_at": None,
}
ENTRY = {
    "seq": 7,
    "at": "2026-11-23T04:00:00.123Z",
    "caller": "ann",
    "origin": "127.0.0.1",
    "action": "create",
    "outcome": "accepted",
    "stack": "photos",
    "subject": "photos/feature-x",
    "parameters": {"branch": "feature\x1b[1m_x"},
    "code": None,
    "message": "",
    "reference": "op-1",
}
REFUSED = ENTRY | {"seq": 8, "outcome": "refused", "code": "E_FORBIDDEN", "message": "is viewer"}


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDaemon]:
    monkeypatch.setattr(Region, "run_dir", tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    with running(tmp_path / "run" / "daemon.sock") as fake:
        yield fake


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as exited:
        main(words)
    out, err = capsys.readouterr()
    return int(exited.value.code or 0), out, err


def test_a_new_token_is_the_only_thing_on_stdout(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.answer("POST", "/v1/tokens", TOKEN | {"token": "grt_x", "notices": []}, status=201)

    code, out, err = run(
        capsys, "token", "create", "ann", "--role", "developer", "--stack", "photos",
        "--expires", "8h",
    )  # fmt: skip

    assert (code, out) == (0, "grt_x\n")
    assert "developer of photos, viewer, until 2026-12-23T04:00Z" in err
    assert daemon.requests[-1].body == {
        "name": "ann",
        "grants": [{"stack": "photos", "role": "developer"}],
        "expires_s": 28800.0,
    }


def test_a_slip_in_a_stacks_name_is_told_beside_the_token(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    notice = "nothing of stack potos is known here yet; did you mean photos?"
    made = TOKEN | {"token": "grt_x", "notices": [notice]}
    daemon.answer("POST", "/v1/tokens", made, status=201)

    code, out, err = run(capsys, "token", "create", "ann", "--role", "viewer", "--stack", "potos")

    assert (code, out) == (0, "grt_x\n")
    assert err.splitlines()[-1] == f"note: {notice}"


def test_a_token_without_a_stack_is_for_all_of_them(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.answer("POST", "/v1/tokens", TOKEN | {"token": "grt_x", "notices": []}, status=201)
    run(capsys, "token", "create", "ann", "--role", "viewer")

    body = daemon.requests[-1].body
    assert (body["grants"], body["expires_s"]) == ([{"stack": "*", "role": "viewer"}], 2592000.0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("token create ann", "error E_USAGE: Missing option '--role'"),
        ("token create ann --role king", "error E_USAGE: Invalid value for '--role'"),
        ("token create a --role viewer --expires soon", "error E_DURATION: --expires: 'soon'"),
        ("audit --since yesterday", "error E_USAGE: --since 'yesterday' is no time"),
        ("inventory --at yesterday", "error E_USAGE: --at 'yesterday' is no time"),
        ("audit --limit 0", "error E_USAGE: --limit '0' is no number of entries"),
        ("audit --limit many", "error E_USAGE: --limit 'many' is no number of entries"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anybody_is(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    code, _, err = run(capsys, *words.split())

    assert code == 2
    assert err.startswith(message)
    assert daemon.requests == []


def test_tokens_are_listed_page_by_page_and_revoked(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    pages: list[dict[str, Any]] = [
        {"items": [TOKEN], "next": "more"},
        {"items": [TOKEN | {"name": "bob"}], "next": None},
    ]
    daemon.routes["GET", "/v1/tokens"] = lambda request: Answer(
        value=pages["cursor" in request.query]
    )
    revoked = TOKEN | {"revoked_at": "2026-11-23T09:41:07Z"}
    daemon.answer("DELETE", "/v1/tokens/ann", revoked | {"again": False})

    code, out, _ = run(capsys, "token", "list")

    head, first, second = out.splitlines()
    assert (code, head.split()[:3]) == (0, ["TOKEN", "ID", "MAY"])
    assert "developer of photos, viewer  good" in first
    assert first.endswith("never      root")
    assert second.startswith("bob")
    assert run(capsys, "token", "revoke", "ann")[1] == "ann (tok-1) opens nothing any more\n"
    daemon.answer("DELETE", "/v1/tokens/ann", revoked | {"again": True})
    assert run(capsys, "token", "revoke", "ann") == (
        0,
        "ann (tok-1) was revoked before, at 2026-11-23T09:41Z, and opens nothing\n",
        "",
    )


def test_the_log_is_told_the_oldest_first_and_cleaned(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.answer("GET", "/v1/audit", {"items": [REFUSED, ENTRY], "next": None})

    code, out, _ = run(
        capsys, "audit", "--by", "ann", "--on", "photos", "--since", "2026-11-23T00Z"
    )

    assert code == 0
    assert out.splitlines() == [
        "2026-11-23T04:00:00Z  ann (127.0.0.1)  create photos/feature-x  accepted  "
        "branch=feature_x",
        "2026-11-23T04:00:00Z  ann (127.0.0.1)  create photos/feature-x  refused  "
        "E_FORBIDDEN: is viewer",
    ]
    query = daemon.requests[-1].query
    (since,) = query.pop("since")
    assert query == {"limit": ["500"], "by": ["ann"], "on": ["photos"]}
    assert datetime.fromisoformat(since) == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("words", ["audit --since 30s", "inventory --at 30s"])
def test_a_moment_is_read_alike_wherever_one_is_asked_for(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    daemon.answer("GET", "/v1/audit", {"items": [], "next": None})
    daemon.answer("GET", "/v1/inventory", {"machines": [], "next": None})

    assert run(capsys, *words.split())[0] == 0

    query = daemon.requests[-1].query
    (told,) = query.get("since", []) + query.get("at", [])
    assert datetime.fromisoformat(told) < datetime.now(UTC)


def numbered(first: int, last: int) -> list[dict[str, Any]]:
    return [ENTRY | {"seq": number, "subject": f"at-{number}"} for number in range(last, first, -1)]


@pytest.mark.parametrize(
    ("words", "shown", "says"),
    [
        (
            "audit",
            range(551, 601),
            "these are the newest 50; --limit N or --since TIME shows older",
        ),
        ("audit --limit 520", range(81, 601), ""),
        ("audit --since 2026-11-23T00Z", range(1, 601), ""),
    ],
)
def test_no_entry_that_was_asked_for_is_left_out_in_silence(
    daemon: FakeDaemon,
    capsys: pytest.CaptureFixture[str],
    words: str,
    shown: range,
    says: str,
) -> None:
    pages = [
        {"items": numbered(100, 600), "next": "more"},
        {"items": numbered(0, 100), "next": None},
    ]
    daemon.routes["GET", "/v1/audit"] = lambda request: Answer(
        value=pages["cursor" in request.query]
    )

    code, out, err = run(capsys, *words.split())

    assert code == 0
    assert [line.split()[4] for line in out.splitlines()] == [f"at-{n}" for n in shown]
    assert err.startswith(says) and bool(err) == bool(says)


def test_that_nothing_was_asked_is_said_of_what_was_looked_for(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.answer("GET", "/v1/audit", {"items": [], "next": None})

    assert run(capsys, "audit", "--by", "nobody")[1] == "nothing was asked by nobody\n"
    given = ("--by", "ann", "--on", "photos", "--since", "2026-11-23T04:00:00.5Z")
    assert run(capsys, "audit", *given) == (
        0,
        "nothing was asked by ann about photos since 2026-11-23T04:00:00+00:00\n",
        "",
    )


def test_the_token_of_the_environment_goes_with_every_request(
    daemon: FakeDaemon, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENROOM_TOKEN", "grt_abc")
    daemon.answer("GET", "/v1/audit", {"items": [], "next": None})
    assert run(capsys, "audit")[1] == "nothing was asked\n"
    assert daemon.requests[-1].headers["authorization"] == "Bearer grt_abc"

    monkeypatch.setenv("GREENROOM_TOKEN", "grt_abc\r\nX: y")
    code, _, err = run(capsys, "audit")
    assert (code, err.splitlines()[0]) == (
        2,
        "error E_TOKEN_MALFORMED: GREENROOM_TOKEN is not a token",
    )


@pytest.mark.parametrize(
    ("shape", "model"),
    [
        (shapes.GrantReply, tokens.GrantBody),
        (shapes.TokenReply, tokens.TokenReply),
        (shapes.NewTokenReply, tokens.NewTokenReply),
        (shapes.RevokedReply, tokens.RevokedReply),
        (shapes.AuditReply, audit.AuditReply),
        (shapes.StatusReply, status.Status),
    ],
)
def test_every_reply_has_the_fields_of_its_model(shape: Any, model: Any) -> None:
    assert set(shape.__annotations__) == set(model.model_fields)
