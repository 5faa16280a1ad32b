"""The whole API in this process, on a stage in memory: a client for each kind of caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from tests.component.app_stage import Stage
from tests.component.asgi_client import AsgiAnswer, request

from greenroom.app.access import Access
from greenroom.app.clock import Clock
from greenroom.app.inventory.service import Inventory
from greenroom.app.jobs.service import Jobs
from greenroom.app.lifetimes import Lifetimes
from greenroom.app.sessions import Sessions
from greenroom.app.timings import Timings
from greenroom.model.access import EVERY_STACK, Caller, Grant, Role
from greenroom.providers.memory.processes import MemoryProcesses
from greenroom.region import Region
from greenroom.web.api import make_api
from greenroom.web.place import WebPlace

ROOT = Caller(name="root", grants=(Grant(stack=EVERY_STACK, role=Role.OPERATOR),))


class ApiStage:
    """``ask`` asks as somebody, with no headers as nobody."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.stage = Stage(folder)
        self.access = Access.on(self.stage.database, clock)
        self.api = api_on(self.stage, self.access)

    def token(self, role: str, stack: str = EVERY_STACK, name: str | None = None) -> dict[str, str]:
        """The header of a new token for that role."""
        name = name or f"{role}-of-{stack.replace('*', 'all')}"
        grants = [Grant(stack=stack, role=Role(role))]
        return {"Authorization": f"Bearer {self.access.tokens.create(ROOT, name, grants)[1]}"}

    def ask(
        self, method: str, target: str, headers: dict[str, str] | None = None, **more: Any
    ) -> AsgiAnswer:
        """The answer."""
        return request(self.api, method, target, headers=headers, **more)

    def created(self, branch: str = "feature_x") -> str:
        """The full name of an environment that stands."""
        view, _ = self.stage.finish(self.stage.create(branch).id)
        return view.environment

    def close(self) -> None:
        """End everything."""
        self.stage.close()


def api_on(stage: Stage, access: Access) -> FastAPI:
    """The API as the daemon makes it, with the provider in memory."""
    return make_api(
        stage.control,
        stage.provider,
        Inventory(database=stage.database, provider=stage.provider, clock=stage.clock),
        Timings(stage.database),
        access,
        Lifetimes(database=stage.database, clock=stage.clock),
        Jobs(
            database=stage.database,
            control=stage.control,
            processes=MemoryProcesses(),
            log_folder=stage.folder / "jobs",
            read_jobs=lambda _: ("photos", ()),
            notify=lambda webhook, view: None,
        ),
        Sessions(database=stage.database, access=access, clock=stage.clock),
        WebPlace(url="http://127.0.0.1:8090"),
        _region_in(stage.folder),
    )


@contextmanager
def standing(folder: Path) -> Iterator[ApiStage]:
    """A stage that is closed again."""
    made = ApiStage(folder)
    try:
        yield made
    finally:
        made.close()


def routes_of(api: FastAPI) -> Iterator[RouteContext]:
    """Every route that the API itself answers, also of routers within routers."""
    for context in iter_route_contexts(api.routes):
        if isinstance(context.original_route, APIRoute):
            yield context


def _region_in(folder: Path) -> Region:
    """A region whose files are in the folder, not in those of this host."""
    return type("RegionOfTest", (Region,), {"run_dir": folder, "state_dir": folder})("memory")
