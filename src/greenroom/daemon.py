"""The daemon: the one place where everything is wired together and kept running."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import re
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from ipaddress import IPv4Network

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
from greenroom.app.reconciler import PERIOD_S, PERIOD_S_MAX, PERIOD_S_MIN, Reconciler
from greenroom.app.sessions import Sessions
from greenroom.app.timings import Timings
from greenroom.errors import GreenroomError, RefusedError, UsageError
from greenroom.jobs.engine import DbosEngine
from greenroom.jobs.mortal import VARIABLE, mortal
from greenroom.log_limit import LogLimit
from greenroom.model.costs import PriceTable
from greenroom.model.views import EnvironmentStatus
from greenroom.providers.local.doctor import require_ready, search_path
from greenroom.providers.local.executions import LocalProcesses
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.provider import LocalProvider
from greenroom.providers.local.space import make_way
from greenroom.providers.local.space_watch import SpaceWatch
from greenroom.providers.local.usage import Tenant
from greenroom.providers.webhook import WebhookSender
from greenroom.region import Region
from greenroom.serving import open_inside, serve_until_told
from greenroom.store.database import Database
from greenroom.store.environments import STANDING
from greenroom.web.api import make_api
from greenroom.web.environments import log_readers
from greenroom.web.page.site import make_site
from greenroom.web.page.site_parts import Parts
from greenroom.web.place import WebPlace, further_hosts, open_web

_PERIOD_VARIABLE = "GREENROOM_RECONCILE_S"


@dataclass(frozen=True, slots=True, kw_only=True)
class _House:
    """The parts of the daemon, wired together; nothing goes on in them before ``begin``."""

    region: Region
    ledger: Database
    provider: LocalProvider
    control: ControlPlane
    courier: Courier
    inventory: Inventory
    jobs: Jobs
    scheduler: Scheduler
    reconciler: Reconciler

    def begin(self) -> None:
        """Go on with what the last daemon left, and attend to what happens from now on."""
        self.control.recover()
        self.inventory.start()
        self.courier.start()
        self.provider.attend_region(self.control.tell_of_region)
        self.control.bring_back()
        self.jobs.recover()
        self.scheduler.start()
        self.reconciler.start()


def serve(region: Region) -> None:
    """Run the daemon until SIGTERM or SIGINT.

    Raises HostError if the host cannot run machines, RefusedError (E_DAEMON_RUNS) if another
    daemon has this region.
    """
    _log_to_stderr()
    os.environ["PATH"] = search_path()
    hosts = further_hosts()
    period_s = reconcile_period_s()
    _raise_open_files()
    require_ready(region)
    with _only_one(region), contextlib.ExitStack() as undo, contextlib.ExitStack() as parts:
        house = _wired(region, period_s, undo, parts)
        _admit_again(house.control, house.provider)
        # Before anything goes on: a proof that a crash interrupted asks for them at once, and
        # whoever connects is served as soon as the loop runs.
        inside = open_inside(house.provider)
        house.begin()
        parts.enter_context(_watch_over_space(house.control, house.provider).running())
        listener, place = open_web(region)
        api, site = _applications(house, place, hosts)
        asyncio.run(
            serve_until_told(region, house.provider, api, site, inside, listener, parts.close)
        )


def _wired(
    region: Region, period_s: float, undo: contextlib.ExitStack, parts: contextlib.ExitStack
) -> _House:
    """Each part's end stands beside it: whichever of them fails, the others are closed all the
    same, the last part first, and those of ``parts`` while machines are still served.
    ``period_s`` is the reconciler's."""
    make_way(Layout(region))
    # First, and before anything is made on the host: it may be another daemon's.
    ledger = _ledger(region)
    provider = LocalProvider(Layout(region))
    provider.open()
    undo.callback(region.socket_path.unlink, missing_ok=True)
    control = _control_plane(region, ledger, provider)
    undo.callback(_close_if_empty, control, provider)
    parts.callback(control.close)
    courier = Courier(database=ledger, clock=SystemClock(), tell=provider.tell_of_peer)
    parts.callback(courier.close)
    inventory = _inventory(control, provider, ledger, courier)
    parts.callback(inventory.close)
    parts.callback(provider.stop_care)
    webhooks = WebhookSender()
    parts.callback(webhooks.close)
    jobs = _jobs(region, ledger, control, provider, webhooks)
    parts.callback(jobs.close)
    scheduler = Scheduler(jobs, ledger, SystemClock())
    parts.callback(scheduler.close)
    reconciler = _reconciler(control, provider, ledger, webhooks, period_s)
    parts.callback(reconciler.close)
    return _House(
        region=region,
        ledger=ledger,
        provider=provider,
        control=control,
        courier=courier,
        inventory=inventory,
        jobs=jobs,
        scheduler=scheduler,
        reconciler=reconciler,
    )


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
    control: ControlPlane,
    provider: LocalProvider,
    ledger: Database,
    webhooks: WebhookSender,
    period_s: float,
) -> Reconciler:
    return Reconciler(
        database=ledger,
        provider=provider,
        clock=SystemClock(),
        orphans=control.orphans,
        submit=control.submit,
        adopt=control.adopt,
        notify=webhooks.send,
        period_s=period_s,
    )


def reconcile_period_s() -> float:
    """Read GREENROOM_RECONCILE_S, seconds between two looks; raises UsageError E_RECONCILE_S."""
    text = os.environ.get(_PERIOD_VARIABLE, f"{PERIOD_S:.0f}")
    # Bounded first: Python refuses to read a number of thousands of digits.
    if not re.fullmatch("[0-9]{1,4}", text) or not PERIOD_S_MIN <= int(text) <= PERIOD_S_MAX:
        raise UsageError(
            "E_RECONCILE_S",
            f"{_PERIOD_VARIABLE} is {text[:40]!r}: expected whole seconds, "
            f"{PERIOD_S_MIN:.0f} to {PERIOD_S_MAX:.0f}",
            hint=f"leave it out for {PERIOD_S:.0f}",
        )
    return float(text)


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


def _applications(
    house: _House, place: WebPlace, hosts: tuple[str, ...]
) -> tuple[FastAPI, ASGIApp]:
    """The API, as the unix socket has it, and the site, which is that and the page."""
    parts = _parts(house)
    api = make_api(
        house.control,
        house.provider,
        house.inventory,
        parts.timings,
        parts.access,
        parts.lifetimes,
        house.jobs,
        parts.sessions,
        place,
        house.region,
    )
    return api, make_site(parts, api, house.region, hosts)


def _parts(house: _House) -> Parts:
    clock, access = SystemClock(), Access.on(house.ledger)
    return Parts(
        control=house.control,
        access=access,
        sessions=Sessions(database=house.ledger, access=access, clock=clock),
        history=History(house.ledger),
        timings=Timings(house.ledger),
        lifetimes=Lifetimes(database=house.ledger, clock=clock),
        jobs=house.jobs,
        inventory=house.inventory,
        logs=partial(log_readers, house.provider),
        prices=_prices,
    )


@cache
def _prices() -> PriceTable:
    # Imported at the first page: a daemon that is only driven by the CLI does not pay for it.
    from greenroom.providers.aws.price_table import shipped_table

    return shipped_table()


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
