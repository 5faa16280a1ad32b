"""Unpacking an archive that may be hostile: nothing leaves the target, nothing special is made.

`tarfile`'s own filter='data' is not in every Python 3.11 (Debian 12's lacks it), so the rules are
here, and stricter: what would have to be changed to be safe is refused instead.
"""

from __future__ import annotations

import os
import posixpath

from .errors import AgentError
from .value import TYPE_CHECKING

if TYPE_CHECKING:
    import tarfile
    from typing import BinaryIO, Literal

    Mode = Literal["r:", "r:gz", "r:bz2", "r:xz"]

UNPACKED_BYTES = 8 * 1024**3
MEMBERS = 500_000
COPY_BYTES = 256 * 1024
BLOCK_BYTES = 512
MAGIC: dict[bytes, Mode] = {b"\x1f\x8b": "r:gz", b"BZh": "r:bz2", b"\xfd7zXZ": "r:xz"}


def unpack(archive: str, target: str, key: str) -> None:
    """Unpack the tar file ``archive`` (any compression) into the new directory ``target``.

    Raises AgentError that names ``key`` and the member; what is half unpacked is the caller's.
    """
    import tarfile
    import zlib
    from lzma import LZMAError

    os.mkdir(target, 0o755)
    size = count = 0
    try:
        # Opened as what its first bytes say: left to guess, tarfile tells of four ways to fail.
        with tarfile.open(archive, _mode(archive, key)) as tar:
            for member in tar:
                count, size = count + 1, size + member.size
                if count > MEMBERS or size > UNPACKED_BYTES:
                    raise AgentError(
                        f"{key} holds more than {MEMBERS} files or {UNPACKED_BYTES >> 30} GiB"
                    )
                name = checked_name(member, key)
                if name != ".":
                    _extract(tar, member, target, name, key)
            _require_end(tar, count, key)
    except (tarfile.TarError, zlib.error, LZMAError, EOFError, ValueError) as error:
        raise AgentError(f"{key} is not a readable archive: {error}") from error
    except OSError as error:
        if error.filename is None and error.errno is None:  # bad gzip or bzip2 data
            raise AgentError(f"{key} is not a readable archive: {error}") from error
        raise
    if not count:
        raise AgentError(f"{key} is an empty archive")


def _mode(archive: str, key: str) -> Mode:
    """How tarfile is to open the archive; raises AgentError for an empty file."""
    with open(archive, "rb") as file:
        first = file.read(6)
    if not first:
        raise AgentError(f"{key} is not a readable archive: it is an empty file")
    return next((mode for magic, mode in MAGIC.items() if first.startswith(magic)), "r:")


def _require_end(tar: tarfile.TarFile, count: int, key: str) -> None:
    """Raise unless the archive ends as one does; its compression is read to its own end too.

    tarfile takes a missing or damaged header for the end, and never reaches the checksum in the
    last bytes of the compression: an archive that lost half of its files would pass.
    """
    file = tar.fileobj
    assert file is not None
    file.seek(tar.offset)
    block = file.read(BLOCK_BYTES)
    if len(block) < BLOCK_BYTES:
        raise ValueError(f"it is cut off behind its member {count}")
    if block.strip(b"\0"):
        raise ValueError(f"it is damaged behind its member {count}")
    while file.read(COPY_BYTES):
        pass


def checked_name(member: tarfile.TarInfo, key: str) -> str:
    """The member's path below the target; raises AgentError for what may not be there (pure)."""
    name = posixpath.normpath(member.name)
    if _leaves(name) or ".." in member.name.split("/"):
        raise AgentError(f"{key} refused: {member.name!r} lies outside of the archive")
    if member.issym():
        aim = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
        if member.linkname.startswith("/") or _leaves(aim):
            raise AgentError(
                f"{key} refused: the link {member.name!r} leads outside, to {member.linkname!r}"
            )
    elif member.islnk():
        if _leaves(posixpath.normpath(member.linkname)):
            raise AgentError(
                f"{key} refused: the link {member.name!r} leads outside, to {member.linkname!r}"
            )
    elif not (member.isreg() or member.isdir()):
        raise AgentError(f"{key} refused: {member.name!r} is neither file, directory nor link")
    return name


def _leaves(path: str) -> bool:
    return path.startswith("/") or path == ".." or path.startswith("../") or "\0" in path


def _extract(
    tar: tarfile.TarFile, member: tarfile.TarInfo, target: str, name: str, key: str
) -> None:
    path = os.path.join(target, name)
    _make_parents(target, name, key)
    if member.isdir():
        if not os.path.isdir(path):
            os.mkdir(path)
        os.chmod(path, member.mode & 0o755 | 0o700, follow_symlinks=True)
        return
    if os.path.lexists(path):
        raise AgentError(f"{key} refused: {member.name!r} is in it twice")
    if member.issym():
        os.symlink(member.linkname, path)
    elif member.islnk():
        first = os.path.join(target, posixpath.normpath(member.linkname))
        _make_parents(target, posixpath.normpath(member.linkname), key)
        if os.path.islink(first) or not os.path.isfile(first):
            raise AgentError(f"{key} refused: {member.name!r} links to what is not in it")
        os.link(first, path)
    else:
        source = tar.extractfile(member)
        assert source is not None
        with source, open(path, "xb") as file:
            _copy(source, file)  # type: ignore[arg-type]
            os.fchmod(file.fileno(), member.mode & 0o755 | 0o600)


def _copy(source: BinaryIO, file: BinaryIO) -> None:
    while piece := source.read(COPY_BYTES):
        file.write(piece)


def _make_parents(target: str, name: str, key: str) -> None:
    """Make the directories above ``name``; none of them may be a link that led elsewhere."""
    path = target
    for part in name.split("/")[:-1]:
        path = os.path.join(path, part)
        if os.path.islink(path):
            raise AgentError(f"{key} refused: {name!r} goes through a link")
        if not os.path.isdir(path):
            os.mkdir(path, 0o755)
