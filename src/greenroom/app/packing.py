"""Archives of code: the same bytes for the same files, and nothing that a machine would refuse."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from greenroom.agent.errors import AgentError
from greenroom.agent.unpack import MEMBERS, UNPACKED_BYTES, checked_name
from greenroom.errors import InputError

COMPRESSION_LEVEL = 6
"""gzip's own default; 9 takes three times as long for code, and saves a hundredth."""

_HINT = "leave it out of the folder"


def pack_folder(folder: Path, archive: Path) -> None:
    """Pack all that ``folder`` holds into the new tar.gz ``archive``, below ``.``.

    It says nothing of the place, the time or the person: names in order, no owners, no times, and
    of the modes only whether a file can be executed. Raises InputError E_ARTIFACT for what is
    neither file, folder nor link, and OSError.
    """
    with (
        archive.open("xb") as file,
        gzip.GzipFile("", "wb", COMPRESSION_LEVEL, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in _names_below(folder):
            _add(tar, folder, name)


def check_archive(archive: Path, key: str) -> int:
    """How many files and links ``archive`` holds; raises InputError E_ARTIFACT unless it is a whole
    tar.gz that the agent of a machine unpacks."""
    count = files = size = 0
    seen: set[str] = set()
    try:
        with gzip.open(archive) as packed, tarfile.open(fileobj=packed, mode="r:") as tar:
            for member in tar:
                name = checked_name(member, key)
                count, size = count + 1, size + member.size
                if count > MEMBERS or size > UNPACKED_BYTES:
                    raise _refused(f"{key} holds more than {MEMBERS} files or 8 GiB", "split it")
                if not member.isdir():
                    if name in seen:
                        raise _refused(f"{key} holds {member.name!r} twice", "pack it anew")
                    seen.add(name)
                    files += 1
            # The checksum of the compression stands at its end, behind tar's own.
            while packed.read(1 << 20):
                pass
    except AgentError as error:
        raise _refused(str(error), "machines refuse it; leave it out") from error
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise _refused(f"{key} would not be a whole .tar.gz: {error}", "pack it anew") from error
    if not files:
        raise _refused(f"there is no file to push as {key}", "name a folder that holds the code")
    return files


def _names_below(folder: Path) -> Iterator[str]:
    """Relative paths of everything in ``folder``, sorted; links are not followed."""

    def complain(error: OSError) -> None:
        raise error

    names: list[str] = []
    for place, folders, files in os.walk(folder, onerror=complain):
        below = Path(place).relative_to(folder)
        names += [(below / name).as_posix() for name in (*folders, *files)]
    yield from sorted(names)


def _add(tar: tarfile.TarFile, folder: Path, name: str) -> None:
    path = folder / name
    _require_unicode(path, name)
    status = path.lstat()
    member = tarfile.TarInfo(name)
    member.mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
    if stat.S_ISREG(status.st_mode):
        with path.open("rb") as content:
            member.size = os.fstat(content.fileno()).st_size
            tar.addfile(member, content)
        return
    if stat.S_ISDIR(status.st_mode):
        member.type, member.mode = tarfile.DIRTYPE, 0o755
    elif stat.S_ISLNK(status.st_mode):
        member.type, member.mode = tarfile.SYMTYPE, 0o777
        member.linkname = str(path.readlink())
    else:
        raise _refused(f"{path} is neither file, folder nor link", _HINT)
    tar.addfile(member)


def _require_unicode(path: Path, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        told = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise _refused(f"the name of {told} is not UTF-8", "rename it") from error


def _refused(message: str, hint: str) -> InputError:
    return InputError("E_ARTIFACT", message, hint=hint)
