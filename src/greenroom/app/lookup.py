"""From what a person typed to the environment that is meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from greenroom.app.reconciliation import RECONCILER
from greenroom.app.rights import may_read, require
from greenroom.blueprint.nearest import nearest, unknown
from greenroom.errors import InputError, RefusedError
from greenroom.model.access import ITSELF, Action, Caller
from greenroom.model.names import EnvironmentName
from greenroom.model.stack import Machine, Stack
from greenroom.store.environments import EnvironmentRecord, list_environments
from greenroom.store.operations import last_end, last_failure


def exact_name(stack: str, slug: str) -> EnvironmentName:
    """The name that an address spells out, whose stack is the one that rights were asked for;
    raises InputError E_NO_ENVIRONMENT for what can be no name."""
    try:
        return EnvironmentName(stack, slug)
    except ValueError as error:
        raise InputError(
            "E_NO_ENVIRONMENT",
            f"there is no environment '{stack}/{slug}': {error}",
            hint="greenroom list shows what there is",
        ) from error


def pick(
    records: Sequence[EnvironmentRecord], wanted: str | EnvironmentName, caller: Caller = ITSELF
) -> EnvironmentRecord:
    """The environment called ``wanted``: ``photos/feature-x``, its slug, or its raw branch (a
    shared one has none), with or without its stack before it. A name is itself alone: the raw
    branch ``photos/x`` may well be one of another stack.

    It is looked for, and told, among those that ``caller`` may read: of any other they learn not
    even that it exists. Raises InputError E_NO_ENVIRONMENT, with the nearest name, or E_AMBIGUOUS.
    """
    text = str(wanted)
    seen = [each for each in records if may_read(caller, str(each.name))]
    try:
        return _meant(seen, wanted)
    except InputError as error:
        raise error from _no_right(caller, [each for each in records if text in _names(each)])


def _no_right(caller: Caller, so_called: Sequence[EnvironmentRecord]) -> RefusedError | None:
    """Why they see none of these: what the audit log keeps instead of what the caller is told."""
    try:
        for record in so_called:
            require(caller, Action.READ, record.name.stack)
    except RefusedError as refused:
        return refused
    return None


def _meant(
    records: Sequence[EnvironmentRecord], wanted: str | EnvironmentName
) -> EnvironmentRecord:
    text = str(wanted)
    for record in records:
        if text == str(record.name):
            return record
    if isinstance(wanted, EnvironmentName):
        raise _none([each for each in records if each.name.stack == wanted.stack], text)
    matches = [r for r in records if text == r.name.slug or text in _branches([r])]
    matches = matches or [
        r for r in records if text in {f"{r.name.stack}/{branch}" for branch in _branches([r])}
    ]
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(str(record.name) for record in matches)
        raise InputError(
            "E_AMBIGUOUS",
            f"{text!r} may be any of {names}",
            hint="give one of these full names, or go to the folder of the blueprint that you mean",
        )
    raise _none(records, text)


def pick_or_explain(
    connection: Connection, text: str | EnvironmentName, caller: Caller
) -> EnvironmentRecord:
    """The environment called ``text``; of one whose create failed, or that has expired, the error
    says so: whoever was away has seen nothing of it."""
    try:
        return pick(list_environments(connection), text, caller)
    except InputError as error:
        why = _why_gone(connection, str(text), caller)
        if error.code != "E_NO_ENVIRONMENT" or why is None:
            raise
        cause = error.__cause__ or error
        raise InputError(error.code, f"{error.message}: {why}", hint=error.hint) from cause


def _why_gone(connection: Connection, text: str, caller: Caller) -> str | None:
    """How the last environment of that name ended, if its owner may not know it."""
    failed = last_failure(connection, text)
    if failed is not None:
        name, code, message = failed
        return f"its create failed ({code}: {message})" if may_read(caller, name) else None
    end = last_end(connection, text)
    if end is None or end.asked_by != RECONCILER.name or end.ended_at is None:
        return None
    if not may_read(caller, str(end.environment)):
        return None
    return f"it expired and was destroyed at {end.ended_at:%Y-%m-%d %H:%M} UTC"


def _none(records: Sequence[EnvironmentRecord], text: str) -> InputError:
    return InputError(
        "E_NO_ENVIRONMENT", f"there is no environment {text!r}", hint=_hint(records, text)
    )


def _hint(records: Sequence[EnvironmentRecord], text: str) -> str:
    known = {str(record.name) for record in records}
    known |= {record.name.slug for record in records}
    known |= _branches(records)
    match = nearest(text, sorted(known))
    if match is not None:
        return f"did you mean {match!r}?"
    return "greenroom list shows what there is" if records else "greenroom create makes one"


def _names(record: EnvironmentRecord) -> set[str]:
    """Everything that it may be called."""
    short = {record.name.slug, *_branches([record])}
    return short | {f"{record.name.stack}/{each}" for each in short}


def _branches(records: Iterable[EnvironmentRecord]) -> set[str]:
    return {record.stack.branch for record in records if not record.stack.shared}


def machine_named(stack: Stack, name: str) -> Machine:
    """The machine of ``stack`` called ``name``; raises InputError E_NO_MACHINE."""
    for machine in stack.machines:
        if machine.name == name:
            return machine
    known = {machine.name for machine in stack.machines}
    raise InputError(
        "E_NO_MACHINE",
        f"{stack.environment}: {unknown('machine', name, known)}",
        hint=f"machines of {stack.environment}: {', '.join(sorted(known))}",
    )
