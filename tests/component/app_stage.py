"""A stage for the use cases: Stacks made by hand, a simulated host, and a control plane on them
that can be dropped and built again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from tests.databases import make_ledger

from greenroom.app.clock import Clock, SystemClock
from greenroom.app.control_plane import ControlPlane
from greenroom.app.planning import Draft
from greenroom.jobs.memory import History, MemoryEngine
from greenroom.model.events import Event, EventKind
from greenroom.model.incidents import Ended
from greenroom.model.lifetimes import Lifetime
from greenroom.model.names import SHARED_SLUG, EnvironmentName
from greenroom.model.receipt import Resource
from greenroom.model.requests import CreateRequest, Request
from greenroom.model.stack import (
    Bucket,
    Deploy,
    Endpoint,
    Image,
    IngressRule,
    Machine,
    PortRange,
    Protocol,
    RestoreMode,
    SecurityGroup,
    Stack,
    TcpCheck,
    Volume,
)
from greenroom.model.views import OperationView
from greenroom.providers.memory.provider import MemoryProvider
from greenroom.providers.memory.world import World
from greenroom.store.intents import open_intents

TIMEOUT_S = 20.0
PROXY_PORT = 8080


@dataclass
class Stage:
    """What outlives a crash: the folder with the ledger, the host, and the engine's memory."""

    folder: Path
    world: World = field(default_factory=World)
    history: History = field(default_factory=dict)
    crash_after: str | None = None
    stack_name: str = "photos"
    clock: Clock = field(default_factory=SystemClock)
    lifetime: Lifetime | None = None

    def __post_init__(self) -> None:
        (self.folder / "code").mkdir(exist_ok=True)
        (self.folder / "code" / "backend-master.tar.gz").touch()
        (self.folder / "extracts").mkdir(exist_ok=True)
        (self.folder / "extracts" / "manifest.json").touch()
        self.database = make_ledger(self.folder)
        self.provider = MemoryProvider(self.world)
        self.control = self.rise()

    def rise(self, crash_after: str | None = None) -> ControlPlane:
        """A new daemon on what the last one left."""
        engine = MemoryEngine(self.history, crash_after=crash_after or self.crash_after)
        self.crash_after = None
        self.control = ControlPlane(
            database=self.database,
            provider=self.provider,
            engine=engine,
            planner=self.draft,
            proxy_port=PROXY_PORT,
            clock=self.clock,
        )
        self.engine = engine
        self.control.recover()
        return self.control

    def draft(self, request: CreateRequest) -> Draft:
        """The planner: a branch's slug is the branch with dashes."""

        def resolve(index: int, secret: str, taken: Mapping[str, str]) -> Stack:
            stack = make_stack(self.folder, request, self.stack_name, index, secret)
            return replace(stack, lifetime=self.lifetime)

        return Draft(stack_name=self.stack_name, resolve=resolve)

    def create(self, branch: str = "feature_x", **options: object) -> OperationView:
        """Submit a create."""
        return self.control.submit(request(branch, **options))

    def run(self, asked: Request) -> tuple[OperationView, Event]:
        """Submit and wait for the end."""
        return self.finish(self.control.submit(asked).id)

    def finish(self, operation: str) -> tuple[OperationView, Event]:
        """Wait for the operation's result."""
        seq = 0
        while events := self.control.wait(operation, seq, TIMEOUT_S):
            seq = events[-1].seq
            if events[-1].kind is EventKind.RESULT:
                return self.control.operation(operation), events[-1]
        raise AssertionError(f"{operation} did not end in {TIMEOUT_S} s")

    def watched(self, name: str = "photos/feature-x") -> Callable[[Ended], None]:
        """Wait until the caretaker has adopted the environment, which it does after the result of
        an operation; whom it is told of what ends."""
        end = time.monotonic() + TIMEOUT_S
        while (told := self.world.held(EnvironmentName.parse(name)).told) is None:
            assert time.monotonic() < end, f"nobody watches {name}"
            time.sleep(0.002)
        return told

    def observe(self, name: str = "photos/feature-x") -> tuple[Resource, ...]:
        """What the host holds of an environment."""
        return self.provider.observe(EnvironmentName.parse(name))

    def intents(self, name: str = "photos/feature-x") -> tuple[Resource, ...]:
        """What the ledger says that the host holds of it."""
        with self.database.read() as connection:
            return open_intents(connection, EnvironmentName.parse(name))

    def close(self) -> None:
        """End the daemon."""
        self.world.release()
        self.control.close()
        self.database.close()


def request(branch: str | None = "feature_x", **options: object) -> CreateRequest:
    """A create request; the blueprint's path is never read here."""
    return CreateRequest(blueprint=Path("greenroom.yaml"), branch=branch, **options)  # type: ignore[arg-type]


def make_stack(
    folder: Path,
    asked: CreateRequest,
    stack_name: str = "photos",
    index: int = 0,
    secret: str = "secret",
) -> Stack:
    """Two machines: a backend with code, and a database with a cloned volume. A shared
    environment consists of just the same: only its name and its mark differ."""
    branch = asked.branch or "master"
    slug = SHARED_SLUG if asked.shared else branch.lower().replace("_", "-")
    subnet = IPv4Network(f"10.213.{index}.0/24")
    machines = (_backend(slug, subnet, branch, dict(asked.mounts)), _db(slug, subnet))
    return Stack(
        environment=EnvironmentName(stack_name, slug),
        branch=branch,
        default_branch="master",
        production=branch == "master" and not asked.shared,
        domain=f"{slug}.photos.internal",
        subnet=subnet,
        groups=(_group("backend", 80, None), _group("db", 3306, "backend")),
        images=(_image("web"), _image("mariadb")),
        machines=machines,
        drills=(_drill(machines[1], subnet),),
        buckets=(
            Bucket(name="code", path=folder / "code"),
            Bucket(name="extracts", path=folder / "extracts"),
        ),
        blueprint_path=Path("/srv/photos/greenroom.yaml"),
        shared=bool(asked.shared),
    )


def _group(name: str, port: int, source: str | None) -> SecurityGroup:
    network = IPv4Network("0.0.0.0/0") if source is None else None
    ports = PortRange(first=port, last=port)
    rule = IngressRule(protocol=Protocol.TCP, ports=ports, group=source, network=network)
    return SecurityGroup(name=name, description=name, ingress=(rule,), tags=(("role", name),))


def _image(name: str) -> Image:
    return Image(
        name=name,
        digest=f"{name}-digest",
        suite="bookworm",
        packages=(name,),
        files=(),
        commands=(),
        services=(),
    )


def _machine(name: str, slug: str, address: IPv4Address, **options: object) -> Machine:
    kind = name.rstrip("0123456789")
    values: dict[str, object] = {
        "name": name,
        "type": kind,
        "role": kind,
        "instance_id": "i-0123456789abcdef0",
        "instance_type": "t3.small",
        "memory_mib": 512,
        "pids": 256,
        "address": address,
        "uid_base": 0x30000000,
        "groups": (kind,),
        "tags": (("role", kind),),
        "private_dns": f"{name}.{slug}.photos.internal",
        "dns_names": (f"{name}.{slug}.photos.internal",),
        "needs": (),
        "instance_profile": None,
        "readable_buckets": (),
        "deadline_s": 120.0,
        "signal_token": "token",
        "user_data": "#!/bin/sh\n",
    }
    return Machine(**(values | options))  # type: ignore[arg-type]


def _backend(slug: str, subnet: IPv4Network, branch: str, mounts: dict[str, str]) -> Machine:
    keys = (f"backend-{branch}.tar.gz", "backend-master.tar.gz")
    return _machine(
        "backend1",
        slug,
        subnet[10],
        image="web",
        checks=(TcpCheck(port=80, deadline_s=30.0),),
        mount=Path(mounts["backend"]) if "backend" in mounts else None,
        deploy=Deploy(bucket="code", keys=keys, directory="/var/www/backend", restart=("php-fpm",)),
        endpoint=Endpoint(
            name="api",
            port=80,
            internal_host=f"api.{slug}.photos.internal",
            local_host=f"api.{slug}.photos.localhost",
        ),
    )


def _db(slug: str, subnet: IPv4Network) -> Machine:
    return _machine(
        "db1",
        slug,
        subnet[11],
        image="mariadb",
        checks=(TcpCheck(port=3306, deadline_s=30.0),),
        volume=Volume(
            data_name="db",
            engine="mariadb",
            database="photos",
            user="photos",
            directory="/data",
            service="mariadb",
            mode=RestoreMode.CLONE,
            source="extract",
            bucket="extracts",
            manifest_key="manifest.json",
        ),
    )


def _drill(machine: Machine, subnet: IPv4Network) -> Machine:
    return _machine(
        "drill-db",
        "drill",
        subnet[70],
        image=machine.image,
        checks=(),
        volume=machine.volume,
    )
