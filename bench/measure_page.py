"""How long each page takes at 200 environments and 10,000 executions of jobs.

On the simulated host, since what is measured is the page: its queries, its templates and the way
through the site, from the request to the last byte, without a network.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from table import Row, Sample
from tests.component.page_stage import COOKIE, HOST, BlueprintStage, PageStage, somebody

from greenroom.model.access import Role
from greenroom.model.jobs import ExecutionStatus
from greenroom.store.executions import insert_execution

ENVIRONMENTS = 200
EXECUTIONS = 10_000
BAR_MS = 200.0
PAGES = (
    "/",
    "/environments/photos/branch-7",
    "/new",
    "/jobs",
    "/jobs/run?name=photos/count-rows",
    "/drills",
    "/inventory",
    "/audit",
    "/tokens",
)


def measure(_: Path, rounds: int) -> list[Row]:
    """A row for each page; the first look at each, which fills caches, is not counted."""
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-page-") as folder:
        return asyncio.run(_measured(Path(folder), rounds))


async def _measured(folder: Path, rounds: int) -> list[Row]:
    stage = await asyncio.to_thread(_filled, folder)
    cookie = stage.key()
    transport = httpx.ASGITransport(app=stage.site)
    rows = []
    async with httpx.AsyncClient(
        transport=transport, base_url=f"http://{HOST}", cookies={COOKIE: cookie}
    ) as client:
        for path in PAGES:
            taken_ms = [await _timed(client, path) for _ in range(rounds + 1)][1:]
            what = f"page {path} at {ENVIRONMENTS} environments, {EXECUTIONS:,} executions"
            sample = Sample(values=tuple(taken_ms), unit="ms")
            rows.append(Row(what=what, ours=sample, at_most=BAR_MS))
    stage.close()
    return rows


async def _timed(client: httpx.AsyncClient, path: str) -> float:
    began = time.perf_counter()
    answer = await client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return (time.perf_counter() - began) * 1000


def _filled(folder: Path) -> PageStage:
    """Two hundred proved branches and ten thousand executions that ended."""
    stage = PageStage(BlueprintStage(folder))
    for number in range(ENVIRONMENTS):
        stage.create(f"branch_{number}")
    root = somebody(Role.OPERATOR, name="root")
    stage.jobs.definitions.register(stage.blueprint, root)
    stage.inventory.look()
    began = stage.jobs.executions.run("count-rows", {"environment": "photos/branch-7"}, root)
    record = stage.jobs.history.record(began.id, root)
    now = datetime.now(UTC)
    with stage.stage.database.write() as connection:
        for number in range(EXECUTIONS):
            past = replace(
                record,
                id=f"ex{secrets.token_hex(6)}",
                status=ExecutionStatus.SUCCEEDED,
                created_at=now - timedelta(seconds=number),
                started_at=now - timedelta(seconds=number),
                ended_at=now - timedelta(seconds=number),
            )
            insert_execution(connection, past, "")
    stage.jobs.executions.abort(began.id, root)
    return stage
