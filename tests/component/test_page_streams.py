"""The board of an operation, and what streams to a browser while something runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.component.page_stage import BlueprintStage, PageStage

from greenroom.app.clock import SystemClock
from greenroom.model.events import Event, EventKind, OperationStatus
from greenroom.web.page.board import board_of
from greenroom.web.page.log_stream import log_pieces
from greenroom.web.page.stream import Piece, changed_pieces, listen_to

AT = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[PageStage]:
    made = PageStage(BlueprintStage(tmp_path, clock=SystemClock()))
    yield made
    made.close()


def event(seq: int, at_s: float, kind: EventKind, phase: str = "", **more: object) -> Event:
    at = AT + timedelta(seconds=at_s)
    return Event(seq=seq, at=at, operation="op", kind=kind, phase=phase, **more)  # type: ignore[arg-type]


def test_a_board_places_phases_where_they_were() -> None:
    events = [
        event(1, 0, EventKind.PHASE_STARTED, "images"),
        event(2, 1, EventKind.PHASE_DONE, "images", seconds=1.0),
        event(3, 1, EventKind.PHASE_STARTED, "boot", machine="db1"),
        event(4, 4, EventKind.PHASE_DONE, "restore", machine="db1", seconds=2.0),
        event(5, 4, EventKind.PHASE_DONE, "checks", machine="db1", seconds=1.0),
        event(6, 4, EventKind.PHASE_FAILED, "boot", machine="db1", message="no", hint="try"),
    ]
    board = board_of(events, AT + timedelta(seconds=10))
    assert [lane.machine for lane in board.lanes] == [None, "db1"]
    boot, restore, checks = board.lanes[1].bars
    assert (boot.state, boot.left, boot.width) == ("failed", 100, 300)
    # Told at the end, but done one after the other.
    assert (restore.left, restore.width) == (100, 200)
    assert (checks.left, checks.width) == (300, 100)
    assert [(note.message, note.bad, note.hint) for note in board.notes] == [("no", True, "try")]
    assert (board.seconds, board.result) == (10.0, None)


def test_a_board_grows_while_something_runs_and_stands_when_it_has_ended() -> None:
    events = [event(1, 0, EventKind.PHASE_STARTED, "proof")]
    running = board_of(events, AT + timedelta(seconds=4)).lanes[0].bars[0]
    assert (running.state, running.seconds, running.width) == ("running", 4.0, 1000)
    events.append(event(2, 5, EventKind.RESULT, status=OperationStatus.SUCCEEDED))
    assert board_of(events, AT + timedelta(seconds=99)).seconds == 5.0
    assert board_of([], AT).lanes == ()


def test_a_phase_that_was_told_while_it_lasted_keeps_its_place_among_the_others() -> None:
    events = [
        event(1, 0, EventKind.PHASE_STARTED, "boot", machine="db1"),
        event(2, 2, EventKind.PHASE_STARTED, "restore", machine="db1"),
        event(3, 8, EventKind.PHASE_STARTED, "checks", machine="db1"),
        event(4, 10, EventKind.PHASE_DONE, "restore", machine="db1", seconds=6.0),
        event(5, 10, EventKind.PHASE_DONE, "deploy", machine="db1", seconds=1.0),
        event(6, 10, EventKind.PHASE_DONE, "checks", machine="db1", seconds=2.0),
        event(7, 10, EventKind.PHASE_DONE, "boot", machine="db1", seconds=10.0),
    ]
    (lane,) = board_of(events, AT + timedelta(seconds=10)).lanes
    assert [(bar.name, bar.left, bar.width) for bar in lane.bars] == [
        ("boot", 0, 1000),
        ("restore", 100, 600),
        ("deploy", 700, 100),
        ("checks", 800, 200),
    ]


def test_what_was_done_before_a_machine_booted_is_drawn_where_it_was() -> None:
    events = [
        event(1, 0, EventKind.PHASE_STARTED, "volumes"),
        event(2, 1, EventKind.PHASE_DONE, "clone", machine="db1", seconds=0.5),
        event(3, 2, EventKind.PHASE_DONE, "volumes", seconds=2.0),
        event(4, 2, EventKind.PHASE_STARTED, "boot", machine="db1"),
        event(5, 10, EventKind.PHASE_DONE, "facts", machine="db1", seconds=1.0),
        event(6, 10, EventKind.PHASE_DONE, "checks", machine="db1", seconds=3.0),
        event(7, 10, EventKind.PHASE_DONE, "boot", machine="db1", seconds=8.0),
    ]
    (_, lane) = board_of(events, AT + timedelta(seconds=10)).lanes
    assert [(bar.name, bar.left, bar.width) for bar in lane.bars] == [
        ("clone", 50, 50),
        ("boot", 200, 800),
        ("facts", 600, 100),
        ("checks", 700, 300),
    ]


def test_a_bar_says_how_long_the_event_says_its_phase_took() -> None:
    events = [
        event(1, 0, EventKind.PHASE_STARTED, "boot", machine="db1"),
        event(2, 2, EventKind.PHASE_DONE, "restore", machine="db1", seconds=1.5),
        event(3, 2, EventKind.PHASE_DONE, "checks", machine="db1", seconds=0.8256),
    ]
    (lane,) = board_of(events, AT + timedelta(seconds=2)).lanes
    # Together they took longer than the clock says; the first is drawn shorter, and named as told.
    assert [bar.seconds for bar in lane.bars] == [2.0, 1.5, 0.8256]


def test_nothing_runs_on_after_an_operation_that_failed() -> None:
    events = [
        event(1, 0, EventKind.PHASE_STARTED, "machines"),
        event(2, 2, EventKind.PHASE_STARTED, "restore", machine="db1"),
        event(3, 5, EventKind.PHASE_FAILED, "machines", message="no"),
        event(4, 5, EventKind.PHASE_STARTED, "compensate"),
        event(5, 9, EventKind.PHASE_DONE, "compensate", seconds=4.0),
        event(6, 9, EventKind.RESULT, status=OperationStatus.FAILED),
    ]
    (restore,) = board_of(events, AT + timedelta(seconds=99)).lanes[1].bars
    assert (restore.state, restore.seconds) == ("stopped", 3.0)


def test_a_clock_that_was_set_back_breaks_no_board() -> None:
    events = [
        event(1, 0, EventKind.PHASE_STARTED, "proof"),
        event(2, -60, EventKind.PHASE_DONE, "proof", seconds=1.0),
    ]
    bar = board_of(events, AT - timedelta(hours=1)).lanes[0].bars[0]
    assert bar.left >= 0
    assert 0 < bar.width <= 1000


# What is live.


def test_a_piece_is_an_event_as_browsers_read_it() -> None:
    assert Piece("a\nb", id="7").encoded() == b"id: 7\ndata: a\ndata: b\n\n"
    assert Piece("", event="ended").encoded() == b"event: ended\ndata: \n\n"


def test_a_browser_that_goes_away_leaves_no_listener(fresh: PageStage) -> None:
    control = fresh.stage.control
    listeners = control._journal._listeners
    before = len(listeners)

    async def look_once() -> None:
        pieces = changed_pieces(listen_to(control), lambda: "x", look_again_s=60)
        async with aclosing(pieces) as stream:  # type: ignore[type-var]
            async for piece in stream:
                assert piece.data == "x"
                assert len(listeners) == before + 1
                break

    asyncio.run(look_once())
    assert len(listeners) == before


def test_news_are_told_when_they_come_and_the_same_thing_is_not_told_twice(
    fresh: PageStage,
) -> None:
    states = iter(["old", "old", "new", None])

    async def follow() -> list[Piece]:
        pieces = changed_pieces(
            listen_to(fresh.stage.control), lambda: next(states), look_again_s=0
        )
        return [piece async for piece in pieces]

    assert asyncio.run(follow()) == [Piece("old"), Piece("new"), Piece("", event="ended")]


class _Line:
    def __init__(self, line: str) -> None:
        self.machine, self.service, self.line = "db1", "mariadb", line


class _Burst:
    """Ten thousand lines at once, and then none."""

    def __init__(self) -> None:
        self.lines = [_Line(f"line <{n}> \x1b[31m") for n in range(10_000)]

    def read_new(self) -> list[_Line]:
        lines, self.lines = self.lines, []
        return lines


def test_of_a_burst_the_newest_lines_are_sent_and_escaped() -> None:
    async def first() -> Piece:
        async with aclosing(log_pieces([_Burst()], lambda: True)) as pieces:  # type: ignore[type-var]
            return await anext(pieces)

    text = asyncio.run(first()).data
    assert text.count("<li>") == 300
    assert "9700 lines left out" in text
    assert "line &lt;9999&gt;" in text
    assert "\x1b" not in text
