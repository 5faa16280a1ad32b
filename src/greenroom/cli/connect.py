"""From a command to its daemon, and from what the user typed to an environment."""

from __future__ import annotations

from greenroom.app.only import refuse_unless_one
from greenroom.cli.client import Client
from greenroom.errors import UsageError
from greenroom.region import Region


def connect() -> Client:
    """The region's daemon, started if none runs; raises GreenroomError."""
    region = Region.from_environment()
    client = Client(str(region.socket_path))
    try:
        running = client.accepts()
    except PermissionError as exc:
        from greenroom.cli.start import needs_root

        raise needs_root() from exc
    if not running:
        from greenroom.cli.start import start_daemon

        start_daemon(region, client)
    return client


def chosen_environment(client: Client, environment: str | None) -> str:
    """What the user named, or the only environment there is; raises UsageError."""
    if environment is not None:
        return environment
    names = [known["name"] for known in client.environments()]
    none = UsageError(
        "E_NO_ENVIRONMENT", "there is no environment", hint="greenroom create boots one"
    )
    refuse_unless_one(names, none)
    return names[0]
