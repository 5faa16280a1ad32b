"""The logs of a machine's services, read by a command that Systems Manager runs in it.

What a command prints is cut after so many characters, so each look reads a bounded part and says
where it stopped; the next look goes on there.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from greenroom.model.cloud_views import MachineLines

LOOK_CHARACTERS = 20_000
"""What one look prints at most: AWS hands over 24,000 characters."""
TAIL_BYTES = 12_000
"""What the first look reads of each log at most: its end."""


def log_script(places: Mapping[str, tuple[int, int]] | None, service: str | None) -> str:
    """The command that reads on from ``places`` (service: inode, offset); None: the logs' ends."""
    ask = json.dumps({"places": places, "service": service}, separators=(",", ":"))
    return f"python3 -I -S -c {shlex.quote(_READER)} {shlex.quote(ask)}"


def parse_look(text: str) -> MachineLines:
    """What the command printed; raises ValueError for anything else."""
    read = json.loads(text)
    if not isinstance(read, dict):
        raise ValueError("not an object")
    return MachineLines(
        lines=tuple((str(name), str(line)) for name, line in read["lines"]),
        places={str(name): (int(at[0]), int(at[1])) for name, at in read["places"].items()},
        more=bool(read["more"]),
        notice=str(read["notice"]),
    )


# Runs in the machine with the standard library alone. A log under s6 is a file that is renamed
# when it is full; what was written to it between two looks and the renaming is found by its inode.
# Under systemd the journal is asked, whose cursor is the time of the last line in microseconds.
_READER = f"""
import json, os, subprocess, sys
ROOT = os.environ.get("GREENROOM_AGENT_ROOT", "")
LOGS = ROOT + "/var/log/greenroom"
ask = json.loads(sys.argv[1])
before = ask["places"]
lines, places, left, notice = [], {{}}, {LOOK_CHARACTERS}, ""
more = False

def wanted(name):
    return ask["service"] in (None, name)

def files():
    found = {{"user-data": ROOT + "/var/log/cloud-init-output.log"}}
    try:
        names = sorted(os.listdir(LOGS))
    except OSError:
        names = []
    for name in names:
        if os.path.isfile(LOGS + "/" + name + "/current"):
            found[name] = LOGS + "/" + name + "/current"
    return found

def units(known):
    try:
        with open(ROOT + "/etc/greenroom/boot.json") as file:
            names = json.load(file).get("services", [])
    except (OSError, ValueError):
        return []
    return [name for name in names if name not in known]

def take(name, text):
    global left
    size = len(json.dumps([name, text])) + 2
    if size > left:
        return False
    left -= size
    lines.append([name, text])
    return True

def chunk(path, inode, offset, size):
    folder = os.path.dirname(path)
    paths = [path] + [folder + "/" + other for other in sorted(os.listdir(folder))]
    for other in paths:
        try:
            with open(other, "rb") as file:
                status = os.fstat(file.fileno())
                if inode in (0, status.st_ino):
                    at = offset if offset >= 0 else max(0, status.st_size - size)
                    file.seek(at)
                    data = file.read(size)
                    cut = offset < 0 and at > 0
                    return status.st_ino, at, data, cut, at + len(data) < status.st_size
        except OSError:
            continue
    return None

def read_file(name, path):
    global more, notice
    inode, offset = (before or {{}}).get(name, (0, -1 if before is None else 0))
    got = chunk(path, inode, offset, {TAIL_BYTES})
    if got is None:
        inode, offset = 0, 0
        got = chunk(path, 0, 0, {TAIL_BYTES})
    if got is None:
        return
    inode, at, data, cut, rest = got
    more = more or rest
    parts = data.split(b"\\n")
    tail = parts.pop()
    if tail and len(tail) == len(data) and len(data) >= {TAIL_BYTES}:
        parts, tail = [tail], b""
    if cut and parts:
        at += len(parts[0]) + 1
        parts = parts[1:]
        notice = "only the end of long logs is shown"
    for part in parts:
        if not take(name, part.decode("utf-8", "replace")):
            more = True
            break
        at += len(part) + 1
    places[name] = [inode, min(at, got[1] + len(data))]
    try:
        current = os.stat(path).st_ino
    except OSError:
        current = inode
    if current != inode and not rest:
        places[name] = [current, 0]
        more = True

def read_unit(name):
    global more
    since = (before or {{}}).get(name, (0, 0))[1]
    argv = ["journalctl", "--no-pager", "-q", "-o", "json", "-u", name]
    argv += ["--since", "@%.6f" % ((since + 1) / 1e6)] if since else ["-n", "100"]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return
    places[name] = [0, since]
    for row in done.stdout.splitlines():
        entry = json.loads(row)
        if not take(name, str(entry.get("MESSAGE", ""))):
            more = True
            break
        places[name] = [0, int(entry["__REALTIME_TIMESTAMP"])]

known = files()
for name, path in known.items():
    if wanted(name):
        read_file(name, path)
for name in units(known):
    if wanted(name):
        read_unit(name)
print(json.dumps({{"lines": lines, "places": places, "more": more, "notice": notice}}))
"""
