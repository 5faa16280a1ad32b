"""What a create leaves of itself: nothing, whatever ended it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tests.real import host
from tests.real.site import (
    REGION,
    REGION_FOLDERS,
    RUN,
    STATE,
    Site,
    daemon_pid,
    destroy_all,
    error_in,
    stop_daemon,
    wait_until,
)

BRANCH = "passing-by"
NAME = f"photos/{BRANCH}"
KEY = f"photos.{BRANCH}"
ALL = ("--machines", "backend", "db", "feed", "--branch", BRANCH)
POOL = STATE / "pool"
VOLATILE = (RUN, POOL / "environments", POOL / "goldens")
"""The folders in which a create makes something; its images are looked at by name."""
IMAGE_CACHE = Path("/var/cache/greenroom/images")

KEPT_BY_A_STOPPED_REGION = re.compile(
    r"""
    /run/REGION( /(start|daemon)\.lock | /haproxy\.(cfg|sock)
               | /proxy-(addresses|ports|stopped)\.map | /(crun|dns|machines) | /dns-servers
               | /ssh(/((host|id)_ed25519(\.pub)?|known_hosts|sshd_config))? )?
  | /var/lib/REGION( /agent(/agent-[0-9a-f]{64}\.pyz)? | /pool | /pool\.xfs
                   | /(daemon|dns)\.log | /jobs
                   | /ledger(/(engine|ledger)\.db(-shm|-wal)?)? )?
    """.replace("REGION", re.escape(REGION)),
    re.VERBOSE,
)


@pytest.fixture(scope="module")
def empty(site: Site) -> Site:
    """The site without an environment; its images and its golden volume are there."""
    site.ok("create", *ALL)
    destroy_all(site)
    return site


def look() -> host.HostState:
    """The host and the region, while its daemon runs."""
    state = host.take(REGION, VOLATILE)
    return replace(state, files=state.files | {str(path) for path in (POOL / "images").iterdir()})


@contextmanager
def leaving_nothing(site: Site) -> Iterator[None]:
    """What is done inside leaves the host and the region as they were."""
    before = look()
    try:
        yield
        assert site.data("list") == []
        assert look().changes_since(before) == {}
    except BaseException:
        # What failed here must not make the tests after it fail as well.
        if is_busy(site):
            site.greenroom("cancel", BRANCH)
        destroy_all(site)
        raise


def is_busy(site: Site) -> bool:
    return any(environment["operation"] for environment in site.data("list"))


# A stopped region


def test_a_stopped_region_leaves_its_own_files_and_nothing_else_that_was_not_there_before_it(
    site: Site, bare_host: host.HostState
) -> None:
    site.ok("create", *ALL)
    assert [path for path in RUN.rglob("*") if KEY in path.name] != []
    destroy_all(site)
    assert list((POOL / "environments").iterdir()) == []
    stop_daemon(site)
    changes = host.take(REGION, REGION_FOLDERS).changes_since(bare_host)
    files = [line.removeprefix("+ ") for line in changes.pop("files")]
    assert changes == {}
    assert [file for file in files if not KEPT_BY_A_STOPPED_REGION.fullmatch(file)] == []
    assert [path.read_text() for path in RUN.glob("*.map")] == ["", "", ""]


# A running one


def test_an_environment_that_is_destroyed_leaves_host_and_region_as_they_were(empty: Site) -> None:
    before = look()
    with leaving_nothing(empty):
        empty.ok("create", *ALL)
        # While it stands it is seen in everything that is compared; the pool's loop device is
        # the region's.
        kinds = {field.name for field in fields(before)}
        assert set(look().changes_since(before)) == kinds - {"loops"}
        empty.ok("destroy", BRANCH)


def test_the_receipt_lists_what_was_removed_and_that_nothing_is_left_over(empty: Site) -> None:
    empty.ok("create", *ALL)
    before = look()
    out = empty.ok("destroy", BRANCH)
    first, removed, left_over = out.splitlines()
    assert re.fullmatch(rf"{NAME} is gone in \S+ m?s", first)
    for thing in (
        "4 cgroups",
        "3 containers",
        "2 directories",
        "1 dns file",
        "3 links",
        "3 network namespaces",
        "13 nft objects",
        "1 proxy route",
    ):
        assert thing in removed
    assert re.search(r"\d+ processes", removed)
    assert left_over == "  left over  0 left over"
    # What the receipt counts is what the host has lost.
    lost = look().changes_since(before)
    assert len(lost["namespaces"]) == 3
    assert len([line for line in lost["links"] if line.startswith("- region: m")]) == 3


def test_the_receipt_as_json_names_each_thing(empty: Site) -> None:
    empty.ok("create", *ALL)
    *events, last = map(json.loads, empty.ok("destroy", BRANCH, "--json").splitlines())
    receipt = last["receipt"]
    assert (
        events[-1]["message"] == f"{NAME} is gone: {len(receipt['removed'])} removed, 0 left over"
    )
    assert receipt["left_over"] == []
    removed = {(thing["kind"], thing["name"]) for thing in receipt["removed"]}
    for machine in ("backend1", "db1", "feed1"):
        assert ("network namespace", f"{REGION}.{KEY}.{machine}") in removed
        assert ("container", f"{KEY}.{machine}") in removed
        assert ("cgroup", f"/{REGION}/{KEY}/{machine}") in removed
    assert ("proxy route", f"api.{BRANCH}.photos.localhost") in removed
    assert ("directory", str(POOL / "environments" / KEY)) in removed


# Moments of a create


def is_accepted(process: subprocess.Popen[str]) -> None:
    """The first event has been told."""
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["kind"] == "phase-started"


def has_a_network(process: subprocess.Popen[str]) -> None:
    wait_until(lambda: any(Path("/run/netns").glob(f"{REGION}.{KEY}.*")))


def has_machines(process: subprocess.Popen[str]) -> None:
    wait_until(lambda: any((RUN / "crun").glob(f"{KEY}.*")))


def restores(process: object = None, machine: str = "db1") -> None:
    phase = POOL / "environments" / KEY / machine / "log" / "phase"
    wait_until(lambda: phase.exists() and "restore: loading" in phase.read_text())


def restores_in_a_drill(process: subprocess.Popen[str]) -> None:
    restores(process, "db-drill")


def has_heard_a_machine(process: subprocess.Popen[str]) -> None:
    wait_until(lambda: any((RUN / "machines" / KEY).glob("*/signal.json")))


Moment = Callable[[subprocess.Popen[str]], None]
COLD = ("--restore", "db=extract:cold")
"""Makes a create take long enough to be met in the middle."""
MOMENTS = {
    "at once": is_accepted,
    "when its network exists": has_a_network,
    "when its machines exist": has_machines,
    "when a machine has signalled": has_heard_a_machine,
    "in its cold restore": restores,
}


# Ctrl-C


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_ctrl_c_takes_a_create_back(empty: Site, moment: Moment) -> None:
    with leaving_nothing(empty):
        process = empty.start("create", *ALL, *COLD, "--json")
        moment(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        result = json.loads(out.splitlines()[-1])
        assert (result["kind"], result["status"]) == ("result", "cancelled")
        assert (
            json.loads(err)["error"]["message"]
            == f"create of {NAME} was cancelled; everything was taken back"
        )
        assert process.returncode == 1


def test_ctrl_c_says_that_it_cancels_and_how_it_ended(empty: Site) -> None:
    with leaving_nothing(empty):
        process = empty.start("create", *ALL, *COLD)
        has_machines(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (1, "")
        assert "cancelling; press Ctrl-C again to leave it to the daemon\n" in err
        assert (
            error_in(err)
            == f"error E_CANCELLED: create of {NAME} was cancelled; everything was taken back\n"
        )


def test_a_second_ctrl_c_leaves_the_taking_back_to_the_daemon(empty: Site) -> None:
    with leaving_nothing(empty):
        process = empty.start("create", *ALL, *COLD)
        restores(process)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("cancelling"):
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        # The daemon may have been the faster one.
        assert process.returncode in (1, 130)
        wait_until(lambda: empty.data("list") == [])


def test_ctrl_c_in_a_drill_leaves_no_golden_volume_of_it(empty: Site, tmp_path: Path) -> None:
    other = with_another_extract(empty, tmp_path)
    with leaving_nothing(empty):
        process = other.start("create", *ALL)
        restores_in_a_drill(process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 1


def test_ctrl_c_while_an_image_is_built_leaves_nothing_of_the_image(
    empty: Site, tmp_path: Path
) -> None:
    other = with_another_image(empty, tmp_path)
    before = image_files()
    with leaving_nothing(empty):
        process = other.start("create", "--machines", "feed", "--branch", BRANCH)
        builds_an_image()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert (
            error_in(err)
            == f"error E_CANCELLED: create of {NAME} was cancelled; everything was taken back\n"
        )
    assert image_files() == before


def builds_an_image() -> None:
    wait_until(lambda: any(IMAGE_CACHE.glob(f"*.{daemon_pid()}.partial/*.tar")))


def image_files() -> set[Path]:
    """What a build leaves: archives, and the folders in which they are made."""
    return {*IMAGE_CACHE.iterdir(), *Path(tempfile.gettempdir()).glob("mmdebstrap*")}


def with_another_extract(site: Site, folder: Path) -> Site:
    """A copy of the site whose extract has no golden volume yet."""
    copy = site.copied(folder / "photos")
    manifest = copy.folder / "data" / "extract" / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "taken_at": "2026-01-01T00:00:00Z"}))
    return copy


def with_another_image(site: Site, folder: Path) -> Site:
    """A copy of the site whose image of the feed has never been built."""
    copy = site.copied(folder / "photos")
    unique = os.urandom(8).hex()
    copy.edit(
        "greenroom.yaml",
        "    packages: [redis-server]\n",
        f"    packages: [redis-server]\n    commands: ['true # {unique}']\n",
    )
    return copy


# kill -9


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_killed_daemon_goes_on_with_a_create_and_its_destroy_leaves_nothing(
    empty: Site, moment: Moment
) -> None:
    with leaving_nothing(empty):
        words = COLD if moment in (has_heard_a_machine, restores) else ()
        process = empty.start("create", *ALL, *words, "--json")
        moment(process)
        os.kill(daemon_pid(), signal.SIGKILL)
        out, err = process.communicate(timeout=120)
        *events, last = map(json.loads, out.splitlines())
        told = {event["message"] for event in events}
        # A create is quick: at the last moment it may have ended before the kill.
        ended = process.returncode == 0 and moment is has_heard_a_machine
        assert ended or "resumed after a restart of the daemon" in told
        if process.returncode == 0:
            assert last["environment"]["summary"]["status"] == "ready"
            assert empty.ok("destroy", BRANCH).endswith("0 left over\n")
        else:
            # A machine may have been cut off in the middle of a word: then all is taken back.
            assert json.loads(err)["error"]["code"] == "E_MACHINE_FAILED", err


def test_a_killed_daemon_leaves_nothing_of_the_image_that_it_was_building(
    empty: Site, tmp_path: Path
) -> None:
    other = with_another_image(empty, tmp_path)
    before = image_files()
    with leaving_nothing(empty):
        process = other.start("create", "--machines", "feed", "--branch", BRANCH)
        builds_an_image()
        # The second daemon is a child of the command, which does not reap it.
        for _ in range(2):
            killed = daemon_pid()
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda killed=killed: daemon_pid() != killed)
            builds_an_image()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 1
    assert image_files() == before


def test_any_command_takes_up_what_a_killed_daemon_left(empty: Site) -> None:
    with leaving_nothing(empty):
        operation = json.loads(empty.ok("create", *ALL, *COLD, "--detach", "--json"))
        wait_until(lambda: any((RUN / "crun").glob(f"{KEY}.*")))
        os.kill(daemon_pid(), signal.SIGKILL)
        (environment,) = empty.data("list")
        assert environment["operation"] == operation["id"]
        wait_until(lambda: not is_busy(empty), timeout_s=60)
        destroy_all(empty)


def test_a_killed_daemon_goes_on_with_a_destroy(empty: Site) -> None:
    with leaving_nothing(empty):
        empty.ok("create", *ALL)
        process = empty.start("destroy", BRANCH, "--json")
        is_accepted(process)
        os.kill(daemon_pid(), signal.SIGKILL)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert json.loads(out.splitlines()[-1])["receipt"]["left_over"] == []


# Beside each other


def test_a_detached_create_goes_on_after_its_command_has_ended(empty: Site) -> None:
    with leaving_nothing(empty):
        out = empty.ok("create", *ALL, *COLD, "--detach")
        assert re.fullmatch(
            rf"operation op-[0-9a-f]{{12}} creates {NAME}\n"
            rf"→ greenroom show {NAME} tells where it stands; "
            rf"greenroom logs -f {NAME} follows it\n",
            out,
        )
        (environment,) = empty.data("list")
        assert environment["status"] == "creating"
        wait_until(lambda: empty.data("list")[0]["status"] == "ready")
        empty.ok("destroy", BRANCH)


def test_a_detached_create_that_is_cancelled_leaves_nothing(empty: Site) -> None:
    with leaving_nothing(empty):
        empty.ok("create", *ALL, *COLD, "--detach")
        restores()
        done = empty.greenroom("cancel", BRANCH)
        assert done.returncode == 0, done.stderr


def test_of_two_creates_of_one_branch_exactly_one_wins(empty: Site) -> None:
    with leaving_nothing(empty):
        processes = [empty.start("create", *ALL, *COLD) for _ in range(2)]
        endings = [process.communicate(timeout=60) for process in processes]
        codes = [process.returncode for process in processes]
        assert sorted(codes) == [0, 4]
        refused = error_in(endings[codes.index(4)][1])
        assert re.fullmatch(
            rf"error E_BUSY: {NAME} is busy: create op-[0-9a-f]{{12}} runs on it\n"
            rf"→ wait until it has ended, or stop it: greenroom cancel {NAME}\n",
            refused,
        )
        (environment,) = empty.data("list")
        assert environment["verdict"] == "proved"
        empty.ok("destroy", BRANCH)


def test_creates_of_two_branches_at_once_are_both_proved(empty: Site) -> None:
    with leaving_nothing(empty):
        branches = ("one", "two")
        processes = [empty.start("create", "--branch", branch) for branch in branches]
        for process in processes:
            _, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
        for branch in branches:
            proof = empty.data("flows", branch)
            assert proof["verdict"] == "proved"
            assert any("/" in flow["source"] for flow in proof["flows"])
        processes = [empty.start("destroy", branch) for branch in branches]
        assert [process.wait(timeout=60) for process in processes] == [0, 0]


def test_a_destroy_beside_another_environment_touches_nothing_of_it(empty: Site) -> None:
    empty.ok("create", *ALL)
    try:
        before = look()
        empty.ok("create", "--machines", "feed", "--branch", "beside")
        empty.ok("destroy", "beside")
        assert look().changes_since(before) == {}
        assert empty.data("flows", BRANCH)["verdict"] == "proved"
    finally:
        destroy_all(empty)
