"""Who a request comes from."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from greenroom.app.access import Access
from greenroom.app.logins import Logins, origin_of
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
    caller = caller_by_header(request, logins)
    if caller is None:
        if peer is None:
            raise token_missing()
        caller = logins.by_peer(peer)
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


def caller_by_header(request: Request, logins: Logins) -> Caller | None:
    """Whose token the request's header has; None without the header. Raises LoginError E_TOKEN_…,
    BusyError E_LOGIN_RATE or E_RATE."""
    token = bearer_of(request)
    if token is None:
        return None
    try:
        return logins.by_token(token, origin_of_request(request))
    except LoginError as error:
        if error.code == "E_TOKEN_MALFORMED" and not _says_bearer(request):
            # What it says instead is not repeated: without a scheme it may be a secret.
            message = "the header Authorization has another scheme than Bearer, or none"
            hint = "send Authorization: Bearer grt_…"
            raise LoginError(error.code, message, hint=hint) from error
        raise


def bearer_of(request: Request) -> str | None:
    """The token in the request's header, if there is the header."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    # What else it may be is judged as a token, and refused as one that is malformed.
    return header.partition(" ")[2].strip() if _says_bearer(request) else header


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


def _says_bearer(request: Request) -> bool:
    return request.headers["authorization"].partition(" ")[0].lower() == _SCHEME
