"""The folder ``jobs/`` beside a blueprint: a job for each file, called as the file is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from greenroom.blueprint.faults import schema_faults
from greenroom.blueprint.fields import TYPE_NAME_MAX, shown
from greenroom.blueprint.files import read_text_inside
from greenroom.blueprint.job_references import job_faults
from greenroom.blueprint.jobs import JobSpec
from greenroom.blueprint.tree import Tree, mapping_names
from greenroom.errors import Fault
from greenroom.model.names import LABEL

FOLDER = "jobs"
_SUFFIX = ".yaml"
JOBS_MAX = 200


def all_job_faults(tree: Tree, files: dict[str, Tree]) -> list[Fault]:
    """What is wrong with the jobs of the blueprint, and with those of ``files``."""
    roles = _roles(tree)
    names = mapping_names(tree, "jobs")
    faults = []
    for name in names:
        if isinstance(tree.at(("jobs", name)), dict):
            faults += job_faults(tree, ("jobs", name), roles)
    for name, each in files.items():
        faults += each.faults
        faults += _file_faults(each, name, names, roles)
    if len(names) + len(files) > JOBS_MAX:
        message = f"the stack has {len(names) + len(files)} jobs; expected at most {JOBS_MAX}"
        faults.append(tree.fault(("jobs",), message, key=True))
    return faults


def _file_faults(tree: Tree, name: str, taken: list[str], roles: set[str]) -> Iterator[Fault]:
    if not LABEL.fullmatch(name) or len(name) > TYPE_NAME_MAX:
        message = f"the file's name {shown(name)} is not a DNS label of at most {TYPE_NAME_MAX}"
        yield tree.fault((), f"{message} characters; the job is called so")
    if name in taken:
        yield tree.fault((), f"the blueprint has a job {name!r} already; rename one")
    if not isinstance(tree.value, dict):
        if not tree.faults:
            yield tree.fault((), "expected a mapping with the keys description and script")
        return
    try:
        JobSpec.model_validate(tree.value)
    except ValidationError as error:
        yield from schema_faults(tree, JobSpec, error)
    yield from job_faults(tree, (), roles)


def read_job_files(folder: Path) -> dict[str, Tree]:
    """The trees of the files ``jobs/*.yaml`` in ``folder``, by the job's name; one that cannot be
    read has that as its fault."""
    paths = sorted((folder / FOLDER).glob(f"*{_SUFFIX}"))
    return {path.name.removesuffix(_SUFFIX): _read(folder, path) for path in paths}


def _read(folder: Path, path: Path) -> Tree:
    # Most blueprints have no such folder.
    from greenroom.blueprint.yaml_tree import read_tree

    relative = f"{FOLDER}/{path.name}"
    try:
        return read_tree(read_text_inside(folder, relative), str(folder / relative))
    except ValueError as error:
        tree = Tree(file=str(path))
        tree.faults.append(tree.fault((), str(error)))
        return tree


def _roles(tree: Tree) -> set[str]:
    """Every role that a machine may have: its type's, or what its tags say."""
    roles = set()
    for name in mapping_names(tree, "machines"):
        roles.add(name)
        for tags in ("tags", "machine_tags"):
            role = tree.at(("machines", name, tags, "role"))
            if isinstance(role, str):
                roles.add(role)
    return roles
