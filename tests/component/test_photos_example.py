"""The example's generators: what they promise of the data and of the artifacts."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from greenroom.agent.manifest import parse_manifest

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos"
USERS = 100
TAKEN_AT = "2026-11-21T03:00:00Z"
SETS = ("backup", "extract")
ALLOWED_EMAIL = re.compile(r"user\d+@example\.invalid")
ANY_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")
ANY_PHONE = re.compile(r"\+\d\d \d{3} \d{7}")

Row = dict[str, str | None]


def make(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(EXAMPLE / script), *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60)


def make_data(out: Path, *more: object) -> str:
    done = make("make_data.py", "--out", out, "--users", USERS, "--taken-at", TAKEN_AT, *more)
    assert done.returncode == 0, done.stderr
    return done.stderr


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@dataclass
class Loaded:
    """A dump as this file's own small parser reads it: another way than the generator's."""

    text: str
    columns: dict[str, list[str]]
    tables: dict[str, list[Row]]
    references: list[tuple[str, str, str]]

    def ids(self, table: str) -> set[str | None]:
        return {row["id"] for row in self.tables[table]}


VALUE = re.compile(r"'((?:[^'\\]|\\.)*)'|([^,()']+)")
UNESCAPED = {"n": "\n", "r": "\r", "0": "\0", "Z": "\x1a"}


def values_of(line: str) -> Iterator[str | None]:
    """The values of one row of an INSERT, as the texts that the server prints."""
    for quoted, bare in VALUE.findall(line):
        if bare:
            yield None if bare == "NULL" else bare
        else:
            yield re.sub(r"\\(.)", lambda match: UNESCAPED.get(match[1], match[1]), quoted)


def load(path: Path) -> Loaded:
    loaded = Loaded(gzip.decompress(path.read_bytes()).decode(), {}, {}, [])
    table = ""
    for line in loaded.text.splitlines():
        if match := re.match(r"CREATE TABLE `(\w+)`", line):
            table = match[1]
            loaded.columns[table], loaded.tables[table] = [], []
        elif match := re.match(r"  `(\w+)` (.+?) (NOT NULL|NULL)\b", line):
            loaded.columns[table].append(" ".join(match.groups()))
        elif match := re.search(r"FOREIGN KEY \(`(\w+)`\) REFERENCES `(\w+)`", line):
            loaded.references.append((table, match[1], match[2]))
        elif line.startswith("("):
            names = [column.split()[0] for column in loaded.columns[table]]
            row = dict(zip(names, values_of(line[1 : line.rindex(")")]), strict=True))
            loaded.tables[table].append(row)
    return loaded


def checksum(rows: list[Row]) -> str:
    """The manifest's definition, written out once more."""
    total = 0
    for row in rows:
        joined = chr(31).join("\\N" if value is None else value for value in row.values())
        total ^= int(hashlib.md5(joined.encode()).hexdigest()[:16], 16)
    return format(total, "016x")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("photos") / "data"
    make_data(out)
    return out


@pytest.fixture(scope="module")
def backup(data: Path) -> Loaded:
    return load(data / "backup" / "photos.sql.gz")


@pytest.fixture(scope="module")
def extract(data: Path) -> Loaded:
    return load(data / "extract" / "photos.sql.gz")


def test_the_same_seed_and_size_give_the_same_bytes(data: Path, tmp_path: Path) -> None:
    make_data(tmp_path)
    assert content_of(tmp_path) == content_of(data)


def test_another_seed_gives_another_extract(data: Path, tmp_path: Path) -> None:
    make_data(tmp_path, "--seed", 8)
    key = "extract/photos.sql.gz"
    assert content_of(tmp_path)[key] != content_of(data)[key]


def test_only_the_manifests_know_when_the_data_was_taken(data: Path, tmp_path: Path) -> None:
    make_data(tmp_path, "--taken-at", "2026-11-22T05:30:41+02:00")
    old, new = content_of(data), content_of(tmp_path)
    assert {key for key in old if old[key] != new[key]} == {f"{s}/manifest.json" for s in SETS}
    assert json.loads(new["extract/manifest.json"])["taken_at"] == "2026-11-22T03:30:00Z"


def copied(data: Path, to: Path) -> None:
    shutil.copytree(data, to, dirs_exist_ok=True)


def test_data_that_is_there_is_not_made_again(data: Path, tmp_path: Path) -> None:
    copied(data, tmp_path)
    before = content_of(tmp_path)
    assert "is there already" in make_data(tmp_path)
    assert "is there already" not in make_data(tmp_path, "--force")
    assert content_of(tmp_path) == before


@pytest.mark.parametrize("missing", ["stamp.json", "extract/photos.sql.gz", "backup/manifest.json"])
def test_what_is_missing_is_made_again(missing: str, data: Path, tmp_path: Path) -> None:
    copied(data, tmp_path)
    (tmp_path / missing).unlink()
    assert "is there already" not in make_data(tmp_path)
    assert content_of(tmp_path) == content_of(data)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--users", "39", "'39' is not a number of at least 40"),
        ("--users", "many", "'many' is not a number of at least 40"),
        ("--taken-at", "noon", "'noon': Invalid isoformat string: 'noon'"),
        ("--taken-at", "2026-11-21T03:00", "has no time zone; write 2026-11-21T03:00:00Z"),
    ],
)
def test_a_bad_option_is_refused_with_what_was_expected(
    option: str, value: str, expected: str, tmp_path: Path
) -> None:
    done = make("make_data.py", "--out", tmp_path, option, value)
    assert done.returncode == 2
    assert expected in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", SETS)
def test_the_manifest_says_what_is_in_the_dump(name: str, data: Path) -> None:
    manifest = json.loads((data / name / "manifest.json").read_text())
    path = data / manifest["dump"]["key"]
    loaded = load(path)
    assert manifest["dump"]["bytes"] == path.stat().st_size
    assert manifest["dump"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert list(manifest["tables"]) == list(loaded.tables)
    for table, rows in loaded.tables.items():
        expected = {
            "rows": len(rows),
            "checksum": checksum(rows),
            "columns": loaded.columns[table],
        }
        assert manifest["tables"][table] == expected, table


@pytest.mark.parametrize("name", SETS)
def test_the_agent_accepts_the_manifest(name: str, data: Path) -> None:
    key = f"{name}/manifest.json"
    manifest = parse_manifest((data / key).read_bytes(), key)
    assert (manifest.database, manifest.source, manifest.taken_at) == ("photos", name, TAKEN_AT)
    assert manifest.dump is not None
    assert manifest.dump.key == f"{name}/photos.sql.gz"


@pytest.mark.parametrize("name", SETS)
def test_a_dump_ends_as_mariadb_dump_ends_it(name: str, data: Path) -> None:
    lines = load(data / name / "photos.sql.gz").text.splitlines()
    assert lines[-1] == "-- Dump completed"
    assert max(len(line) for line in lines) < 2_000


@pytest.mark.parametrize("name", SETS)
def test_no_reference_dangles(name: str, data: Path) -> None:
    loaded = load(data / name / "photos.sql.gz")
    assert len(loaded.references) == 11
    for table, column, target in loaded.references:
        held = {row[column] for row in loaded.tables[table]} - {None}
        assert held <= loaded.ids(target), f"{table}.{column}"
        assert held or name == "extract", f"{table}.{column} is never set"


def test_the_full_backup_holds_over_a_million_rows(tmp_path: Path) -> None:
    # A fortieth of the full size: likes and follows grow a little faster than the people.
    make_data(tmp_path, "--users", 500)
    manifest = json.loads((tmp_path / "backup" / "manifest.json").read_text())
    assert sum(table["rows"] for table in manifest["tables"].values()) > 1_000_000 / 40


def test_the_extract_is_a_sample_with_all_photos_of_its_users(
    backup: Loaded, extract: Loaded
) -> None:
    users = extract.ids("users")
    assert 0 < len(users) < len(backup.ids("users")) / 2
    whole = {row["id"] for row in backup.tables["photos"] if row["user_id"] in users}
    assert extract.ids("photos") == whole


def test_the_extract_names_nobody(backup: Loaded, extract: Loaded) -> None:
    real = {row["id"]: row for row in backup.tables["users"]}
    for row in extract.tables["users"]:
        original = real[row["id"]]
        assert row["username"] == f"user{row['id']}"
        assert row["email"] == f"user{row['id']}@example.invalid"
        assert row["password_hash"] == "!"
        assert row["phone"] in (None, f"+00 000 {int(row['id'] or 0):07}")
        assert row["born_on"] is None or row["born_on"].endswith("-01-01")
        for column in ("username", "email", "phone", "password_hash"):
            secret = original[column]
            assert secret is None or secret not in extract.text, column
    moved = [row for row in extract.tables["users"] if row["name"] != real[row["id"]]["name"]]
    assert len(moved) >= len(extract.tables["users"]) - 1, "two people may share a name"


def test_no_free_text_of_the_extract_holds_an_address_or_a_number(
    backup: Loaded, extract: Loaded
) -> None:
    assert all(ALLOWED_EMAIL.fullmatch(found) for found in ANY_EMAIL.findall(extract.text))
    assert all(found.startswith("+00 000 ") for found in ANY_PHONE.findall(extract.text))
    bodies = [row["body"] or "" for row in backup.tables["comments"]]
    assert any(ANY_EMAIL.search(body) for body in bodies), "the backup must have what to mask"
    assert any(ANY_PHONE.search(body) for body in bodies)


def test_coordinates_of_the_extract_are_rounded(extract: Loaded) -> None:
    latitudes = [row["latitude"] for row in extract.tables["photos"] if row["latitude"]]
    assert latitudes
    assert all(latitude.endswith("0000") for latitude in latitudes)


def test_the_same_files_give_the_same_artifacts(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        assert make("make_artifacts.py", "--out", tmp_path / folder).returncode == 0
    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")


def test_every_branch_has_an_artifact_with_its_checksum(tmp_path: Path) -> None:
    make("make_artifacts.py", "--out", tmp_path)
    names = {"backend-master.tar.gz", "backend-feature_x.tar.gz"}
    assert set(content_of(tmp_path)) == names | {f"{name}.sha256" for name in names}
    for name in names:
        sha256 = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert (tmp_path / f"{name}.sha256").read_text() == f"{sha256}  {name}\n"


def members_of(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        files = {}
        for member in tar:
            assert member.isreg() and member.mtime == 0 and member.uid == 0
            assert not member.name.startswith("/") and ".." not in member.name
            extracted = tar.extractfile(member)
            assert extracted is not None
            files[member.name] = extracted.read()
    return files


def test_the_branches_differ_in_their_features_only(tmp_path: Path) -> None:
    make("make_artifacts.py", "--out", tmp_path)
    master = members_of(tmp_path / "backend-master.tar.gz")
    feature_x = members_of(tmp_path / "backend-feature_x.tar.gz")
    assert "public/index.php" in master
    assert set(master) == set(feature_x)
    assert [name for name in master if master[name] != feature_x[name]] == ["src/features.php"]
    assert b"Top albums" in feature_x["src/features.php"]
    assert b"likes_per_day" in feature_x["src/features.php"]
