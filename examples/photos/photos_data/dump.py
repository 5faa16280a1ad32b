"""Writes a dump as mariadb-dump does, and counts and fingerprints every row on its way."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from photos_data.schema import Row, Table

STATEMENT_BYTES = 1_000_000
"""mariadb-dump fills its INSERT statements up to net_buffer_length, about a megabyte."""

NULL_TEXT = r"\N"
SEPARATOR = "\x1f"

HEADER = """\
/*M!999999\\- enable the sandbox mode */
-- MariaDB dump: photos
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;
"""

TRAILER = """\
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;

-- Dump completed
"""

_SPECIAL = re.compile(r"[\0\n\r\x1a'\"\\]")
_ESCAPES = {
    "\0": r"\0",
    "\n": r"\n",
    "\r": r"\r",
    "\x1a": r"\Z",
    "'": r"\'",
    '"': r"\"",
    "\\": r"\\",
}


def literal(text: str) -> str:
    """A text as an SQL literal, escaped as mariadb-dump escapes it."""
    if _SPECIAL.search(text):
        text = _SPECIAL.sub(lambda match: _ESCAPES[match.group()], text)
    return f"'{text}'"


def row_hash(row: Row) -> int:
    """The first 64 bits of the MD5 over the row's texts: what one row adds to the checksum."""
    texts = [NULL_TEXT if value is None else value for value in row]
    digest = hashlib.md5(SEPARATOR.join(texts).encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDigest:
    """What the manifest says of a table; ``checksum`` is 16 hex digits."""

    name: str
    rows: int
    checksum: str
    columns: tuple[str, ...]


@contextmanager
def replaced_atomically(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of ``path`` only when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        # mkstemp makes a file that only its owner reads; what is published here is public.
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class TableWriter:
    """The part of a dump that holds one table."""

    def __init__(self, out: IO[bytes], table: Table) -> None:
        self._out = out
        self._table = table
        self._quoted = tuple(column.quoted for column in table.columns)
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._rows = 0
        self._checksum = 0
        name = table.name
        self._write(f"\n--\n-- Table structure for table `{name}`\n--\n\n")
        self._write(f"DROP TABLE IF EXISTS `{name}`;\n{table.ddl}\n")
        self._write(f"\n--\n-- Dumping data for table `{name}`\n--\n\n")
        self._write(f"LOCK TABLES `{name}` WRITE;\n")
        self._write(f"/*!40000 ALTER TABLE `{name}` DISABLE KEYS */;\n")

    def add(self, row: Row) -> None:
        """Write one row."""
        self._rows += 1
        self._checksum ^= row_hash(row)
        values = [
            "NULL" if value is None else literal(value) if quoted else value
            for value, quoted in zip(row, self._quoted, strict=True)
        ]
        line = f"({','.join(values)})".encode()
        if self._pending_bytes + len(line) > STATEMENT_BYTES:
            self._flush()
        self._pending.append(line)
        self._pending_bytes += len(line) + 2

    def close(self) -> TableDigest:
        """Write what is pending and say what the table holds."""
        self._flush()
        name = self._table.name
        self._write(f"/*!40000 ALTER TABLE `{name}` ENABLE KEYS */;\nUNLOCK TABLES;\n")
        return TableDigest(
            name=name,
            rows=self._rows,
            checksum=f"{self._checksum:016x}",
            columns=tuple(column.fingerprint for column in self._table.columns),
        )

    def _flush(self) -> None:
        if self._pending:
            self._write(f"INSERT INTO `{self._table.name}` VALUES\n")
            self._out.write(b",\n".join(self._pending) + b";\n")
        self._pending = []
        self._pending_bytes = 0

    def _write(self, text: str) -> None:
        self._out.write(text.encode())


@contextmanager
def dump_file(path: Path) -> Iterator[IO[bytes]]:
    """A gzip file with header and trailer of a dump; the same rows give the same bytes.

    Level 4 costs half the time of gzip's own level 6, and the file grows by a twentieth.
    """
    with (
        replaced_atomically(path) as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0, compresslevel=4) as out,
    ):
        out.write(HEADER.encode())
        yield out  # type: ignore[misc]
        out.write(TRAILER.encode())
