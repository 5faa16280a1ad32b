"""Logins: from a token, or from the credentials of a process, to a caller."""

from __future__ import annotations

import pwd
from dataclasses import replace

from greenroom.app.audit import Audit
from greenroom.app.clock import Clock, SystemClock
from greenroom.app.rates import Rate
from greenroom.app.tokens import Tokens
from greenroom.errors import BusyError, LoginError
from greenroom.model.access import EVERY_STACK, Caller, Grant, Role
from greenroom.model.audit import AuditEntry, Outcome
from greenroom.model.peer import Peer

FAILURES_AT_ONCE = 10
FAILURES_PER_S = 0.2
REQUESTS_AT_ONCE = 500
REQUESTS_PER_S = 50.0
"""Failed logins of one address: ten at once, and one in five seconds from then on. Requests
of one token: five hundred at once, and fifty a second."""


class Logins:
    """The doors to the API. Safe to use from any thread."""

    def __init__(self, tokens: Tokens, audit: Audit, clock: Clock | None = None) -> None:
        self._tokens = tokens
        self._audit = audit
        clock = SystemClock() if clock is None else clock
        self._failures = Rate(clock, per_s=FAILURES_PER_S, burst=FAILURES_AT_ONCE)
        self._requests = Rate(clock, per_s=REQUESTS_PER_S, burst=REQUESTS_AT_ONCE)

    def by_token(self, text: str, origin: str) -> Caller:
        """The caller whose token this is; ``origin`` is the address that sent it.

        A good token always opens. A failure is kept in the audit log, and raises LoginError, or
        BusyError E_LOGIN_RATE after too many from that address, or E_RATE for a token that asks too
        often: 256 bits cannot be guessed, but
        guesses must not fill the disk either.
        """
        try:
            caller = self._tokens.verify(text)
        except LoginError as error:
            retry_s = self._failures.take(origin)
            if retry_s > 0:
                raise BusyError(
                    "E_LOGIN_RATE",
                    f"too many logins from {origin} have failed",
                    retry_s=retry_s,
                    hint=f"try again in {retry_s:.0f} s, with a token that is good",
                ) from error
            refused = AuditEntry(
                caller="",
                origin=origin,
                action="login",
                outcome=Outcome.REFUSED,
                code=error.code,
                message=error.message,
            )
            self._audit.record(refused)
            raise
        self._refuse_hasty(caller)
        return replace(caller, origin=origin)

    def _refuse_hasty(self, caller: Caller) -> None:
        retry_s = self._requests.take(caller.name)
        if retry_s > 0:
            raise BusyError(
                "E_RATE",
                f"{caller.name} asks more than {REQUESTS_PER_S:.0f} times a second",
                retry_s=retry_s,
                hint="ask less often; events and logs can be followed instead",
            )

    def by_peer(self, peer: Peer) -> Caller:
        """The caller at the other end of the unix socket: root operates every stack; whom else
        the socket's mode lets in may look, and brings a token for more."""
        role = Role.OPERATOR if peer.uid == 0 else Role.VIEWER
        return Caller(
            name=_login_name(peer.uid),
            grants=(Grant(stack=EVERY_STACK, role=role),),
            origin=origin_of(peer),
        )


def origin_of(peer: Peer) -> str:
    """Where a process on the unix socket asks from."""
    return f"unix socket, process {peer.pid}"


def _login_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
