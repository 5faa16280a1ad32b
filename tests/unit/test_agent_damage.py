"""Artifacts and dumps that are damaged somewhere: each place is found, by whatever guards it.

The checksum beside an artifact fits the damaged file here: it was made after the damage, or by
whoever made the damage. What the checksum itself finds is in test_agent_deploy.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from greenroom.agent.dump import dump_pieces
from greenroom.agent.errors import AgentError
from greenroom.agent.unpack import unpack

KEY = "backend-x.tar.gz"
MEMBERS, MEMBER_BYTES, HEADER_BYTES = 3, 20480, 512
LATER = HEADER_BYTES + MEMBER_BYTES
"""Where the second member begins."""


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for number in range(MEMBERS):
            entry = tarfile.TarInfo(f"file{number}")
            entry.size = MEMBER_BYTES
            # Random bytes do not get shorter, so a place in the tar is about one in the gzip.
            content = random.Random(number).randbytes(MEMBER_BYTES)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def flipped(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


def in_gzip(change: Callable[[bytes], bytes]) -> bytes:
    return change(gzip.compress(tar(), mtime=0))


def in_tar(change: Callable[[bytes], bytes]) -> bytes:
    return gzip.compress(change(tar()), mtime=0)


CUT_STREAM = "Compressed file ended before the end-of-stream marker was reached"
ARTIFACTS = {
    "an empty file": (b"", "it is an empty file"),
    "the first byte": (in_gzip(lambda b: flipped(b, 0)), "invalid header"),
    "the middle": (in_gzip(lambda b: flipped(b, len(b) // 2)), "CRC check failed"),
    "the last block is missing": (in_gzip(lambda b: b[:-512]), CUT_STREAM),
    "the gzip trailer is missing": (in_gzip(lambda b: b[:-8]), CUT_STREAM),
    "half of the gzip trailer": (in_gzip(lambda b: b[:-4]), CUT_STREAM),
    "the checksum in the trailer": (in_gzip(lambda b: flipped(b, -8)), "CRC check failed"),
    "the length in the trailer": (
        in_gzip(lambda b: flipped(b, -1)),
        "Incorrect length of data produced",
    ),
    "something follows the gzip": (in_gzip(lambda b: b + b"xx"), "Not a gzipped file (b'xx')"),
    "the first member": (in_tar(lambda b: flipped(b, 0)), "bad checksum"),
    "a later member's header": (
        in_tar(lambda b: flipped(b, LATER)),
        "it is damaged behind its member 1",
    ),
    "cut within a member": (in_tar(lambda b: b[: LATER + 1000]), "unexpected end of data"),
    "cut between members": (
        in_tar(lambda b: b[: 2 * LATER]),
        "it is cut off behind its member 2",
    ),
    "cut between members, not compressed": (
        tar()[: 2 * LATER],
        "it is cut off behind its member 2",
    ),
    "a cut bzip2": (bz2.compress(tar())[:-10], CUT_STREAM),
    "a cut xz": (lzma.compress(tar())[:-10], CUT_STREAM),
    "no archive at all": (b"<html>404 Not Found</html>" * 40, "invalid header"),
}


@pytest.mark.parametrize(("content", "reason"), ARTIFACTS.values(), ids=ARTIFACTS)
def test_a_damaged_artifact_is_never_taken_for_a_whole_one(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "artifact").write_bytes(content)
    with pytest.raises(AgentError) as caught:
        unpack(str(tmp_path / "artifact"), str(tmp_path / "release"), KEY)
    assert str(caught.value).startswith(f"{KEY} is not a readable archive: {reason}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, bytes])
def test_the_same_artifact_undamaged_is_unpacked(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "artifact").write_bytes(pack(tar()))
    unpack(str(tmp_path / "artifact"), str(tmp_path / "release"), KEY)
    assert len(list((tmp_path / "release").iterdir())) == MEMBERS


DUMP = gzip.compress(random.Random(1).randbytes(100_000), mtime=0)
INVALID = "the dump is not valid gzip: Error -3 while decompressing data: "
EARLY = "the dump is truncated: its gzip stream ends early"
DUMPS = {
    "an empty file": (b"", EARLY),
    "the first byte": (flipped(DUMP, 0), f"{INVALID}incorrect header check"),
    "the middle": (flipped(DUMP, len(DUMP) // 2), f"{INVALID}incorrect data check"),
    "the last block is missing": (DUMP[:-512], EARLY),
    "half of the gzip trailer": (DUMP[:-4], EARLY),
    "the checksum in the trailer": (flipped(DUMP, -8), f"{INVALID}incorrect data check"),
    "the length in the trailer": (flipped(DUMP, -1), f"{INVALID}incorrect length check"),
    "something follows the gzip": (DUMP + b"xx", f"{INVALID}incorrect header check"),
}


@pytest.mark.parametrize(("content", "reason"), DUMPS.values(), ids=DUMPS)
def test_a_damaged_dump_is_never_taken_for_a_whole_one(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "dump.sql.gz").write_bytes(content)
    with pytest.raises(AgentError) as caught:
        list(dump_pieces(str(tmp_path / "dump.sql.gz")))
    assert str(caught.value) == reason
