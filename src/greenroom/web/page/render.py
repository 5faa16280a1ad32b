"""Templates to answers, and the addresses of what never changes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from greenroom import __version__
from greenroom.app.sessions import Session
from greenroom.model.access import Action, Caller, allows
from greenroom.plain_text import clean, count, duration
from greenroom.web.page import words
from greenroom.web.page.evidence import health_of
from greenroom.web.page.hints import as_buttons

if TYPE_CHECKING:
    from jinja2 import Environment

STATIC = Path(str(files("greenroom.web"))) / "static"
THEMES = ("auto", "light", "dark")
_NAVIGATION = (
    ("/", "Environments", "stack"),
    ("/jobs", "Jobs", "play"),
    ("/drills", "Drills", "plot"),
    ("/inventory", "Inventory", "server"),
)
_FOR_OPERATORS = (("/audit", "Audit", "list"), ("/tokens", "Tokens", "key"))
"""Address, name and drawing of what stands in the rail."""
THEME_COOKIE = "greenroom-theme"


def fragment(template: str, **values: Any) -> str:
    """The text of a template that is part of a page."""
    return _environment().get_template(template).render(now=datetime.now(UTC), **values)


def page(
    request: Request,
    template: str,
    *,
    session: Session | None,
    status_code: int = 200,
    **values: Any,
) -> HTMLResponse:
    """A whole page, for who is logged in or for nobody yet."""
    theme = request.cookies.get(THEME_COOKIE, "auto")
    text = fragment(
        template,
        session=session,
        theme=theme if theme in THEMES else "auto",
        path=request.url.path,
        region=request.scope.get("greenroom.region", "greenroom"),
        **values,
    )
    return HTMLResponse(text, status_code=status_code)


@cache
def static_version() -> str:
    """A hash of all static files: part of their addresses, so that a browser may keep them for
    ever and still gets the new ones."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _navigation(caller: Caller) -> tuple[tuple[str, str, str], ...]:
    """What leads nowhere for the caller is not shown to them."""
    grants = caller.grants
    operates = any(allows(caller, Action.AUDIT, g.stack, production=True) for g in grants)
    return (*_NAVIGATION, *_FOR_OPERATORS) if operates else _NAVIGATION


@cache
def _environment() -> Environment:
    # Imported at the first page: a daemon that is only driven by the CLI does not pay for it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("greenroom.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "as_buttons": as_buttons,
        "clean": clean,
        "duration": duration,
        "ago": words.ago,
        "ahead": words.ahead,
        "clock": words.clock,
        "role_words": words.role_words,
        "thousands": words.thousands,
        "tone": words.tone,
        "whole_span": words.whole_span,
    }
    made.globals |= {
        "count": count,
        "health_of": health_of,
        "nav": _navigation,
        "static": f"/static/{static_version()}",
        "version": __version__,
    }
    return made
