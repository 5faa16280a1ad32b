"""The manifest of an extract: what was in the database when the dump was made. See docs/data.md.

Everything here is pure; `mariadb.py` asks a server for the observed side.
"""

from __future__ import annotations

from .config import Fields
from .errors import AgentError
from .value import TYPE_CHECKING, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHOWN_DIFFERENCES = 5


class Table(Value):
    """``checksum`` is 16 hex digits; ``columns`` reads like ``id int(10) unsigned NOT NULL``."""

    rows: int
    checksum: str
    columns: tuple[str, ...]


class Dump(Value):
    """The file to load: ``key`` is in the manifest's own bucket."""

    key: str
    sha256: str
    size: int


class Manifest(Value):
    """A parsed manifest; ``dump`` is None where the database itself was asked, not a file."""

    database: str
    source: str | None
    taken_at: str
    dump: Dump | None
    tables: dict[str, Table]


def parse_manifest(content: bytes, key: str) -> Manifest:
    """Check every field; raises AgentError that names ``key`` and what is wrong in it."""
    from json import loads

    try:
        value: object = loads(content)
    except ValueError as error:
        raise AgentError(f"{key} is not JSON: {error}") from error
    fields = Fields(value, key)
    for name, known in (("format", 1), ("engine", "mariadb")):
        found = fields.anything(name)
        if found != known:
            raise AgentError(f"{key}: {name} is {found!r}, this agent knows {known!r}")
    dump, tables = fields.anything("dump"), fields.anything("tables")
    if not isinstance(tables, dict):
        raise AgentError(f"{key}: tables is {tables!r}, expected an object")
    manifest = Manifest(
        database=fields.text("database"),
        source=fields.optional_text("source"),
        taken_at=fields.text("taken_at"),
        dump=None if dump is None else _dump(Fields(dump, f"{key}: dump")),
        tables={
            str(name): _table(Fields(table, f"{key}: table {name}"))
            for name, table in tables.items()
        },
    )
    fields.end()
    _require_time(manifest.taken_at, key)
    return manifest


def _require_time(text: str, key: str) -> None:
    from datetime import datetime

    try:
        known = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        known = False
    if not known:
        example = "2026-11-21T03:00:00Z"
        raise AgentError(f"{key}: taken_at is {text!r}, expected a time with its zone ({example})")


def _dump(fields: Fields) -> Dump:
    dump = Dump(key=fields.text("key"), sha256=fields.text("sha256"), size=fields.whole("bytes"))
    fields.end()
    return dump


def _table(fields: Fields) -> Table:
    table = Table(
        rows=fields.whole("rows"),
        checksum=fields.text("checksum"),
        columns=fields.texts("columns"),
    )
    fields.end()
    if len(table.checksum) != 16 or set(table.checksum) - set("0123456789abcdef"):
        raise AgentError(f"{fields.where}: checksum is {table.checksum!r}, expected 16 hex digits")
    return table


def manifest_document(manifest: Manifest) -> dict[str, object]:
    """The manifest as its file has it."""
    dump = manifest.dump
    return {
        "format": 1,
        "engine": "mariadb",
        "database": manifest.database,
        "source": manifest.source,
        "taken_at": manifest.taken_at,
        "dump": dump and {"key": dump.key, "sha256": dump.sha256, "bytes": dump.size},
        "tables": {
            name: {**table.fields(), "columns": list(table.columns)}
            for name, table in sorted(manifest.tables.items())
        },
    }


def differences(wanted: Mapping[str, Table], found: Mapping[str, Table]) -> list[str]:
    """Every way in which the database is not what the manifest says; empty if it is."""
    result = [f"table {name} is missing" for name in sorted(wanted.keys() - found.keys())]
    result += [f"table {n} is not in the manifest" for n in sorted(found.keys() - wanted.keys())]
    for name in sorted(wanted.keys() & found.keys()):
        result += _table_differences(name, wanted[name], found[name])
    return result


def _table_differences(name: str, wanted: Table, found: Table) -> list[str]:
    if wanted.columns != found.columns:
        # Other columns make other checksums: one difference is the cause of the next.
        return [f"table {name}: {_column_difference(wanted.columns, found.columns)}"]
    if wanted.rows != found.rows:
        return [f"table {name}: {found.rows} rows, the manifest says {wanted.rows}"]
    if wanted.checksum != found.checksum:
        text = f"checksum is {found.checksum}, the manifest says {wanted.checksum}"
        return [f"table {name}: {text}"]
    return []


def _column_difference(wanted: Sequence[str], found: Sequence[str]) -> str:
    for number, (want, have) in enumerate(zip(wanted, found, strict=False), start=1):
        if want != have:
            return f"column {number} is {have!r}, the manifest says {want!r}"
    if len(found) < len(wanted):
        return f"column {wanted[len(found)]!r} is missing"
    return f"column {found[len(wanted)]!r} is not in the manifest"


def summary(problems: Sequence[str]) -> str:
    """The first differences in one line, and how many more there are."""
    more = len(problems) - SHOWN_DIFFERENCES
    shown = "; ".join(problems[:SHOWN_DIFFERENCES])
    return f"{shown}; and {more} more" if more > 0 else shown


def identifier(name: str) -> str:
    """``name`` as SQL takes it for a name, whatever it contains."""
    return "`" + name.replace("`", "``") + "`"


def columns_query(database: str) -> str:
    """Table, column, type and nullability of every column of every table, in their order."""
    text = "CONVERT(X'" + database.encode().hex() + "' USING utf8mb4)"
    return (
        "SELECT c.table_name, c.column_name, c.column_type, c.is_nullable"
        " FROM information_schema.columns c JOIN information_schema.tables t"
        " ON t.table_schema = c.table_schema AND t.table_name = c.table_name"
        f" WHERE c.table_schema = {text} AND t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')"
        " ORDER BY c.table_name, c.ordinal_position;"
    )


def checksum_query(database: str, table: str, columns: Sequence[str]) -> str:
    """Row count and checksum of one table, in one row.

    Exclusive or over the first 64 bits of each row's MD5: the order of the rows does not matter,
    and one pass without sorting is enough.
    """
    values = ", ".join(f"IFNULL({identifier(column)}, '\\\\N')" for column in columns)
    row = f"CAST(CONV(LEFT(MD5(CONCAT_WS(CHAR(31), {values})), 16), 16, 10) AS UNSIGNED)"
    return (
        f"SELECT COUNT(*), LPAD(LOWER(HEX(BIT_XOR({row}))), 16, '0')"
        f" FROM {identifier(database)}.{identifier(table)};"
    )
