"""Tokens: what opens, what does not and why, and that nobody gives more than they have."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.databases import make_database

from greenroom.app.access import Access
from greenroom.app.logins import FAILURES_AT_ONCE, REQUESTS_AT_ONCE
from greenroom.errors import BusyError, GreenroomError, InputError, LoginError, RefusedError
from greenroom.model.access import EVERY_STACK, Caller, Grant, Role
from greenroom.model.audit import AuditFilter, Outcome
from greenroom.model.peer import Peer
from greenroom.store.access_tables import tokens as token_table

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROOT = Caller(name="root", grants=(Grant(stack=EVERY_STACK, role=Role.OPERATOR),))
DAY_S = 86400.0


class SteppedClock:
    def __init__(self) -> None:
        self.at = NOON
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.seconds

    def step(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds


class Hall:
    """A ledger, and what decides who may ask."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.clock = SteppedClock()
        self.database = make_database(folder)
        self.database.migrate()
        self.access = Access.on(self.database, self.clock)
        self.tokens = self.access.tokens

    def new(self, role: Role = Role.DEVELOPER, stack: str = "photos", name: str = "ann") -> str:
        return self.tokens.create(ROOT, name, [Grant(stack=stack, role=role)])[1]


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    made = Hall(tmp_path)
    yield made
    made.database.close()


def test_a_token_opens_what_it_was_made_for(hall: Hall) -> None:
    grant = Grant(stack="photos", role=Role.DEVELOPER)
    token, text = hall.tokens.create(ROOT, "ann", [grant])

    assert hall.tokens.verify(text) == Caller(name="ann", grants=(grant,), token=token.id)


def test_no_token_is_called_what_could_be_the_id_of_another(hall: Hall) -> None:
    with pytest.raises(InputError) as refused:
        hall.new(name="tok-0123456789ab")

    assert (refused.value.code, refused.value.message) == (
        "E_TOKEN_NAME",
        "'tok-0123456789ab' is no name for a token: one that begins with tok- could be taken for "
        "another token's id",
    )


def test_the_ledger_holds_the_hash_of_a_token_and_not_the_token(hall: Hall) -> None:
    text = hall.new()

    with hall.database.read() as connection:
        row = connection.execute(select(token_table)).mappings().one()
    assert row["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert not any(text in str(value) or text[-43:] in str(value) for value in row.values())


def test_no_two_tokens_are_alike(hall: Hall) -> None:
    texts = {hall.new(name=f"t{number}") for number in range(20)}

    assert len(texts) == 20
    assert all(text.startswith("grt_") and len(text) == 56 for text in texts)


def test_a_token_of_another_region_is_told_apart_from_one_that_never_was(
    hall: Hall, tmp_path: Path
) -> None:
    other = Hall(tmp_path / "other")
    theirs, ours = other.new(), hall.new()
    other.database.close()

    assert refusal(hall, theirs) == (
        "E_TOKEN_FOREIGN",
        f"the token is one of another region ({theirs[4:12]}, this is {ours[4:12]})",
    )
    wrong = ours[:-1] + ("A" if ours[-1] != "A" else "B")
    assert refusal(hall, wrong) == (
        "E_TOKEN_UNKNOWN",
        "there is no such token in this region",
    )


@pytest.mark.parametrize("text", ["", "grt_", "hunter2", "grt_xyz", "grt_" + "ä" * 52, "\0"])
def test_what_is_no_token_is_called_so(hall: Hall, text: str) -> None:
    assert refusal(hall, text) == (
        "E_TOKEN_MALFORMED",
        "this is not a token: one begins with grt_ and has 56 characters",
    )


def test_a_token_opens_until_the_instant_at_which_it_expires(hall: Hall) -> None:
    _, text = hall.tokens.create(
        ROOT, "ann", [Grant(stack="photos", role=Role.VIEWER)], expires_s=DAY_S
    )
    hall.clock.step(DAY_S - 1)
    assert hall.tokens.verify(text).name == "ann"

    hall.clock.step(1)

    assert refusal(hall, text) == (
        "E_TOKEN_EXPIRED",
        "the token ann expired on 2026-11-24 12:00 UTC",
    )


def test_a_revoked_token_opens_nothing_and_its_name_is_free(hall: Hall) -> None:
    text = hall.new()
    assert not hall.tokens.revoke(ROOT, "ann").again
    hall.clock.step(3600)
    assert hall.tokens.revoke(ROOT, "ann").again

    assert refusal(hall, text) == (
        "E_TOKEN_REVOKED",
        "the token ann was revoked on 2026-11-23 12:00 UTC",
    )
    again = hall.new()
    assert hall.tokens.verify(again).name == "ann"
    assert [each.revoked_at is None for each in hall.tokens.all(ROOT)] == [False, True]


def test_a_name_is_given_once(hall: Hall) -> None:
    hall.new()

    with pytest.raises(RefusedError, match="there is a token ann already") as refused:
        hall.new()
    assert (refused.value.code, refused.value.hint) == (
        "E_TOKEN_EXISTS",
        "greenroom token revoke ann makes the name free",
    )


def test_the_last_use_is_written_at_most_once_a_minute(hall: Hall) -> None:
    text = hall.new()

    def used() -> datetime | None:
        hall.tokens.verify(text)
        return hall.tokens.all(ROOT)[0].last_used_at

    assert used() == NOON
    hall.clock.step(59)
    assert used() == NOON
    hall.clock.step(1)
    assert used() == NOON + timedelta(seconds=60)
    # A clock that is set back.
    hall.clock.step(-7200)
    assert used() == NOON - timedelta(seconds=7140)


@pytest.mark.parametrize(
    ("who", "role", "stack", "code", "message"),
    [
        (
            "developer of photos",
            "developer",
            "photos",
            "E_FORBIDDEN",
            "tokens on stack photos takes the role operator; a caller is only developer",
        ),
        (
            "operator of photos",
            "viewer",
            "videos",
            "E_FORBIDDEN",
            "tokens on stack videos takes the role operator; a caller has no role there",
        ),
        (
            "operator of photos",
            "viewer",
            "*",
            "E_FORBIDDEN",
            "tokens on every stack takes the role operator; a caller has no role there",
        ),
    ],
)
def test_nobody_makes_a_token_for_more_than_they_have(
    hall: Hall, who: str, role: str, stack: str, code: str, message: str
) -> None:
    has, _, where = who.partition(" of ")
    caller = Caller(name="a caller", grants=(Grant(stack=where, role=Role(has)),))

    with pytest.raises(GreenroomError) as refused:
        hall.tokens.create(caller, "mine", [Grant(stack=stack, role=Role(role))])

    assert (refused.value.code, refused.value.message) == (code, message)
    assert hall.tokens.all(ROOT) == ()


def test_an_operator_of_a_stack_makes_sees_and_revokes_its_tokens_alone(hall: Hall) -> None:
    ann = Caller(name="ann", grants=(Grant(stack="photos", role=Role.OPERATOR),))
    hall.new(stack="videos", name="theirs")
    hall.tokens.create(ann, "mine", [Grant(stack="photos", role=Role.OPERATOR)])

    assert [(each.name, each.created_by) for each in hall.tokens.all(ann)] == [("mine", "ann")]
    with pytest.raises(RefusedError) as refused:
        hall.tokens.revoke(ann, "theirs")
    assert refused.value.code == "E_FORBIDDEN"
    assert hall.tokens.revoke(ann, "mine").token.revoked_at == NOON


@pytest.mark.parametrize(
    ("name", "stack", "expires_s", "code"),
    [
        ("", "photos", DAY_S, "E_TOKEN_NAME"),
        ("root", "photos", DAY_S, "E_TOKEN_NAME"),
        ("greenroom:daemon", "photos", DAY_S, "E_TOKEN_NAME"),
        ("Ann", "photos", DAY_S, "E_TOKEN_NAME"),
        ("a" * 41, "photos", DAY_S, "E_TOKEN_NAME"),
        ("ann", "pho tos", DAY_S, "E_STACK_NAME"),
        ("ann", "p" * 25, DAY_S, "E_STACK_NAME"),
        ("ann", "photos", 0.0, "E_TOKEN_EXPIRES"),
        ("ann", "photos", 367 * DAY_S, "E_TOKEN_EXPIRES"),
        ("ann", "photos", float("nan"), "E_TOKEN_EXPIRES"),
    ],
)
def test_what_no_token_can_have_is_refused(
    hall: Hall, name: str, stack: str, expires_s: float, code: str
) -> None:
    with pytest.raises(InputError) as refused:
        hall.tokens.create(ROOT, name, [Grant(stack=stack, role=Role.VIEWER)], expires_s)

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("expires_s", "shown"),
    [
        (900 * DAY_S, "900d"),
        (366 * DAY_S + 5400, "366d1h30m"),
        (366 * DAY_S + 1, "31622401.0 s"),
        (0.5, "0.5 s"),
        (0.0, "0m"),
        (-60.0, "-60.0 s"),
        (float("inf"), "inf s"),
    ],
)
def test_a_life_that_no_token_has_is_told_as_people_write_it(
    hall: Hall, expires_s: float, shown: str
) -> None:
    with pytest.raises(InputError) as refused:
        hall.tokens.create(ROOT, "ann", [Grant(stack="photos", role=Role.VIEWER)], expires_s)

    assert refused.value.message == f"a token expires after 1 s to 366d, not {shown}"


def test_a_token_that_nobody_made_cannot_be_revoked(hall: Hall) -> None:
    with pytest.raises(InputError, match="there is no token 'bob'") as refused:
        hall.tokens.revoke(ROOT, "bob")
    assert refused.value.code == "E_NO_TOKEN"


def test_failed_logins_are_audited_until_they_are_too_many(hall: Hall) -> None:
    good = hall.new()
    for _ in range(FAILURES_AT_ONCE):
        with pytest.raises(LoginError):
            hall.access.logins.by_token("hunter2", "10.0.0.9")

    for _ in range(3):
        with pytest.raises(BusyError) as refused:
            hall.access.logins.by_token("hunter2", "10.0.0.9")

    assert (refused.value.code, refused.value.retry_s) == ("E_LOGIN_RATE", 5.0)
    failed = hall.access.audit.newest(ROOT, AuditFilter(action="login"), before=None, limit=99)
    assert len(failed) == FAILURES_AT_ONCE
    entry = failed[0].entry
    assert (entry.origin, entry.outcome, entry.code) == (
        "10.0.0.9",
        Outcome.REFUSED,
        "E_TOKEN_MALFORMED",
    )
    assert hall.access.logins.by_token(good, "10.0.0.9").origin == "10.0.0.9"
    with pytest.raises(LoginError):
        hall.access.logins.by_token("hunter2", "10.0.0.10")
    hall.clock.step(5)
    with pytest.raises(LoginError):
        hall.access.logins.by_token("hunter2", "10.0.0.9")


def test_a_token_that_asks_too_often_has_to_wait_and_others_have_not(hall: Hall) -> None:
    text, other = hall.new(), hall.new(name="bob")
    for _ in range(REQUESTS_AT_ONCE):
        hall.access.logins.by_token(text, "10.0.0.9")

    with pytest.raises(BusyError) as refused:
        hall.access.logins.by_token(text, "10.0.0.9")

    assert (refused.value.code, refused.value.retry_s) == ("E_RATE", 0.02)
    assert refused.value.message == "ann asks more than 50 times a second"
    assert hall.access.logins.by_token(other, "10.0.0.9").name == "bob"
    hall.clock.step(1)
    assert hall.access.logins.by_token(text, "10.0.0.9").name == "ann"


def test_on_the_unix_socket_root_operates_and_others_look(hall: Hall) -> None:
    root = hall.access.logins.by_peer(Peer(pid=7, uid=0, gid=0))
    nobody = hall.access.logins.by_peer(Peer(pid=8, uid=65534, gid=65534))
    stranger = hall.access.logins.by_peer(Peer(pid=9, uid=4_000_000_001, gid=0))

    assert (root.name, root.origin) == ("root", "unix socket, process 7")
    assert [each.role_on("photos") for each in (root, nobody, stranger)] == [
        Role.OPERATOR,
        Role.VIEWER,
        Role.VIEWER,
    ]
    assert (nobody.name, stranger.name) == ("nobody", "uid 4000000001")


def test_what_is_done_with_tokens_is_audited_without_their_text(hall: Hall) -> None:
    text = hall.new()
    hall.tokens.revoke(ROOT, "ann")

    revoked, created = hall.access.audit.newest(ROOT, AuditFilter(), before=None, limit=9)

    assert (created.entry.action, revoked.entry.action) == ("token-create", "token-revoke")
    assert created.entry.subject == revoked.entry.subject == "ann"
    assert dict(created.entry.parameters)["grants"] == "developer of photos"
    assert text[-43:] not in repr(created) + repr(revoked)


def refusal(hall: Hall, text: str) -> tuple[str, str]:
    with pytest.raises(LoginError) as refused:
        hall.tokens.verify(text)
    return refused.value.code, refused.value.message
