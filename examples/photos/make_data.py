#!/usr/bin/env python3
"""Makes the example's data: the backup, over a million rows, and the masked extract of it.

    make_data.py [--out data] [--users 20000] [--seed 7] [--taken-at 2026-11-21T03:00:00Z] [--force]

Python's standard library is all it needs. The same seed and size give the same bytes; only the
time stamp in the manifests is that of the run, unless --taken-at sets it. When the data is there
already, made by these very sources, nothing is done.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from photos_data import schema
from photos_data.dump import TableDigest, TableWriter, dump_file, replaced_atomically
from photos_data.extract import Extract
from photos_data.schema import Row, Table
from photos_data.source import Source

HERE = Path(__file__).resolve().parent
DUMP_NAME = "photos.sql.gz"
SETS = ("backup", "extract")
MIN_USERS = 40


def main() -> int:
    """Parse the command line, make what is missing."""
    options = _parse(sys.argv[1:])
    out: Path = options.out
    wanted = {"generator": _sources_sha256(), "seed": options.seed, "users": options.users}
    if not options.force and _is_there(out, wanted, options.taken_at):
        _say(f"{out}: the data of seed {options.seed}, {options.users:,} users is there already")
        return 0
    taken_at = options.taken_at or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:00Z}"
    # A run that is interrupted must not leave a stamp that vouches for half of the files.
    (out / "stamp.json").unlink(missing_ok=True)
    started = time.monotonic()
    tables = _write_dumps(out, options.seed, options.users)
    for name in SETS:
        _write_json(out / name / "manifest.json", _manifest(out, name, taken_at, tables[name]))
    _write_json(out / "stamp.json", wanted)
    _say(f"{out}: done in {time.monotonic() - started:.1f} s")
    return 0


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make the photo feed's backup and its extract.")
    parser.add_argument("--out", type=Path, default=HERE / "data", help="folder to write to")
    parser.add_argument("--users", type=_users, default=20_000, help="size of the backup")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--taken-at", type=_time, help="UTC time for the manifests; default: now")
    parser.add_argument("--force", action="store_true", help="make it again")
    return parser.parse_args(argv)


def _users(text: str) -> int:
    if not text.isdecimal() or int(text) < MIN_USERS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least {MIN_USERS}")
    return int(text)


def _time(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no time zone; write 2026-11-21T03:00:00Z")
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:00Z}"


def _sources_sha256() -> str:
    """What stands for the generator's version: nobody has to remember to raise a number."""
    digest = hashlib.sha256()
    for path in (Path(__file__), *sorted((HERE / "photos_data").glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _is_there(out: Path, wanted: dict[str, object], taken_at: str | None) -> bool:
    try:
        if json.loads((out / "stamp.json").read_text()) != wanted:
            return False
        for name in SETS:
            manifest = json.loads((out / name / "manifest.json").read_text())
            if (out / name / DUMP_NAME).stat().st_size != manifest["dump"]["bytes"]:
                return False
            if taken_at not in (None, manifest["taken_at"]):
                return False
    except (OSError, ValueError, KeyError):
        return False
    return True


def _write_dumps(out: Path, seed: int, users: int) -> dict[str, list[TableDigest]]:
    """Write both dumps in one pass over the source's rows."""
    _say(f"imagining {users:,} people and their photos")
    source = Source(seed, users)
    extract = Extract(source, seed)
    digests: dict[str, list[TableDigest]] = {name: [] for name in SETS}
    with ExitStack() as stack:
        files = [stack.enter_context(dump_file(out / name / DUMP_NAME)) for name in SETS]
        for table, rows in _rows_by_table(source):
            backup_writer, extract_writer = (TableWriter(file, table) for file in files)
            for row in rows:
                backup_writer.add(row)
                sampled = extract.take(table, row)
                if sampled is not None:
                    extract_writer.add(sampled)
            for name, writer in zip(SETS, (backup_writer, extract_writer), strict=True):
                digests[name].append(writer.close())
            whole, sample = (digests[name][-1].rows for name in SETS)
            _say(f"{table.name}: {whole:,} rows, {sample:,} of them in the extract")
    return digests


def _rows_by_table(source: Source) -> Iterator[tuple[Table, Iterator[Row]]]:
    yield schema.USERS, source.user_rows()
    yield schema.FOLLOWS, source.follow_rows()
    yield schema.PHOTOS, source.photo_rows()
    yield schema.ALBUMS, source.album_rows()
    yield schema.ALBUM_PHOTOS, source.album_photo_rows()
    yield schema.LIKES, source.like_rows()
    yield schema.COMMENTS, source.comment_rows()


def _manifest(out: Path, name: str, taken_at: str, tables: list[TableDigest]) -> object:
    path = out / name / DUMP_NAME
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "format": 1,
        "engine": "mariadb",
        "database": "photos",
        "source": name,
        "taken_at": taken_at,
        "dump": {"key": f"{name}/{DUMP_NAME}", "sha256": sha256, "bytes": path.stat().st_size},
        "tables": {
            table.name: {"rows": table.rows, "checksum": table.checksum, "columns": table.columns}
            for table in tables
        },
    }


def _write_json(path: Path, value: object) -> None:
    with replaced_atomically(path) as file:
        file.write(json.dumps(value, indent=2).encode() + b"\n")


def _say(message: str) -> None:
    print(f"make_data: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
