"""Words that are plainly well-formed, read without Click.

This accepts less than Click does and never complains: whatever is not plain is left to Click,
which judges it by the same declaration. A test holds that what is read here, Click reads alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.cli.declare import Command


def read(command: Command, words: Sequence[str]) -> dict[str, object] | None:
    """The command's parameters, or None for words that Click should see; raises UsageError."""
    options = {spelling: option for option in command.options for spelling in option.spellings}
    values = {option.name: option.unset for option in command.options}
    given: set[str] = set()
    others: list[str] = []
    left = iter(command.rewritten(words))
    for word in left:
        if word[:1] != "-":
            others.append(word)
            continue
        spelling, separator, value = word.partition("=")
        option = options.get(spelling)
        if option is None or bool(separator) > word.startswith("--"):
            return None
        if option.name in given and not option.multiple:
            return None
        given.add(option.name)
        if option.flag:
            if separator:
                return None
            values[option.name] = True
            continue
        if not separator:
            value = next(left, "")
            if value[:1] in ("", "-"):
                return None
        if option.multiple:
            before = values[option.name]
            assert isinstance(before, tuple)
            values[option.name] = (*before, value)
        else:
            values[option.name] = value
    return values if _take_arguments(command, others, values) else None


def _take_arguments(command: Command, words: list[str], values: dict[str, object]) -> bool:
    """Give the words to the arguments in their order; whether it is plain which is whose."""
    if "" in words:
        return False
    left = list(words)
    for argument in command.arguments:
        if argument.many:
            values[argument.name] = tuple(left)
            left = []
        elif left:
            values[argument.name] = left.pop(0)
        elif argument.required:
            return False
        else:
            values[argument.name] = None
    return not left
