"""The daemon: the one place where everything is wired together and kept running.

It serves three applications on one event loop: the API on a unix socket of the host, API and page
on a port of its loopback, and the region's services (metadata, bucket, wait handles) on sockets
inside the region.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import resource
import signal
import socket
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from greenroom.app.access import Access
from greenroom.app.clock import SystemClock
from greenroom.app.control_plane import ControlPlane
from greenroom.app.history import History
from greenroom.app.inventory.courier import Courier
from greenroom.app.inventory.service import Inventory
from greenroom.app.jobs.definitions import read_jobs
from greenroom.app.jobs.scheduler import Scheduler
from greenroom.app.jobs.service import Jobs
from greenroom.app.jobs.views import execution_json
from greenroom.app.lifetimes import Lifetimes
from greenroom.app.planning import blueprint_planner
from greenroom.app.reconciler import Reconciler
from greenroom.app.sessions import Sessions
from greenroom.app.timings import Timings
from greenroom.errors import GreenroomError, RefusedError
from greenroom.jobs.engine import DbosEngine
from greenroom.jobs.mortal import VARIABLE, mortal
from greenroom.log_limit import LogLimit
from greenroom.model.views import EnvironmentStatus
from greenroom.providers.local.doctor import require_ready, search_path
from greenroom.providers.local.executions import LocalProcesses
from greenroom.providers.local.layout import METADATA_ADDRESS, SERVICE_ADDRESS, Layout
from greenroom.providers.local.network import open_datagrams, open_listener
from greenroom.providers.local.provider import LocalProvider
from greenroom.providers.local.service_records import ANSWER_ADDRESS, ANSWER_PORT
from greenroom.providers.local.services import RegionServices
from greenroom.providers.local.space_watch import SpaceWatch
from greenroom.providers.local.usage import Tenant
from greenroom.providers.webhook import WebhookSender
from greenroom.region import Region
from greenroom.store.database import Database
from greenroom.store.environments import STANDING
from greenroom.web.api import make_api
from greenroom.web.environments import log_readers
from greenroom.web.page.site import make_site
from greenroom.web.page.site_parts import Parts
from greenroom.web.peer import PeerProtocol
from greenroom.web.place import further_hosts, open_web

_SERVICE_PORT = 80


def serve(region: Region) -> None:
    """Run the daemon until SIGTERM or SIGINT.

    Raises HostError if the host cannot run machines, RefusedError (E_DAEMON_RUNS) if another
    daemon has this region.
    """
    _log_to_stderr()
    os.environ["PATH"] = search_path()
    hosts = further_hosts()
    _raise_open_files()
    require_ready(region)
    with _only_one(region), contextlib.ExitStack() as undo:
        # First, and before anything is made on the host: it may be another daemon's.
        ledger = _ledger(region)
        provider = LocalProvider(Layout(region))
        provider.open()
        # From here on each part's end stands beside it: whichever of them fails, the others are
        # closed all the same, the last part first.
        undo.callback(region.socket_path.unlink, missing_ok=True)
        control = _control_plane(region, ledger, provider)
        undo.callback(_close_if_empty, control, provider)
        undo.callback(control.close)
        courier = Courier(database=ledger, clock=SystemClock(), tell=provider.tell_of_peer)
        undo.callback(courier.close)
        inventory = _inventory(control, provider, ledger, courier)
        undo.callback(inventory.close)
        undo.callback(provider.stop_care)
        webhooks = WebhookSender()
        undo.callback(webhooks.close)
        jobs = _jobs(region, ledger, control, provider, webhooks)
        undo.callback(jobs.close)
        scheduler = Scheduler(jobs, ledger, SystemClock())
        undo.callback(scheduler.close)
        reconciler = _reconciler(control, provider, ledger, webhooks)
        undo.callback(reconciler.close)
        _admit_again(control, provider)
        # Before anything goes on: a proof that a crash interrupted asks for them at once, and
        # whoever connects is served as soon as the loop runs.
        inside = _inside_listeners(provider)
        control.recover()
        inventory.start()
        courier.start()
        provider.attend_region(control.tell_of_region)
        control.bring_back()
        jobs.recover()
        scheduler.start()
        reconciler.start()
        undo.enter_context(_watch_over_space(control, provider).running())
        listener, place = open_web(region)
        parts = _parts(ledger, control, provider, jobs, inventory)
        api = make_api(
            control,
            provider,
            inventory,
            parts.timings,
            parts.access,
            parts.lifetimes,
            jobs,
            parts.sessions,
            place,
            region,
        )
        site = make_site(parts, api, region, hosts)
        asyncio.run(_serve_until_told(region, provider, api, site, inside, listener))


def _log_to_stderr() -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for talkative in ("alembic", "uvicorn.error"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    # Machines cause what it says of the requests that it serves them.
    logging.getLogger("uvicorn.error").addFilter(LogLimit())


def _close_if_empty(control: ControlPlane, provider: LocalProvider) -> None:
    """Take the region down, unless environments live in it."""
    if not control.environments():
        provider.close()


def _raise_open_files() -> None:
    """Probes and machines' connections are many; the usual soft limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _inventory(
    control: ControlPlane, provider: LocalProvider, ledger: Database, courier: Courier
) -> Inventory:
    """It looks again whenever an operation tells something, or a machine; and the courier tells
    machines of what it finds."""
    inventory = Inventory(
        database=ledger,
        provider=provider,
        clock=SystemClock(),
        changed=lambda _: courier.nudge(),
    )
    control.listen(lambda _: inventory.nudge())
    control.listen_to_ends(inventory.ended)
    provider.health_words.listen(inventory.nudge)
    return inventory


def _reconciler(
    control: ControlPlane, provider: LocalProvider, ledger: Database, webhooks: WebhookSender
) -> Reconciler:
    return Reconciler(
        database=ledger,
        provider=provider,
        clock=SystemClock(),
        orphans=control.orphans,
        submit=control.submit,
        adopt=control.adopt,
        notify=webhooks.send,
    )


def _control_plane(region: Region, ledger: Database, provider: LocalProvider) -> ControlPlane:
    planner = blueprint_planner(
        region_cidr=IPv4Network(region.cidr), agent_sha256=provider.agent_sha256
    )
    return ControlPlane(
        database=ledger,
        provider=provider,
        engine=mortal(DbosEngine(region.ledger_dir / "engine.db"), os.environ.get(VARIABLE, "")),
        planner=planner,
        proxy_port=region.proxy_port,
    )


def _jobs(
    region: Region,
    ledger: Database,
    control: ControlPlane,
    provider: LocalProvider,
    webhooks: WebhookSender,
) -> Jobs:
    return Jobs(
        database=ledger,
        control=control,
        processes=LocalProcesses(provider.layout),
        log_folder=region.state_dir / "jobs",
        read_jobs=read_jobs,
        notify=lambda webhook, view: webhooks.send(webhook.url, execution_json(view)),
    )


def _parts(
    ledger: Database,
    control: ControlPlane,
    provider: LocalProvider,
    jobs: Jobs,
    inventory: Inventory,
) -> Parts:
    clock, access = SystemClock(), Access.on(ledger)
    return Parts(
        control=control,
        access=access,
        sessions=Sessions(database=ledger, access=access, clock=clock),
        history=History(ledger),
        timings=Timings(ledger),
        lifetimes=Lifetimes(database=ledger, clock=clock),
        jobs=jobs,
        inventory=inventory,
        logs=partial(log_readers, provider),
    )


def _ledger(region: Region) -> Database:
    """A file, unless GREENROOM_DATABASE_URL names a database elsewhere."""
    region.ledger_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = os.environ.get("GREENROOM_DATABASE_URL", "")
    database = Database(url) if url else Database.in_file(region.ledger_dir / "ledger.db")
    database.migrate()
    # The first write takes the ledger's lock: a second daemon is refused before it serves.
    with database.write():
        pass
    return database


def _admit_again(control: ControlPlane, provider: LocalProvider) -> None:
    """Make all machines known again to the services and the proxy, which hold them in memory."""
    for environment in control.environments():
        stack = control.stack_of(environment.name)
        provider.admit(stack)
        if environment.status in STANDING:
            provider.publish(stack)
        elif environment.status is EnvironmentStatus.STOPPED:
            provider.publish_stopped(stack)


def _watch_over_space(control: ControlPlane, provider: LocalProvider) -> SpaceWatch:
    def stopped(tenant: Tenant, error: GreenroomError) -> None:
        control.fail(tenant.environment, tenant.machine, error)

    return SpaceWatch(provider.layout, stopped=stopped, doubted=control.doubt_all)


@contextlib.contextmanager
def _only_one(region: Region) -> Iterator[None]:
    """Hold the region's lock; the kernel lets go of it however we end (flock(2))."""
    region.run_dir.mkdir(parents=True, exist_ok=True)
    lock = region.run_dir / "daemon.lock"
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise RefusedError(
                "E_DAEMON_RUNS",
                f"a daemon of region {region.name} runs already (pid {file.read().strip()})",
                hint="greenroom serve --stop ends it",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _inside_listeners(provider: LocalProvider) -> list[socket.socket]:
    """Where machines find metadata, buckets and wait handles."""
    return [
        open_listener(provider.layout, address, _SERVICE_PORT)
        for address in (METADATA_ADDRESS, SERVICE_ADDRESS)
    ]


async def _serve_until_told(
    region: Region,
    provider: LocalProvider,
    api: FastAPI,
    site: ASGIApp,
    inside: list[socket.socket],
    listener: socket.socket | None,
) -> None:
    services = RegionServices(
        provider.layout, provider.residents, provider.signals, provider.health_words
    )
    questions = open_datagrams(provider.layout, ANSWER_ADDRESS, ANSWER_PORT)
    api_server = _Server(api, http=PeerProtocol)
    # h11 bounds the headers of a request, httptools does not; its callers are not trusted.
    region_server = _Server(services.application(), http="h11", limit_concurrency=8192)
    site_server = _Server(site, http="h11")
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(provider.service_records, sock=questions)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _tell_to_exit, api_server, region_server, site_server)
    servings = [
        region_server.serve(sockets=inside),
        api_server.serve(sockets=[_api_socket(region.socket_path)]),
    ]
    if listener is not None:
        servings.append(site_server.serve(sockets=[listener]))
    await asyncio.gather(*servings)


def _tell_to_exit(*servers: uvicorn.Server) -> None:
    for server in servers:
        server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: several servers share this process."""

    def __init__(self, application: Any, **options: Any) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                lifespan="off",
                # Machines are told apart by the address that they really have.
                proxy_headers=False,
                **options,
                timeout_graceful_shutdown=1,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See the class."""
        yield


def _api_socket(path: Path) -> socket.socket:
    """Only root may speak to the daemon: whoever can, can run anything on this host."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(128)
    return listener
