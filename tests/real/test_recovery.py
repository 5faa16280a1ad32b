"""What comes back after a reboot of the host: the environments, with what they held."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.reboot import command_line, kill_and_wait, lose_the_world, machine_pids
from tests.real.site import (
    RUN,
    STATE,
    Site,
    daemon_pid,
    destroy_all,
    get,
    wait_until,
)

ALL = ("--machines", "backend", "db", "feed")
HOST = "api.stays.photos.localhost"
_COUNT = 'mariadb -N -e "SELECT COUNT(*) FROM likes" photos'


@pytest.fixture
def stays(site: Site) -> Iterator[Site]:
    """The site with branch ``stays`` and nothing else."""
    destroy_all(site)
    site.ok("create", *ALL, "--branch", "stays")
    # Somebody looks after it only now: what was killed before would be seen by nobody.
    site.ok("flows", "stays")
    yield site
    destroy_all(site)


def detail(site: Site, branch: str) -> Any:
    return site.data("show", branch)


def status(site: Site, branch: str) -> str:
    return str(detail(site, branch)["summary"]["status"])


def wait_settled(site: Site, branch: str) -> Any:
    """Wait until nothing is done to the environment any more."""
    wait_until(lambda: detail(site, branch)["summary"]["operation"] is None, timeout_s=180)
    return detail(site, branch)


def test_a_reboot_brings_every_environment_back_with_its_data(stays: Site) -> None:
    stays.ok("create", "--machines", "db", "--branch", "beside")
    written = (
        'mariadb -e "DELETE FROM likes; CREATE TABLE mine (x INT); INSERT INTO mine VALUES (7)" '
        "photos && mkdir -p /srv/uploads && echo kept > /srv/uploads/one && echo gone > /tmp/two"
    )
    assert stays.inside("stays", "db1", written) == (0, "")
    # The bucket has newer code by now, which nobody has deployed.
    artifacts = stays.folder / "artifacts"
    deployed = detail(stays, "stays")["machines"][0]["artifact"]
    page = get(HOST)[1]
    shutil.copy(artifacts / "backend-feature_x.tar.gz", artifacts / "backend-stays.tar.gz")
    checksum = (artifacts / "backend-feature_x.tar.gz.sha256").read_text().split()[0]
    (artifacts / "backend-stays.tar.gz.sha256").write_text(checksum)
    try:
        lose_the_world()
        # The first command starts the daemon, which answers while the machines boot.
        assert {e["status"] for e in stays.data("list")} <= {"recovering", "ready"}
        after = wait_settled(stays, "stays")
        beside = wait_settled(stays, "beside")
    finally:
        for name in ("backend-stays.tar.gz", "backend-stays.tar.gz.sha256"):
            (artifacts / name).unlink()

    for found in (after, beside):
        assert found["summary"]["status"] == "ready", found["incidents"]
        assert found["summary"]["verdict"] == "proved"
    assert stays.inside("stays", "db1", _COUNT) == (0, "0\n")
    assert stays.inside("stays", "db1", 'mariadb -N -e "SELECT x FROM mine" photos') == (0, "7\n")
    assert stays.inside("stays", "db1", "cat /srv/uploads/one; ls /tmp") == (0, "kept\n")
    assert stays.inside("beside", "db1", _COUNT)[1] != "0\n"
    assert after["machines"][0]["artifact"] == deployed
    assert get(HOST)[1] == page
    assert [restore["source"] for restore in after["restores"]] == ["extract"]


def test_a_reboot_in_the_middle_of_a_recovery_is_recovered(stays: Site) -> None:
    lose_the_world()
    stays.ok("list")
    lose_the_world()
    stays.ok("list")
    assert wait_settled(stays, "stays")["summary"]["status"] == "ready"


def test_a_daemon_that_is_told_to_stop_lets_a_machine_end_its_boot(
    stays: Site, tmp_path: Path
) -> None:
    slow = stays.copied(tmp_path / "slow")
    script = "test -e /tmp/asked || { sleep 3; touch /tmp/asked; false; }"
    check = "- {tcp: 6379, deadline_s: 60}"
    asks = f"- {{command: [sh, -c, {script!r}], deadline_s: 60}}"
    slow.edit("greenroom.yaml", check, f"{check}\n      {asks}")
    slow.ok("create", "--machines", "feed", "--branch", "slow", "--detach")
    wait_until(lambda: machine_pids("photos.slow"))
    # The machine has yet to signal, at an address that the daemon serves.
    slow.ok("serve", "--stop")
    found = wait_settled(slow, "slow")
    assert (found["summary"]["status"], found["incidents"]) == ("ready", [])
    slow.ok("destroy", "slow")


def test_a_recovery_that_fails_touches_no_disk_and_says_the_next_step(stays: Site) -> None:
    lose_the_world()
    pool = STATE / "pool"
    disk = pool / "environments" / "photos.stays" / "db1"
    # As if somebody had lost it: the pool is mounted for a moment, without a daemon.
    stays.ok("serve", "--stop")
    subprocess.run(["mount", "-o", "loop", STATE / "pool.xfs", pool], check=True)
    (disk / "volume").rename(disk / "elsewhere")
    found = wait_settled(stays, "stays")
    assert found["summary"]["status"] == "failed"
    (incident,) = [i for i in found["incidents"] if "E_DISK_LOST" in i["message"]]
    assert f"db1: {disk}/volume is not there any more" in incident["message"]
    assert "greenroom recover photos/stays tries again" in incident["message"]
    assert (disk / "upper").is_dir() and (disk / "elsewhere" / "current").is_dir()

    (disk / "elsewhere").rename(disk / "volume")
    stays.ok("recover", "stays")
    assert status(stays, "stays") == "ready"


def process(machine: str, command: str) -> int:
    """The process of a machine of ``stays`` whose command line begins like that."""
    for pid in sorted(machine_pids("photos.stays", machine)):
        if command_line(pid).replace(b"\0", b" ").decode().startswith(command):
            return pid
    raise AssertionError(f"{machine} runs no {command}")


def wait_for_incident(site: Site, subject: str, words: str) -> Any:
    """The incident, once it is told and the environment is proved again."""

    def told() -> list[Any]:
        found = detail(site, "stays")["incidents"]
        return [i for i in found if i["subject"] == subject and words in i["message"]]

    wait_until(told, timeout_s=120)
    wait_until(lambda: status(site, "stays") == "ready", timeout_s=120)
    return told()[0]


def test_a_service_that_is_killed_comes_back_and_its_environment_says_so(stays: Site) -> None:
    for machine, service, command in (
        ("db1", "mariadb", "mariadbd"),
        ("backend1", "nginx", "nginx: master"),
        ("feed1", "redis", "redis-server"),
    ):
        pid = process(machine, command)
        kill_and_wait([pid])
        incident = wait_for_incident(stays, f"{machine} {service}", f"process {pid}")
        assert incident["message"] == (
            f"its process {pid} was killed by SIGKILL; the service was started again"
        )
        assert incident["away_s"] > 0
    assert stays.inside("stays", "db1", _COUNT)[0] == 0
    assert get(HOST)[0] == 200
    assert "was killed by SIGKILL" in stays.ok("show", "stays")


def test_a_services_supervisor_that_is_killed_is_replaced_and_the_service_with_it(
    stays: Site,
) -> None:
    supervisor, server = process("db1", "s6-supervise mariadb "), process("db1", "mariadbd")
    kill_and_wait([supervisor])
    incident = wait_for_incident(stays, "db1 mariadb", f"process {supervisor}")
    assert incident["message"].startswith(
        f"its supervisor (s6-supervise, process {supervisor}) was killed by SIGKILL"
    )
    assert process("db1", "mariadbd") != server
    assert stays.inside("stays", "db1", "s6-svstat -o up /etc/greenroom/service/mariadb") == (
        0,
        "true\n",
    )


def test_a_machine_whose_first_process_is_killed_comes_back_with_its_data(stays: Site) -> None:
    assert stays.inside("stays", "db1", 'mariadb -e "DELETE FROM likes" photos') == (0, "")
    first = process("db1", "s6-svscan")
    kill_and_wait([first])
    incident = wait_for_incident(stays, "db1", f"process {first}")
    assert incident["message"] == (
        f"its first process (s6-svscan, process {first}) was killed by SIGKILL"
    )
    back = wait_for_incident(stays, "photos/stays", "runs again from its own disks, proved")
    assert back["away_s"] > 0
    assert stays.inside("stays", "db1", _COUNT) == (0, "0\n")


@pytest.mark.parametrize("program", ["dnsmasq", "haproxy"])
def test_a_program_of_the_region_that_is_killed_comes_back_as_it_was(
    stays: Site, program: str
) -> None:
    pid = int((RUN / f"{program}.pid").read_text())
    kill_and_wait([pid])
    incident = wait_for_incident(stays, program, f"process {pid} was killed by SIGKILL")
    assert incident["away_s"] > 0
    assert get(HOST)[0] == 200
    assert stays.inside("stays", "backend1", "getent hosts db1")[0] == 0
    assert stays.data("flows", "stays")["verdict"] == "proved"


def test_a_machine_whose_first_process_is_killed_while_no_daemon_runs_comes_back(
    stays: Site,
) -> None:
    kill_and_wait([daemon_pid()])
    kill_and_wait(list(machine_pids("photos.stays", "feed1")))
    stays.ok("list")
    found = wait_settled(stays, "stays")
    assert found["summary"]["status"] == "ready", json.dumps(found["incidents"])
    assert Path("/proc", str(daemon_pid())).exists()
