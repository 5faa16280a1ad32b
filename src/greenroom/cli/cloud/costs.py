"""Costs for a person, and for a program."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from greenroom.cli.text import duration, table
from greenroom.model.costs import WORKDAY_H, Amount, Cost, CostItem, Per, Span
from greenroom.money import CENT, HUNDREDTH_OF_A_CENT, amount_words, dollars

RUN_MINUTES = 30
"""How long a run is taken to be where nobody says."""

_HEAD = ("MACHINE", "PART", "WHAT", "PRICE")


def cost_line(cost: Cost, run_minutes: int = RUN_MINUTES) -> str:
    """``$0.0660 an hour · $0.03 for a run of 30 min · … (prices of 2026-01-02)``."""
    if cost.as_of is None:
        return (
            f"cost unknown: there are no prices for {cost.region} "
            f"(greenroom prices refresh --region {cost.region})"
        )
    parts = (
        f"{amount_words(cost.per_hour(), HUNDREDTH_OF_A_CENT)} an hour",
        f"{amount_words(cost.of_run(run_minutes * 60))} for a run of {run_minutes} min",
        f"{amount_words(cost.per_workday())} a workday of {WORKDAY_H} h",
        f"{amount_words(cost.per_day())} a day always on",
    )
    line = f"{' · '.join(parts)} (prices of {cost.as_of})"
    unknown = (cost.once() + cost.per_day()).unknown
    return f"{line}; unknown: {', '.join(unknown)}" if unknown else line


def cost_lines(cost: Cost) -> list[str]:
    """A small table of the parts, and what is in none of them."""
    rows = [(item.machine or "-", item.part.value, item.what, _price(item)) for item in cost.items]
    return [*table(_HEAD, rows), f"not counted: {', '.join(cost.not_counted)}"]


def day_words(cost: Cost) -> str:
    """A cell of a list: ``$1.58 a day``."""
    return "unknown" if cost.as_of is None else f"{amount_words(cost.per_day())} a day"


def actual_line(amount: Amount, span: Span) -> str:
    """What it has cost, for a receipt: ``$0.06 for 10 min 00 s, by the second``."""
    line = f"{amount_words(amount)} for {duration(span.seconds)}, by the second"
    return f"{line}; unknown: {', '.join(amount.unknown)}" if amount.unknown else line


def cost_json(cost: Cost, run_minutes: int = RUN_MINUTES) -> dict[str, Any]:
    """The same for a program. Money is text, exact, in USD; ``unknown`` names what a sum lacks."""
    return {
        "region": cost.region,
        "prices_as_of": cost.as_of.isoformat() if cost.as_of else None,
        "prices_source": cost.source,
        "per_hour": amount_json(cost.per_hour()),
        "per_create": amount_json(cost.once()),
        "run": {"minutes": run_minutes, **amount_json(cost.of_run(run_minutes * 60))},
        "workday": {"hours": WORKDAY_H, **amount_json(cost.per_workday())},
        "day_always_on": amount_json(cost.per_day()),
        "items": [
            {
                "machine": item.machine,
                "part": item.part.value,
                "what": item.what,
                "per": item.per.value,
                "usd": None if item.usd is None else _plain(item.usd),
            }
            for item in cost.items
        ],
        "not_counted": list(cost.not_counted),
    }


def amount_json(amount: Amount) -> dict[str, Any]:
    """``usd`` None: nothing of it is known."""
    known = amount.usd if amount.usd or not amount.unknown else None
    return {
        "usd": None if known is None else _plain(known),
        "unknown": list(amount.unknown),
    }


def _price(item: CostItem) -> str:
    if item.usd is None:
        return "unknown"
    match item.per:
        case Per.HOUR:
            return f"{dollars(item.usd, HUNDREDTH_OF_A_CENT)} an hour"
        case Per.MONTH:
            return f"{dollars(item.usd, CENT)} a month, free for 12 hours"
        case Per.ONCE:
            return f"{dollars(item.usd, CENT)} once"


def _plain(usd: Decimal) -> str:
    return f"{usd.quantize(Decimal('1E-12')).normalize():f}"
