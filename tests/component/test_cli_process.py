"""The CLI as a process: its imports, its streams, its signals, its terminal, its daemon."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.component.cli_daemon import ONE, Answer, FakeDaemon, Request, problem, running
from tests.unit import cli_values as values

from greenroom.model.events import EventKind, OperationStatus
from greenroom.model.proof import Verdict

TIMEOUT_S = 20.0
EVENTS = f"/v1/operations/{values.OPERATION}/events"
LAUNCHER = """\
import os, sys
from pathlib import Path
from greenroom.region import Region
root = Path(sys.argv.pop(1))
Region.run_dir = property(lambda self: root / "run")
Region.state_dir = property(lambda self: root / "lib")
import greenroom.cli.start as start
os.geteuid = lambda: 0  # the daemon that is started here needs no root
start.daemon_argv = lambda: [sys.executable, "-c", (root / "daemon.py").read_text(), str(root)]
from greenroom.cli.main import main
sys.argv[0] = "greenroom"
main()
"""
HEAVY = {
    "asyncio",
    "dbos",
    "email",
    "fastapi",
    "http.client",
    "pydantic",
    "rich",
    "ruamel",
    "ruamel.yaml",
    "sqlalchemy",
    "ssl",
    "subprocess",
    "tempfile",
    "uvicorn",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "greenroom.yaml").write_text("stack: photos\n")
    return tmp_path


@pytest.fixture
def daemon(root: Path) -> Iterator[FakeDaemon]:
    with running(root / "run/daemon.sock") as fake:
        fake.answer("GET", "/v1/environments", [values.dumped(values.environment())])
        fake.answer("GET", ONE, values.dumped(values.detail()))
        fake.answer("POST", "/v1/operations", values.dumped(values.operation()), status=202)
        fake.answer("GET", EVENTS, lines=values.events())
        yield fake


def argv(root: Path, *words: str) -> list[str]:
    return [sys.executable, "-c", LAUNCHER, str(root), *words]


def ran(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv(root, *words),
        cwd=root,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )


class OnTerminal:
    """The CLI with a pseudo-terminal as stdin, stdout and stderr."""

    def __init__(self, root: Path, *words: str, **environment: str) -> None:
        self.fd, theirs = pty.openpty()
        # In a session of its own with the terminal as the controlling one, as in a real one.
        self.process = subprocess.Popen(
            # Whoever runs these tests in the background ignores SIGINT, and we would inherit it.
            ["env", "--default-signal=INT", "setsid", "--ctty", "--wait", *argv(root, *words)],
            cwd=root,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", **environment},
        )
        os.close(theirs)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def until(self, text: str) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            self._read(0.1)

    def end(self) -> int:
        while self._read(TIMEOUT_S):
            pass
        os.close(self.fd)
        return self.process.wait(TIMEOUT_S)

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self.fd], [], [], timeout_s)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: the other side is closed
            return False
        self.seen += data.decode("utf-8", "replace")
        return bool(data)


# Imports.


def modules_after(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", statement],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


@pytest.mark.parametrize(
    "module", ["main", "commands.list", "commands.create", "commands.show", "commands.exec"]
)
def test_a_thin_client_imports_nothing_heavy(module: str) -> None:
    loaded = modules_after(f"import greenroom.cli.{module}")
    assert f"greenroom.cli.{module}" in loaded
    assert sorted(loaded & HEAVY) == []


def test_help_imports_no_command() -> None:
    loaded = modules_after("import greenroom.cli.main")
    ours = {name for name in loaded if name.startswith("greenroom.cli.")}
    assert not {name for name in ours if name.startswith("greenroom.cli.commands")}


def test_the_first_page_of_help_does_not_even_import_click() -> None:
    loaded = modules_after("from greenroom.cli.entry import entry")
    assert not {"click", "typing", "re", "inspect"} & set(loaded)


@pytest.mark.parametrize(
    "module", ["main", "commands.create", "commands.destroy", "commands.list", "commands.show"]
)
def test_plain_words_need_no_click(module: str) -> None:
    assert "click" not in modules_after(f"import greenroom.cli.{module}")


# Streams and exit codes.


def test_json_goes_to_stdout_and_nothing_else_does(root: Path, daemon: FakeDaemon) -> None:
    done = ran(root, "list", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [values.dumped(values.environment())]


def test_an_error_in_json_is_one_line_on_stderr(root: Path, daemon: FakeDaemon) -> None:
    daemon.routes["GET", "/v1/lookup"] = problem(404, "E_NO_ENVIRONMENT", "none", hint="h")
    done = ran(root, "show", "x", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    expected = {"code": "E_NO_ENVIRONMENT", "message": "none", "hint": "h", "faults": []}
    assert json.loads(done.stderr) == {"error": expected}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (problem(422, "E_X", "x", exit_code=1), 1),
        (problem(409, "E_X", "x", exit_code=4), 4),
        (Answer(status=500, value="oops"), 1),
    ],
)
def test_the_exit_code_is_the_errors(
    root: Path, daemon: FakeDaemon, answer: Answer, code: int
) -> None:
    daemon.routes["POST", "/v1/operations"] = answer
    done = ran(root, "create")
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_exec_becomes_the_command(root: Path, daemon: FakeDaemon) -> None:
    daemon.answer("GET", f"{ONE}/command", {"argv": ["sh", "-c", "echo hello; exit 42"]})
    done = ran(root, "exec", "e", "m", "true")
    assert (done.returncode, done.stdout, done.stderr) == (42, "hello\n", "")


def test_a_locale_without_the_characters_gives_no_traceback(
    root: Path, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = ran(root, "create")
    assert done.returncode == 0
    assert "? network" in " ".join(done.stderr.split())


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone_ends_the_command_in_silence(
    root: Path, daemon: FakeDaemon, unbuffered: str
) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        argv(root, "list"),
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


# Signals.


def cancellable(daemon: FakeDaemon) -> threading.Event:
    """An operation that runs until it is cancelled, or until the event given back is set."""
    cancelled = threading.Event()

    def events(request: Request) -> Answer:
        def lines() -> Iterator[object]:
            yield values.event(1, EventKind.PHASE_STARTED, phase="network")
            yield values.event(2, EventKind.PHASE_DONE, phase="network", seconds=0.1)
            yield values.event(3, EventKind.PHASE_STARTED, phase="boot", machine="db1")
            assert cancelled.wait(TIMEOUT_S)
            yield values.event(4, EventKind.PHASE_DONE, phase="compensate", seconds=0.1)
            yield values.result(
                5,
                OperationStatus.CANCELLED,
                code="E_CANCELLED",
                message="cancelled; nothing is left over",
                exit_code=1,
            )

        return Answer(lines=lines())

    def cancel(request: Request) -> Answer:
        cancelled.set()
        return Answer(status=202, value=values.dumped(values.operation()))

    daemon.routes["GET", EVENTS] = events
    daemon.routes["POST", f"/v1/operations/{values.OPERATION}/cancel"] = cancel
    return cancelled


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_and_waits_for_the_compensation(
    root: Path, daemon: FakeDaemon, number: signal.Signals
) -> None:
    cancellable(daemon)
    with subprocess.Popen(
        argv(root, "create"), cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "network" in process.stderr.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert out == ""
    assert err.splitlines()[0] == "cancelling; press Ctrl-C again to leave it to the daemon"
    assert "compensate" in err
    assert err.splitlines()[-1] == "error E_CANCELLED: cancelled; nothing is left over"


def test_a_second_ctrl_c_leaves_it_to_the_daemon(root: Path, daemon: FakeDaemon) -> None:
    ended = cancellable(daemon)
    asked = threading.Event()

    def cancel(request: Request) -> Answer:
        asked.set()
        return Answer(status=202, value={})

    daemon.routes["POST", f"/v1/operations/{values.OPERATION}/cancel"] = cancel
    terminal = OnTerminal(root, "create")
    terminal.until("boot")
    terminal.type("\x03")
    terminal.until("press Ctrl-C again")
    assert asked.wait(TIMEOUT_S)
    terminal.type("\x03")
    assert terminal.end() == 130
    assert "the daemon goes on cancelling create of photos/feature-x" in terminal.seen
    ended.set()


def test_ctrl_c_anywhere_else_exits_with_130(root: Path, daemon: FakeDaemon) -> None:
    asked = threading.Event()

    def lines() -> Iterator[object]:
        yield {"machine": "db1", "service": "mariadb", "line": "ready"}
        asked.wait(TIMEOUT_S)

    daemon.answer("GET", f"{ONE}/logs", lines=lines())
    terminal = OnTerminal(root, "logs", "-f")
    terminal.until("ready")
    terminal.type("\x03")
    assert terminal.end() == 130
    assert "Traceback" not in terminal.seen
    asked.set()


# A terminal.


def test_on_a_terminal_create_is_alive_and_in_colour(root: Path, daemon: FakeDaemon) -> None:
    terminal = OnTerminal(root, "create", NO_COLOR="")
    assert terminal.end() == 0
    assert "\x1b[32m✓\x1b[0m" in terminal.seen
    assert "\x1b[1A\x1b[J" in terminal.seen


def test_with_no_color_a_terminal_gets_none(root: Path, daemon: FakeDaemon) -> None:
    terminal = OnTerminal(root, "list", NO_COLOR="1")
    assert terminal.end() == 0
    assert "\x1b" not in terminal.seen


def test_on_a_terminal_logs_are_stripped_of_escape_sequences(
    root: Path, daemon: FakeDaemon
) -> None:
    line = {"machine": "db1", "service": "x", "line": "a\x1b[2Jb\x1b]0;t\x07c"}
    daemon.answer("GET", f"{ONE}/logs", lines=[line])
    terminal = OnTerminal(root, "logs", NO_COLOR="1")
    assert terminal.end() == 0
    assert terminal.seen == "db1/x | abc\r\n"
    assert ran(root, "logs").stdout == "db1/x | a\x1b[2Jb\x1b]0;t\x07c\n"


def test_on_a_terminal_production_asks_for_its_name(root: Path, daemon: FakeDaemon) -> None:
    production = values.environment("master", verdict=Verdict.PROVED)
    detail = values.detail(summary=production)
    daemon.answer("GET", ONE, values.dumped(detail))
    daemon.routes["POST", "/v1/operations"] = problem(409, "E_PRODUCTION", "no", exit_code=4)
    terminal = OnTerminal(root, "destroy", "master")
    terminal.until("photos/master is production. Type its name to destroy it")
    terminal.type("mistress\n")
    assert terminal.end() == 4
    assert daemon.bodies("/v1/operations")[0]["confirm"] == "mistress"


# The daemon's start.

DAEMON = """\
import json, os, signal, socket, sys
from pathlib import Path
root = Path(sys.argv[1])
with (root / "starts").open("a") as starts:
    starts.write(f"{os.getpid()} {os.getsid(0)} {os.getcwd()}\\n")
listener = socket.socket(socket.AF_UNIX)
listener.bind(str(root / "run/daemon.sock"))
listener.listen()
signal.alarm(60)
while True:
    connection, _ = listener.accept()
    request = connection.recv(65536)
    value = {"pid": os.getpid()} if b"/v1/status" in request else []
    body = json.dumps(value).encode()
    head = b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(body)
    try:
        connection.sendall(head + body)
    except OSError:
        pass
    connection.close()
"""


def test_the_daemon_is_started_once_and_stopped_on_demand(root: Path) -> None:
    (root / "daemon.py").write_text(DAEMON)
    clients = [
        subprocess.Popen(argv(root, "list", "--json"), stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [client.communicate(timeout=TIMEOUT_S)[0] for client in clients] == ["[]\n"] * 3
    (start,) = (root / "starts").read_text().splitlines()
    pid, session, folder = start.split()
    assert (session, folder) == (pid, "/")

    stopped = ran(root, "serve", "--stop", "--json")
    assert json.loads(stopped.stdout) == {"stopped": True, "pid": int(pid)}
    assert not running_process(int(pid))
    (root / "run/daemon.sock").unlink()
    assert json.loads(ran(root, "serve", "--stop", "--json").stdout)["stopped"] is False


def running_process(pid: int) -> bool:
    """Whether it runs; a zombie that nobody reaps does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_daemon_that_fails_at_its_start_says_why(root: Path) -> None:
    error = {"code": "E_HOST", "message": "nft is missing", "hint": "apt-get", "faults": []}
    (root / "daemon.py").write_text(
        f"import json, sys\nprint('starting')\nprint(json.dumps({{'error': {error!r}}}),"
        " file=sys.stderr)\nsys.exit(4)\n"
    )
    done = ran(root, "list")
    assert done.returncode == 4
    assert done.stderr == "error E_HOST: nft is missing\n→ apt-get\n"


def test_a_daemon_that_crashes_at_its_start_shows_its_last_lines(root: Path) -> None:
    (root / "daemon.py").write_text("raise SystemExit('out of cheese')")
    (root / "lib").mkdir()
    (root / "lib/daemon.log").write_text("of an older start\n")
    done = ran(root, "list")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error E_DAEMON_START: the daemon ended at its start with exit code 1",
        "  out of cheese",
        f"→ its log is {root}/lib/daemon.log; greenroom doctor checks the host",
    ]


def test_a_daemon_that_is_just_ending_is_waited_for(root: Path) -> None:
    error = {"code": "E_DAEMON_RUNS", "message": "runs already", "hint": "", "faults": []}
    first_is_refused = f"""\
import json, sys
from pathlib import Path
tries = Path(sys.argv[1]) / "tries"
if not tries.exists():
    tries.touch()
    print(json.dumps({{"error": {error!r}}}), file=sys.stderr)
    sys.exit(4)
"""
    (root / "daemon.py").write_text(first_is_refused + DAEMON)
    assert ran(root, "list", "--json").stdout == "[]\n"
    assert ran(root, "serve", "--stop").returncode == 0
