"""Services under (pretended) s6 and systemd, commands, checks."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from tests.unit.agent_region import (
    DIED,
    DOWN,
    UP,
    UP_AGAIN,
    add_service,
    install_command,
    install_s6,
    machine_paths,
    running_region,
    service_calls,
)

from greenroom.agent import services
from greenroom.agent.checks import attempt, run_checks
from greenroom.agent.command import run
from greenroom.agent.config import CommandCheck, HttpCheck, TcpCheck
from greenroom.agent.errors import AgentError
from greenroom.agent.services import S6, Systemd, Watch, supervisor


@pytest.fixture
def paths(tmp_path, monkeypatch):
    paths = machine_paths(tmp_path / "root")
    install_s6(paths, tmp_path / "bin", monkeypatch)
    return paths


@pytest.fixture
def watch(paths, monkeypatch):
    for limit in ("SUPERVISED_S", "RESTART_S", "LOG_SETTLES_S"):
        monkeypatch.setattr(services, limit, 0.1)
    return Watch(S6(paths))


def test_services_are_started_in_order(paths, watch):
    add_service(paths, "php-fpm", UP)
    add_service(paths, "nginx", DOWN, UP)
    watch.start(["php-fpm", "nginx"])
    watch.fail_if_dead()
    assert service_calls(paths) == ["-u php-fpm", "-u nginx"]


def test_a_service_that_dies_fails_with_the_end_of_its_log(paths, watch):
    add_service(paths, "web", UP, DIED, log="@400000006b0343d61d367ba1 no licence\n")
    watch.start(["web"])
    with pytest.raises(AgentError) as caught:
        watch.fail_if_dead()
    assert str(caught.value) == (
        "service web died (exit code 1); the last lines of its log:\nno licence"
    )


def test_a_service_that_was_started_again_has_died_too(paths, watch):
    add_service(paths, "web", UP, UP_AGAIN)
    watch.start(["web"])
    with pytest.raises(AgentError) as caught:
        watch.fail_if_dead()
    assert str(caught.value) == "service web died and was started again; its log is empty"


def test_a_service_killed_by_a_signal_says_which(paths, watch):
    add_service(paths, "web", "false -1 @3 -1 SIGKILL")
    with pytest.raises(AgentError, match=r"service web died \(SIGKILL\)"):
        watch.start(["web"])


def test_a_service_that_the_image_lacks_is_named(watch):
    with pytest.raises(AgentError) as caught:
        watch.start(["ghost"])
    assert str(caught.value) == "service ghost is not in this image: nobody supervises it"


def test_a_restart_waits_for_another_process(paths, watch, monkeypatch):
    # Each question is a process, which may take its time on a busy machine.
    monkeypatch.setattr("greenroom.agent.services.RESTART_S", 30.0)
    add_service(paths, "web", UP, DIED, UP_AGAIN, before=UP)
    watch.restart(["web"])
    watch.fail_if_dead()
    assert service_calls(paths) == ["-ru web"]


def test_a_restart_that_does_not_happen_is_an_error(paths, watch):
    add_service(paths, "web", UP, before=UP)
    with pytest.raises(AgentError, match=r"service web did not restart within 0\.1 s"):
        watch.restart(["web"])


def status(*, pid: int, ended: int = 0, flags: int = 0) -> bytes:
    """s6-supervise's file."""
    stamps = bytes(range(24))
    numbers = pid.to_bytes(8, "big") + ended.to_bytes(2, "big")
    return stamps + numbers + bytes([flags])


@pytest.mark.parametrize(
    ("known", "up", "ended"),
    [
        (status(pid=77), True, "exit code 0"),
        (status(pid=77, flags=2), False, "exit code 0"),
        (status(pid=0, ended=3 << 8), False, "exit code 3"),
        (status(pid=0, ended=9), False, "SIGKILL"),
        (status(pid=0, ended=11 | 0x80), False, "SIGSEGV"),
        (status(pid=0, ended=63), False, "signal 63"),
    ],
)
def test_a_state_is_read_from_the_supervisors_own_file(paths, known, up, ended):
    folder = Path(paths.services, "web", "supervise")
    folder.mkdir(parents=True)
    (folder / "status").write_bytes(known)
    state = S6(paths).state("web")
    assert (state.up, state.ended, state.since) == (up, ended, bytes(range(12)).hex())


def test_a_start_is_one_letter_to_the_supervisor(paths):
    folder = Path(paths.services, "web", "supervise")
    folder.mkdir(parents=True)
    (folder / "status").write_bytes(status(pid=0))
    os.mkfifo(folder / "control")
    with pytest.raises(AgentError, match=r"service web cannot be started: .*no such device"):
        S6(paths).start("web")
    reader = os.open(folder / "control", os.O_RDONLY | os.O_NONBLOCK)
    try:
        S6(paths).start("web")
        assert os.read(reader, 10) == b"u"
    finally:
        os.close(reader)
    assert service_calls(paths) == []


SYSTEMCTL = """#!/bin/sh
if [ "$1" = show ]; then
  cat {folder}/state
else
  echo "$@" >> {folder}/calls
  printf 'ActiveState=active\\nMainPID=7\\nStateChangeTimestampMonotonic=2\\n' > {folder}/state
fi
"""


def test_without_s6_the_units_of_systemd_are_used(tmp_path, monkeypatch):
    install_command(tmp_path, "systemctl", SYSTEMCTL.format(folder=tmp_path))
    install_command(tmp_path, "journalctl", "#!/bin/sh\necho last words\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    state = "ActiveState={}\nMainPID=0\nStateChangeTimestampMonotonic={}\n"
    state += "Result=exit-code\nExecMainStatus=3\n"
    (tmp_path / "state").write_text(state.format("inactive", 1))
    systemd = supervisor(machine_paths(tmp_path / "root"))
    assert isinstance(systemd, Systemd)
    watch = Watch(systemd)
    watch.start(["nginx"])
    assert (tmp_path / "calls").read_text() == "--no-block start nginx\n"
    (tmp_path / "state").write_text(state.format("failed", 3))
    with pytest.raises(AgentError) as caught:
        watch.fail_if_dead()
    assert str(caught.value) == (
        "service nginx died (exit-code, exit code 3); the last lines of its log:\nlast words"
    )


def test_a_commands_output_and_code_come_back():
    done = run([sys.executable, "-c", "print('out'); import sys; sys.exit('err')"], timeout_s=20)
    assert (done.code, done.out, done.err) == (1, "out\n", "err\n")
    assert run(["cat"], timeout_s=5, stdin="ü" * 300_000).out == "ü" * 300_000
    assert run(["sh", "-c", "kill -9 $$"], timeout_s=5).code == -9


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path):
    pid = tmp_path / "pid"
    # Long enough for a shell to start on a busy host.
    with pytest.raises(AgentError, match="did not end within 3 s"):
        run(["sh", "-c", f"sleep 600 & echo $! > {pid}; wait"], timeout_s=3)
    child = int(pid.read_text())
    deadline = time.monotonic() + 60
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_command_leaves_in_the_background_does_not_hold_it_up():
    left = int(run(["sh", "-c", "sleep 600 & echo $!"], timeout_s=60).out)
    assert _runs(left)
    os.kill(left, signal.SIGKILL)


def test_a_command_that_floods_us_is_stopped(monkeypatch):
    monkeypatch.setattr("greenroom.agent.command.OUTPUT_BYTES", 100_000)
    with pytest.raises(AgentError):
        run(["yes"], timeout_s=20)


def test_a_missing_command_is_named():
    with pytest.raises(AgentError, match="the command 'no-such-thing' is not in this image"):
        run(["no-such-thing"], timeout_s=1)


def nobody_died() -> None:
    pass


def http(port: int, **changes: object) -> HttpCheck:
    fields = {"path": "/health", "port": port, "status": 200, "contains": "", "deadline_s": 0.05}
    return HttpCheck(**{**fields, **changes})


def test_checks_that_hold_pass_and_ask_once_whether_all_live(tmp_path):
    asked = []
    with running_region() as region:
        region.pages["/health"] = (200, b"all well")
        command = CommandCheck(argv=("true",), deadline_s=5.0)
        tcp = TcpCheck(port=region.port, deadline_s=5.0)
        checks = (http(region.port, contains="well"), tcp, command)
        run_checks(checks, "127.0.0.1", lambda: asked.append(1))
    assert asked == [1]


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (http(0), "GET /health on port {port} answered 503 (wanted 200) for 0.05 s"),
        (
            http(0, status=503, contains="well"),
            "GET /health on port {port} answered 503 without 'well' in its body for 0.05 s",
        ),
        (http(1), "GET /health on port 1 got no answer (connection refused) for 0.05 s"),
        (
            TcpCheck(port=1, deadline_s=0.05),
            "port 1 did not accept a connection (connection refused) for 0.05 s",
        ),
        (
            CommandCheck(argv=("sh", "-c", "echo no >&2; exit 4"), deadline_s=0.05),
            "the command 'sh -c echo no >&2; exit 4' exited with 4 (wanted 0: no) for 0.05 s",
        ),
        (
            CommandCheck(argv=("no-such-thing",), deadline_s=0.05),
            "the command 'no-such-thing' could not be run "
            "(the command 'no-such-thing' is not in this image) for 0.05 s",
        ),
    ],
)
def test_a_check_that_fails_tells_the_last_answer(check, message):
    with running_region() as region:
        region.pages["/health"] = (503, b"ill")
        if getattr(check, "port", 1) == 0:
            check = HttpCheck(**{**check.fields(), "port": region.port})
        with pytest.raises(AgentError) as caught:
            run_checks([check], "127.0.0.1", nobody_died)
    assert str(caught.value) == message.format(port=region.port)


def test_a_last_try_without_time_does_not_hide_what_an_earlier_one_saw(tmp_path):
    script = f"test -e {tmp_path}/seen && exec sleep 30; touch {tmp_path}/seen; echo why; exit 4"
    check = CommandCheck(argv=("sh", "-c", script), deadline_s=0.05)
    with pytest.raises(AgentError, match=r"exited with 4 \(wanted 0: why\) for 0.05 s$"):
        run_checks([check], "127.0.0.1", nobody_died)


def test_a_death_is_a_better_reason_than_a_check():
    def died() -> None:
        raise AgentError("service web died")

    with pytest.raises(AgentError, match=r"^service web died$"):
        run_checks([TcpCheck(port=1, deadline_s=0.01)], "127.0.0.1", died)


def test_a_server_that_starts_late_is_waited_for():
    with running_region() as region:
        region.failures = [502, 502, 502]
        region.pages["/health"] = (200, b"")
        run_checks([http(region.port, deadline_s=10.0)], "127.0.0.1", nobody_died)
        assert attempt(http(region.port), "127.0.0.1", 5) is None
