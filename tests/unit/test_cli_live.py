"""The live view on a terminal, without one: bytes in, bytes out."""

from __future__ import annotations

import io
import re

import pytest
from tests.unit import cli_values as values

from greenroom.cli.live import ProgressView
from greenroom.cli.terminal import Paint
from greenroom.model.events import EventKind


class Terminal(io.StringIO):
    """A stream that says it is a terminal, and the screen that its bytes make."""

    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        """Only what the view uses: lines, cursor up, clear to the end of the screen, colours."""
        lines = [""]
        row = 0
        for part in re.split(r"(\x1b\[\d*[AJm]|\n)", self.getvalue()):
            up = re.fullmatch(r"\x1b\[(\d+)A", part)
            if up is not None:
                row -= int(up[1])
            elif part == "\x1b[J":
                del lines[row:]
                lines.append("")
            elif part == "\n":
                row += 1
                if row == len(lines):
                    lines.append("")
            elif not part.startswith("\x1b"):
                lines[row] += part
        return [" ".join(line.split()) for line in lines if line]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("greenroom.cli.live.time.monotonic", lambda: 5.0)
    return Terminal()


def started(phase: str, machine: str | None = None) -> object:
    return values.event(1, EventKind.PHASE_STARTED, phase=phase, machine=machine)


def done(phase: str, machine: str | None = None, message: str = "") -> object:
    return values.event(
        2, EventKind.PHASE_DONE, phase=phase, machine=machine, seconds=0.5, message=message
    )


def test_running_phases_move_below_the_finished_ones(terminal: Terminal) -> None:
    view = ProgressView(terminal)
    for event in (started("network"), done("network"), started("boot", "db1")):
        view.show(event)
    view.show(started("boot", "feed1"))
    assert terminal.screen == ["✓ network 500 ms", "⠋ db1 boot 0 ms", "⠋ feed1 boot 0 ms"]
    view.show(done("boot", "feed1"))
    view.tick()
    assert terminal.screen == ["✓ network 500 ms", "✓ feed1 boot 500 ms", "⠙ db1 boot 0 ms"]


def test_closing_leaves_only_what_is_finished(terminal: Terminal) -> None:
    view = ProgressView(terminal)
    for event in (started("network"), done("network"), started("boot", "db1")):
        view.show(event)
    view.say("cancelling")
    view.close()
    assert terminal.screen == ["✓ network 500 ms", "cancelling"]


def test_a_failed_phase_stays_with_its_reason(terminal: Terminal) -> None:
    view = ProgressView(terminal)
    view.show(started("restore", "db1"))
    view.show(
        values.event(2, EventKind.PHASE_FAILED, phase="restore", machine="db1", message="no dump")
    )
    assert terminal.screen == ["✗ db1 restore no dump"]


def test_what_moves_never_outgrows_the_screen(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    terminal.fileno = lambda: 2  # type: ignore[method-assign]
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((30, 6)))
    view = ProgressView(terminal)
    for number in range(50):
        view.show(started("boot", f"machine-with-a-long-name-{number}"))
    assert len(terminal.screen) == 4
    assert all(len(line) < 30 for line in terminal.screen)


def test_colours_only_where_they_are_wanted(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Paint(terminal)("good", "x") == "\x1b[32mx\x1b[0m"
    assert Paint(terminal)("", "x") == "x"
    assert Paint(io.StringIO())("good", "x") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Paint(terminal)("good", "x") == "x"
    assert Paint(terminal).terminal
    monkeypatch.setenv("NO_COLOR", "")
    assert Paint(terminal)("good", "x") != "x"
    monkeypatch.setenv("TERM", "dumb")
    assert Paint(terminal)("good", "x") == "x"
    assert not Paint(terminal).terminal


def test_off_a_terminal_nothing_moves() -> None:
    stream = io.StringIO()
    view = ProgressView(stream)
    assert view.tick_s is None
    view.show(started("boot", "db1"))
    view.tick()
    assert stream.getvalue() == ""
    view.show(done("boot", "db1", "x\x1b[31my"))
    view.close()
    assert stream.getvalue() == "✓ db1          boot          500 ms  xy\n"
