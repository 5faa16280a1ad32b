"""Access tokens: made, shown once, looked up by their hash, revoked.

A token is ``grt_``, the tag of its ledger, and 256 random bits. The ledger has its SHA-256 alone:
who reads the ledger cannot use it, and looking it up compares no secret byte by byte.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypedDict

from sqlalchemy.exc import IntegrityError

from greenroom.app.audit import Audit, entry_of
from greenroom.app.clock import Clock, SystemClock
from greenroom.app.rights import require
from greenroom.app.token_stacks import stack_notices
from greenroom.errors import InputError, LoginError, RefusedError
from greenroom.model.access import EVERY_STACK, Action, Caller, Grant, allows
from greenroom.model.audit import Outcome, Parameters
from greenroom.model.durations import duration_words
from greenroom.model.names import LABEL, STACK_NAME_MAX
from greenroom.model.tokens import Revocation, TokenStatus, TokenView
from greenroom.store.database import Database
from greenroom.store.tokens import (
    find_token,
    insert_token,
    ledger_tag,
    list_tokens,
    mark_revoked,
    mark_used,
    token_of,
    token_of_id,
)

PREFIX = "grt_"
ID_PREFIX = "tok-"
EXPIRES_S = 30 * 86400.0
EXPIRES_MAX_S = 366 * 86400.0

_SECRET_BYTES = 32
_TEXT = re.compile(r"grt_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,38}[a-z0-9])?")
_NEW_TOKEN = "greenroom token create NAME --role ROLE makes a new one"
_USED_EVERY = timedelta(minutes=1)
"""How exactly it is known when a token was last used: a write for each request would cost more
than most requests."""


class Tokens:
    """The region's tokens. Safe to use from any thread."""

    def __init__(self, database: Database, audit: Audit, clock: Clock | None = None) -> None:
        """``database`` is migrated."""
        self._database = database
        self._audit = audit
        self._clock: Clock = SystemClock() if clock is None else clock
        with database.read() as connection:
            self._tag = ledger_tag(connection)

    def create(
        self, caller: Caller, name: str, grants: Sequence[Grant], expires_s: float = EXPIRES_S
    ) -> tuple[TokenView, str]:
        """A new token and its text, which nobody can learn again.

        Raises InputError, or RefusedError (E_FORBIDDEN, E_MORE_RIGHTS) where ``caller`` may make
        no tokens for a stack, or has not that role there.
        """
        _refuse_malformed(name, grants, expires_s)
        for grant in grants:
            require(caller, Action.TOKENS, grant.stack)
            _refuse_more(caller, grant)
        now = self._clock.now()
        text = f"{PREFIX}{self._tag}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        token = TokenView(
            id=f"{ID_PREFIX}{secrets.token_hex(6)}",
            name=name,
            grants=tuple(dict.fromkeys(grants)),
            created_by=caller.name,
            created_at=now,
            expires_at=now + timedelta(seconds=expires_s),
            last_used_at=None,
            revoked_at=None,
        )
        self._insert(caller, token, text)
        return token, text

    def notices(self, caller: Caller, grants: Sequence[Grant]) -> tuple[str, ...]:
        """What whoever made a token with these grants should know; see ``stack_notices``."""
        with self._database.read() as connection:
            return stack_notices(connection, caller, grants)

    def verify(self, text: str) -> Caller:
        """Whose token it is; raises LoginError E_TOKEN_MALFORMED, E_TOKEN_FOREIGN,
        E_TOKEN_UNKNOWN, E_TOKEN_REVOKED or E_TOKEN_EXPIRED."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise LoginError(
                "E_TOKEN_MALFORMED",
                f"this is not a token: one begins with {PREFIX} and has 56 characters",
                hint="copy it whole",
            )
        if match[1] != self._tag:
            raise LoginError(
                "E_TOKEN_FOREIGN",
                f"the token is one of another region ({match[1]}, this is {self._tag})",
                hint="ask the daemon that made it, or make one here: " + _NEW_TOKEN,
            )
        with self._database.read() as connection:
            token = token_of(connection, _sha256(text))
        if token is None:
            raise LoginError(
                "E_TOKEN_UNKNOWN", "there is no such token in this region", hint=_NEW_TOKEN
            )
        now = self._clock.now()
        _refuse_useless(token, now)
        self._note_use(token, now)
        return Caller(name=token.name, grants=token.grants, token=token.id)

    def caller_now(self, token: str) -> Caller | None:
        """Whose the token of that id is; None once it opens nothing any more."""
        with self._database.read() as connection:
            found = token_of_id(connection, token)
        if found is None or found.status_at(self._clock.now()) is not TokenStatus.GOOD:
            return None
        return Caller(name=found.name, grants=found.grants, token=found.id)

    def all(self, caller: Caller) -> tuple[TokenView, ...]:
        """The tokens that ``caller`` may see: those of stacks whose tokens are theirs to make.
        Raises RefusedError E_FORBIDDEN if these are none."""
        if not any(allows(caller, Action.TOKENS, g.stack, production=False) for g in caller.grants):
            require(caller, Action.TOKENS, EVERY_STACK)
        with self._database.read() as connection:
            return tuple(each for each in list_tokens(connection) if _governs(caller, each))

    def revoke(self, caller: Caller, text: str) -> Revocation:
        """End the token of that id or name, at once; one that is revoked stays so.

        Raises InputError E_NO_TOKEN, RefusedError E_FORBIDDEN.
        """
        now = self._clock.now()
        with self._database.write() as connection:
            token = find_token(connection, text)
            if token is None:
                raise InputError(
                    "E_NO_TOKEN",
                    f"there is no token {text!r}",
                    hint="greenroom token list shows what there is",
                )
            for grant in token.grants:
                require(caller, Action.TOKENS, grant.stack)
            mark_revoked(connection, token.id, now)
            done = entry_of(caller, "token-revoke", Outcome.DONE, **_told(token))
            self._audit.record(done, connection)
            revoked = find_token(connection, token.id)
        assert revoked is not None
        return Revocation(token=revoked, again=token.revoked_at is not None)

    def _insert(self, caller: Caller, token: TokenView, text: str) -> None:
        done = entry_of(caller, "token-create", Outcome.DONE, **_told(token))
        try:
            with self._database.write() as connection:
                insert_token(connection, token, _sha256(text))
                self._audit.record(done, connection)
        except IntegrityError as error:
            raise RefusedError(
                "E_TOKEN_EXISTS",
                f"there is a token {token.name} already",
                hint=f"greenroom token revoke {token.name} makes the name free",
            ) from error

    def _note_use(self, token: TokenView, now: datetime) -> None:
        last = token.last_used_at
        # A last use that lies ahead was noted before the clock was set back.
        if last is None or not timedelta(0) <= now - last < _USED_EVERY:
            with self._database.write_deferred() as connection:
                mark_used(connection, token.id, now)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_malformed(name: str, grants: Sequence[Grant], expires_s: float) -> None:
    if not _NAME.fullmatch(name) or name == "root":
        raise InputError(
            "E_TOKEN_NAME",
            f"{name[:60]!r} is no name for a token: expected at most 40 of a-z, 0-9, '.', '_' "
            "and '-', a letter or digit at both ends, and not root",
            hint="name it after the person or the program that will have it, such as ann-laptop",
        )
    if name.startswith(ID_PREFIX):
        raise InputError(
            "E_TOKEN_NAME",
            f"{name!r} is no name for a token: one that begins with {ID_PREFIX} could be taken for "
            "another token's id",
            hint=f"greenroom token create {name.removeprefix(ID_PREFIX) or 'NAME'} --role ROLE",
        )
    if not grants:
        raise InputError(
            "E_TOKEN_GRANTS", f"the token {name} would open nothing: name a role", hint=_NEW_TOKEN
        )
    for grant in grants:
        label = LABEL.fullmatch(grant.stack) and len(grant.stack) <= STACK_NAME_MAX
        if grant.stack != EVERY_STACK and not label:
            raise InputError(
                "E_STACK_NAME",
                f"{grant.stack[:60]!r} is not the name of a stack",
                hint="a blueprint's stack: says it; without --stack a token is for all of them",
            )
    if not 1 <= expires_s <= EXPIRES_MAX_S:
        raise InputError(
            "E_TOKEN_EXPIRES",
            f"a token expires after 1 s to {duration_words(EXPIRES_MAX_S)}, not {_span(expires_s)}",
            hint="--expires takes durations such as 8h or 30d",
        )


def _span(seconds: float) -> str:
    """As people write it, where it is whole minutes."""
    return duration_words(seconds) if seconds >= 0 and seconds % 60 == 0 else f"{seconds} s"


def _refuse_more(caller: Caller, grant: Grant) -> None:
    has = caller.role_on(grant.stack)
    if has is None or has.rank < grant.role.rank:
        where = "every stack" if grant.stack == EVERY_STACK else f"stack {grant.stack}"
        raise RefusedError(
            "E_MORE_RIGHTS",
            f"{caller.name} is {has or 'nothing'} of {where} and cannot give the role {grant.role}",
            hint="nobody can give more than they have",
            stack="" if grant.stack == EVERY_STACK else grant.stack,
        )


def _refuse_useless(token: TokenView, now: datetime) -> None:
    match token.status_at(now):
        case TokenStatus.REVOKED:
            raise LoginError(
                "E_TOKEN_REVOKED",
                f"the token {token.name} was revoked on {token.revoked_at:%Y-%m-%d %H:%M} UTC",
                hint=_NEW_TOKEN,
            )
        case TokenStatus.EXPIRED:
            raise LoginError(
                "E_TOKEN_EXPIRED",
                f"the token {token.name} expired on {token.expires_at:%Y-%m-%d %H:%M} UTC",
                hint=_NEW_TOKEN,
            )
        case TokenStatus.GOOD:
            return


def _governs(caller: Caller, token: TokenView) -> bool:
    return all(allows(caller, Action.TOKENS, g.stack, production=False) for g in token.grants)


class _Told(TypedDict):
    stack: str
    subject: str
    parameters: Parameters


def _told(token: TokenView) -> _Told:
    """What the audit log keeps of a token; its stack if it is for one alone."""
    stacks = {grant.stack for grant in token.grants}
    only = next(iter(stacks)) if len(stacks) == 1 else EVERY_STACK
    grants = ", ".join(f"{grant.role} of {grant.stack}" for grant in token.grants)
    expires = f"{token.expires_at:%Y-%m-%d %H:%M} UTC"
    return _Told(
        stack="" if only == EVERY_STACK else only,
        subject=token.name,
        parameters=(("expires", expires), ("grants", grants), ("id", token.id)),
    )
