"""The metadata service's answers, as EC2 gives them, IMDSv2 only.

Source: EC2 user guide, «Instance metadata and user data» (categories) and «Use IMDSv2» (tokens).
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from greenroom.providers.local.residents import Resident

TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "x-aws-ec2-metadata-token"
_LONGEST_TTL_S = 21600
_TOKENS_PER_MACHINE = 128


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of a reply."""

    status: int
    body: str = ""


class Tokens:
    """Session tokens, each good for one machine and its time. Thread-safe, bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expiry: dict[str, OrderedDict[str, float]] = {}

    def issue(self, address: str, ttl: str | None, forwarded: bool) -> Answer:
        """PUT /latest/api/token: 400 without a lifetime in seconds, 403 through a proxy."""
        if forwarded:
            return Answer(403, "a token is not given through a proxy")
        if ttl is None or not ttl.isdecimal() or not 1 <= int(ttl) <= _LONGEST_TTL_S:
            return Answer(400, f"{TTL_HEADER} must be 1 to {_LONGEST_TTL_S}")
        token = secrets.token_urlsafe(32)
        with self._lock:
            mine = self._expiry.setdefault(address, OrderedDict())
            mine[token] = time.monotonic() + int(ttl)
            while len(mine) > _TOKENS_PER_MACHINE:
                mine.popitem(last=False)
        return Answer(200, token)

    def valid(self, address: str, token: str | None) -> bool:
        """Whether this machine was given that token and its time is not over."""
        if token is None:
            return False
        with self._lock:
            mine = self._expiry.get(address)
            expiry = None if mine is None else mine.get(token)
        return expiry is not None and time.monotonic() < expiry


def answer(resident: Resident, path: str) -> Answer:
    """GET of anything under /latest/ with a good token."""
    if path == "/latest/user-data":
        return Answer(200, resident.machine.user_data)
    prefix = "/latest/meta-data"
    if not path.startswith(prefix):
        return Answer(404)
    wanted = path.removeprefix(prefix).strip("/")
    tree = categories(resident)
    if wanted in tree:
        return Answer(200, tree[wanted])
    below = _listing(tree, wanted)
    return Answer(200, below) if below else Answer(404)


def categories(resident: Resident) -> dict[str, str]:
    """Every leaf of the machine's metadata, by its path below meta-data/."""
    machine, stack = resident.machine, resident.stack
    leaves = {
        "ami-id": f"ami-{stack.image_of(machine).digest[:17]}",
        "hostname": machine.private_dns,
        "instance-id": machine.instance_id,
        "instance-type": machine.instance_type,
        "local-hostname": machine.private_dns,
        "local-ipv4": str(machine.address),
        "placement/availability-zone": "local-1a",
        "placement/region": "local-1",
        "security-groups": "\n".join(machine.groups),
    }
    if machine.instance_profile is not None:
        arn = f"arn:aws:iam::000000000000:instance-profile/{machine.instance_profile}"
        leaves["iam/info"] = f'{{"Code": "Success", "InstanceProfileArn": "{arn}"}}'
    for key, value in machine.tags:
        leaves[f"tags/instance/{key}"] = value
    return leaves


def instance_data(resident: Resident) -> str:
    """The same leaves as one document: what cloud-init keeps of metadata for the programs of the
    machine (cloud-init, «Instance data»: /run/cloud-init/instance-data.json).

    Paths are nested, and a value of several lines is a list, as there.
    """
    tree: dict[str, Any] = {}
    for path, value in categories(resident).items():
        *folders, leaf = path.split("/")
        inside = tree
        for folder in folders:
            inside = inside.setdefault(folder, {})
        lines = value.splitlines()
        inside[leaf] = lines if len(lines) > 1 else value
    return json.dumps({"ds": {"meta_data": tree}}, indent=1)


def _listing(tree: dict[str, str], folder: str) -> str:
    """A folder's entries, one a line, folders with a slash."""
    prefix = f"{folder}/" if folder else ""
    names = set()
    for path in tree:
        if path.startswith(prefix):
            head, slash, _ = path.removeprefix(prefix).partition("/")
            names.add(head + slash)
    return "\n".join(sorted(names))
