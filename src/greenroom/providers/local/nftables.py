"""libnftables in this process: a listing takes half a millisecond, where a program takes six.

The library comes with the program nft (libnftables(3)). It keeps state of its own behind its
contexts, so one thread at a time uses it. It speaks of the calling thread's network namespace.
"""

from __future__ import annotations

import ctypes
import threading
from functools import cache

from greenroom.errors import HostError, OperationError

_LIBRARY = "libnftables.so.1"
_STATELESS, _HANDLE, _JSON = 1 << 2, 1 << 3, 1 << 4
_one_at_a_time = threading.Lock()


def list_ruleset() -> str:
    """What `nft -s -a list ruleset` prints. Raises OperationError (E_NFT)."""
    return _run("list ruleset", _STATELESS | _HANDLE)


def list_table(table: str) -> str:
    """What `nft -j list table` prints (libnftables-json(5)). Raises OperationError (E_NFT)."""
    return _run(f"list table {table}", _JSON)


def list_set(table: str, name: str) -> str:
    """What `nft -j list set` prints (libnftables-json(5)). Raises OperationError (E_NFT)."""
    return _run(f"list set {table} {name}", _JSON)


def apply(commands: str) -> None:
    """What `nft -f` does: all of it or, if the kernel refuses any, nothing. Raises OperationError
    (E_NFT)."""
    _run(commands, 0)


def _run(commands: str, flags: int) -> str:
    library = _library()
    with _one_at_a_time:
        context = ctypes.c_void_p(library.nft_ctx_new(0))
        try:
            library.nft_ctx_output_set_flags(context, flags)
            library.nft_ctx_buffer_output(context)
            library.nft_ctx_buffer_error(context)
            code = library.nft_run_cmd_from_buffer(context, commands.encode())
            if code != 0:
                error = library.nft_ctx_get_error_buffer(context).decode(errors="replace")
                what = commands.partition("\n")[0]
                raise OperationError("E_NFT", f"nft cannot {what}: {error.strip()}")
            output: bytes = library.nft_ctx_get_output_buffer(context)
        finally:
            library.nft_ctx_free(context)
    return output.decode(errors="replace")


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise HostError(
            "E_NO_LIBRARY",
            f"the library {_LIBRARY} is not installed",
            hint="apt-get install -y --no-install-recommends nftables",
        ) from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
    library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    return library
