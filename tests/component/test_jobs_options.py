"""The values of a job's options: what is taken, and the exact message for what is not."""

from __future__ import annotations

from typing import Any

import pytest
from tests.component.jobs_stage import START, TOKEN, job, option

from greenroom.errors import InputError
from greenroom.model.job_words import OptionKind
from greenroom.model.jobs import MASK, Dependence, Job
from greenroom.plan.job_options import masked, resolve_options, secrets_of

NOT_A_DATE = "is not a date such as 2026-11-23, today or yesterday"
TOO_SHORT = "is shorter than 4 characters; a log could not be masked for it"

# The option, the text, and what is said of it.
FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"required": True}, "", "option 'x' is required"),
    ({"kind": OptionKind.INTEGER}, "seven", "option 'x' 'seven' is not a whole number"),
    ({"kind": OptionKind.INTEGER}, "7.0", "option 'x' '7.0' is not a whole number"),
    (
        {"kind": OptionKind.INTEGER, "minimum": 1},
        "0",
        "option 'x' 0 is out of range; expected at least 1",
    ),
    (
        {"kind": OptionKind.INTEGER, "maximum": 9},
        "10",
        "option 'x' 10 is out of range; expected at most 9",
    ),
    ({"kind": OptionKind.BOOLEAN}, "yes", "option 'x' 'yes' is not true or false"),
    (
        {"kind": OptionKind.CHOICE, "choices": ("full", "quick")},
        "ful",
        "option 'x' unknown choice 'ful'; did you mean 'full'?",
    ),
    ({"kind": OptionKind.DATE}, "2026-02-30", f"option 'x' '2026-02-30' {NOT_A_DATE}"),
    ({"kind": OptionKind.DATE}, "20261123", f"option 'x' '20261123' {NOT_A_DATE}"),
    ({"kind": OptionKind.SECRET}, "abc", f"option 'x' {TOO_SHORT}"),
    (
        {"kind": OptionKind.SECRET, "pattern": "[0-9]+"},
        "hunter2",
        "option 'x' the value does not match [0-9]+",
    ),
    ({"pattern": "[a-z]+"}, "A", "option 'x' 'A' does not match [a-z]+"),
    ({}, "a\x1b[2J", "option 'x' holds control characters; expected text"),
    ({}, "ä" * 5000, "option 'x' has 10000 bytes; expected at most 8192"),
]


@pytest.mark.parametrize(("values", "text", "message"), FAULTS)
def test_a_wrong_value_is_refused_with_these_words(
    values: dict[str, Any], text: str, message: str
) -> None:
    with pytest.raises(InputError) as told:
        resolve_options(job(options=(option("x", **values),)), {"x": text}, START)
    assert told.value.code == "E_JOB_OPTION"
    assert told.value.message == f"photos/count: {message}"
    assert told.value.hint == "greenroom job show photos/count lists the options"


def test_all_that_is_wrong_is_told_at_once() -> None:
    asked = job(options=(option("date", OptionKind.DATE), option("n", OptionKind.INTEGER)))

    with pytest.raises(InputError) as told:
        resolve_options(asked, {"daet": "1", "n": "x", "date": "y"}, START)
    assert told.value.message == (
        "photos/count: unknown option 'daet'; did you mean 'date'?; "
        f"option 'date' 'y' {NOT_A_DATE}; option 'n' 'x' is not a whole number"
    )


def dependent() -> Job:
    return job(
        options=(
            option(
                "rows",
                OptionKind.INTEGER,
                required=True,
                depends_on=Dependence(option="mode", value="some"),
            ),
            option("mode", OptionKind.CHOICE, choices=("all", "some"), default="all"),
        )
    )


def test_an_option_counts_only_where_the_other_has_its_value() -> None:
    assert resolve_options(dependent(), {}, START) == {"mode": "all"}
    some = {"mode": "some", "rows": "7"}
    assert resolve_options(dependent(), some, START) == some

    for given, message in (
        ({"rows": "7"}, "option 'rows' counts only with mode=some"),
        ({"mode": "some"}, "option 'rows' is required"),
    ):
        with pytest.raises(InputError, match=message):
            resolve_options(dependent(), given, START)


def test_defaults_and_spoken_dates_are_filled_in() -> None:
    asked = job(
        options=(
            option("day", OptionKind.DATE, default="yesterday"),
            option("on", OptionKind.BOOLEAN, default="true"),
            option("none"),
        )
    )

    assert resolve_options(asked, {"none": ""}, START) == {"day": "2026-11-22", "on": "true"}
    # Noon UTC is the next day already on the other side of the date line.
    auckland = resolve_options(asked, {"day": "today"}, START, "Pacific/Auckland")
    assert auckland["day"] == "2026-11-24"


def test_all_values_together_have_a_limit() -> None:
    asked = job(options=tuple(option(f"o{n}") for n in range(9)))

    with pytest.raises(InputError) as told:
        resolve_options(asked, {f"o{n}": "x" * 8000 for n in range(9)}, START)
    assert told.value.code == "E_JOB_OPTIONS_SIZE"
    assert told.value.message == (
        "photos/count: the values of all options have 72000 bytes; expected at most 65536"
    )


def test_a_secret_is_shown_as_stars() -> None:
    asked = job(options=(TOKEN, option("x")))
    values = {"token": "hunter2", "x": "y"}

    assert masked(asked, values) == {"token": MASK, "x": "y"}
    assert secrets_of(asked, values) == ("hunter2",)
