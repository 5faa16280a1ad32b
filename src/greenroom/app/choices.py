"""What a create can be asked for: a blueprint as a person chooses from it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from greenroom.blueprint.files import inside
from greenroom.blueprint.parse import load_blueprint
from greenroom.blueprint.schema import NO_RESTORE, Blueprint, MachineTypeSpec
from greenroom.model.durations import parse_duration_s
from greenroom.plan.selection import ordinary_types

_BRANCHES_MAX = 200
_FILES_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeChoice:
    """A machine type. ``restores`` are its data's sources, the default first; None without data."""

    name: str
    count: int
    instance_type: str
    image: str
    needs: tuple[str, ...]
    endpoint: bool
    restores: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """A blueprint's machine types, and the branches that have code of their own. ``ttl_s`` is how
    long a branch lives unless somebody says otherwise, None for ever; production always does."""

    stack: str
    path: Path
    default_branch: str
    ttl_s: float | None
    types: tuple[TypeChoice, ...]
    branches: tuple[str, ...]


def choices_of(path: Path) -> Choices:
    """What the blueprint at ``path`` offers; raises InputError E_BLUEPRINT."""
    blueprint = load_blueprint(path)
    names = ordinary_types(blueprint)
    ttl = None if blueprint.lifetime is None else blueprint.lifetime.ttl
    return Choices(
        stack=blueprint.stack,
        path=path,
        default_branch=blueprint.default_branch,
        ttl_s=None if ttl is None else parse_duration_s(ttl),
        types=tuple(_type(name, blueprint.machines[name]) for name in names),
        branches=_branches(blueprint),
    )


def _type(name: str, spec: MachineTypeSpec) -> TypeChoice:
    restores = None
    if spec.data is not None:
        sources = (spec.data.default, *spec.data.restore, NO_RESTORE)
        restores = tuple(dict.fromkeys(sources))
    return TypeChoice(
        name=name,
        count=spec.count,
        instance_type=spec.instance_type,
        image=spec.image,
        needs=spec.needs,
        endpoint=spec.endpoint is not None,
        restores=restores,
    )


def _branches(blueprint: Blueprint) -> tuple[str, ...]:
    """The branches whose artifacts lie in the buckets, as far as their names tell."""
    found = set()
    for spec in blueprint.machines.values():
        if spec.deploy is None or spec.deploy.bucket not in blueprint.buckets:
            continue
        before, mark, after = spec.deploy.artifact.partition("{branch}")
        if not mark:
            continue
        pattern = re.compile(re.escape(before) + "(.+)" + re.escape(after))
        bucket = inside(blueprint.path.parent, blueprint.buckets[spec.deploy.bucket].path)
        found |= {match[1] for name in _file_names(bucket) if (match := pattern.fullmatch(name))}
    return tuple(sorted(found)[:_BRANCHES_MAX])


def _file_names(folder: Path) -> list[str]:
    """The first files of a folder; a bucket that does not exist yet is empty."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry, _ in zip(entries, range(_FILES_MAX), strict=False)]
    except OSError:
        return []
