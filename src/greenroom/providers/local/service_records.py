"""SRV records: where a service of an environment is offered just now (RFC 2782).

``_http._tcp.backend.feature-x.photos.internal`` names the machines of type ``backend`` that offer
``http`` and have not said that they are unwell. dnsmasq reads such records only when it starts, and
must not be started again whenever an environment comes. So it passes on the questions below each
type's ``_tcp``, and the daemon answers these; all other names do without the daemon.
"""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from greenroom.model.offers import services_of
from greenroom.model.stack import Machine, Stack

ANSWER_ADDRESS = "127.0.0.1"
"""Of the region's namespace: only dnsmasq is there to ask."""
ANSWER_PORT = 5354
TTL_S = 5

_HEADER = struct.Struct("!6H")
_SRV, _ANY, _IN, _OPT = 33, 255, 1, 41
_RESPONSE, _AUTHORITATIVE, _RECURSION_DESIRED = 0x8000, 0x0400, 0x0100
_FORMAT_ERROR, _NO_NAME, _NOT_IMPLEMENTED = 1, 3, 4
_PLAIN_BYTES = 512
_LARGEST_BYTES = 4096
_POINTER_TO_QUESTION = b"\xc0\x0c"


@dataclass(frozen=True, slots=True)
class Offer:
    """Where something is offered."""

    target: str
    port: int


Find = Callable[[str], Sequence[Offer] | None]
"""The offers of a name in small letters; None if nothing has that name."""


def forwarded_names(stacks: Sequence[Stack]) -> str:
    """dnsmasq's --servers-file: which questions the daemon answers."""
    names = sorted(
        {f"_tcp.{machine.type}.{stack.domain}" for stack in stacks for machine in stack.machines}
    )
    return "".join(f"server=/{name}/{ANSWER_ADDRESS}#{ANSWER_PORT}\n" for name in names)


def offers_of(
    name: str, stacks: Sequence[Stack], is_well: Callable[[Stack, Machine], bool]
) -> tuple[Offer, ...] | None:
    """The offers of ``_SERVICE._tcp.TYPE.DOMAIN``; None if no machine of that type offers it."""
    service, _, rest = name.partition("._tcp.")
    machine_type, _, domain = rest.partition(".")
    offering = [
        (stack, machine, port)
        for stack in stacks
        if stack.domain == domain
        for machine in stack.machines
        if machine.type == machine_type
        for offered, port in services_of(machine)
        if service == f"_{offered}"
    ]
    if not offering:
        return None
    return tuple(
        Offer(machine.private_dns, port)
        for stack, machine, port in offering
        if is_well(stack, machine)
    )


class ServiceRecords(asyncio.DatagramProtocol):
    """Answers questions, a datagram each."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.DatagramProtocol."""
        # asyncio's own transport for datagrams is no subclass of it.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer, or say nothing to what is no question."""
        reply = answer(data, self._find)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


def answer(query: bytes, find: Find) -> bytes | None:
    """The reply to a DNS message (RFC 1035, section 4); None to what is none."""
    if len(query) < _HEADER.size:
        return None
    number, flags, questions, *_ = _HEADER.unpack_from(query)
    if flags & _RESPONSE:
        return None
    kept = flags & _RECURSION_DESIRED | _RESPONSE | _AUTHORITATIVE
    if flags & 0x7800:
        return _HEADER.pack(number, kept | _NOT_IMPLEMENTED, 0, 0, 0, 0)
    try:
        labels, end = _read_name(query, _HEADER.size)
        kind, class_ = struct.unpack_from("!2H", query, end)
    except (ValueError, struct.error):
        return _HEADER.pack(number, kept | _FORMAT_ERROR, 0, 0, 0, 0)
    if questions != 1:
        return _HEADER.pack(number, kept | _FORMAT_ERROR, 0, 0, 0, 0)
    question = query[_HEADER.size : end + 4]
    found = find(".".join(labels).lower())
    if found is None:
        return _HEADER.pack(number, kept | _NO_NAME, 1, 0, 0, 0) + question
    asked = kind in (_SRV, _ANY) and class_ in (_IN, _ANY)
    room = _room(query, end + 4) - _HEADER.size - len(question)
    records = _fitting([_record(offer) for offer in found] if asked else [], room)
    head = _HEADER.pack(number, kept, 1, len(records), 0, 0)
    return head + question + b"".join(records)


def _read_name(message: bytes, at: int) -> tuple[list[str], int]:
    """The labels of a name and where it ends; raises ValueError. A question holds no pointer."""
    labels: list[str] = []
    while True:
        if at >= len(message):
            raise ValueError("the name does not end")
        length = message[at]
        at += 1
        if length == 0:
            return labels, at
        if length > 63 or at + length > len(message) or len(labels) > 127:
            raise ValueError("a label that is none")
        labels.append(message[at : at + length].decode("ascii", "replace"))
        at += length


def _room(query: bytes, at: int) -> int:
    """How much the asker takes, as its OPT record says (RFC 6891); that one comes first here."""
    try:
        root, kind, size = struct.unpack_from("!BHH", query, at)
    except struct.error:
        return _PLAIN_BYTES
    if root != 0 or kind != _OPT:
        return _PLAIN_BYTES
    return max(_PLAIN_BYTES, min(int(size), _LARGEST_BYTES))


def _record(offer: Offer) -> bytes:
    target = b"".join(bytes([len(label)]) + label.encode() for label in offer.target.split("."))
    data = struct.pack("!3H", 0, 0, offer.port) + target + b"\0"
    return _POINTER_TO_QUESTION + struct.pack("!HHIH", _SRV, _IN, TTL_S, len(data)) + data


def _fitting(records: list[bytes], room: int) -> list[bytes]:
    """As many as there is room for, in another order each time: who asks again gets others."""
    random.shuffle(records)
    kept: list[bytes] = []
    for record in records:
        if room < len(record):
            break
        room -= len(record)
        kept.append(record)
    return kept
