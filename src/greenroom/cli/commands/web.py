"""``greenroom web``."""

from __future__ import annotations

from greenroom.cli.connect import connect
from greenroom.cli.declare import JSON, Option, command
from greenroom.cli.desktop import open_on_desktop
from greenroom.cli.terminal import say, say_json
from greenroom.cli.text import clean


@command(
    "web",
    Option("--no-open", flag=True, help="Only print the link."),
    JSON,
)
def web(no_open: bool, as_json: bool) -> None:
    """Print a link to the page that logs in once, and open it.

    The link works once, within a minute. The browser is opened only where there is a desktop
    (DISPLAY or WAYLAND_DISPLAY).
    """
    link = connect().login_link()
    if as_json:
        say_json(link)
    else:
        say(clean(link["url"]))
    if not no_open:
        open_on_desktop(link["url"])
