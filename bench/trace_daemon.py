"""The daemon with a stopwatch on each of its functions: ``trace_daemon.py FILE``.

Every function of greenroom is wrapped where it is found, so the product knows nothing of this and
a renamed function needs no edit here. Calls of half a millisecond and more are written to FILE
at the end, one JSON object a line: the monotonic clock, which all processes of a host share.
"""

from __future__ import annotations

import functools
import inspect
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

_SHORTEST_S = 0.0005
_PREFIX = "greenroom."
_LEFT_ALONE = ("greenroom.model", "greenroom.cli", "greenroom.errors", "greenroom.agent.")
_spans: list[dict[str, Any]] = []


def main() -> None:
    """Wrap, serve until told to stop, write."""
    target = Path(sys.argv[1])
    from greenroom import daemon
    from greenroom.region import Region

    _wrap_everything()
    try:
        daemon.serve(Region.from_environment())
    finally:
        target.write_text("".join(json.dumps(span) + "\n" for span in _spans))


def _wrap_everything() -> None:
    modules = [m for n, m in sorted(sys.modules.items()) if n.startswith(_PREFIX) and m]
    wrapped: dict[FunctionType, Callable[..., Any]] = {}
    for module in modules:
        for name, value in list(vars(module).items()):
            if isinstance(value, FunctionType) and _wanted(value):
                setattr(module, name, wrapped.setdefault(value, _stopwatch(value)))
            elif inspect.isclass(value) and value.__module__ == module.__name__:
                _wrap_class(value, module)


def _wrap_class(found: type, module: ModuleType) -> None:
    if module.__name__.startswith(_LEFT_ALONE):
        return
    for name, value in list(vars(found).items()):
        if isinstance(value, FunctionType) and not name.startswith("__") and _wanted(value):
            setattr(found, name, _stopwatch(value))


def _wanted(function: FunctionType) -> bool:
    module = function.__module__ or ""
    if not module.startswith(_PREFIX) or module.startswith(_LEFT_ALONE):
        return False
    return not inspect.isgeneratorfunction(function) and not inspect.isasyncgenfunction(function)


def _stopwatch(function: FunctionType) -> Callable[..., Any]:
    name = f"{function.__module__.removeprefix(_PREFIX)}.{function.__qualname__}"
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def timed_async(*arguments: Any, **named: Any) -> Any:
            started = time.monotonic()
            try:
                return await function(*arguments, **named)
            finally:
                _note(name, started, (*arguments, *named.values()))

        return timed_async

    @functools.wraps(function)
    def timed(*arguments: Any, **named: Any) -> Any:
        started = time.monotonic()
        try:
            return function(*arguments, **named)
        finally:
            _note(name, started, (*arguments, *named.values()))

    return timed


def _note(name: str, started: float, arguments: tuple[Any, ...]) -> None:
    ended = time.monotonic()
    about = "" if ended - started < _SHORTEST_S else _about(arguments)
    request = "" if not name.startswith("providers.local.services") else _request(arguments)
    if ended - started >= _SHORTEST_S or request:
        _spans.append(
            {
                "name": name,
                "start": started,
                "end": ended,
                "thread": threading.get_native_id(),
                "about": about,
                "request": request,
            }
        )


def _about(arguments: tuple[Any, ...]) -> str:
    """The machine, the environment, or the step that a call is about."""
    for argument in arguments:
        kind = type(argument).__name__
        if kind in ("Machine", "MachineLayout"):
            return str(argument.name)
        if isinstance(argument, str) and len(argument) < 24:
            return argument
        if isinstance(argument, list) and argument and isinstance(argument[0], str):
            return " ".join(argument)[:60]
    return ""


def _request(arguments: tuple[Any, ...]) -> str:
    """``ADDRESS METHOD PATH`` of a request of a machine."""
    for argument in arguments:
        if type(argument).__name__ == "Request" and argument.client is not None:
            return f"{argument.client.host} {argument.method} {argument.url.path}"
    return ""


if __name__ == "__main__":
    main()
