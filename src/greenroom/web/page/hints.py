"""Hints for who reads them on the page: the button, where the core names the command.

A hint is written once, for everybody, and names the next step as the command line has it. Whoever
has the page before them has a button for most of these; what has none stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_NAME = r"([A-Za-z0-9/-]++)"
"""An environment as hints name it: in full, or by its slug; whole, or it does not match."""


def _of_page(button: str) -> str:
    return rf"«{button}» on the page of \1"


_STEPS: tuple[tuple[str, str], ...] = (
    # What is more than another one comes before it.
    (r"greenroom \w+ \S+.* --confirm (\S+)", r"type «\1» into the field beside the button"),
    (rf"greenroom drill {_NAME} --throw-away", _of_page("Throw machines away")),
    (rf"greenroom drill {_NAME}", _of_page("Drill for an emergency")),
    (rf"greenroom replace {_NAME} ([a-z][a-z0-9-]*[0-9])", r"«Replace» of \2 on the page of \1"),
    (rf"greenroom replace {_NAME}(?! --)(?: MACHINE)?", _of_page("Replace")),
    (rf"greenroom deploy {_NAME}", _of_page("Deploy")),
    (r"greenroom destroy what", "destroy what"),
    (rf"greenroom destroy {_NAME}", _of_page("Destroy this environment")),
    (rf"greenroom extend {_NAME}", _of_page("Extend")),
    (rf"greenroom recover {_NAME}", _of_page("Recover")),
    (rf"greenroom start {_NAME}", _of_page("Start")),
    (rf"greenroom stop {_NAME}", _of_page("Stop")),
    (rf"greenroom flows {_NAME}(?= shows)", r"the page of \1"),
    (rf"greenroom flows {_NAME}", _of_page("Prove again")),
    (rf"greenroom logs {_NAME}", r"the log on the page of \1"),
    (rf"greenroom show {_NAME}", r"the page of \1"),
    (rf"greenroom cancel {_NAME}", "«Stop it, and take it back», where it is watched live"),
    (r"greenroom create(?! --)(?= makes| boots)", "«New environment»"),
    (r"greenroom list\b", "the list of environments"),
    (r"greenroom job retry \S+ \S+=@FILE", "fill in the job's form once more"),
    (r"greenroom job retry(?: ex\w+)?", "«Run it again»"),
    (r"greenroom job abort(?: ex\w+)?", "«Abort»"),
    (r"greenroom job (?:history|list)", "the page Jobs"),
    (r"greenroom job show \S+", "the page Jobs"),
    (r"greenroom token create \S+ --role ROLE", "the page Tokens"),
    (r"greenroom token revoke (\S+)", r"«Revoke» beside \1 on the page Tokens"),
    (r"greenroom token list", "the page Tokens"),
    (r"greenroom inventory(?= lists)", "the page Inventory"),
)


def _replacing(pattern: str, words: str) -> Callable[[str], str]:
    compiled = re.compile(rf"(?<!\w){pattern}")
    return lambda text: compiled.sub(words, text)


_REPLACING = tuple(_replacing(pattern, words) for pattern, words in _STEPS)


def as_buttons(hint: str) -> str:
    """``«Start» on the page of photos/feature-x boots it`` for ``greenroom start
    photos/feature-x boots it``."""
    if "greenroom " not in hint:
        return hint
    for replacing in _REPLACING:
        hint = replacing(hint)
    return hint
