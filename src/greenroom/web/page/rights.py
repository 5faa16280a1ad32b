"""What a route of the page takes: one line beside its path, as the API's routes have it.

    @routes.get("/environments/{stack}/{slug}", dependencies=[shows()])
    @routes.post("/environments/{stack}/{slug}/deploy", dependencies=[does(Action.DEPLOY)])

A test walks over all routes and fails for one without such a line. The scope follows from the path:
one with ``{stack}`` is held to that stack, any other to some stack, and then the use case holds
what it shows or does to what the caller may there.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from greenroom.app.access import Access
from greenroom.app.audit import entry_of, reason_of
from greenroom.errors import GreenroomError, RefusedError
from greenroom.model.access import Action, Caller
from greenroom.model.audit import Outcome, Parameters, shown
from greenroom.web.page.asking import LoggedIn, Posted
from greenroom.web.rights import Scope, named_in, require_in

_SECRET = "option."
"""How the fields of a job's options begin, any of which may be a secret."""


class PageRight:
    """The dependency that ``shows``, ``does`` and ``takes_login`` make; ``action`` None takes a
    login alone."""

    def __init__(self, action: Action | None) -> None:
        self.action = action

    def require(self, request: Request, caller: Caller) -> None:
        """Raises RefusedError E_FORBIDDEN."""
        if self.action is None:
            return
        scope = Scope.PLACE if "stack" in request.path_params else Scope.SOMEWHERE
        require_in(scope, _access(request), caller, self.action, request.path_params)

    def refused(
        self, request: Request, caller: Caller, error: GreenroomError, told: Parameters
    ) -> None:
        """Record it."""
        stack, slug = (request.path_params.get(each, "") for each in ("stack", "slug"))
        entry = entry_of(
            caller,
            str(self.action),
            Outcome.REFUSED,
            stack=stack or error.stack,
            subject=f"{stack}/{slug}" if slug else named_in(told) or request.url.path,
            parameters=told,
            error=error,
        )
        _access(request).audit.record(entry)


class Look(PageRight):
    """Of what changes nothing: a refusal is recorded, also one by the use case."""

    def __call__(self, request: Request, session: LoggedIn) -> Iterator[None]:
        """Raises RefusedError E_FORBIDDEN."""
        try:
            self.require(request, session.caller)
            yield
        except GreenroomError as error:
            reason = reason_of(error)
            if reason.code == "E_FORBIDDEN":
                self.refused(request, session.caller, reason, shown(dict(request.query_params)))
            raise


class Change(PageRight):
    """Of a form: what comes through is recorded where it is done (``audited``)."""

    def __call__(self, request: Request, session: LoggedIn, form: Posted) -> None:
        """Raises RefusedError E_FORBIDDEN, or E_FORM_TOKEN before anything is asked."""
        try:
            self.require(request, session.caller)
        except RefusedError as error:
            told = {name: form.one(name) for name, _ in form.fields if not name.startswith(_SECRET)}
            self.refused(request, session.caller, error, shown(told))
            raise


def shows(action: Action = Action.READ) -> Dependency:
    """A page, or a stream of one."""
    return _dependency(Look(action))


def does(action: Action) -> Dependency:
    """A form that changes something."""
    return _dependency(Change(action))


def takes_login() -> Dependency:
    """A form that concerns nothing but the login that it comes from."""
    return _dependency(Change(None))


def _dependency(right: Look | Change) -> Dependency:
    # Within the function: a stream's page would else hold its right open for hours.
    dependency: Dependency = Depends(right, scope="function")
    return dependency


def _access(request: Request) -> Access:
    access: Access = request.app.state.access
    return access
