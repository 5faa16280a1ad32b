"""Programs of jobs as real processes: who they are, what they know, and that none is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.app.clock import SystemClock
from greenroom.app.jobs.log import LogBook
from greenroom.app.jobs.run import Assignment, Run
from greenroom.app.jobs.stop import Stop, Why
from greenroom.errors import OperationError
from greenroom.model.job_words import OptionKind
from greenroom.model.jobs import Command, ExecutionStatus, Job, JobOption, Trigger
from greenroom.ports import Program
from greenroom.providers.local.executions import LocalProcesses
from greenroom.providers.local.job_users import FIRST_JOB_UID, JOB_UIDS
from greenroom.providers.local.layout import Layout
from greenroom.region import Region
from greenroom.store.executions import ExecutionEnd, ExecutionRecord
from tests.real.site import LABEL, wait_until

EXECUTION = "ex0123456789ab"
OTHER = "exba9876543210"
SECRET = "hunter2-geheim"
REGION = Region(label=LABEL)


@pytest.fixture
def processes() -> Iterator[LocalProcesses]:
    made = LocalProcesses(Layout(REGION))
    made.end_left_over()
    yield made
    made.end_left_over()
    made.close()
    assert running() == []


def running(mark: str = f"GREENROOM_EXECUTION={EXECUTION}") -> list[int]:
    """Every process of this host that has the mark in its environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if mark.encode() in environment.split(b"\0"):
                found.append(int(entry.name))
    return found


def command(script: str, folder: Path, **values: str) -> Command:
    environment = {"PATH": "/usr/bin:/bin", "GREENROOM_EXECUTION": EXECUTION, **values}
    argv = ("/bin/sh", "-eu", "-c", script, "test")
    return Command(argv=argv, environment=environment, folder=str(folder), user=None)


def output(program: Program) -> tuple[str, int]:
    text = b""
    while (piece := program.read(30.0)) is not None:
        text += piece
    code = program.exit_code()
    program.close()
    return text.decode(), code


def test_it_is_nobody_else_in_its_folder_with_no_way_to_more(
    processes: LocalProcesses, tmp_path: Path
) -> None:
    script = (
        "id -u; id -G; pwd; grep NoNewPrivs /proc/self/status; cat; env | sort; touch x || exit 3"
    )
    text, code = output(processes.start(EXECUTION, command(script, tmp_path)))
    uid, *lines, refusal = text.splitlines()

    assert code == 3
    assert FIRST_JOB_UID <= int(uid) < FIRST_JOB_UID + JOB_UIDS
    assert lines == [
        uid,
        str(tmp_path),
        "NoNewPrivs:\t1",
        f"GREENROOM_EXECUTION={EXECUTION}",
        "HOME=/nonexistent",
        "PATH=/usr/bin:/bin",
        f"PWD={tmp_path}",
        f"USER={uid}",
    ]
    assert "Permission denied" in refusal


def test_it_is_the_owner_of_its_folder(processes: LocalProcesses, tmp_path: Path) -> None:
    os.chown(tmp_path, 4321, 4321)
    text, code = output(processes.start(EXECUTION, command("id -u; id -G; touch x", tmp_path)))
    assert (text.split(), code) == (["4321", "4321"], 0)


SPIES = """
cat /proc/$VICTIM/environ && echo seen
kill -KILL $VICTIM && echo killed
cat /proc/self/status | grep ^Uid
"""


def test_one_job_neither_sees_nor_ends_another(processes: LocalProcesses, tmp_path: Path) -> None:
    victim = processes.start(EXECUTION, command("echo $$; sleep 1000", tmp_path, TOKEN=SECRET))
    pid = (victim.read(30.0) or b"").decode().strip()
    spy = processes.start(OTHER, command(f"VICTIM={pid}; set +e; {SPIES}", tmp_path))
    text, _ = output(spy)

    assert Path(f"/proc/{pid}/status").exists()
    assert SECRET not in text
    assert "seen" not in text
    assert "killed" not in text
    assert "Permission denied" in text
    victim.end()
    assert output(victim) == ("", 137)
    assert processes._uids._lent == set()


def test_it_does_not_begin_where_a_link_stands_in_for_its_folder(
    processes: LocalProcesses, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "photos").mkdir(parents=True)
    os.chown(theirs / "photos", 4321, 4321)
    (tmp_path / "ours").symlink_to(theirs)
    (tmp_path / "last").symlink_to(theirs / "photos")

    for folder in (tmp_path / "ours" / "photos", tmp_path / "last"):
        with pytest.raises(OperationError) as told:
            processes.start(EXECUTION, command("id -u", folder))
        assert told.value.code == "E_JOB_START"
        assert str(folder) in told.value.message


def test_it_begins_in_the_folder_whose_owner_it_is(
    processes: LocalProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = tmp_path / "photos", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    os.chown(ours, 4321, 4321)
    look_up = processes._uid

    def swap_after(user: str | None, folder: int) -> int:
        uid = look_up(user, folder)
        ours.rename(tmp_path / "moved")
        theirs.rename(ours)
        return uid

    monkeypatch.setattr(processes, "_uid", swap_after)
    text, _ = output(processes.start(EXECUTION, command("id -u; pwd -P", ours)))
    assert text.split() == ["4321", str(tmp_path / "moved")]


def test_it_is_root_only_by_name(processes: LocalProcesses, tmp_path: Path) -> None:
    asked = command("id -u", tmp_path)
    root = Command(argv=asked.argv, environment=asked.environment, folder=asked.folder, user="root")
    assert output(processes.start(EXECUTION, root)) == ("0\n", 0)


@pytest.mark.parametrize(
    ("folder", "user", "message"),
    [
        ("/nonexistent-folder", None, "cannot be started in /nonexistent-folder: No such file"),
        ("/tmp", "nobody-such", "this host has no user 'nobody-such'"),
    ],
)
def test_what_cannot_start_says_why(
    processes: LocalProcesses, folder: str, user: str | None, message: str
) -> None:
    asked = Command(argv=("/bin/true",), environment={}, folder=folder, user=user)
    with pytest.raises(OperationError) as told:
        processes.start(EXECUTION, asked)
    assert told.value.code == "E_JOB_START"
    assert message in told.value.message


BREEDS = """
sleep 1000 &
setsid sh -c 'trap "" TERM HUP INT; sleep 1001 & sleep 1002; sleep 1003' &
(setsid sleep 1004 &)
echo ready
wait
"""


def test_an_end_reaches_every_process(processes: LocalProcesses, tmp_path: Path) -> None:
    program = processes.start(EXECUTION, command(BREEDS, tmp_path))
    assert program.read(30.0) == b"ready\n"
    wait_until(lambda: len(running()) >= 6)
    program.end()
    assert running() == []
    assert output(program) == ("", 137)


def test_what_a_program_leaves_running_ends_with_it(
    processes: LocalProcesses, tmp_path: Path
) -> None:
    script = "setsid sleep 1000 & echo done"
    assert output(processes.start(EXECUTION, command(script, tmp_path))) == ("done\n", 0)
    assert running() == []


VICTIM = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from greenroom.providers.local.executions import LocalProcesses
from greenroom.providers.local.layout import Layout
from tests.real.test_jobs_processes import BREEDS, EXECUTION, REGION, command
program = LocalProcesses(Layout(REGION)).start(EXECUTION, command(BREEDS, Path({folder!r})))
time.sleep(1000)
"""


def test_a_killed_daemon_leaves_nothing_to_the_next_one(
    processes: LocalProcesses, tmp_path: Path
) -> None:
    tests = str(Path(__file__).resolve().parents[2])
    code = VICTIM.format(tests=tests, folder=str(tmp_path))
    daemon = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    wait_until(lambda: len(running()) >= 6)
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    processes.end_left_over()
    assert running() == []


def record(script: str, folder: Path, *options: JobOption) -> ExecutionRecord:
    job = Job(
        stack="photos",
        name="test",
        description="",
        argv=("/bin/sh", "-eu", "-c", script, "test"),
        folder=str(folder),
        timeout_s=600.0,
        options=options,
    )
    now = SystemClock().now()
    return ExecutionRecord(
        id=EXECUTION,
        job=job,
        stack="photos",
        environment=None,
        options={},
        status=ExecutionStatus.RUNNING,
        trigger=Trigger.CALLER,
        asked_by="root",
        created_at=now,
        not_before=now,
    )


def run(
    processes: LocalProcesses, folder: Path, script: str, stop: Stop | None = None, **values: str
) -> tuple[ExecutionEnd, LogBook]:
    book = LogBook(folder / "logs", SystemClock())
    writer = book.writer(EXECUTION)
    token = JobOption(name="token", kind=OptionKind.SECRET)
    assignment = Assignment(record=record(script, folder, token), values=values)
    end = Run(assignment, processes, writer, stop or Stop(), SystemClock()).run()
    writer.close()
    return end, book


LOOKS = """
for file in /proc/[0-9]*/cmdline; do
  case $(cat "$file" 2> /dev/null | tr '\\0' ' ') in *"$OPTION_TOKEN"*) echo "seen in $file" ;; esac
done
rest=$OPTION_TOKEN
while [ -n "$rest" ]; do printf %s "${rest%"${rest#?}"}"; rest=${rest#?}; done; echo
set -x; : "$OPTION_TOKEN"
"""


def test_a_secret_is_in_no_command_line_and_not_in_the_log(
    processes: LocalProcesses, tmp_path: Path
) -> None:
    end, book = run(processes, tmp_path, LOOKS, token=SECRET)
    texts = [json.loads(line)["text"] for line in book.read(EXECUTION, 0).splitlines()]

    assert end.status is ExecutionStatus.SUCCEEDED
    assert texts == ["******", "+ : ******"]


def test_a_flood_of_lines_is_kept_within_its_bound(
    processes: LocalProcesses, tmp_path: Path
) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"
    end, book = run(processes, tmp_path, script)
    assert end.status is ExecutionStatus.SUCCEEDED
    size, count = 0, 0
    while data := book.read(EXECUTION, size):
        size, count = size + len(data), count + data.count(b"\n")
    assert count == 20000


def test_an_abort_from_another_thread_ends_the_run(
    processes: LocalProcesses, tmp_path: Path
) -> None:
    stop, ends = Stop(), []
    thread = threading.Thread(target=lambda: ends.append(run(processes, tmp_path, BREEDS, stop)[0]))
    thread.start()
    wait_until(lambda: len(running()) >= 6)
    stop.ask(Why.ABORT, "anna")
    assert running() == []
    thread.join()
    assert [end.status for end in ends] == [ExecutionStatus.ABORTED]
