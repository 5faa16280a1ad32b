"""The words that chose machines and restores, as an environment's stack keeps them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace

from greenroom.model.requests import CreateRequest


def words_of(request: CreateRequest) -> str:
    """``backend=2 db --restore db=extract``; empty where nobody chose. The branch is not in it."""
    restores = (f"--restore {shlex.quote(f'{name}={source}')}" for name, source in request.restore)
    return " ".join([*(shlex.quote(machine) for machine in request.machines), *restores])


def with_words(
    request: CreateRequest, words: str, aliases: Mapping[str, str] | None = None
) -> CreateRequest:
    """``request`` with the machines and restores that it does not say itself, each for itself.

    ``aliases`` maps other names of machine types to theirs. The restore of a machine that is not
    asked for any more is forgotten with its data.
    """
    known = aliases or {}
    machines: list[str] = []
    restores: list[tuple[str, str]] = []
    left = iter(shlex.split(words))
    for word in left:
        if word == "--restore":
            name, _, source = next(left, "").partition("=")
            restores.append((name, source))
        else:
            machines.append(word)
    chosen = request.machines or tuple(machines)
    types = [known.get(name, name) for name in (word.partition("=")[0] for word in chosen)]
    said = {known.get(name, name) for name, _ in request.restore}
    kept = (
        (name, source)
        for name, source in restores
        if known.get(name, name) not in said and (not types or known.get(name, name) in types)
    )
    return replace(request, machines=chosen, restore=(*kept, *request.restore))
