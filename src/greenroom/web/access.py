"""Who a request comes from."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from greenroom.app.access import Access
from greenroom.app.logins import origin_of
from greenroom.errors import LoginError
from greenroom.model.access import Caller
from greenroom.model.peer import Peer

_SCHEME = "bearer"

CALLER_KEY = "greenroom.caller"
"""Where the door by TCP leaves who it has let in, in the request's scope."""


def caller_of(request: Request) -> Caller:
    """The caller: whom the door by TCP has let in, or else of the token in
    ``Authorization: Bearer …`` (RFC 6750), or else of the process at the other end of the unix
    socket. Raises LoginError E_TOKEN_… .

    A token is looked at first, so that root can try out what somebody else may.
    """
    let_in: Caller | None = request.scope.get(CALLER_KEY)
    if let_in is not None:
        request.state.caller = let_in
        return let_in
    access: Access = request.app.state.access
    logins = access.logins
    peer = peer_of(request)
    token = bearer_of(request)
    if token is not None:
        caller = logins.by_token(token, origin_of_request(request))
    elif peer is not None:
        caller = logins.by_peer(peer)
    else:
        raise token_missing()
    request.state.caller = caller
    return caller


Asking = Annotated[Caller, Depends(caller_of)]


def token_missing() -> LoginError:
    """Nobody said who they are."""
    return LoginError(
        "E_TOKEN_MISSING",
        "this takes a token: Authorization: Bearer grt_…",
        hint="greenroom token create NAME --role ROLE makes one",
    )


def bearer_of(request: Request) -> str | None:
    """The token in the request's header, if there is the header."""
    header = request.headers.get("authorization")
    return None if header is None else _bearer(header)


def peer_of(request: Request) -> Peer | None:
    """The process at the other end of the unix socket; None for TCP."""
    peer: Peer | None = getattr(request.state, "peer", None)
    return peer


def origin_of_request(request: Request) -> str:
    """Where the request comes from, for the audit log and the rates."""
    peer = peer_of(request)
    if peer is not None:
        return origin_of(peer)
    return "unknown" if request.client is None else request.client.host


def _bearer(header: str) -> str:
    scheme, _, text = header.partition(" ")
    # What else it may be is judged as a token, and refused as one that is malformed.
    return text.strip() if scheme.lower() == _SCHEME else header
