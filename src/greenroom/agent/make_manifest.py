"""Describing a live database, so that a restore of its dump can be compared with it."""

from __future__ import annotations

import json
import os

from .errors import AgentError
from .manifest import Dump, Manifest, manifest_document
from .mariadb import observe_tables
from .restore_mariadb import utc_now

READ_BYTES = 1024 * 1024


def manifest_text(database: str, source: str, dump: str, key: str) -> str:
    """The manifest as JSON; raises AgentError.

    ``dump`` is the dump's file and ``key`` its future place in the bucket; both may be empty.
    """
    taken_at = utc_now()
    tables = observe_tables(None, database)
    if not tables:
        raise AgentError(f"no database named {database!r} with tables in it")
    manifest = Manifest(
        database=database,
        source=source or None,
        taken_at=taken_at,
        dump=describe_dump(dump, key) if dump else None,
        tables=tables,
    )
    return json.dumps(manifest_document(manifest), indent=2, ensure_ascii=False)


def describe_dump(path: str, key: str) -> Dump:
    """Size and sha256 of a dump's file; raises AgentError."""
    from hashlib import sha256

    digest = sha256()
    try:
        with open(path, "rb") as file:
            while piece := file.read(READ_BYTES):
                digest.update(piece)
            return Dump(key=key, sha256=digest.hexdigest(), size=os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise AgentError(f"cannot read the dump {path}: {error.strerror}") from error
