"""Pushing an artifact: what is packed, where it goes, and what is refused before that."""
# ruff: noqa: E501 - a case is one line, so that the tables can be read as such.

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.blueprint_values import blueprint_of, edited

from greenroom.agent.unpack import unpack
from greenroom.app.artifacts import push_artifact
from greenroom.app.packing import check_archive, pack_folder
from greenroom.cli.group import cli
from greenroom.errors import GreenroomError, HostError, InputError
from greenroom.plan.artifacts import artifact_target
from greenroom.providers.local.artifacts import LocalArtifacts

KEY = "backend-feature_x.tar.gz"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "public" / "empty").mkdir(parents=True)
    (folder / "public" / "index.php").write_text("<?php")
    (folder / "bin").mkdir()
    (folder / "bin" / "run").write_text("#!/bin/sh\n")
    (folder / "bin" / "run").chmod(0o750)
    (folder / "current").symlink_to("public/index.php")
    return folder


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


def refusal(source: Path, bucket: Path, key: str = KEY) -> InputError:
    with pytest.raises(InputError) as raised:
        push_artifact(source, key, LocalArtifacts(bucket))
    assert raised.value.code == "E_ARTIFACT"
    assert raised.value.hint
    assert not bucket.exists(), "nothing is written before everything is checked"
    return raised.value


# What is packed


def test_a_machine_unpacks_what_was_pushed(code: Path, bucket: Path, tmp_path: Path) -> None:
    pushed = push_artifact(code, KEY, LocalArtifacts(bucket))
    assert (pushed.key, pushed.files, pushed.place) == (KEY, 3, str(bucket / KEY))
    unpack(str(bucket / KEY), str(tmp_path / "release"), KEY)
    release = tmp_path / "release"
    assert (release / "public" / "index.php").read_text() == "<?php"
    assert (release / "public" / "empty").is_dir()
    assert (release / "current").readlink() == Path("public/index.php")
    assert os.access(release / "bin" / "run", os.X_OK)
    assert not (release / "public" / "index.php").stat().st_mode & 0o111


def test_the_checksum_is_what_sha256sum_writes(code: Path, bucket: Path) -> None:
    pushed = push_artifact(code, "builds/x.tar.gz", LocalArtifacts(bucket))
    content = (bucket / "builds" / "x.tar.gz").read_bytes()
    assert pushed.sha256 == hashlib.sha256(content).hexdigest()
    assert pushed.bytes == len(content)
    line = (bucket / "builds" / "x.tar.gz.sha256").read_text()
    assert line == f"{pushed.sha256}  x.tar.gz\n"


names = st.text(st.sampled_from("abäß.-_ 0"), min_size=1, max_size=120).filter(
    lambda name: name.strip(".") != ""
)


@settings(max_examples=40, deadline=None)
@given(files=st.dictionaries(names, st.binary(max_size=40), min_size=1, max_size=6))
def test_the_same_files_give_the_same_bytes_whoever_packs_them_and_whenever(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    archives = []
    for number, order in enumerate((list(files), list(reversed(files)))):
        folder = tmp_path_factory.mktemp("code")
        for name in order:
            path = folder / name
            path.write_bytes(files[name])
            path.chmod(0o600 if number else 0o664)
            os.utime(path, (number * 1000, number * 1000))
        archive = tmp_path_factory.mktemp("out") / "archive"
        pack_folder(folder, archive)
        assert check_archive(archive, KEY) == len(files)
        archives.append(archive.read_bytes())
    assert archives[0] == archives[1]


def test_a_ready_archive_is_pushed_to_the_byte(code: Path, bucket: Path, tmp_path: Path) -> None:
    ready = tmp_path / "ready.tgz"
    with tarfile.open(ready, "w:gz") as tar:
        tar.add(code, ".")
    push_artifact(ready, KEY, LocalArtifacts(bucket))
    assert (bucket / KEY).read_bytes() == ready.read_bytes()


# What is refused


def test_paths_that_hold_no_code_are_refused(tmp_path: Path, bucket: Path) -> None:
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    (tmp_path / "page.html").write_text("hi")
    os.mkfifo(tmp_path / "pipe")
    told = {
        name: refusal(tmp_path / name, bucket).message.replace(f"{tmp_path}/", "")
        for name in ("missing", "empty", "page.html", "pipe")
    }
    assert told == {
        "missing": "missing does not exist",
        "empty": f"there is no file to push as {KEY}",
        "page.html": "page.html is neither a folder nor a .tar.gz",
        "pipe": "pipe is neither a folder nor a file",
    }


def _a_socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "out").symlink_to("/etc/passwd"), f"{KEY} refused: the link 'out' leads outside, to '/etc/passwd'"),
        (lambda folder: (folder / "out").symlink_to("../x"), f"{KEY} refused: the link 'out' leads outside, to '../x'"),
        (lambda folder: os.mkfifo(folder / "pipe"), "FOLDER/pipe is neither file, folder nor link"),
        (_a_socket, "FOLDER/s is neither file, folder nor link"),
        (lambda folder: (folder / os.fsdecode(b"\xff")).write_text("x"), "the name of FOLDER/\\xff is not UTF-8"),
    ],
)  # fmt: skip
def test_what_no_machine_would_take_is_refused_with_its_name(
    spoil: Callable[[Path], None],
    message: str,
    bucket: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("code")
    folder.mkdir()
    (folder / "page").write_text("hi")
    spoil(folder)
    assert refusal(folder, bucket).message == message.replace("FOLDER", "code")


def _tar_of(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", f"{KEY} would not be a whole .tar.gz: "),
        (b"hello", f"{KEY} would not be a whole .tar.gz: Not a gzipped file"),
        (gzip.compress(b"hello"), f"{KEY} would not be a whole .tar.gz: "),
        (gzip.compress(_tar_of(("a", b"x" * 99999)))[:60], f"{KEY} would not be a whole .tar.gz: "),
        (gzip.compress(_tar_of(("a", b"x")))[:-8] + bytes(8), f"{KEY} would not be a whole .tar.gz: CRC check failed"),
        (gzip.compress(_tar_of()), f"there is no file to push as {KEY}"),
        (gzip.compress(_tar_of(("../a", b"x"))), f"{KEY} refused: '../a' lies outside of the archive"),
        (gzip.compress(_tar_of(("a", b"x"), ("./a", b"y"))), f"{KEY} holds './a' twice"),
    ],
    # Bytes as ids would hold gzip's time stamp, and differ from worker to worker.
    ids=["nothing", "text", "no tar", "cut", "spoilt", "empty", "outside", "twice"],
)  # fmt: skip
def test_a_ready_archive_that_no_machine_would_take_is_refused(
    content: bytes, message: str, bucket: Path, tmp_path: Path
) -> None:
    ready = tmp_path / "ready.tar.gz"
    ready.write_bytes(content)
    assert refusal(ready, bucket).message.startswith(message)


# Where it goes


def test_the_branch_and_an_alias_name_the_object() -> None:
    blueprint = edited(("    image: web\n", "    image: web\n    aliases: [api-server]\n"))
    target = artifact_target(blueprint, "api-server", "feature_x")
    assert (target.machine_type, target.bucket, target.key) == ("backend", "code", KEY)
    assert artifact_target(blueprint, "backend", None).key == "backend-master.tar.gz"


@pytest.mark.parametrize(
    ("name", "branch", "code", "message"),
    [
        ("backnd", None, "E_MACHINE_TYPE", "unknown machine type 'backnd'; did you mean 'backend'?"),
        ("db", "x", "E_NOTHING_TO_DEPLOY", "the machine type 'db' has nothing to deploy"),
        ("backend", "", "E_BRANCH", "the branch's name is empty"),
        ("backend", "a\nb", "E_BRANCH", "the branch 'a\\nb' holds control characters"),
        ("backend", "../../x", "E_BRANCH", "the artifact's key 'backend-../../x.tar.gz' would leave its place in the bucket"),
        ("backend", "a//b", "E_BRANCH", "the artifact's key 'backend-a//b.tar.gz' would leave its place in the bucket"),
    ],
)  # fmt: skip
def test_what_names_no_object_is_refused(
    name: str, branch: str | None, code: str, message: str
) -> None:
    with pytest.raises(InputError) as raised:
        artifact_target(blueprint_of(), name, branch)
    assert (raised.value.code, raised.value.message) == (code, message)
    assert raised.value.hint


def test_a_branch_that_nothing_would_deploy_is_refused() -> None:
    for_all = edited(("backend-{branch}.tar.gz", "backend.tar.gz"))
    shared = edited(
        (
            "{image: redis, shared: true}",
            '{image: redis, shared: true, deploy: {bucket: code, artifact: "m-{branch}.tgz", directory: /m}}',
        )
    )
    told = []
    for blueprint, name in ((for_all, "backend"), (shared, "metrics")):
        with pytest.raises(InputError) as raised:
            artifact_target(blueprint, name, "x")
        told.append(raised.value.message)
    assert told == [
        "--branch 'x': every branch deploys the same artifact 'backend.tar.gz' of 'backend'",
        "--branch 'x': the machine type 'metrics' is shared and deploys the default branch's artifact",
    ]
    assert artifact_target(for_all, "backend", None).key == "backend.tar.gz"
    assert artifact_target(shared, "metrics", "master").key == "m-master.tgz"


def test_a_link_in_the_bucket_cannot_lead_an_object_out_of_it(
    code: Path, bucket: Path, tmp_path: Path
) -> None:
    bucket.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (bucket / "builds").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError) as raised:
        push_artifact(code, "builds/x.tar.gz", LocalArtifacts(bucket))
    assert raised.value.code == "E_BRANCH"
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_bucket_that_cannot_be_written_is_told_with_its_path(code: Path, bucket: Path) -> None:
    bucket.write_text("a file is in the folder's place")
    with pytest.raises(HostError) as raised:
        push_artifact(code, KEY, LocalArtifacts(bucket))
    assert raised.value.code == "E_BUCKET_WRITE"
    assert str(bucket) in raised.value.hint


def test_a_push_that_fails_leaves_the_old_pair_and_nothing_else(
    code: Path, bucket: Path, tmp_path: Path
) -> None:
    push_artifact(code, KEY, LocalArtifacts(bucket))
    before = {path.name: path.read_bytes() for path in bucket.iterdir()}

    class Stuck:
        def open(self, mode: str) -> io.BytesIO:
            class Ends(io.BytesIO):
                def read(self, size: int | None = -1) -> bytes:
                    raise OSError(5, "Input/output error")

            return Ends()

    with pytest.raises(HostError):
        LocalArtifacts(bucket).put(KEY, Stuck(), "0" * 64)
    assert {path.name: path.read_bytes() for path in bucket.iterdir()} == before


# The command


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from tests.unit.blueprint_values import PHOTOS

    (tmp_path / "greenroom.yaml").write_text(PHOTOS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GREENROOM_PROVIDER", raising=False)
    return tmp_path


def test_the_command_of_the_issue_pushes_to_the_folder_of_the_bucket(
    stack: Path, code: Path
) -> None:
    ran = CliRunner().invoke(
        cli, ["artifact", "push", "backend", "./dist", "--branch", "feature_x", "--json"]
    )
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert told["place"] == str(stack / "artifacts" / KEY)
    assert (told["machine_type"], told["branch"], told["bucket"]) == (
        "backend", "feature_x", "code",
    )  # fmt: skip
    assert {path.name for path in (stack / "artifacts").iterdir()} == {KEY, f"{KEY}.sha256"}
    again = CliRunner().invoke(
        cli, ["artifact", "push", "backend", "dist", "--branch", "feature_x"]
    )
    assert again.stdout.startswith(f"pushed {KEY} to {stack}/artifacts/{KEY}: 3 files, ")
    assert told["sha256"][:12] in again.stdout


@pytest.mark.parametrize(
    ("section", "code_", "message"),
    [
        ("", "E_AWS_SECTION", "the blueprint of photos does not say where it stands on AWS"),
        (
            "aws: {region: eu-west-1, bucket: photos-own}\n",
            "E_AWS_BUCKET",
            "the machine type 'backend' reads the bucket 'code', "
            "of which the blueprint does not say what it is called in S3",
        ),
    ],
)
def test_a_push_to_s3_needs_to_know_the_bucket(
    stack: Path, code: Path, section: str, code_: str, message: str
) -> None:
    path = stack / "greenroom.yaml"
    path.write_text(path.read_text() + section)
    ran = CliRunner().invoke(cli, ["artifact", "push", "backend", "dist", "--provider", "aws"])
    assert isinstance(ran.exception, GreenroomError)
    assert (ran.exception.code, ran.exception.message) == (code_, message)
    assert not (stack / "artifacts").exists()
