"""Text for the terminal: safe, measured, aligned."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.cli.text import age, clean, clip, count, duration, pad, size, table, until, width
from greenroom.web.page.words import ahead

ESCAPED = [
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x1b]0;title\x07text", "text"),
    ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
    ("\x1bP1$r\x1b\\after", "after"),
    ("\x1b]unterminated", "unterminated"),
    ("\x9b31mred", "red"),
    ("\x1b[2J\x1b[Hhome", "home"),
    ("\x1b(Bcharset", "charset"),
    ("a\rb\tc\nd", "a b c d"),
    ("bell\x07 back\x08space", "bell backspace"),
    ("user\u202egpj.exe", "usergpj.exe"),
    ("grün 🎉", "grün 🎉"),
    ("\x1b", ""),
]


@pytest.mark.parametrize(("text", "expected"), ESCAPED)
def test_escape_sequences_and_controls_are_removed_and_text_stays(text: str, expected: str) -> None:
    assert clean(text) == expected


@settings(deadline=None)
@given(st.text() | st.lists(st.sampled_from("\x1b[]0;m\\\x07\x9b\x9d a"), max_size=12).map("".join))
def test_nothing_that_is_cleaned_can_command_a_terminal(text: str) -> None:
    cleaned = clean(text)
    assert not any(unicodedata.category(character) == "Cc" for character in cleaned)
    assert clean(cleaned) == cleaned


@settings(deadline=None)
@given(st.text(st.characters(categories=["L", "N", "So"])), st.integers(1, 20))
def test_a_clipped_text_fits(text: str, columns: int) -> None:
    assert width(clip(text, columns)) <= columns
    assert width(pad(clip(text, columns), columns)) == columns


def test_wide_characters_take_two_columns_in_a_table() -> None:
    assert table(("A", "B"), [("🎉", "x"), ("ab", "y")]) == ["A   B", "🎉  x", "ab  y"]


def test_the_cells_of_a_table_are_cleaned() -> None:
    assert table(("A",), [("\x1b[31mx",)]) == ["A", "x"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "-"),
        (0.0, "0 ms"),
        (0.0144, "14 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (59.994, "59.99 s"),
        (59.999, "1 min 00 s"),
        (125.2, "2 min 05 s"),
    ],
)
def test_durations_are_read_at_a_glance(seconds: float | None, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (timedelta(seconds=-5), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(minutes=59, seconds=59), "59 minutes"),
        (timedelta(hours=16, minutes=5), "16 hours"),
        (timedelta(days=3), "3 days"),
    ],
)
def test_ages_are_said_in_their_largest_unit(ago: timedelta, expected: str) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert age((now - ago).isoformat().replace("+00:00", "Z"), now) == expected


@pytest.mark.parametrize(
    ("left", "words", "on_the_page"),
    [
        (timedelta(days=3, seconds=-1), "in 3 days", "in 3 d"),
        (timedelta(days=1, seconds=-1), "in 1 day", "in 1 d"),
        (timedelta(hours=1, seconds=-1), "in 1 hour", "in 1 h"),
        (timedelta(hours=7, minutes=40), "in 8 hours", "in 8 h"),
        (timedelta(minutes=5, milliseconds=-1), "in 5 minutes", "in 5 min"),
        (timedelta(seconds=44, milliseconds=600), "in 45 seconds", "in 45 s"),
    ],
)
def test_what_is_to_come_is_rounded_alike_in_the_terminal_and_on_the_page(
    left: timedelta, words: str, on_the_page: str
) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert until((now + left).isoformat(), now) == words
    assert ahead(now + left, now) == on_the_page


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [
        (1, "mount", "1 mount"),
        (3, "directory", "3 directories"),
        (2, "process", "2 processes"),
        (0, "proxy route", "0 proxy routes"),
        (2, "day", "2 days"),
    ],
)
def test_counts_agree_with_their_noun(number: int, noun: str, expected: str) -> None:
    assert count(number, noun) == expected


def test_sizes_have_a_unit() -> None:
    sizes = [size(n) for n in (12, 412 * 1024**2, 3 * 1024**3)]
    assert sizes == ["12 B", "412 MiB", "3.0 GiB"]
