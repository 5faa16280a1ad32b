"""The command line of ``create`` and ``plan`` in the seed's spelling, made readable for Click.

Click options take a fixed number of words; ``--machines backend db feed`` takes all that follow,
``--shared metrics`` likewise, and ``--restore_db extract`` has the data's name inside the option's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from greenroom.errors import UsageError

_NAMED_RESTORE = re.compile(r"--restore[_-](?P<name>[^=]+)(?:=(?P<value>.*))?", re.DOTALL)


def rewrite_words(words: Sequence[str], valued: Collection[str]) -> list[str]:
    """The same request with one word per ``--machines``, ``--shared`` and
    ``--restore=NAME=SOURCE``.

    ``valued`` are the options that take the next word whatever it looks like, so that a branch
    may be called ``--help``. What it does not know stays as it is, for Click to judge; a second
    rewriting changes nothing. Raises UsageError.
    """
    rewritten: list[str] = []
    valued = set(valued) - _TYPES_HINT.keys()
    position = 0
    while position < len(words):
        word = words[position]
        named = _NAMED_RESTORE.fullmatch(word)
        if word == "--":
            rewritten += words[position:]
            break
        if word in valued:
            rewritten += words[position : position + 2]
            position += 2
        elif word in _TYPES_HINT:
            types = _until_option(word, words[position + 1 :])
            rewritten += [f"{word}={name}" for name in types]
            position += 1 + len(types)
        elif named is not None:
            value, used = _restore_source(named, words[position + 1 :])
            rewritten.append(f"--restore={named['name']}={value}")
            position += used
        else:
            rewritten.append(word)
            position += 1
    return rewritten


def named_values(option: str, words: Sequence[str]) -> dict[str, str]:
    """``NAME=VALUE`` words of an option as a mapping; raises UsageError."""
    values: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not name or not value:
            raise UsageError(
                "E_USAGE", f"{option} {word!r}: expected NAME=VALUE", hint=_EXAMPLES[option]
            )
        if values.get(name, value) != value:
            raise UsageError(
                "E_USAGE",
                f"{option} gives {name!r} two values: {values[name]!r} and {value!r}",
                hint=f"give {option} {name} once",
            )
        values[name] = value
    return values


_EXAMPLES = {
    "--restore": "for example --restore db=extract, --restore db=extract:cold or --restore db=none",
    "--mount": "for example --mount backend=./src",
}


_TYPES_HINT = {
    "--machines": "for example --machines backend=2 db feed; without the option all types boot",
    "--shared": "for example --shared metrics",
}


def _until_option(option: str, words: Sequence[str]) -> list[str]:
    types: list[str] = []
    for word in words:
        if word.startswith("-"):
            break
        types.append(word)
    if not types:
        raise UsageError(
            "E_USAGE", f"{option} has no machine type after it", hint=_TYPES_HINT[option]
        )
    return types


def _restore_source(named: re.Match[str], following: Sequence[str]) -> tuple[str, int]:
    if named["value"] is not None:
        return named["value"], 1
    if not following:
        raise UsageError(
            "E_USAGE",
            f"{named.group()} has no restore source after it",
            hint=f"for example {named.group()} extract, or {named.group()} none",
        )
    return following[0], 2
