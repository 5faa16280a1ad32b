"""Filling a data volume: cold from the artefact, empty, or a clone that is only looked at.

A cold restore works in `restoring/`, which nobody reads, and becomes `current/` by one rename when
it has been verified. Whatever goes wrong before, also SIGTERM, leaves neither it nor the download.
"""

from __future__ import annotations

import os
import time

from .backoff import tries
from .bucket import Bucket
from .checks import ANSWER_S
from .command import run
from .dump import LOAD_OPTIONS, load
from .errors import AgentError
from .facts import write_file
from .lean import signal
from .manifest import Dump, Manifest, differences, identifier, parse_manifest, summary
from .mariadb import (
    QuarantinedServer,
    client_argv,
    grant_sql,
    install_argv,
    observe_tables,
    prepare_sql,
    query,
)
from .quick_json import dumps, loads
from .value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from .account import Account
    from .config import Restore
    from .paths import Paths
    from .progress import Progress

INSTALL_S = 300.0
KILL_S = 5.0
ALIVE_EVERY_S = 0.05
SOCKET = "/run/mysqld/mysqld.sock"


class Place(Value):
    """The volume's layout."""

    directory: str

    @property
    def current(self) -> str:
        """The live data directory."""
        return f"{self.directory}/current"

    @property
    def restoring(self) -> str:
        """The quarantine."""
        return f"{self.directory}/restoring"

    @property
    def download(self) -> str:
        """Where the dump lies while it is loaded."""
        return f"{self.directory}/restoring.download"

    @property
    def report(self) -> str:
        """What the cold restore found."""
        return f"{self.directory}/restore.json"


def restore(
    config: Restore, paths: Paths, progress: Progress, account: Account | None = None
) -> dict[str, object]:
    """Make `current/` be there; the report for the signal. Raises AgentError.

    A directory that is there already is kept: it came as a clone, or the machine boots again.
    """
    place = Place(directory=paths.at(config.directory))
    sweep(place)
    if not os.path.exists(place.current):
        if config.mode == "clone":
            raise AgentError(f"{place.current} is missing: the volume is no clone of a restore")
        bucket = Bucket(url=config.bucket_url or "", account=account)
        return _restore_anew(config, bucket, place, progress)
    if config.mode == "clone" and account is not None:
        from .snapshot import expected_of_snapshot

        bucket = Bucket(url=config.bucket_url or "", account=account)
        return expected_of_snapshot(config, bucket, place, paths, progress)
    if config.mode == "cold":
        progress.notice(f"{place.current} is already there: not restored again")
    return {**read_report(place), "mode": config.mode}


def read_report(place: Place) -> dict[str, object]:
    """restore.json; raises AgentError if the volume has none."""
    try:
        return parse_report(place.report)
    except (OSError, ValueError) as error:
        raise AgentError(
            f"{place.current} is there, but {place.report} cannot be read ({error}): "
            "it is unknown what is in it"
        ) from error


def known_report(config: Restore, paths: Paths) -> dict[str, object]:
    """What a former boot found in the database; raises AgentError."""
    place = Place(directory=paths.at(config.directory))
    if config.mode == "clone" and not os.path.exists(place.report):
        from .snapshot import kept_report

        kept = kept_report(paths)
        if kept is not None:
            return kept
    return read_report(place)


def parse_report(path: str) -> dict[str, object]:
    """A report as a restore has left it; raises OSError, ValueError and AgentError."""
    with open(path, encoding="utf-8") as file:
        report: object = loads(file.read())
    if not isinstance(report, dict) or not isinstance(report.get("tables"), list):
        raise AgentError(f"{path} is not the report of a restore")
    return report


def sweep(place: Place) -> None:
    """Remove what a restore left that was killed, and its server if that still runs."""
    _kill_server_of(place.restoring)
    for path in (place.restoring, place.download):
        if os.path.lexists(path):
            from shutil import rmtree

            rmtree(path)


def _kill_server_of(directory: str) -> None:
    """Only if the process is what the pid file promised: numbers are used again."""
    try:
        with open(f"{directory}/restore.pid", encoding="ascii") as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            ours = f"--datadir={directory}".encode() in file.read().split(b"\0")
    except (OSError, ValueError):
        return
    if ours:
        os.kill(pid, signal.SIGKILL)
        for _ in tries(time.monotonic() + KILL_S):
            if not os.path.exists(f"/proc/{pid}/cmdline"):
                return


def _restore_anew(
    config: Restore, bucket: Bucket, place: Place, progress: Progress
) -> dict[str, object]:
    started = time.monotonic()
    done = False
    try:
        os.mkdir(place.download, 0o700)
        manifest = None
        if config.mode == "cold":
            manifest = fetch_manifest(bucket, config.manifest_key or "", progress)
            fetch_dump(bucket, _dump_of(manifest), place, progress)
        report = _build(config, manifest, place, progress, started)
        write_file(place.report, dumps(report) + "\n")
        _flush(place.report)
        os.rename(place.restoring, place.current)
        _flush(place.directory)
        done = True
    finally:
        sweep(place)
        if not done and os.path.exists(place.report):
            os.unlink(place.report)
    return report


def fetch_manifest(bucket: Bucket, key: str, progress: Progress) -> Manifest:
    """The manifest, checked; raises AgentError."""
    progress.doing(f"restore: fetching {key}")
    content = bucket.read(key)
    if content is None:
        raise AgentError(f"the manifest {key} is not in bucket {bucket.name!r}")
    return parse_manifest(content, key)


def _dump_of(manifest: Manifest) -> Dump:
    if manifest.dump is None:
        raise AgentError("the manifest names no dump: make it with greenroom-manifest --dump")
    return manifest.dump


def dump_path(place: Place, dump: Dump) -> str:
    """Where the dump lies, compressed or not as its key says."""
    return f"{place.download}/dump.sql{'.gz' if dump.key.endswith('.gz') else ''}"


def fetch_dump(bucket: Bucket, dump: Dump, place: Place, progress: Progress) -> None:
    """Bring the dump and compare size and sha256; raises AgentError."""
    progress.doing(f"restore: fetching {dump.key}")
    fetched = bucket.fetch(dump.key, dump_path(place, dump))
    if fetched is None:
        raise AgentError(f"the dump {dump.key} is not in bucket {bucket.name!r}")
    if fetched.size != dump.size:
        raise AgentError(f"{dump.key}: {fetched.size} bytes, the manifest says {dump.size}")
    if fetched.sha256 != dump.sha256:
        raise AgentError(f"{dump.key}: sha256 is {fetched.sha256}, the manifest says {dump.sha256}")


def _build(
    config: Restore, manifest: Manifest | None, place: Place, progress: Progress, started: float
) -> dict[str, object]:
    """Everything between the download and the rename; what restore.json says."""
    progress.doing("restore: making the system tables")
    installed = run(install_argv(place.restoring), timeout_s=INSTALL_S)
    if installed.code != 0:
        raise AgentError(f"mariadb-install-db failed: {installed.said}")
    with QuarantinedServer(place.restoring, f"{place.download}/server.log") as server:
        query(server.socket, prepare_sql(config.database))
        if manifest is not None:
            dump = _dump_of(manifest)
            progress.doing(f"restore: loading {dump.key}")
            load(dump_path(place, dump), client_argv(server.socket, *LOAD_OPTIONS, config.database))
        query(server.socket, grant_sql(config.database, config.user))
        progress.doing(f"restore: verifying {config.database}")
        verify_started = time.monotonic()
        found = observe_tables(server.socket, config.database)
        problems = differences(manifest.tables if manifest else {}, found)
        if problems:
            raise AgentError(f"the restored database is not the manifest's: {summary(problems)}")
        verify_s = time.monotonic() - verify_started
        progress.doing("restore: stopping the server in quarantine")
        server.stop()
    return {
        "mode": config.mode,
        "source": config.source if manifest else None,
        "artefact_sha256": _dump_of(manifest).sha256 if manifest else None,
        "taken_at": manifest.taken_at if manifest else None,
        "verified_at": utc_now(),
        "restore_s": round(time.monotonic() - started - verify_s, 3),
        "verify_s": round(verify_s, 3),
        "tables": [[name, table.rows, table.checksum] for name, table in sorted(found.items())],
    }


def _flush(path: str) -> None:
    """What was written to this file, or renamed in this directory, survives a crash."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def utc_now() -> str:
    """Now, as manifests and reports write time."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def recheck_tables(config: Restore, paths: Paths) -> None:
    """Ask the running server for what the restore left, once; raises AgentError."""
    sql = _one_row_each(config, known_report(config, paths))
    try:
        query(None, sql, timeout_s=ANSWER_S)
    except AgentError as error:
        raise AgentError(_no_answer(config, str(error))) from error


def check_tables(
    config: Restore,
    report: dict[str, object],
    paths: Paths,
    deadline: float,
    alive: Callable[[], None],
) -> None:
    """Ask the running server for one row of every restored table; raises AgentError.

    ``alive`` raises when the service has died, which is the better reason. The client is started
    only when the server listens: a try costs 4 ms of a core that the server needs.
    """
    sql = _one_row_each(config, report)
    problem = "it does not listen"
    asked_at = alive_at = time.monotonic()
    for left_s in tries(deadline):
        now = time.monotonic()
        if os.path.exists(paths.at(SOCKET)) or now - asked_at > 0.5 or not left_s:
            asked_at = now
            try:
                query(None, sql, timeout_s=max(left_s, 1.0))
            except AgentError as error:
                problem = str(error)
                if "ERROR 2" not in problem:  # 2002 and its like: the server is not there yet
                    break
            else:
                return
        if now - alive_at > ALIVE_EVERY_S:
            alive()
            alive_at = now
    alive()
    raise AgentError(_no_answer(config, problem))


def _one_row_each(config: Restore, report: dict[str, object]) -> str:
    tables = report["tables"]
    assert isinstance(tables, list)
    sql = "".join(
        f"SELECT 1 FROM {identifier(config.database)}.{identifier(str(name))} LIMIT 1;\n"
        for name, _, _ in tables
    )
    return sql or "SELECT 1;"


def _no_answer(config: Restore, problem: str) -> str:
    return f"the restored tables of {config.database} do not answer: {problem}"
