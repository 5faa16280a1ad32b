"""JSON on the way to the signal, without the import of `json`.

That import brings `re`, `enum` and `collections` along and takes 8 ms of a core, as long as the
interpreter itself. The C half of `json` needs none of them; a Python without it has `json` do all.
"""

from __future__ import annotations

from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dumps", "loads"]

try:
    from _json import encode_basestring, make_scanner
except ImportError:  # not CPython
    from json import dumps, loads
else:

    class _Context:
        """What the scanner reads of a decoder (json.decoder.JSONDecoder)."""

        strict = True
        object_hook = object_pairs_hook = None
        parse_float = float
        parse_int = int

        @staticmethod
        def parse_constant(word: str) -> object:
            """NaN and the infinities, which are not JSON (RFC 8259)."""
            raise ValueError(f"{word} is not JSON")

    _scan: Callable[[str, int], tuple[object, int]] = make_scanner(_Context)  # type: ignore[arg-type]
    _SPACE = " \t\n\r"

    def loads(text: str) -> object:  # type: ignore[misc]
        """The value; raises ValueError."""
        start = len(text) - len(text.lstrip(_SPACE))
        try:
            value, end = _scan(text, start)
        except StopIteration as stop:
            raise ValueError(f"no JSON value at character {stop.value}") from None
        if text[end:].strip(_SPACE):
            raise ValueError(f"more than one JSON value, from character {end} on")
        return value

    def dumps(  # type: ignore[misc]
        value: object, *, ensure_ascii: bool = False, separators: tuple[str, str] = (", ", ": ")
    ) -> str:
        """JSON on one line, never escaped to ASCII; raises TypeError and ValueError."""
        assert not ensure_ascii
        comma, colon = separators
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return encode_basestring(value)
        if isinstance(value, int):
            return repr(value)
        if isinstance(value, float):
            if value != value or value in (float("inf"), float("-inf")):
                raise ValueError(f"{value} is not JSON")
            return repr(value)
        if isinstance(value, (list, tuple)):
            return f"[{comma.join([dumps(item, separators=separators) for item in value])}]"
        if isinstance(value, dict):
            pairs = [
                f"{encode_basestring(key)}{colon}{dumps(item, separators=separators)}"
                for key, item in value.items()
            ]
            return f"{{{comma.join(pairs)}}}"
        raise TypeError(f"{type(value).__name__} is not JSON")
