"""Loading a dump into a server: it is fed to the client in pieces, and must be whole."""

from __future__ import annotations

import os

from .command import Process, memory_file
from .errors import AgentError
from .mariadb import client_error
from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

READ_BYTES = 1024 * 1024
PIECE_BYTES = 8 * 1024 * 1024
TRAILER = b"-- Dump completed"
LOAD_END_S = 3600.0

LOAD_SESSION = "SET SESSION unique_checks = 0, foreign_key_checks = 0;\n"
"""Lets InnoDB fill empty tables in bulk. Nothing is lost: the manifest is checked afterwards."""

LOAD_OPTIONS = ("--binary-mode", "--loose-sandbox", "--max-allowed-packet=1G")
"""A dump is data: without these its lines could be commands of the client (`\\!` runs a shell)."""


def load(path: str, argv: Sequence[str]) -> None:
    """Feed a dump to the client; raises AgentError with its words, or if the dump is cut off."""
    said = memory_file("")
    read_end, write_end = os.pipe()
    try:
        process = Process(argv, stdin=read_end, stdout=said, stderr=said)
    finally:
        os.close(read_end)
    try:
        tail = _feed(path, write_end)
        os.close(write_end)
        write_end = -1
        code = process.wait(LOAD_END_S)
        if code != 0:
            os.lseek(said, 0, os.SEEK_SET)
            words = client_error(os.read(said, 1 << 20).decode("utf-8", "replace"))
            raise AgentError(f"the dump does not load: {words or f'mariadb exited with {code}'}")
        if not tail.rstrip().rpartition(b"\n")[2].startswith(TRAILER):
            raise AgentError("the dump is truncated: its last line is not '-- Dump completed'")
    finally:
        if write_end != -1:
            os.close(write_end)
        process.kill()
        os.close(said)


def _feed(path: str, pipe: int) -> bytes:
    """Write the session's settings and the whole dump into the pipe; the dump's last bytes.

    A client that gave up closes the pipe: it will tell why, so that is not an error here.
    """
    tail = b""
    try:
        _write(pipe, LOAD_SESSION.encode())
        for piece in dump_pieces(path):
            _write(pipe, piece)
            tail = (tail + piece)[-4096:]
    except BrokenPipeError:
        return tail
    return tail


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def dump_pieces(path: str) -> Iterator[bytes]:
    """The dump's text in pieces; raises AgentError if its compression is cut off or broken."""
    with open(path, "rb") as file:
        if not path.endswith(".gz"):
            while piece := file.read(READ_BYTES):
                yield piece
            return
        yield from _gunzip(file)


def _gunzip(file: BinaryIO) -> Iterator[bytes]:
    """Several gzip files in a row are one, as gunzip sees it. The pieces are of bounded size."""
    import zlib

    unpack, whole = zlib.decompressobj(wbits=31), False
    while piece := file.read(READ_BYTES):
        while piece:
            try:
                text = unpack.decompress(piece, PIECE_BYTES)
            except zlib.error as error:
                raise AgentError(f"the dump is not valid gzip: {error}") from error
            if text:
                yield text
            piece, whole = unpack.unconsumed_tail, unpack.eof
            if whole:
                piece = unpack.unused_data
                unpack = zlib.decompressobj(wbits=31)
    if not whole:
        raise AgentError("the dump is truncated: its gzip stream ends early")
