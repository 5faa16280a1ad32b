"""The colours of the page: what is written can be read on what is behind it, in both schemes."""

from __future__ import annotations

import re

import pytest

from greenroom.web.page.render import STATIC

GROUNDS = ("paper", "surface", "sunken")
TINTED = ("good", "bad", "open", "moving", "idle")
TEXT_ON = [
    *((ink, ground) for ink in ("ink", "muted", "accent") for ground in GROUNDS),
    *((tint, f"{tint}-soft") for tint in TINTED),
    *(("ink", f"{tint}-soft") for tint in TINTED),
    *((tint, "surface") for tint in ("good", "bad", "open", "moving")),
    ("accent-ink", "accent"),
    ("accent", "accent-soft"),
]


def colours(scheme: int) -> dict[str, tuple[float, ...]]:
    sheet = (STATIC / "page.css").read_text()
    pairs = re.findall(r"--([a-z-]+): light-dark\((#[0-9a-fA-F]{6}), (#[0-9a-fA-F]{6})\)", sheet)
    return {
        name: tuple(int(pair[scheme][at : at + 2], 16) / 255 for at in (1, 3, 5))
        for name, *pair in pairs
    }


def luminance(colour: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_ON)
def test_text_can_be_read_on_its_ground(ink: str, ground: str, scheme: int) -> None:
    known = colours(scheme)
    assert contrast(known[ink], known[ground]) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "surface"])
def test_the_bounds_of_fields_and_buttons_are_seen(ground: str, scheme: int) -> None:
    known = colours(scheme)
    assert contrast(known["edge"], known[ground]) >= 3
