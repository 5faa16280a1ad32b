"""On the page a hint names the button, and no button that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from greenroom.web.page import hints
from greenroom.web.page.hints import as_buttons

TEMPLATES = Path(hints.__file__).parent.parent / "templates"
HINTS = [
    (
        "greenroom start photos/feature-x boots it from its own disks",
        "«Start» on the page of photos/feature-x boots it from its own disks",
    ),
    (
        "greenroom show photos/x tells why; greenroom recover photos/x brings it back",
        "the page of photos/x tells why; «Recover» on the page of photos/x brings it back",
    ),
    (
        "greenroom deploy photos/x, or greenroom destroy photos/x first",
        "«Deploy» on the page of photos/x, or «Destroy this environment» on the page of photos/x "
        "first",
    ),
    (
        "wait until it has ended, or stop it: greenroom cancel photos/x",
        "wait until it has ended, or stop it: «Stop it, and take it back», where it is watched "
        "live",
    ),
    (
        "greenroom list, then greenroom destroy what nobody needs",
        "the list of environments, then destroy what nobody needs",
    ),
    (
        "greenroom destroy photos/master --confirm photos/master",
        "type «photos/master» into the field beside the button",
    ),
    (
        "greenroom drill photos/x --throw-away replaces its machines in turn",
        "«Throw machines away» on the page of photos/x replaces its machines in turn",
    ),
    (
        "name what shall be replaced, it keeps its volume: greenroom replace photos/x db1",
        "name what shall be replaced, it keeps its volume: «Replace» of db1 on the page of "
        "photos/x",
    ),
    (
        "greenroom logs photos/x may say why; greenroom replace photos/x MACHINE tries again",
        "the log on the page of photos/x may say why; «Replace» on the page of photos/x tries "
        "again",
    ),
    (
        "greenroom flows photos/x shows the proof; the environment was kept",
        "the page of photos/x shows the proof; the environment was kept",
    ),
    (
        "mend that, then greenroom flows ENV proves it",
        "mend that, then «Prove again» on the page of ENV proves it",
    ),
    ("greenroom create makes one", "«New environment» makes one"),
    (
        "greenroom job history shows them; greenroom job abort ends one",
        "the page Jobs shows them; «Abort» ends one",
    ),
    ("greenroom job retry ex00 token=@FILE", "fill in the job's form once more"),
    (
        "greenroom job retry runs it again with the same options",
        "«Run it again» runs it again with the same options",
    ),
    (
        "greenroom token revoke laptop makes the name free",
        "«Revoke» beside laptop on the page Tokens makes the name free",
    ),
]
NO_BUTTON = [
    "",
    "greenroom doctor --orphans lists it",
    "greenroom replace photos/feature-x --stateless replaces without one",
    "leave metrics out of --machines; greenroom create --shared metrics boots it",
    "the daemon's log says more",
]


@pytest.mark.parametrize(("hint", "said"), HINTS)
def test_a_hint_names_the_button_in_the_place_of_the_command(hint: str, said: str) -> None:
    assert as_buttons(hint) == said


@pytest.mark.parametrize("hint", NO_BUTTON)
def test_what_has_no_button_stays_as_it_is(hint: str) -> None:
    assert as_buttons(hint) == hint


def test_every_button_that_a_hint_names_is_on_a_page() -> None:
    shown = " ".join(path.read_text() for path in TEMPLATES.glob("*.html"))
    named = {each for _, words in hints._STEPS for each in re.findall(r"«([^»\\]+)»", words)}
    assert len(named) > 10
    for button in named:
        pattern = rf"[>}}]{re.escape(button)}( \{{\{{ \w+\.\w+ \}}\}})?</(button|summary|a)>"
        assert re.search(pattern, shown), button
