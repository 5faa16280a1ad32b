"""From records to changes, and from changes back to what was (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache

from pydantic import TypeAdapter

from greenroom.model.inventory import (
    ChangeKind,
    FieldChange,
    MachineChange,
    MachineKey,
    MachineRecord,
)


def change_between(
    before: MachineRecord | None, after: MachineRecord | None, at: datetime
) -> MachineChange | None:
    """What happened between the two records of a machine; None if nothing did."""
    if before == after:
        return None
    record = after or before
    assert record is not None, "None equals None"
    if before is not None and after is not None:
        kind, whole = ChangeKind.CHANGED, None
    else:
        kind, whole = (ChangeKind.CAME if before is None else ChangeKind.GONE), record
    return MachineChange(
        at=at,
        environment=record.environment,
        machine=record.name,
        kind=kind,
        record=whole,
        fields=() if before is None or after is None else _fields_between(before, after),
    )


def changes_between(
    before: Mapping[MachineKey, MachineRecord],
    after: Mapping[MachineKey, MachineRecord],
    at: datetime,
) -> tuple[MachineChange, ...]:
    """All changes, by environment and machine."""
    found = (
        change_between(before.get(key), after.get(key), at)
        for key in sorted(before.keys() | after.keys())
    )
    return tuple(change for change in found if change is not None)


def rolled_back(
    now: Mapping[MachineKey, MachineRecord], newest_first: Iterable[MachineChange]
) -> dict[MachineKey, MachineRecord]:
    """The records as they were before these changes."""
    records = dict(now)
    for change in newest_first:
        key = (change.environment, change.machine)
        match change.kind:
            case ChangeKind.CAME:
                records.pop(key, None)
            case ChangeKind.GONE:
                assert change.record is not None, "who is gone had a record"
                records[key] = change.record
            case ChangeKind.CHANGED:
                records[key] = _with_fields_before(records[key], change.fields)
    return records


def _fields_between(before: MachineRecord, after: MachineRecord) -> tuple[FieldChange, ...]:
    old, new = _document(before), _document(after)
    return tuple(
        FieldChange(field=field, before=old[field], after=new[field])
        for field in old
        if old[field] != new[field]
    )


def _with_fields_before(record: MachineRecord, fields: Iterable[FieldChange]) -> MachineRecord:
    document = _document(record) | {each.field: each.before for each in fields}
    return _records().validate_python(document)


def _document(record: MachineRecord) -> dict[str, object]:
    document: dict[str, object] = _records().dump_python(record, mode="json")
    return document


@cache
def _records() -> TypeAdapter[MachineRecord]:
    return TypeAdapter(MachineRecord)
