"""SRV records: what is offered where just now, and an answer to every datagram that asks."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.component.app_stage import make_stack, request

from greenroom.providers.local.service_records import Offer, answer, forwarded_names, offers_of

NAME = "_http._tcp.backend.feature-x.photos.internal"
STACK = make_stack(Path("/srv"), request())
OFFER = Offer("backend1.feature-x.photos.internal", 80)


def query(
    name: str = NAME, kind: int = 33, *, edns: int | None = None, flags: int = 0x100
) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    head = struct.pack("!6H", 4711, flags, 1, 0, 0, 1 if edns else 0)
    question = labels + b"\0" + struct.pack("!2H", kind, 1)
    opt = b"" if edns is None else struct.pack("!BHHIH", 0, 41, edns, 0, 0)
    return head + question + opt


def head_of(reply: bytes | None) -> tuple[int, ...]:
    assert reply is not None
    number, flags, questions, answers, *_ = struct.unpack_from("!6H", reply)
    assert number == 4711
    assert flags & 0x8000
    return flags & 0xF, questions, answers


def test_a_service_is_where_machines_of_the_type_offer_it_and_are_well() -> None:
    def sick(stack: object, machine: object) -> bool:
        return False

    def well(stack: object, machine: object) -> bool:
        return True

    assert offers_of(NAME, [STACK], well) == (OFFER,)
    assert offers_of(NAME, [STACK], sick) == ()
    domain = "feature-x.photos.internal"
    assert offers_of(f"_mysql._tcp.db.{domain}", [STACK], well) == (Offer(f"db1.{domain}", 3306),)
    for other in ("_ssh._tcp.backend", "_http._tcp.db", "_http._udp.backend", "backend"):
        assert offers_of(f"{other}.{domain}", [STACK], well) is None
    assert offers_of(NAME.replace("feature-x", "master"), [STACK], well) is None


def test_dnsmasq_passes_on_just_these_names() -> None:
    assert forwarded_names([STACK]) == (
        "server=/_tcp.backend.feature-x.photos.internal/127.0.0.1#5354\n"
        "server=/_tcp.db.feature-x.photos.internal/127.0.0.1#5354\n"
    )
    assert forwarded_names([]) == ""


def test_the_answer_holds_port_and_target() -> None:
    reply = answer(query(), lambda name: [OFFER] if name == NAME else None)
    assert head_of(reply) == (0, 1, 1)
    assert reply is not None
    asked = query()[12:]
    assert reply[12 : 12 + len(asked)] == asked
    record = reply[12 + len(asked) :]
    assert record[:2] == b"\xc0\x0c"
    kind, class_, ttl_s, length = struct.unpack_from("!HHIH", record, 2)
    assert (kind, class_, ttl_s, length) == (33, 1, 5, len(record) - 12)
    assert struct.unpack_from("!3H", record, 12) == (0, 0, 80)
    assert record[18:] == b"\x08backend1\x09feature-x\x06photos\x08internal\0"


def test_names_are_found_whatever_their_case() -> None:
    reply = answer(query(NAME.upper()), lambda name: [OFFER] if name == NAME else None)
    assert head_of(reply) == (0, 1, 1)


def test_an_unknown_name_and_another_type_are_answered_as_such() -> None:
    assert head_of(answer(query(), lambda _: None)) == (3, 1, 0)
    assert head_of(answer(query(kind=1), lambda _: [OFFER])) == (0, 1, 0)
    assert head_of(answer(query(), lambda _: [])) == (0, 1, 0)


@pytest.mark.parametrize(("edns", "most"), [(None, 512), (1232, 1232), (65535, 4096), (100, 512)])
def test_a_reply_is_never_longer_than_the_asker_takes(edns: int | None, most: int) -> None:
    many = [Offer(f"backend{n}.feature-x.photos.internal", 80) for n in range(200)]
    reply = answer(query(edns=edns), lambda _: many)
    assert reply is not None
    assert most - 80 < len(reply) <= most
    code, _, answers = head_of(reply)
    assert code == 0
    assert answers > 5


def test_what_is_no_question_gets_an_error_or_nothing() -> None:
    assert answer(b"", lambda _: None) is None
    assert answer(query(flags=0x8000), lambda _: None) is None
    assert head_of(answer(query(flags=0x2800), lambda _: None)) == (4, 0, 0)
    assert head_of(answer(query()[:20], lambda _: None)) == (1, 0, 0)
    pointer = query()[:12] + b"\xc0\x0c\0\x21\0\x01"
    assert head_of(answer(pointer, lambda _: None)) == (1, 0, 0)


@given(st.binary(max_size=600))
def test_no_datagram_does_harm(data: bytes) -> None:
    reply = answer(data, lambda _: [OFFER])
    assert reply is None or reply[:2] == data[:2]
