"""A restore's decisions and its clean-up, with MariaDB's programs pretended.

The real ones are met in tests/real; here each way to fail must leave nothing readable behind.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from pathlib import Path

import pytest
from tests.unit.agent_region import (
    install_command,
    machine_paths,
    quiet_progress,
    restore_of,
    running_region,
)

from greenroom.agent.config import Restore
from greenroom.agent.errors import AgentError, StoppedError
from greenroom.agent.make_manifest import manifest_text
from greenroom.agent.manifest import parse_manifest
from greenroom.agent.restore_mariadb import check_tables, recheck_tables, restore

DUMP = "CREATE TABLE likes (id int);\nINSERT INTO likes VALUES (1);\n"
TRAILER = "-- Dump completed on 2026-11-21  3:00:00\n"
TABLES = {"likes": {"rows": 1, "checksum": "0123456789abcdef", "columns": ["id int(11) NULL"]}}

INSTALL_DB = """#!/bin/sh
for word; do case $word in --datadir=*) mkdir "${word#--datadir=}";; esac; done
exit ${FAKE_INSTALL_CODE:-0}
"""
SERVER = """#!/bin/sh
[ -z "$FAKE_SERVER_ERROR" ] || { echo "2026-11-21 [ERROR] $FAKE_SERVER_ERROR" >&2; exit 1; }
for word; do case $word in --socket=*) socket=${word#--socket=};; esac; done
trap 'rm -f "$socket"; exit 0' TERM
touch "$socket"
while :; do sleep 0.02; done
"""
CLIENT = """#!/bin/sh
sql=$(cat)
echo "$sql" >> "$FAKE_FOLDER/sql"
case $sql in
*information_schema*) printf "$FAKE_COLUMNS";;
*BIT_XOR*) printf "$FAKE_COUNTS";;
*INSERT*) [ -z "$FAKE_LOAD_ERROR" ] || { echo "$FAKE_LOAD_ERROR" >&2; exit 1; };;
*'SELECT 1'*) sleep ${FAKE_ANSWER_S:-0}
[ -z "$FAKE_TABLE_ERROR" ] || { echo "$FAKE_TABLE_ERROR" >&2; exit 1; };;
esac
"""


class World:
    """A volume, a bucket and the pretended programs."""

    def __init__(self, region, root: Path) -> None:
        self.region = region
        self.paths = machine_paths(root, region)
        self.progress = quiet_progress(self.paths)
        self.volume = root / "data"
        self.volume.mkdir(parents=True)
        self.offer(DUMP + TRAILER)

    def offer(self, dump: str | bytes, /, **manifest: object) -> bytes:
        """A dump in the bucket with the manifest that fits, but for what is given."""
        content = gzip.compress(dump.encode()) if isinstance(dump, str) else dump
        self.region.put("extracts", "extract/photos.sql.gz", content)
        described = {
            "key": "extract/photos.sql.gz",
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
        }
        document = {
            "format": 1,
            "engine": "mariadb",
            "database": "photos",
            "source": "extract",
            "taken_at": "2026-11-21T03:00:00Z",
            "dump": described,
            "tables": TABLES,
            **manifest,
        }
        self.region.put("extracts", "extract/manifest.json", json.dumps(document).encode())
        return content

    def restore(self, mode: str) -> dict:
        return restore(self.config(mode), self.paths, self.progress)

    def config(self, mode: str) -> Restore:
        return restore_of(self.region.bucket_url("extracts"), mode)

    def left(self) -> list[str]:
        return sorted(path.name for path in self.volume.iterdir())


@pytest.fixture
def world(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    for name, script in (
        ("mariadb-install-db", INSTALL_DB),
        ("mariadbd", SERVER),
        ("mariadb", CLIENT),
    ):
        install_command(programs, name, script)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_FOLDER", str(tmp_path))
    monkeypatch.setenv("FAKE_COLUMNS", "likes\\tid\\tint(11)\\tYES\\n")
    monkeypatch.setenv("FAKE_COUNTS", "1\\t0123456789abcdef\\n")
    with running_region() as region:
        yield World(region, tmp_path / "root")


def test_a_cold_restore_becomes_current_with_its_report(world):
    content = world.offer(DUMP + TRAILER)
    report = world.restore("cold")
    assert world.left() == ["current", "restore.json"]
    assert json.loads((world.volume / "restore.json").read_text()) == report
    assert report["artefact_sha256"] == hashlib.sha256(content).hexdigest()
    assert report["tables"] == [["likes", 1, "0123456789abcdef"]]
    assert (report["mode"], report["source"]) == ("cold", "extract")
    assert report["taken_at"] == "2026-11-21T03:00:00Z"


def test_an_empty_restore_has_a_database_a_user_and_no_source(world, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_COLUMNS", "")
    report = world.restore("empty")
    assert (report["source"], report["artefact_sha256"], report["tables"]) == (None, None, [])
    sql = (tmp_path / "sql").read_text()
    assert "CREATE DATABASE `photos`" in sql
    assert "GRANT ALL PRIVILEGES ON `photos`.* TO `photos`@'%'" in sql


def cut_gzip() -> bytes:
    return gzip.compress((DUMP * 500 + TRAILER).encode())[:-9]


FAILURES = [
    ({"content": DUMP}, {}, "the dump is truncated: its last line is not '-- Dump completed'"),
    ({"content": cut_gzip()}, {}, "the dump is truncated: its gzip stream ends early"),
    ({"content": b""}, {}, "the dump is truncated: its gzip stream ends early"),
    ({"content": DUMP.encode()}, {}, "the dump is not valid gzip: "),
    (
        {"content": DUMP + TRAILER, "tables": {"likes": {**TABLES["likes"], "rows": 12000}}},
        {},
        "the restored database is not the manifest's: table likes: 1 rows, the manifest says 12000",
    ),
    (
        {"content": DUMP + TRAILER},
        {"FAKE_LOAD_ERROR": "ERROR 1064 (42000) at line 3: You have"},
        "the dump does not load: ERROR 1064 (42000) at line 3: You have",
    ),
    (
        {"content": DUMP + TRAILER},
        {"FAKE_SERVER_ERROR": "no space"},
        "the database server ended at its start: 2026-11-21 [ERROR] no space",
    ),
    ({"content": DUMP}, {"FAKE_INSTALL_CODE": "3"}, "mariadb-install-db failed: "),
    (
        {"content": DUMP, "dump": None},
        {},
        "the manifest names no dump: make it with greenroom-manifest --dump",
    ),
]


@pytest.mark.parametrize(("offer", "environment", "message"), FAILURES)
def test_a_failed_restore_leaves_no_readable_copy(world, monkeypatch, offer, environment, message):
    manifest = dict(offer)
    world.offer(manifest.pop("content"), **manifest)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AgentError) as caught:
        world.restore("cold")
    assert str(caught.value).startswith(message)
    assert world.left() == []


def test_a_wrong_sha256_is_refused_before_anything_is_loaded(world, tmp_path):
    content = gzip.compress((DUMP + TRAILER).encode())
    digest = hashlib.sha256(content).hexdigest()
    wrong = {"key": "extract/photos.sql.gz", "sha256": "0" * 64, "bytes": len(content)}
    world.offer(content, dump=wrong)
    with pytest.raises(AgentError) as caught:
        world.restore("cold")
    assert str(caught.value) == (
        f"extract/photos.sql.gz: sha256 is {digest}, the manifest says {'0' * 64}"
    )
    world.offer(content, dump={**wrong, "bytes": 5})
    with pytest.raises(AgentError, match="bytes, the manifest says 5"):
        world.restore("cold")
    assert world.left() == [] and not (tmp_path / "sql").exists()


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("extract/manifest.json", "the manifest extract/manifest.json is not in bucket 'extracts'"),
        ("extract/photos.sql.gz", "the dump extract/photos.sql.gz is not in bucket 'extracts'"),
    ],
)
def test_a_missing_artefact_is_named(world, key, message):
    del world.region.objects[f"extracts/{key}"]
    with pytest.raises(AgentError) as caught:
        world.restore("cold")
    assert str(caught.value) == message
    assert world.left() == []


def test_a_stopped_restore_leaves_no_readable_copy_and_no_server(world, monkeypatch):
    def stop(text: str) -> None:
        if "verifying" in text:
            raise StoppedError("stopped")

    monkeypatch.setattr(world.progress, "doing", stop)
    with pytest.raises(StoppedError):
        world.restore("cold")
    assert world.left() == []
    assert not _running(str(world.volume))


def _running(word: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [path.parent.name] if word.encode() in path.read_bytes() else []
        except OSError:
            continue
    return found


def test_what_a_killed_restore_left_is_removed_first(world):
    (world.volume / "restoring/mysql").mkdir(parents=True)
    (world.volume / "restoring.download").mkdir()
    world.restore("cold")
    assert world.left() == ["current", "restore.json"]


def test_a_clone_answers_with_the_golden_report(world):
    golden = world.restore("cold")
    assert world.restore("clone") == {**golden, "mode": "clone"}


def test_a_volume_that_is_filled_already_is_not_restored_again(world):
    golden = world.restore("cold")
    (world.volume / "current/witness").touch()
    assert world.restore("cold") == golden
    assert (world.volume / "current/witness").exists()
    current = world.volume / "current"
    assert world.progress.notices == [f"{current} is already there: not restored again"]


def test_a_clone_without_data_or_report_is_refused(world):
    with pytest.raises(AgentError, match="the volume is no clone of a restore"):
        world.restore("clone")
    (world.volume / "current").mkdir()
    with pytest.raises(AgentError, match="it is unknown what is in it"):
        world.restore("clone")
    (world.volume / "restore.json").write_text("[]")
    with pytest.raises(AgentError, match="is not the report of a restore"):
        world.restore("clone")
    assert world.left() == ["current", "restore.json"]


def nobody_died() -> None:
    pass


def test_every_restored_table_is_asked_in_one_call(world, tmp_path):
    report = {"tables": [["likes", 1, "0"], ["od`d", 1, "0"]]}
    check_tables(world.config("clone"), report, world.paths, 0.0, nobody_died)
    assert (tmp_path / "sql").read_text() == (
        "SELECT 1 FROM `photos`.`likes` LIMIT 1;\nSELECT 1 FROM `photos`.`od``d` LIMIT 1;\n"
    )


@pytest.mark.parametrize(
    "error", ["ERROR 1146 (42S02) at line 1: Table 'x' doesn't exist", "ERROR 2002 (HY000): Can't"]
)
def test_a_table_that_does_not_answer_is_a_failure(world, monkeypatch, error):
    monkeypatch.setenv("FAKE_TABLE_ERROR", error)
    with pytest.raises(AgentError) as caught:
        check_tables(world.config("clone"), {"tables": []}, world.paths, 0.0, nobody_died)
    assert str(caught.value) == f"the restored tables of photos do not answer: {error}"


def test_a_manifest_that_is_made_here_is_understood_here(world, tmp_path):
    dump = tmp_path / "photos.sql.gz"
    dump.write_bytes(b"1234")
    text = manifest_text("photos", "extract", str(dump), "extract/photos.sql.gz")
    manifest = parse_manifest(text.encode(), "manifest.json")
    assert manifest.dump is not None and manifest.dump.size == 4
    assert manifest.tables["likes"].fields() == {
        **TABLES["likes"],
        "columns": ("id int(11) NULL",),
    }
    with pytest.raises(AgentError, match="cannot read the dump /nowhere: No such file"):
        manifest_text("photos", "extract", "/nowhere", "x.gz")


def test_a_busy_server_that_answers_late_is_no_broken_one(world, monkeypatch):
    world.restore("cold")
    monkeypatch.setenv("FAKE_ANSWER_S", "1.1")
    recheck_tables(world.config("cold"), world.paths)
    monkeypatch.setenv("FAKE_TABLE_ERROR", "ERROR 1932 (42S02) at line 1: doesn't exist in engine")
    with pytest.raises(AgentError, match="restored tables of photos do not answer: ERROR 1932"):
        recheck_tables(world.config("cold"), world.paths)
