"""No form of a secret passes the mask, however the stream is cut."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import subprocess
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.app.jobs.masking import Masker
from greenroom.model.jobs import MASK

SECRET = "h/nt3r2 'g\"h&im$"

# What a script prints, and what of it may be seen.
PRINTED = {
    "plain": (SECRET, ""),
    "in a line": (f"token={SECRET};", "token=;"),
    "JSON": (json.dumps({"token": SECRET}), '{"token": ""}'),
    "JSON of PHP": (json.dumps(SECRET).replace("/", "\\/"), '""'),
    "Python": (repr(SECRET), "''"),
    "set -x": (f"+ curl -H {shlex.quote(SECRET)}", "+ curl -H ''"),
    "double quotes": ('"h/nt3r2 \'g\\"h&im\\$"', '""'),
    "printf %q": ("h/nt3r2\\ \\'g\\\"h\\&im\\$", ""),
    "URL": (f"https://x/?t={quote(SECRET, safe='')}&u=1", "https://x/?t=&u=1"),
    "a path": (quote(SECRET), ""),
    "a form": (quote_plus(SECRET), ""),
    "lower-case URL": (quote(SECRET, safe="").replace("%2F", "%2f").replace("%22", "%22"), None),
    "XML": ("<a>h/nt3r2 'g\"h&amp;im$</a>", "<a></a>"),
    "html.escape": (html.escape(SECRET), ""),
    "htmlspecialchars": ("h/nt3r2 &#039;g&quot;h&amp;im$", ""),
    "a template": ("h/nt3r2 &#39;g&#34;h&amp;im$", ""),
    "JSON of Go": ('"h/nt3r2 \'g\\"h\\u0026im$"', '""'),
    "SQL": ("'h/nt3r2 ''g\"h&im$'", "''"),
    "CSV": ('"h/nt3r2 \'g""h&im$"', '""'),
    "base32": (base64.b32encode(SECRET.encode()).decode(), ""),
    "UTF-16": (SECRET.encode("utf-16-le").decode("latin-1"), ""),
    "base64 of UTF-16": (base64.b64encode(SECRET.encode("utf-16-le")).decode(), ""),
    "hex": (SECRET.encode().hex(), ""),
    "HEX": (SECRET.encode().hex().upper(), ""),
    "hex of bytes": (SECRET.encode().hex(" "), ""),
    "hex with colons": (SECRET.encode().hex(":"), ""),
    "xxd": (SECRET.encode().hex(" ", -2), ""),
    "base64": (base64.b64encode(SECRET.encode()).decode(), ""),
    "base64 for URLs": (base64.urlsafe_b64encode(SECRET.encode()).decode(), ""),
}


def shown(text: str, *secrets: str) -> str:
    masker = Masker(secrets or (SECRET,))
    data = text.encode()
    return (masker.feed(data) + masker.flush()).decode()


@pytest.mark.parametrize("form", PRINTED)
def test_each_form_that_a_script_prints_is_masked(form: str) -> None:
    text, left = PRINTED[form]
    output = shown(text)

    assert MASK in output
    assert SECRET not in output
    if left is not None:
        assert output.replace(MASK, "") == left


SECRETS = st.text(
    alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_characters="\x7f*"),
    min_size=4,
    max_size=40,
).filter(lambda text: len(text.strip()) >= 4)
PROSE = st.text(alphabet="abc =:;\n", max_size=30)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


@given(
    secrets=st.lists(SECRETS, min_size=1, max_size=3),
    around=st.lists(PROSE, min_size=1, max_size=4),
    places=st.lists(st.integers(0, 500), max_size=12),
    data=st.data(),
)
def test_where_a_stream_is_cut_does_not_matter(
    secrets: list[str], around: list[str], places: list[int], data: st.DataObject
) -> None:
    parts = [part for text in around for part in (text, data.draw(st.sampled_from(secrets)))]
    stream = "".join(parts).encode()
    whole, pieces = Masker(secrets), Masker(secrets)

    expected = whole.feed(stream) + whole.flush()
    output = b"".join(pieces.feed(piece) for piece in cut(stream, places)) + pieces.flush()

    assert output == expected
    assert not any(secret.encode() in output.replace(MASK.encode(), b"\0") for secret in secrets)


@given(secret=SECRETS, before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_base64_of_a_longer_text_shows_nothing_of_the_secret(
    secret: str, before: bytes, after: bytes
) -> None:
    raw = secret.encode()
    text = base64.b64encode(before + raw + after)
    first, last = -(-8 * len(before) // 6), 8 * (len(before) + len(raw)) // 6
    masker = Masker([secret])
    output = masker.feed(text) + masker.flush()

    assert MASK.encode() in output
    # What is left are the letters around those that the secret alone decides.
    left = output.split(MASK.encode())
    assert len(left[0]) <= first
    assert len(left[-1]) <= len(text) - last


@given(secret=SECRETS, width=st.integers(1, 76))
def test_base64_in_lines_is_masked(secret: str, width: int) -> None:
    letters = base64.b64encode(b"x" * 60 + secret.encode() + b"y" * 60).decode()
    lines = "\n".join(letters[i : i + width] for i in range(0, len(letters), width))
    core = base64.b64encode(secret.encode())[: 8 * len(secret.encode()) // 6].decode()
    output = shown(lines, secret)

    assert MASK in output
    assert core not in output.replace("\n", "")


@given(secret=SECRETS)
def test_a_secret_printed_letter_by_letter_is_masked(secret: str) -> None:
    masker = Masker([secret])
    output = b"".join(masker.feed(bytes([byte])) for byte in f"a {secret} z".encode())
    output += masker.flush()

    assert MASK.encode() in output
    assert secret.encode() not in output


def test_a_secret_that_begins_as_another_does_not_uncover_it() -> None:
    masker = Masker(["pass", "password"])

    assert masker.feed(b"pass") + masker.feed(b"word.") == MASK.encode() + b"."


def test_secrets_that_overlap_are_both_masked_whole() -> None:
    assert shown("abcdefgh", "abcdef", "cdefgh") == MASK
    assert shown("aaaaaa", "aaaa") == MASK


def test_each_line_of_a_key_is_masked_by_itself() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n"

    assert shown("x MIIEvQIBADANBg y\n", key) == f"x {MASK} y\n"
    assert "MIIE" not in shown(key, key)


def test_the_beginning_of_a_secret_is_masked_where_the_rest_does_not_come() -> None:
    assert shown("bye " + SECRET[:9]) == f"bye {MASK}"
    assert shown("bye h/") == "bye h/"


def test_a_line_is_held_back_only_while_it_may_yet_be_a_secret() -> None:
    masker = Masker(["secret42"])

    assert masker.feed(b"one\n") == b"one\n"
    assert not masker.holds_line
    # The base64 of it may go on in the next line.
    assert masker.feed(b"x c2Vj\n") == b"x "
    assert masker.holds_line
    assert masker.feed(b"cmV0NDI=\n") == MASK.encode() + b"\n"


LONG = "correct horse battery staple, and then some more of it to fill the lines"
IN_LINES = {
    "xxd -p": (lambda raw: raw.hex(), 60),
    "base64 -w20": (lambda raw: base64.b64encode(raw).decode(), 20),
    "base64 -w3": (lambda raw: base64.b64encode(raw).decode(), 3),
    "base32": (lambda raw: base64.b32encode(raw).decode(), 16),
}


@pytest.mark.parametrize("form", IN_LINES)
def test_a_form_in_lines_stays_masked_where_somebody_waits_between_them(form: str) -> None:
    encode, width = IN_LINES[form]
    letters = encode(LONG.encode())
    lines = [letters[i : i + width] for i in range(0, len(letters), width)]
    masker = Masker([LONG])
    output = []
    for line in lines:
        text = masker.feed(f"{line}\n".encode())
        if masker.holds_line:
            text += masker.flush()
        output.append(text.decode())
        assert not masker.holds_line
    after = masker.feed(b"bye\n") + masker.flush()

    # Of so short lines the first one alone tells nothing, and is not known either.
    seen = output[1:] if width < 4 else output
    assert seen == [f"{MASK}\n"] * len(seen)
    assert after == b"bye\n"


def test_what_does_not_go_on_with_a_form_after_a_wait_is_shown() -> None:
    masker = Masker(["secret42"])
    assert masker.feed(b"x c2Vj\n") + masker.flush() == f"x {MASK}\n".encode()
    assert masker.feed(b"cmore, c2Vj") + masker.feed(b"cmV0NDI=\n") == f"cmore, {MASK}\n".encode()


@given(
    secrets=st.lists(SECRETS, min_size=1, max_size=3), pieces=st.lists(PROSE | SECRETS, max_size=6)
)
def test_waits_lose_and_repeat_nothing(secrets: list[str], pieces: list[str]) -> None:
    masker = Masker(secrets)
    stream = "".join(pieces)
    output = b"".join(masker.feed(piece.encode()) + masker.flush() for piece in pieces)

    around = [re.escape(part) for part in output.decode(errors="ignore").split(MASK)]
    assert re.fullmatch("(?s:.+?)".join(around), stream)


def test_without_a_secret_nothing_is_touched() -> None:
    masker = Masker([])
    assert masker.feed(b"\x00\xffa") + masker.flush() == b"\x00\xffa"


@pytest.mark.parametrize(
    "command",
    [
        'set -x; : "$S"',
        "printf '%s' \"$S\" | base64 -w 10",
        "printf '%s' \"$S\" | od -An -tx1",
        'printf %q "$S"',
        "declare -p S",
        "env | grep ^S=",
    ],
)
def test_what_real_programs_print_is_masked(command: str) -> None:
    text = "pass'w\"ord$42"
    done = subprocess.run(
        ["bash", "-c", command],
        env={"S": text, "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    output = shown(done.stdout.decode(), text)

    assert MASK in output
    assert "pass" not in output
    assert "cGFzcy" not in output
    assert "70 61 73 73" not in output


def test_a_private_key_is_masked_whole_by_line_and_encoded() -> None:
    lines = [base64.b64encode(bytes([number]) * 48).decode() for number in range(40)]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""])
    encoded = base64.encodebytes(key.encode()).decode()

    assert shown(f"a\n{key}b\n", key).replace(MASK, "").split() == ["a", "b"]
    assert shown("\n".join(f"{n}: {line}" for n, line in enumerate(lines)), key).count(MASK) == 40
    assert shown(encoded, key).strip() == MASK
