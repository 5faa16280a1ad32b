"""A create with a database of 2 GiB, beside one with the small database."""

from __future__ import annotations

import os
from pathlib import Path

import bare
import site_of_bench as site
from table import Row, milliseconds

_BRANCH = "feature_x"
_GIB = 1024**3
_ROWS = 1_900_000
_FILL = """
CREATE DATABASE ballast;
CREATE TABLE ballast.rows (id INT PRIMARY KEY, content VARCHAR(1024)) ENGINE=InnoDB;
INSERT INTO ballast.rows SELECT seq, REPEAT(MD5(seq), 30) FROM mysql.numbers_of_bench;
"""
_NUMBERS = f"""
SET max_recursive_iterations = {_ROWS + 1};
CREATE TABLE mysql.numbers_of_bench AS
WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < {_ROWS})
SELECT seq FROM n;
"""
_END_S = 120


def measure(folder: Path, rounds: int) -> list[Row]:
    """The golden volume of the small database is filled up; what is cloned and started from then
    on is 2 GiB. Restoring as much would take minutes, and is no part of a warm create."""
    site.create(folder, _BRANCH)
    site.destroy(folder, _BRANCH)
    golden = site.golden_volume()
    small = golden.with_name("small")
    big = golden.with_name("big")
    site.clone(golden, small)
    site.clone(golden, big)
    _fill(big)
    size_bytes = site.disk_bytes(big)
    seconds: dict[Path, list[float]] = {small: [], big: []}
    for number in range(rounds + 1):
        for volume, found in seconds.items():
            golden.rename(golden.with_name("aside"))
            volume.rename(golden)
            try:
                taken = site.timed(lambda: site.create(folder, _BRANCH))
                site.destroy(folder, _BRANCH)
            finally:
                golden.rename(volume)
                golden.with_name("aside").rename(golden)
            if number:
                found.append(taken)
    return [
        Row(
            what=f"create with a database of {size_bytes / _GIB:.1f} GiB, beside the small one",
            ours=milliseconds(seconds[big]),
            peer=milliseconds(seconds[small]),
            at_most=1.1,
            note="the golden volume was filled up by SQL: cloned, started and proved is as after "
            "a restore of as much",
        )
    ]


def _fill(volume: Path) -> None:
    with bare.server(volume) as server:
        server.start()
        server.execute(_NUMBERS + _FILL + "DROP TABLE mysql.numbers_of_bench; SHUTDOWN;")
        # Killed before it has ended, it would leave recovery to every clone.
        server.process.wait(_END_S)
    os.sync()
