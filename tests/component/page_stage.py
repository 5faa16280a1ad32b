"""The page on a simulated host: a stage with the photos example, and browsers without a screen."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import httpx
from tests.component.app_stage import Stage
from tests.unit.cost_values import PRICES

from greenroom.app.access import Access
from greenroom.app.history import History
from greenroom.app.inventory.service import Inventory
from greenroom.app.jobs.definitions import read_jobs
from greenroom.app.jobs.service import Jobs
from greenroom.app.lifetimes import Lifetimes
from greenroom.app.planning import blueprint_planner
from greenroom.app.sessions import Sessions
from greenroom.app.timings import Timings
from greenroom.model.access import EVERY_STACK, Caller, Grant, Role
from greenroom.model.requests import CreateRequest
from greenroom.providers.memory.processes import MemoryProcesses
from greenroom.region import Region
from greenroom.web.access import Asking
from greenroom.web.openapi import GreenroomApi
from greenroom.web.page.log_stream import Reader
from greenroom.web.page.site import make_site
from greenroom.web.page.site_parts import Parts
from greenroom.web.problems import add_problems

HOST = "127.0.0.1:8090"
COOKIE = "greenroom-8090"
ANSWER_S = 60.0
BLUEPRINT = """\
stack: photos
zone: photos.internal
buckets: {code: {path: code}, extracts: {path: extracts}}
images:
  web: {packages: [nginx], services: {nginx: {command: nginx}}}
  mariadb: {packages: [mariadb-server], services: {mariadb: {command: mariadbd}}}
machines:
  backend:
    image: web
    needs: [db]
    ingress: [{port: 80, from: anywhere}]
    endpoint: {name: api, port: 80}
    check: [{tcp: 80}]
    deploy: {bucket: code, artifact: "backend-{branch}.tar.gz", directory: /srv, restart: [nginx]}
  db:
    image: mariadb
    ingress: [{port: 3306, from: backend}]
    check: [{tcp: 3306}]
    data:
      engine: mariadb
      database: photos
      user: photos
      directory: /data
      service: mariadb
      default: extract
      restore: {extract: {bucket: extracts, manifest: manifest.json}}
jobs:
  count-rows:
    description: Counts the rows
    options:
      environment: {type: environment, required: true}
      table: {type: choice, choices: [posts, users], default: posts}
      limit: {type: integer, minimum: 1, maximum: 9}
      token: {type: secret}
    command: [count]
"""


class BlueprintStage(Stage):
    """A stage whose creates read a real blueprint."""

    draft = staticmethod(  # type: ignore[assignment]
        blueprint_planner(region_cidr=IPv4Network("10.213.0.0/16"), agent_sha256="0" * 64)
    )


def somebody(role: Role | None, stack: str = EVERY_STACK, name: str = "ann") -> Caller:
    grants = () if role is None else (Grant(stack=stack, role=role),)
    return Caller(name=name, grants=grants)


@dataclass
class PageStage:
    """The whole site, and who visits it."""

    stage: Stage
    logs: list[Reader] = field(default_factory=list)

    def __post_init__(self) -> None:
        database, clock = self.stage.database, self.stage.clock
        self.access = Access.on(database, clock)
        self.sessions = Sessions(database=database, access=self.access, clock=clock)
        self.processes = MemoryProcesses()
        self.jobs = Jobs(
            database=database,
            control=self.stage.control,
            processes=self.processes,
            log_folder=self.stage.folder / "jobs",
            read_jobs=read_jobs,
            notify=lambda webhook, view: None,
            clock=clock,
        )
        self.jobs.recover()
        self.inventory = Inventory(database=database, provider=self.stage.provider, clock=clock)
        self.parts = Parts(
            control=self.stage.control,
            access=self.access,
            sessions=self.sessions,
            history=History(database),
            timings=Timings(database),
            lifetimes=Lifetimes(database=database, clock=clock),
            jobs=self.jobs,
            inventory=self.inventory,
            logs=lambda stack, machine: self.logs,
            prices=lambda: PRICES,
        )
        self.site = make_site(self.parts, self._api(), Region(label=""), ("room.example",))

    def _api(self) -> GreenroomApi:
        api = GreenroomApi()
        api.state.access = self.access
        add_problems(api)

        @api.post("/v1/who")
        @api.get("/v1/who")
        def who(caller: Asking) -> str:
            return caller.name

        return api

    @property
    def blueprint(self) -> Path:
        path = self.stage.folder / "greenroom.yaml"
        path.write_text(BLUEPRINT)
        return path

    def create(self, branch: str = "feature_x", **options: Any) -> str:
        """Boot a branch and wait for it; the environment's name."""
        asked = CreateRequest(blueprint=self.blueprint, branch=branch, **options)
        view, result = self.stage.run(asked)
        assert result.code is None, result
        return view.environment

    def close(self) -> None:
        """End the daemon."""
        self.jobs.close()
        self.stage.close()

    def visitor(self, role: Role | None = Role.OPERATOR, stack: str = EVERY_STACK) -> Visitor:
        """Somebody who has logged in by a ticket."""
        return Visitor(self, {COOKIE: self.key(role, stack)})

    def key(self, role: Role | None = Role.OPERATOR, stack: str = EVERY_STACK) -> str:
        """The cookie of somebody who has logged in."""
        return self.sessions.by_ticket(self.sessions.ticket(somebody(role, stack)), "here")


@dataclass
class Visitor:
    """A browser without a screen; each request is one of its own."""

    stage: PageStage
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._send("GET", path, headers)

    def post(
        self, path: str, fields: Sequence[tuple[str, str]] = (), token: str | None = None
    ) -> httpx.Response:
        """Send a form as a browser does, with the token of this login unless another is given."""
        own = self.form_token if token is None else token
        content = httpx.QueryParams([*fields, ("form_token", own)])
        headers = {
            "origin": f"http://{HOST}",
            "sec-fetch-site": "same-origin",
            "content-type": "application/x-www-form-urlencoded",
        }
        return self._send("POST", path, headers, str(content).encode())

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> httpx.Response:
        """Any request, with the headers that are given (``_`` for ``-``)."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._send(method, path, named, body)

    def status(self, method: str, path: str, fields: Sequence[tuple[str, str]] = ()) -> int:
        """The status alone, of a stream too: the browser is gone once it has begun."""
        content = b""
        if method == "POST":
            content = str(httpx.QueryParams([*fields, ("form_token", self.form_token)])).encode()
        target, _, query = path.partition("?")
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": target,
            "raw_path": target.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(b"host", HOST.encode()), (b"cookie", cookies.encode())],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8090),
        }
        return asyncio.run(self._begun(scope, content))

    async def _begun(self, scope: dict[str, Any], content: bytes) -> int:
        statuses: list[int] = []
        gone = asyncio.Event()
        waiting = [content]

        async def receive() -> dict[str, Any]:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                gone.set()

        await asyncio.wait_for(self.stage.site(scope, receive, send), ANSWER_S)  # type: ignore[arg-type]
        (status,) = statuses
        return status

    @property
    def form_token(self) -> str:
        found = re.search(r'name="form_token" value="([0-9a-f]{64})"', self.get("/").text)
        assert found is not None
        return found[1]

    def _send(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.stage.site, raise_app_exceptions=True)
            host = headers.pop("host", HOST)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
                client.cookies.update(self.cookies)
                return await client.request(method, path, headers=headers, content=body)

        return asyncio.run(once())


def problem_of(response: httpx.Response) -> str:
    """The code of a problem document."""
    assert response.headers["content-type"] == "application/problem+json"
    return str(json.loads(response.text)["code"])
