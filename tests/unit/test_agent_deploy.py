"""Deploying from a real bucket into a real folder."""

from __future__ import annotations

import os
import pwd
import tarfile
from pathlib import Path

import pytest
from tests.unit.agent_region import (
    machine_paths,
    member,
    quiet_progress,
    running_region,
    tar_gz,
    tar_of,
)

from greenroom.agent.config import Deploy
from greenroom.agent.deploy import RELEASES_KEPT, deploy, prune, switch
from greenroom.agent.errors import AgentError

OWN, DEFAULT = "backend-feature_x.tar.gz", "backend-master.tar.gz"


@pytest.fixture
def region():
    with running_region() as running:
        yield running


@pytest.fixture
def run(region, tmp_path):
    paths = machine_paths(tmp_path, region)
    progress = quiet_progress(paths)

    def run_deploy(*, mounted: bool = False, keep: dict[str, str] | None = None):
        config = Deploy(
            bucket_url=region.bucket_url("code"),
            keys=(OWN, DEFAULT),
            directory="/var/www",
            restart=(),
            keep=keep or {},
            mounted=mounted,
        )
        return deploy(config, "feature_x", paths, progress), progress.notices

    return run_deploy


@pytest.fixture
def www(tmp_path):
    return tmp_path / "var/www"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_branchs_artifact_is_unpacked_and_current(region, run, www):
    digest = region.put("code", OWN, tar_gz({"./index.html": "own", "a/b.txt": "deep"}))
    deployed, notices = run()
    assert deployed.document() == {"key": OWN, "sha256": digest, "fallback": False}
    assert notices == []
    assert (www / "current/index.html").read_text() == "own"
    assert (www / "current/a/b.txt").read_text() == "deep"
    assert str((www / "current").readlink()) == f"releases/{digest[:12]}"
    assert names(www) == ["current", "releases"]


def test_a_branch_without_an_artifact_gets_the_default_and_says_so(region, run, www):
    region.put("code", DEFAULT, tar_gz({"index.html": "default"}))
    deployed, notices = run()
    assert deployed.fallback
    assert notices == [f"no artifact for branch feature_x: using {DEFAULT}"]


def test_no_artifact_at_all_is_a_failure_that_names_both(run, www):
    with pytest.raises(AgentError) as caught:
        run()
    assert str(caught.value) == f"no artifact: neither {OWN} nor {DEFAULT} is in bucket 'code'"
    assert names(www) == ["releases"]


def test_a_mounted_folder_is_left_alone(run, www):
    assert run(mounted=True) == (
        None,
        ["the code is mounted at /var/www/current: skipping deploy"],
    )
    assert not www.exists()


def _wrong_checksum(region):
    region.put("code", OWN, tar_gz({"a": "b"}))
    region.objects[f"code/{OWN}.sha256"] = b"0" * 64 + b"  x\n"


def _no_checksum(region):
    region.put("code", OWN, tar_gz({"a": "b"}), checksum=False)


def _garbled_checksum(region):
    _no_checksum(region)
    region.objects[f"code/{OWN}.sha256"] = b"<html>"


def _archive(content: bytes):
    return lambda region: region.put("code", OWN, content)


BAD = [
    (_wrong_checksum, f"says {'0' * 64}"),
    (_no_checksum, f"{OWN} has no checksum: {OWN}.sha256 is not in bucket 'code'"),
    (_garbled_checksum, f"{OWN}.sha256 does not begin with a sha256 of 64 hex digits"),
    (_archive(b"no archive"), f"{OWN} is not a readable archive"),
    (_archive(tar_gz({"a": "b" * 9000})[:-40]), f"{OWN} is not a readable archive"),
    (_archive(tar_of()), f"{OWN} is an empty archive"),
    (_archive(tar_of(member("../../evil"))), "lies outside of the archive"),
    (_archive(tar_of(member("/evil"))), "lies outside of the archive"),
    (_archive(tar_of(member("a"), member("a"))), "'a' is in it twice"),
    (
        _archive(
            tar_of(member("d", tarfile.DIRTYPE), member("l", tarfile.SYMTYPE, "d"), member("l/x"))
        ),
        "'l/x' goes through a link",
    ),
    (_archive(tar_of(member("h", tarfile.LNKTYPE, "gone"))), "'h' links to what is not in it"),
]


@pytest.mark.parametrize(("prepare", "words"), BAD)
def test_a_failed_deploy_leaves_current_as_it_was(region, run, www, prepare, words):
    good = region.put("code", OWN, tar_gz({"index.html": "good"}))
    run()
    prepare(region)
    with pytest.raises(AgentError) as caught:
        run()
    assert words in str(caught.value)
    assert (www / "current/index.html").read_text() == "good"
    assert names(www) == ["current", "releases"]
    assert names(www / "releases") == [good[:12]]


def test_links_within_the_archive_are_kept_and_rights_are_tamed(region, run, www):
    loose = member("bin/run")
    loose.mode = 0o6777
    region.put(
        "code",
        OWN,
        tar_of(
            loose,
            member("go", tarfile.SYMTYPE, "bin/run"),
            member("same", tarfile.LNKTYPE, "bin/run"),
        ),
    )
    run()
    assert (www / "current/bin/run").stat().st_mode & 0o7777 == 0o755
    assert str((www / "current/go").readlink()) == "bin/run"
    assert (www / "current/same").samefile(www / "current/bin/run")


def test_three_releases_are_kept_and_never_the_current_one_removed(region, run, www):
    digests = []
    for number in range(5):
        digests.append(region.put("code", OWN, tar_gz({"n": str(number)}))[:12])
        run()
    assert names(www / "releases") == sorted(digests[-3:])
    region.put("code", OWN, tar_gz({"n": "2"}))
    deployed, _ = run()
    assert deployed.previous == f"releases/{digests[-1]}"
    assert (www / "current/n").read_text() == "2"


def test_what_a_killed_deploy_left_is_removed(region, run, www):
    (www / ".incoming-dead").mkdir(parents=True)
    region.put("code", OWN, tar_gz({"a": "b"}))
    run()
    assert names(www) == ["current", "releases"]


def test_a_directory_in_the_place_of_current_is_not_touched(region, run, www):
    (www / "current").mkdir(parents=True)
    region.put("code", OWN, tar_gz({"a": "b"}))
    with pytest.raises(AgentError, match="is in the way: it is a directory"):
        run()


OWNER = pwd.getpwuid(os.getuid()).pw_name


def test_a_kept_folder_is_the_same_in_every_release(region, run, www):
    keep = {"public/uploads": OWNER, "cache": OWNER}
    region.put("code", OWN, tar_gz({"public/index.html": "one"}))
    run(keep=keep)
    (www / "current/public/uploads/cat.jpg").write_text("a cat")
    region.put("code", OWN, tar_gz({"public/index.html": "two"}))
    run(keep=keep)
    assert (www / "current/public/index.html").read_text() == "two"
    assert (www / "current/public/uploads/cat.jpg").read_text() == "a cat"
    assert names(www / "current/cache") == []
    assert names(www) == ["current", "kept", "releases"]
    # The link is relative, so that it holds however the folder is reached.
    assert str((www / "current/public/uploads").readlink()) == "../../../kept/public/uploads"


def test_an_empty_folder_of_the_artifact_gives_way_to_the_kept_one(region, run, www):
    region.put("code", OWN, tar_of(member("uploads", tarfile.DIRTYPE), member("index.html")))
    run(keep={"uploads": OWNER})
    assert (www / "current/uploads").is_symlink()


KEPT_REFUSALS = [
    ({"uploads": "nobody-here"}, _archive(tar_gz({"a": "b"})), "no user named 'nobody-here'"),
    (
        {"uploads": OWNER},
        _archive(tar_gz({"uploads/cat.jpg": "a cat"})),
        f"{OWN} refused: it holds uploads, which is kept from release to release",
    ),
    (
        {"a/uploads": OWNER},
        _archive(tar_of(member("d", tarfile.DIRTYPE), member("a", tarfile.SYMTYPE, "d"))),
        f"{OWN} refused: a/uploads, which is kept, goes through a link",
    ),
]


@pytest.mark.parametrize(("keep", "prepare", "words"), KEPT_REFUSALS)
def test_what_cannot_be_kept_fails_the_deploy(region, run, www, keep, prepare, words):
    prepare(region)
    with pytest.raises(AgentError) as caught:
        run(keep=keep)
    assert words in str(caught.value)
    assert not (www / "current").exists()
    assert names(www / "releases") == []


def test_the_release_in_use_is_kept_also_when_the_clock_was_set_back(tmp_path: Path) -> None:
    for number in range(RELEASES_KEPT + 1):
        release = tmp_path / "releases" / f"{number}"
        release.mkdir(parents=True)
        os.utime(release, (2e9 + number, 2e9 + number))
    last = f"releases/{RELEASES_KEPT}"
    switch(str(tmp_path), last)
    assert (tmp_path / last).stat().st_mtime < 2e9
    prune(str(tmp_path))
    kept = {path.name for path in (tmp_path / "releases").iterdir()}
    assert (len(kept), Path(last).name in kept) == (RELEASES_KEPT, True)
