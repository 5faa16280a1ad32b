"""Values to JSON and back, for the columns that hold a whole value.

pydantic reads and writes our frozen dataclasses as they are; its adapters cost milliseconds to
build, so each is built once, when first needed.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import assert_never

from pydantic import TypeAdapter

from greenroom.model.proof import Proof
from greenroom.model.receipt import Receipt
from greenroom.model.requests import (
    CreateRequest,
    DeployRequest,
    DestroyRequest,
    DrillRequest,
    RecoverRequest,
    ReplaceRequest,
    Request,
    StartRequest,
    StopRequest,
)
from greenroom.model.stack import Stack
from greenroom.model.views import MachineReport
from greenroom.model.visits import Seen


def dump_stack(stack: Stack) -> str:
    """A Stack as JSON."""
    return _stacks().dump_json(stack).decode()


@lru_cache(maxsize=256)
def load_stack(text: str) -> Stack:
    """A Stack from JSON. Remembered, as every proof reads the Stacks of all other environments;
    a Stack is frozen, so sharing one is safe."""
    return _stacks().validate_json(text)


def dump_proof(proof: Proof) -> str:
    """A Proof as JSON."""
    return _proofs().dump_json(proof).decode()


def load_proof(text: str) -> Proof:
    """A Proof from JSON."""
    return _proofs().validate_json(text)


def dump_receipt(receipt: Receipt) -> str:
    """A Receipt as JSON."""
    return _receipts().dump_json(receipt).decode()


def load_receipt(text: str) -> Receipt:
    """A Receipt from JSON."""
    return _receipts().validate_json(text)


def dump_reports(reports: tuple[MachineReport, ...]) -> str:
    """Machine reports as JSON."""
    return _reports().dump_json(reports).decode()


@lru_cache(maxsize=256)
def load_reports(text: str) -> tuple[MachineReport, ...]:
    """Machine reports from JSON. Remembered, as the inventory asks for all of them again and
    again; they are frozen."""
    return _reports().validate_json(text)


def dump_seen(seen: Seen) -> str:
    """What a client saw as JSON."""
    return _seen().dump_json(seen).decode()


def load_seen(text: str) -> Seen:
    """What a client saw from JSON."""
    return _seen().validate_json(text)


def dump_request(request: Request) -> str:
    """A request as JSON."""
    match request:
        case CreateRequest():
            return _creates().dump_json(request).decode()
        case DeployRequest():
            return _deploys().dump_json(request).decode()
        case DestroyRequest():
            return _destroys().dump_json(request).decode()
        case RecoverRequest():
            return _recovers().dump_json(request).decode()
        case StopRequest():
            return _stops().dump_json(request).decode()
        case StartRequest():
            return _starts().dump_json(request).decode()
        case ReplaceRequest():
            return _replaces().dump_json(request).decode()
        case DrillRequest():
            return _drills().dump_json(request).decode()
        case _:
            assert_never(request)


def load_request(kind: str, text: str) -> Request:
    """The request of an operation of that kind, from JSON."""
    match kind:
        case "create":
            return _creates().validate_json(text)
        case "deploy":
            return _deploys().validate_json(text)
        case "destroy":
            return _destroys().validate_json(text)
        case "recover":
            return _recovers().validate_json(text)
        case "stop":
            return _stops().validate_json(text)
        case "start":
            return _starts().validate_json(text)
        case "replace":
            return _replaces().validate_json(text)
        case "drill":
            return _drills().validate_json(text)
        case _:
            raise ValueError(f"{kind!r} is not a kind of operation")


@cache
def _stacks() -> TypeAdapter[Stack]:
    return TypeAdapter(Stack)


@cache
def _proofs() -> TypeAdapter[Proof]:
    return TypeAdapter(Proof)


@cache
def _receipts() -> TypeAdapter[Receipt]:
    return TypeAdapter(Receipt)


@cache
def _reports() -> TypeAdapter[tuple[MachineReport, ...]]:
    return TypeAdapter(tuple[MachineReport, ...])


@cache
def _seen() -> TypeAdapter[Seen]:
    return TypeAdapter(Seen)


@cache
def _creates() -> TypeAdapter[CreateRequest]:
    return TypeAdapter(CreateRequest)


@cache
def _deploys() -> TypeAdapter[DeployRequest]:
    return TypeAdapter(DeployRequest)


@cache
def _destroys() -> TypeAdapter[DestroyRequest]:
    return TypeAdapter(DestroyRequest)


@cache
def _recovers() -> TypeAdapter[RecoverRequest]:
    return TypeAdapter(RecoverRequest)


@cache
def _stops() -> TypeAdapter[StopRequest]:
    return TypeAdapter(StopRequest)


@cache
def _starts() -> TypeAdapter[StartRequest]:
    return TypeAdapter(StartRequest)


@cache
def _replaces() -> TypeAdapter[ReplaceRequest]:
    return TypeAdapter(ReplaceRequest)


@cache
def _drills() -> TypeAdapter[DrillRequest]:
    return TypeAdapter(DrillRequest)
