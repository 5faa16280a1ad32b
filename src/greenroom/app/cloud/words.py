"""The words that chose machines and restores, as an environment's stack keeps them."""

from __future__ import annotations

import shlex
from dataclasses import replace

from greenroom.model.requests import CreateRequest


def words_of(request: CreateRequest) -> str:
    """``backend=2 db --restore db=extract``; empty where nobody chose. The branch is not in it."""
    restores = (f"--restore {shlex.quote(f'{name}={source}')}" for name, source in request.restore)
    return " ".join([*(shlex.quote(machine) for machine in request.machines), *restores])


def with_words(request: CreateRequest, words: str) -> CreateRequest:
    """``request`` with the machines and restores that it does not say itself."""
    machines: list[str] = []
    restores: list[tuple[str, str]] = []
    left = iter(shlex.split(words))
    for word in left:
        if word == "--restore":
            name, _, source = next(left, "").partition("=")
            restores.append((name, source))
        else:
            machines.append(word)
    said = dict(request.restore)
    return replace(
        request,
        machines=request.machines or tuple(machines),
        restore=tuple({**dict(restores), **said}.items())
        if not request.machines
        else request.restore,
    )
