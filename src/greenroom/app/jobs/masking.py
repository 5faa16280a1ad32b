"""Secrets taken out of a stream of bytes, in the forms in which a script is likely to print them.

It guards against accidents: ``set -x``, a verbose client, a dumped configuration, a header. A
script that wants to give a secret away can always find a form of its own.

The stream comes in pieces that are cut anywhere. What is masked does not depend on where: each
byte that lies in any form of any secret is, and what may yet become one is held back.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from greenroom.model.jobs import MASK

_MASK = MASK.encode()
_FORM_MIN = 4
"""A line of a secret, or a piece of its base64, that is shorter is not looked for by itself."""
_PARTIAL_MIN = 4
"""From how many bytes on the beginning of a form is masked where the rest does not come."""
_SLACK_BYTES = 64
"""Line ends and the like that a form may have within it besides one or two after each letter."""
_LETTERS_IGNORED = b"\r\n"
"""What base64 may have between its letters: programs break it into lines."""
_DIGITS_IGNORED = b" :\r\n"
"""What hexadecimal may have between its digits."""


class _Forms:
    """Ways of writing secrets, wherever ``ignored`` bytes stand between. They are looked for one by
    one, as one regular expression of a private key took seconds to compile; but only where one of
    their beginnings is found, and for those a regular expression is the fastest."""

    def __init__(self, ignored: bytes, texts: Iterable[bytes]) -> None:
        self.ignored = ignored
        self.texts = tuple(sorted(texts))
        beginnings = sorted({text[:_FORM_MIN] for text in self.texts})
        self._beginning = re.compile(b"|".join(map(re.escape, beginnings)))

    @property
    def window(self) -> int:
        """In how many bytes at the end of a stream the beginning of a form is looked for."""
        longest = max(map(len, self.texts), default=0)
        return 3 * longest + _SLACK_BYTES if self.ignored else longest

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Where forms stand in ``data``, all that overlap too."""
        bare = data.translate(None, self.ignored)
        if self._beginning.search(bare) is None:
            return []
        found = []
        for text in self.texts:
            at = bare.find(text)
            while at >= 0:
                found.append((at, at + len(text)))
                at = bare.find(text, at + 1)
        if not found or len(bare) == len(data):
            return found
        places = [i for i, byte in enumerate(data) if byte not in self.ignored]
        return [(places[start], places[end - 1] + 1) for start, end in found]

    def partial(self, data: bytes) -> int:
        """How many bytes at the end of ``data`` may be the beginning of a form: the most."""
        tail = data[-self.window :]
        bare = tail.translate(None, self.ignored)
        count = max((_overlap(bare, text) for text in self.texts), default=0)
        if not count or len(bare) == len(tail):
            return count
        places = [i for i, byte in enumerate(tail) if byte not in self.ignored]
        return len(tail) - places[-count]


class Masker:
    """The mask over one stream."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = _forms(secrets)
        self._held = b""
        # How much of what is held was shown already: the beginning of a form that may go on.
        self._told = 0

    @property
    def holds_line(self) -> bool:
        """Whether the end of a line is held back, which somebody may be waiting for."""
        return b"\n" in self._held[self._told :]

    def feed(self, piece: bytes) -> bytes:
        """What can be shown after this piece of the stream."""
        data = self._held + piece
        safe = len(data) - self._partial(data)
        spans = self._spans(data)
        for start, end in spans:
            if start < safe < end:
                safe = start
        return self._show(data, [span for span in spans if span[1] <= safe], safe, safe)

    def flush(self) -> bytes:
        """What is left, when no more comes or nobody wants to wait for it: the beginning of a form
        is masked too, if it is long enough to tell something. More may come for all that: what
        goes on with the form is known by its beginning, and masked as well."""
        data = self._held
        spans = self._spans(data)
        start = len(data) - self._partial(data)
        # Not the end of the line, for which the reader waits.
        end = len(data.rstrip(_LETTERS_IGNORED))
        if end - start >= _PARTIAL_MIN:
            spans = _merged([*spans, (start, end)])
        return self._show(data, spans, len(data), start)

    def _show(
        self, data: bytes, spans: list[tuple[int, int]], shown_to: int, keep_from: int
    ) -> bytes:
        """``data`` from what was told to ``shown_to``, masked; what is kept begins at
        ``keep_from``."""
        told = self._told
        # What is kept as context may reach back before what can be shown now.
        shown_to = max(shown_to, told)
        self._held, self._told = data[keep_from:], shown_to - keep_from
        news = [(max(start, told) - told, end - told) for start, end in spans if end > told]
        return _masked(data[told:shown_to], news)

    def _spans(self, data: bytes) -> list[tuple[int, int]]:
        return _merged([span for forms in self._forms for span in forms.spans(data)])

    def _partial(self, data: bytes) -> int:
        return max((forms.partial(data) for forms in self._forms), default=0)


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


def _forms(secrets: Iterable[str]) -> tuple[_Forms, ...]:
    plain: set[bytes] = set()
    digits: set[bytes] = set()
    letters: set[bytes] = set()
    for secret in secrets:
        for text in {secret, secret.strip(), *secret.splitlines()}:
            if len(text) >= _FORM_MIN:
                raw = text.encode(errors="surrogatepass")
                plain |= _spelled(text, raw)
                digits |= {raw.hex().encode(), raw.hex().upper().encode()}
                letters.update(_base64_forms(raw), _base32_forms(raw))
                for wide in ("utf-16-le", "utf-16-be"):
                    double = text.encode(wide, errors="surrogatepass")
                    plain.add(double)
                    letters.update(_base64_forms(double))
    kinds = (b"", plain), (_DIGITS_IGNORED, digits), (_LETTERS_IGNORED, letters)
    return tuple(_Forms(ignored, texts) for ignored, texts in kinds if texts)


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
        _go_json(text),
        *_in_markup(text),
        # As SQL and YAML have a quote within quotes, and CSV.
        text.replace("'", "''"),
        text.replace('"', '""'),
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


def _go_json(text: str) -> str:
    """As encoding/json writes it, so that it can stand in HTML."""
    spelled = json.dumps(text, ensure_ascii=False)[1:-1]
    for letter in "<>&\u2028\u2029":
        spelled = spelled.replace(letter, f"\\u{ord(letter):04x}")
    return spelled


def _in_markup(text: str) -> Iterator[str]:
    """As XML has it, and with the quotes escaped as Python, PHP, Go and templates do."""
    bare = html.escape(text, quote=False)
    yield bare
    yield bare.replace('"', "&quot;")
    for double, single in ("&quot;", "&#x27;"), ("&quot;", "&#039;"), ("&#34;", "&#39;"):
        yield bare.replace('"', double).replace("'", single)
    yield bare.replace('"', "&quot;").replace("'", "&apos;")


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


def _base32_forms(raw: bytes) -> Iterator[bytes]:
    """The same for base32: five places in a group of eight letters (RFC 4648, section 6)."""
    whole = base64.b32encode(raw)
    yield whole
    for before in range(5):
        first = -(-8 * before // 5)
        last = 8 * (before + len(raw)) // 5
        yield base64.b32encode(bytes(before) + raw)[first:last]
