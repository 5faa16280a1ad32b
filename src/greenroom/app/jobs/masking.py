"""Secrets taken out of a stream of bytes, in the forms in which a script is likely to print them.

It guards against accidents: ``set -x``, a verbose client, a dumped configuration, a header. A
script that wants to give a secret away can always find a form of its own.

The stream comes in pieces that are cut anywhere. What is masked does not depend on where: each
byte that lies in any form of any secret is, and what may yet become one is held back.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from greenroom.model.jobs import MASK

_MASK = MASK.encode()
_FORM_MIN = 4
"""A line of a secret, or a piece of its base64, that is shorter is not looked for by itself."""
_PARTIAL_MIN = 4
"""From how many bytes on the beginning of a form is masked where the rest does not come."""
_BETWEEN_TEXT = rb"(?:\r?\n)?"
_BETWEEN_HEX = rb"[ :\r\n]{0,2}"


@dataclass(frozen=True, slots=True)
class _Form:
    """One way of writing a secret: ``pieces`` one after the other, with what ``between`` matches
    between any two. ``ignored`` are the bytes that ``between`` may match."""

    pieces: tuple[bytes, ...]
    between: bytes = b""
    ignored: bytes = b""

    @property
    def text(self) -> bytes:
        """The form with nothing between its pieces."""
        return b"".join(self.pieces)

    @property
    def pattern(self) -> bytes:
        """As a regular expression."""
        return self.between.join(re.escape(piece) for piece in self.pieces)

    @property
    def longest(self) -> int:
        """The most bytes that it can take."""
        return len(self.text) + 2 * len(self.pieces) if self.between else len(self.text)


class Masker:
    """The mask over one stream."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = sorted(_forms(secrets), key=lambda form: (-len(form.text), form.text))
        self._forms = forms
        self._window = max((form.longest for form in forms), default=0)
        alternatives = b"|".join(b"(?:" + form.pattern + b")" for form in forms)
        self._any = re.compile(alternatives) if forms else None
        # At each place the longest form; a look-ahead, so that forms may overlap.
        self._every = re.compile(b"(?=(" + alternatives + b"))") if forms else None
        self._held = b""

    @property
    def holds_line(self) -> bool:
        """Whether the end of a line is held back, which somebody may be waiting for."""
        return b"\n" in self._held

    def feed(self, piece: bytes) -> bytes:
        """What can be shown after this piece of the stream."""
        if self._any is None:
            return piece
        data = self._held + piece
        safe = len(data) - self._partial(data)
        if self._any.search(data) is None:
            self._held = data[safe:]
            return data[:safe]
        spans = list(self._spans(data))
        for start, end in spans:
            if start < safe < end:
                safe = start
        self._held = data[safe:]
        return _masked(data[:safe], [span for span in spans if span[1] <= safe])

    def flush(self) -> bytes:
        """What is left, when no more comes or nobody wants to wait for it: the beginning of a form
        is masked too, if it is long enough to tell something."""
        data, self._held = self._held, b""
        if self._every is None or not data:
            return data
        spans = list(self._spans(data))
        partial = self._partial(data)
        if partial >= _PARTIAL_MIN:
            spans = _merged([*spans, (len(data) - partial, len(data))])
        return _masked(data, spans)

    def _spans(self, data: bytes) -> list[tuple[int, int]]:
        assert self._every is not None
        return _merged([match.span(1) for match in self._every.finditer(data)])

    def _partial(self, data: bytes) -> int:
        """How many bytes at the end of ``data`` may be the beginning of a form: the most."""
        tail = data[-self._window :]
        stripped: dict[bytes, tuple[bytes, list[int]]] = {}
        longest = 0
        for form in self._forms:
            if not form.ignored:
                longest = max(longest, _overlap(tail, form.text))
                continue
            if form.ignored not in stripped:
                places = [i for i, byte in enumerate(tail) if byte not in form.ignored]
                stripped[form.ignored] = bytes(tail[i] for i in places), places
            bare, places = stripped[form.ignored]
            if count := _overlap(bare, form.text):
                longest = max(longest, len(tail) - places[-count])
        return longest


def _overlap(data: bytes, form: bytes) -> int:
    """The length of the longest proper beginning of ``form`` that ``data`` ends with."""
    if not data:
        return 0
    last = data[-1:]
    # Only a beginning that ends as the data does can be one.
    count = form.rfind(last, 0, len(form) - 1) + 1
    while count:
        if data.endswith(form[:count]):
            return count
        count = form.rfind(last, 0, count - 1) + 1
    return 0


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping spans as one; those that only touch stay two, wherever the stream is cut."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _masked(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    shown = bytearray()
    done = 0
    for start, end in spans:
        shown += data[done:start] + _MASK
        done = end
    return bytes(shown + data[done:])


def _forms(secrets: Iterable[str]) -> set[_Form]:
    forms: set[_Form] = set()
    for secret in secrets:
        for text in {secret, secret.strip(), *secret.splitlines()}:
            if len(text) >= _FORM_MIN:
                forms.update(_forms_of(text))
    return forms


def _forms_of(text: str) -> Iterator[_Form]:
    raw = text.encode(errors="surrogatepass")
    yield from (_Form((spelled,)) for spelled in _spelled(text, raw))
    for digits in (raw.hex(), raw.hex().upper()):
        pairs = tuple(digits[i : i + 2].encode() for i in range(0, len(digits), 2))
        yield _Form(pairs, _BETWEEN_HEX, b" :\r\n")
    for letters in _base64_forms(raw):
        pieces = tuple(bytes([letter]) for letter in letters)
        yield _Form(pieces, _BETWEEN_TEXT, b"\r\n")


def _spelled(text: str, raw: bytes) -> set[bytes]:
    """The secret as it is, and with what URLs, JSON, XML and shells make of some characters."""
    percent = quote(text, safe="", errors="surrogatepass")
    spelled = {
        text,
        percent,
        quote(text, errors="surrogatepass"),
        quote_plus(text, errors="surrogatepass"),
        re.sub("%..", lambda found: found[0].lower(), percent),
        json.dumps(text)[1:-1],
        json.dumps(text)[1:-1].replace("/", "\\/"),
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
        shlex.quote(text).removeprefix("'").removesuffix("'"),
        text.replace("'", "'\\''"),
        text.replace("'", "\\'"),
        re.sub(r'([$`"\\])', r"\\\1", text),
        # printf %q of bash, and its $'…' for what set -x shows of control characters.
        re.sub(r"([^A-Za-z0-9_@%+=:,./-])", r"\\\1", text),
        _ansi_c(text),
    }
    found = {each.encode(errors="surrogatepass") for each in spelled}
    return {each for each in found if len(each) >= min(_FORM_MIN, len(raw))}


def _ansi_c(text: str) -> str:
    escapes = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "'": "\\'", "\\": "\\\\"}
    return "".join(escapes.get(letter, letter) for letter in text)


def _base64_forms(raw: bytes) -> Iterator[bytes]:
    """The base64 of the secret alone, and the letters that any longer text has which holds it: its
    bytes begin at one of three places in a group of four letters (RFC 4648, section 4)."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(raw)
        yield whole
        yield whole.rstrip(b"=")
        for before in range(3):
            first = -(-8 * before // 6)
            last = 8 * (before + len(raw)) // 6
            inner = encode(bytes(before) + raw)[first:last]
            if len(inner) >= _FORM_MIN:
                yield inner
