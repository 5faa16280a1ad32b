"""What a route takes: one line beside its path, checked before anything else is done.

    @routes.get("/v1/environments/{stack}/{slug}", dependencies=[needs(Action.READ)])

A test walks over all routes and fails for one without such a line. What was asked of a route that
changes something, and every refusal, goes into the audit log here as well.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Depends as Dependency
from pydantic import TypeAdapter, ValidationError

from greenroom.app.access import Access
from greenroom.app.audit import entry_of, reason_of
from greenroom.app.rights import require, require_somewhere
from greenroom.errors import GreenroomError, InputError
from greenroom.model.access import EVERY_STACK, Action, Caller
from greenroom.model.audit import AuditEntry, Outcome, Parameters, shown
from greenroom.web.access import Asking
from greenroom.web.malformed import REPEATED, UNKNOWN, too_deep
from greenroom.web.openapi import query_faults, query_of

_LOOKS = (Action.READ, Action.AUDIT)
"""What changes nothing, and is told only if it is refused."""


_NAMING = ("job", "execution_id", "operation_id", "token", "name", "digest", "blueprint")
"""What names the subject of a request that is told of no environment, the first one first."""


class Scope(Enum):
    """For which stack a right is needed."""

    PLACE = "the stack and, if there is one, the slug in the path"
    SOMEWHERE = "any stack: the route shows or does no more than the caller may"
    NAMED = "that of what the body names, or the id in the path: the use case finds it, and asks"
    EVERYWHERE = "every stack"
    LOGIN = "none: who is known at all may ask"


def require_in(
    scope: Scope, access: Access, caller: Caller, action: Action, place: Mapping[str, str]
) -> None:
    """Refuse what the caller may not do there; ``place`` is what the path says. Raises RefusedError
    E_FORBIDDEN."""
    match scope:
        case Scope.PLACE:
            stack = place["stack"]
            production = access.is_production(stack, place.get("slug"))
            require(caller, action, stack, production=production)
        case Scope.SOMEWHERE:
            require_somewhere(caller, action)
        case Scope.EVERYWHERE:
            require(caller, action, EVERY_STACK)
        case Scope.NAMED | Scope.LOGIN:
            return


def named_in(told: Parameters) -> str:
    """What a request concerns, by the parameters that the audit log keeps of it; empty if none of
    them names it."""
    given = dict(told)
    return next((given[name] for name in _NAMING if name in given), "")


class Right:
    """The dependency that ``needs`` and its sisters make; ``action`` None takes a login alone."""

    def __init__(
        self,
        action: Action | None,
        scope: Scope,
        *,
        recorded: Outcome | None = None,
        secret: Collection[str] = (),
        body: Any = None,
        spoken: str = "",
    ) -> None:
        self.action = action
        self.spoken = spoken
        self.scope = scope
        self.recorded = recorded
        self.secret = frozenset(secret)
        self.body: TypeAdapter[Any] | None = None if body is None else TypeAdapter(body)

    async def __call__(self, request: Request, caller: Asking) -> AsyncIterator[None]:
        """Raises RefusedError E_FORBIDDEN, or InputError E_NUL, or
        RequestValidationError for a query that is unknown."""
        access: Access = request.app.state.access
        _refuse_unknown_query(request)
        _refuse_nul(await request.body())
        try:
            await asyncio.to_thread(self._require, access, request, caller)
            yield
        except GreenroomError as error:
            reason = reason_of(error)
            if self.action not in _LOOKS or reason.code == "E_FORBIDDEN":
                await self._record(access, request, caller, Outcome.REFUSED, reason)
            raise
        if self.recorded is not None:
            await self._record(access, request, caller, self.recorded, None)

    def _require(self, access: Access, request: Request, caller: Caller) -> None:
        if self.action is not None:
            require_in(self.scope, access, caller, self.action, request.path_params)

    async def _record(
        self,
        access: Access,
        request: Request,
        caller: Caller,
        outcome: Outcome,
        error: GreenroomError | None,
    ) -> None:
        asked = {**self._said(await request.body()), **_query_of(request), **request.path_params}

        def record() -> None:
            entry = self._entry(access, request, caller, asked, outcome, error)
            access.audit.record(entry)

        await asyncio.to_thread(record)

    def _said(self, body: bytes) -> dict[str, Any]:
        """What the body says that the route reads; anything else is not what was asked for."""
        if self.body is None:
            return {}
        try:
            read = self.body.validate_json(body)
        except ValidationError:
            return {}
        said: dict[str, Any] = self.body.dump_python(read, exclude_unset=True)
        return said

    def _entry(
        self,
        access: Access,
        request: Request,
        caller: Caller,
        asked: dict[str, Any],
        outcome: Outcome,
        error: GreenroomError | None,
    ) -> AuditEntry:
        stack, slug = (str(asked.pop(name, "")) for name in ("stack", "slug"))
        environment = str(asked.pop("environment", "") or "")
        subject = f"{stack}/{slug}" if slug else environment or stack
        concerned: _Concerned | None = getattr(request.state, "concerned", None)
        if concerned is not None:
            stack, subject = concerned.subject.partition("/")[0], concerned.subject
        if not stack and error is not None:
            stack = error.stack or (access.stack_of(environment) if environment else "")
        kind = str(asked.pop("kind", ""))
        told = shown(asked, self.secret)
        return entry_of(
            caller,
            kind or self.action or self.spoken or request.method.lower(),
            outcome,
            stack=stack,
            subject=subject or named_in(told) or ("" if self.spoken else request.url.path),
            parameters=told,
            error=error,
            reference=None if concerned is None else concerned.reference,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Concerned:
    subject: str
    reference: str


def concerns(request: Request, subject: str, reference: str) -> None:
    """What the path does not tell the audit log: the environment or the job, by its full name, and
    the operation or execution."""
    request.state.concerned = _Concerned(subject=subject, reference=reference)


def needs(
    action: Action,
    *,
    recorded: Outcome | None = None,
    secret: Collection[str] = (),
    body: Any = None,
) -> Dependency:
    """``action`` on the stack of the path (``{stack}``, and with ``{slug}`` on the environment,
    which may be production). ``recorded``: how the audit log tells what came through, where the
    use case does not write that itself; ``body``: the type of what the route reads, for the log to
    tell of; ``secret``: the fields of it that it must not."""
    return _dependency(Right(action, Scope.PLACE, recorded=recorded, secret=secret, body=body))


def needs_somewhere(
    action: Action,
    *,
    recorded: Outcome | None = None,
    secret: Collection[str] = (),
    body: Any = None,
) -> Dependency:
    """``action`` on some stack; the route itself holds what it shows or does to what the caller
    may there, such as a list of which everybody sees their part."""
    return _dependency(Right(action, Scope.SOMEWHERE, recorded=recorded, secret=secret, body=body))


def needs_named(action: Action, *, recorded: Outcome | None = None, body: Any = None) -> Dependency:
    """``action``, or what the body says instead, on the environment that body or path mean by a
    name of their own: the use case finds it, and refuses with the action, the stack and the role
    that are really meant. Asked here, a stop would be refused as a create."""
    return _dependency(Right(action, Scope.NAMED, recorded=recorded, body=body))


def needs_everywhere(
    action: Action,
    *,
    recorded: Outcome | None = None,
    secret: Collection[str] = (),
    body: Any = None,
) -> Dependency:
    """``action`` on every stack, for what belongs to none, such as images."""
    return _dependency(Right(action, Scope.EVERYWHERE, recorded=recorded, secret=secret, body=body))


def needs_login(*, recorded: Outcome | None = None, spoken: str = "") -> Dependency:
    """No right but to be known; ``spoken`` is what the audit log calls what is asked for, and
    says all."""
    return _dependency(Right(None, Scope.LOGIN, recorded=recorded, spoken=spoken))


def _dependency(right: Right) -> Dependency:
    # Within the function: what the audit log cannot keep is answered with an error, not with yes.
    dependency: Dependency = Depends(right, scope="function")
    return dependency


def _refuse_unknown_query(request: Request) -> None:
    """A parameter that nobody reads is a mistake of who wrote it: a filter that does not filter.
    What else is wrong with the query is told with it."""
    known = query_of(request.scope["route"])
    faults: list[dict[str, Any]] = []
    for name, times in Counter(key for key, _ in request.query_params.multi_items()).items():
        if name not in known:
            faults.append({"type": UNKNOWN, "loc": ("query", name), "input": None})
        elif times > 1 and not known[name]:
            faults.append({"type": REPEATED, "loc": ("query", name), "input": times})
    if faults:
        others = query_faults(request.scope["route"], request.query_params)
        raise RequestValidationError([*faults, *others])


def _refuse_nul(body: bytes) -> None:
    """Neither a path nor a text of PostgreSQL can hold it, and no name here does."""
    if b"\\u0000" not in body:
        return
    try:
        waiting = [json.loads(body)]
    except RecursionError as error:
        raise too_deep() from error
    except ValueError:
        # Whoever wants JSON refuses it.
        return
    while waiting:
        each = waiting.pop()
        if isinstance(each, str) and "\0" in each:
            message = "a text of the body holds a NUL, and no name does"
            raise InputError("E_NUL", message, hint="leave out \\u0000")
        if isinstance(each, dict):
            waiting += [*each, *each.values()]
        if isinstance(each, list):
            waiting += each


def _query_of(request: Request) -> dict[str, Any]:
    """The query, whole: of what is there more than once, such as a command's arguments, all."""
    values: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        values.setdefault(name, []).append(value)
    return {name: each if len(each) > 1 else each[0] for name, each in values.items()}
