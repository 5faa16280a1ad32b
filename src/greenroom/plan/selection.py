"""What a request asks of a blueprint: which machines, restored from what, with which mounts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from greenroom.blueprint.nearest import nearest, suggestion, unknown
from greenroom.blueprint.schema import MACHINES_MAX, NO_RESTORE, Blueprint, DataSpec
from greenroom.errors import InputError
from greenroom.model.requests import CreateRequest
from greenroom.model.stack import RestoreMode
from greenroom.plan.addresses import DRILLS_MAX

_MACHINES = "--machines"
_SHARED = "--shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreChoice:
    """How a data volume gets its content; ``source`` is None exactly for EMPTY."""

    mode: RestoreMode
    source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A request that fits its blueprint. ``counts`` is in the blueprint's order of types."""

    counts: Mapping[str, int]
    restores: Mapping[str, RestoreChoice]
    mounts: Mapping[str, Path]


def select(blueprint: Blueprint, request: CreateRequest) -> Selection:
    """Fit ``request`` to ``blueprint``; raises InputError with the nearest name or the way out."""
    if request.shared:
        _refuse_beside_shared(request)
        counts = _counts(blueprint, request.shared, _SHARED)
    else:
        words = request.machines or tuple(ordinary_types(blueprint))
        counts = _counts(blueprint, words, _MACHINES)
    _refuse_missing_needs(blueprint, counts, _SHARED if request.shared else _MACHINES)
    return Selection(
        counts=counts,
        restores=_restores(blueprint, request.restore, counts),
        mounts=_mounts(blueprint, request.mounts, counts),
    )


def ordinary_types(blueprint: Blueprint) -> list[str]:
    """The machine types that an environment may have: all that are not shared."""
    return [name for name, spec in blueprint.machines.items() if not spec.shared]


def shared_types(blueprint: Blueprint) -> list[str]:
    """The machine types that only the stack's shared environment may have."""
    return [name for name, spec in blueprint.machines.items() if spec.shared]


def types_by_alias(blueprint: Blueprint) -> dict[str, str]:
    """The other names that a request may use for machine types, each with the type's own."""
    return {alias: name for name, spec in blueprint.machines.items() for alias in spec.aliases}


def _refuse_beside_shared(request: CreateRequest) -> None:
    for option, given in (("--machines", request.machines), ("--branch", request.branch)):
        if given:
            raise InputError(
                "E_SHARED",
                f"--shared and {option} exclude each other: "
                "the shared environment belongs to no branch and has shared machines only",
                hint="create the shared environment and the branch's in two commands",
            )


def _counts(blueprint: Blueprint, words: tuple[str, ...], option: str) -> dict[str, int]:
    check_type = _check_shared_type if option == _SHARED else _check_type
    aliases = types_by_alias(blueprint)
    asked: dict[str, int] = {}
    called: dict[str, str] = {}
    for word in words:
        said, separator, count = word.partition("=")
        name = aliases.get(said, said)
        check_type(blueprint, name)
        if name in asked:
            also = "" if said == called[name] else f", as {called[name]!r} and {said!r}"
            raise InputError(
                "E_MACHINE_TWICE",
                f"the machine type {name!r} is named twice in {option}{also}",
                hint=f"write {name}=N for N machines",
            )
        called[name] = said
        asked[name] = _count(word, count) if separator else blueprint.machines[name].count
    if (total := sum(asked.values())) > MACHINES_MAX:
        raise InputError(
            "E_MACHINE_COUNT",
            f"{total} machines are asked for; an environment has at most {MACHINES_MAX}",
            hint=f"ask for fewer with {option} TYPE=N",
        )
    return {name: asked[name] for name in blueprint.machines if name in asked}


def _check_type(blueprint: Blueprint, name: str) -> None:
    known = ordinary_types(blueprint)
    if name in known:
        return
    if name in blueprint.machines:
        raise InputError(
            "E_MACHINE_TYPE",
            f"the machine type {name!r} is shared: it serves all environments and is in none",
            hint=f"leave {name} out of --machines; greenroom create --shared {name} boots it",
        )
    shared = shared_types(blueprint)
    meant = nearest(name, (*known, *_aliases_of(blueprint, known), *shared))
    also = f"; shared, for --shared: {', '.join(shared)}" if shared else ""
    raise InputError(
        "E_MACHINE_TYPE",
        f"unknown machine type {name!r}; did you mean {meant!r}, which is shared?"
        if meant in shared
        else unknown("machine type", name, (*known, *_aliases_of(blueprint, known))),
        hint=f"machine types of {blueprint.stack}: {_listed(blueprint, known)}{also}",
    )


def _aliases_of(blueprint: Blueprint, types: Iterable[str]) -> list[str]:
    return [alias for name in types for alias in blueprint.machines[name].aliases]


def _listed(blueprint: Blueprint, types: Iterable[str]) -> str:
    """``backend, redis (or feed)``."""
    shown = []
    for name in types:
        aliases = blueprint.machines[name].aliases
        shown.append(f"{name} (or {', '.join(aliases)})" if aliases else name)
    return ", ".join(shown)


def _check_shared_type(blueprint: Blueprint, name: str) -> None:
    known = shared_types(blueprint)
    if name in known:
        return
    if name in blueprint.machines:
        raise InputError(
            "E_MACHINE_TYPE",
            f"the machine type {name!r} is not shared: each environment has its own",
            hint=f"ask for {name} with --machines, or declare 'shared: true' for it",
        )
    if not known:
        raise InputError(
            "E_MACHINE_TYPE",
            f"--shared {name}: the blueprint of {blueprint.stack} has no shared machine type",
            hint="declare 'shared: true' for a machine type that serves all environments",
        )
    raise InputError(
        "E_MACHINE_TYPE",
        unknown("shared machine type", name, (*known, *_aliases_of(blueprint, known))),
        hint=f"shared machine types of {blueprint.stack}: {_listed(blueprint, known)}",
    )


def _count(word: str, count: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", count) or not 1 <= int(count) <= MACHINES_MAX:
        raise InputError(
            "E_MACHINE_COUNT",
            f"{word!r} asks for {count!r} machines; expected a number from 1 to {MACHINES_MAX}",
            hint=f"write for example {word.partition('=')[0]}=2",
        )
    return int(count)


def _refuse_missing_needs(blueprint: Blueprint, counts: Mapping[str, int], option: str) -> None:
    missing: dict[str, list[str]] = {}
    for name in counts:
        absent = [
            need
            for need in blueprint.machines[name].needs
            # A shared machine serves every environment without being in it.
            if need not in counts and (option == _SHARED or not blueprint.machines[need].shared)
        ]
        if absent:
            missing[name] = absent
    if missing:
        sentences = [f"{name} needs {' and '.join(needs)}" for name, needs in missing.items()]
        added = list(dict.fromkeys(need for needs in missing.values() for need in needs))
        raise InputError(
            "E_NEEDS",
            f"{'; '.join(sentences)}: add {' '.join(added)} to {option}",
            hint=f"{option} {' '.join([*counts, *added])}",
        )


def _restores(
    blueprint: Blueprint, asked: tuple[tuple[str, str], ...], counts: Mapping[str, int]
) -> dict[str, RestoreChoice]:
    stateful = {name: spec.data for name, spec in blueprint.machines.items() if spec.data}
    aliases = types_by_alias(blueprint)
    wanted: dict[str, str] = {}
    for said, value in asked:
        name = aliases.get(said, said)
        if name not in stateful and name in blueprint.machines:
            raise InputError(
                "E_RESTORE_DATA",
                f"--restore {said}={value}: machine type {name} has no 'data' to restore",
                hint=f"machine types with data: {', '.join(stateful) or 'none'}",
            )
        if name not in stateful:
            known = (*stateful, *_aliases_of(blueprint, stateful))
            raise InputError(
                "E_RESTORE_DATA",
                f"--restore {said}={value}: {unknown('data', said, known)}",
                hint="a data's name is that of its machine type",
            )
        if name not in counts:
            raise InputError(
                "E_RESTORE_DATA",
                f"--restore {said}={value}: {name} is not among the machines of this environment",
                hint=f"ask for {name} as well, or leave the restore out",
            )
        if wanted.setdefault(name, value) != value:
            raise InputError(
                "E_RESTORE_DATA",
                f"--restore names {name} twice: {wanted[name]!r} and {value!r}",
                hint="keep one of them",
            )
    choices = {
        name: _choice(name, wanted.get(name, data.default), data)
        for name, data in stateful.items()
        if name in counts
    }
    if len(choices) > DRILLS_MAX:
        raise InputError(
            "E_MACHINE_COUNT",
            f"{len(choices)} machine types with data are asked for; at most {DRILLS_MAX} fit",
            hint="leave some of them out",
        )
    return choices


def _choice(name: str, value: str, data: DataSpec) -> RestoreChoice:
    if value == NO_RESTORE:
        return RestoreChoice(mode=RestoreMode.EMPTY, source=None)
    source, separator, mode = value.partition(":")
    if source == NO_RESTORE:
        raise InputError(
            "E_RESTORE_SOURCE",
            f"--restore {name}={value}: {NO_RESTORE!r} is an empty database, "
            "which nothing restores",
            hint=f"write {name}={NO_RESTORE}",
        )
    if source not in data.restore:
        known = [*data.restore, NO_RESTORE]
        raise InputError(
            "E_RESTORE_SOURCE",
            f"--restore {name}={value}: unknown restore source {source!r}; "
            f"{suggestion(source, known)}",
            hint=f"restore sources of {name}: {', '.join(known)}",
        )
    if separator and mode != RestoreMode.COLD:
        raise InputError(
            "E_RESTORE_SOURCE",
            f"--restore {name}={value}: {mode!r} is no way to restore; expected 'cold'",
            hint=f"write {name}={source} for a clone, {name}={source}:cold for the real thing",
        )
    return RestoreChoice(mode=RestoreMode.COLD if mode else RestoreMode.CLONE, source=source)


def _mounts(
    blueprint: Blueprint, asked: tuple[tuple[str, str], ...], counts: Mapping[str, int]
) -> dict[str, Path]:
    aliases = types_by_alias(blueprint)
    mounts: dict[str, Path] = {}
    for said, folder in asked:
        name = aliases.get(said, said)
        if (problem := _mount_problem(blueprint, name, folder, counts)) is not None:
            raise InputError(
                "E_MOUNT",
                f"--mount {said}={folder}: {problem}",
                hint="name a requested machine type that deploys, and a folder of this host",
            )
        if name in mounts:
            raise InputError(
                "E_MOUNT",
                f"--mount names {name} twice: {mounts[name]} and {folder}",
                hint="keep one of them",
            )
        mounts[name] = Path(folder)
    return mounts


def _mount_problem(
    blueprint: Blueprint, name: str, folder: str, counts: Mapping[str, int]
) -> str | None:
    spec = blueprint.machines.get(name)
    if spec is None:
        known = ordinary_types(blueprint)
        return unknown("machine type", name, (*known, *_aliases_of(blueprint, known)))
    if name not in counts:
        return f"{name} is not among the machines of this environment"
    if spec.deploy is None:
        return f"{name} deploys nothing, so there is nothing to mount over"
    if not Path(folder).is_absolute():
        return "the folder's path is not absolute"
    return None
