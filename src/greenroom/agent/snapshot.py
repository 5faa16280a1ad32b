"""A database that came with its volume from a snapshot: nothing was restored, and no drill ran.

So the report says what is known and nothing else: what a former restore left on the volume, what
the manifest says if it can be read, and the rows that are counted in the running server.
"""

from __future__ import annotations

import os

from .errors import AgentError
from .facts import write_file
from .manifest import columns_query, identifier
from .mariadb import SESSION, query
from .quick_json import dumps
from .restore_mariadb import fetch_manifest, parse_report, read_report
from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from .bucket import Bucket
    from .config import Restore
    from .paths import Paths
    from .progress import Progress
    from .restore_mariadb import Place

COUNT_S = 3600.0
"""A volume that is still being filled from its snapshot answers slowly."""
SHOWN = 5
KEPT = "/etc/greenroom/snapshot.json"
"""What the first boot found. Later ones have nothing to compare: the application has written."""


def kept_report(paths: Paths) -> dict[str, object] | None:
    """What an earlier boot of this machine found, or None; raises AgentError."""
    path = paths.at(KEPT)
    return parse_report(path) if os.path.exists(path) else None


def expected_of_snapshot(
    config: Restore, bucket: Bucket, place: Place, paths: Paths, progress: Progress
) -> dict[str, object]:
    """What should be in the database: the report on the volume, or else the manifest's tables,
    without checksums, which nobody has computed here."""
    kept = kept_report(paths)
    if kept is not None:
        return kept
    try:
        return {**read_report(place), "mode": config.mode}
    except AgentError:
        progress.notice("the snapshot holds no report of a restore")
    report: dict[str, object] = {
        "mode": config.mode,
        "source": config.source,
        "artefact_sha256": None,
        "taken_at": None,
        "verified_at": None,
        "restore_s": None,
        "verify_s": None,
        "tables": [],
    }
    if config.manifest_key is not None:
        try:
            manifest = fetch_manifest(bucket, config.manifest_key, progress)
        except AgentError as error:
            progress.notice(f"the snapshot cannot be compared with its source: {error}")
        else:
            tables = sorted(manifest.tables.items())
            report["tables"] = [[name, table.rows, ""] for name, table in tables]
    return report


def count_snapshot(
    config: Restore, report: dict[str, object], paths: Paths, progress: Progress
) -> None:
    """Count every table's rows in the running server; the report and a notice say what was found.

    A difference is no failure: a snapshot and the manifest of its source may be of two days. It
    takes away what the report can no longer promise. Raises AgentError if nobody answers.
    """
    if kept_report(paths) is not None:
        return
    tables = report["tables"]
    assert isinstance(tables, list)
    expected = {str(name): (int(rows), str(checksum)) for name, rows, checksum in tables}
    found = count_rows(config.database)
    problems = differing(expected, found)
    if problems or not expected:
        report.update(artefact_sha256=None, taken_at=None, verified_at=None)
        report["tables"] = [[name, rows, ""] for name, rows in sorted(found.items())]
    compared = "with nothing to compare them with" if not expected else "as expected"
    if problems:
        more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        compared = f"and they differ: {'; '.join(problems[:SHOWN])}{more}"
    progress.notice(
        f"the data came with a snapshot: no drill restored it; rows of {len(found)} tables "
        f"counted, {compared}; checksums were not computed"
    )
    write_file(paths.at(KEPT), dumps(report) + "\n")


def differing(expected: dict[str, tuple[int, str]], found: dict[str, int]) -> list[str]:
    """In words, table by table (pure)."""
    problems = []
    for name in sorted({*expected, *found}):
        if name not in found:
            problems.append(f"table {name} is missing")
        elif name in expected and found[name] != expected[name][0]:
            problems.append(f"table {name}: {found[name]} rows, expected {expected[name][0]}")
        elif expected and name not in expected:
            problems.append(f"table {name} was not expected")
    return problems


def count_rows(database: str) -> dict[str, int]:
    """The rows of every table; raises AgentError."""
    tables = list(dict.fromkeys(row[0] for row in query(None, SESSION + columns_query(database))))
    if not tables:
        raise AgentError(f"the snapshot holds no table of the database {database!r}")
    sql = "".join(
        f"SELECT COUNT(*) FROM {identifier(database)}.{identifier(table)};\n" for table in tables
    )
    counts = query(None, sql, timeout_s=COUNT_S)
    return {table: int(row[0]) for table, row in zip(tables, counts, strict=True)}
