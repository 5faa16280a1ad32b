"""From a file to a Blueprint, or to the list of everything that is wrong with the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from greenroom.blueprint.faults import schema_faults
from greenroom.blueprint.files import inside, read_text_inside
from greenroom.blueprint.job_files import all_job_faults, read_job_files
from greenroom.blueprint.jobs import JobSpec
from greenroom.blueprint.references import reference_faults
from greenroom.blueprint.regular_files import FILE_BYTES_MAX, FileTooLargeError, read_regular
from greenroom.blueprint.schema import Blueprint, BlueprintDocument
from greenroom.blueprint.tree import Tree, mapping_names
from greenroom.errors import Fault, InputError

SCHEMA_HINT = "mend the places named; 'greenroom schema' prints what a blueprint may hold"


ReadTree = Callable[[str, str], Tree]
"""A text and the file's name to its tree, as ``yaml_tree.read_tree``."""


def _read_tree(text: str, file: str) -> Tree:
    # Not imported by who has it read elsewhere: the library is a tenth of reading a blueprint.
    from greenroom.blueprint.yaml_tree import read_tree

    return read_tree(text, file)


def load_blueprint(path: Path, read: ReadTree = _read_tree) -> Blueprint:
    """Read the blueprint at ``path`` with all files that its images name.

    Raises InputError E_BLUEPRINT with every fault of the file at once.
    """
    try:
        # The line ends are left as they are: YAML takes all of them.
        text = read_regular(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            "E_BLUEPRINT",
            f"the blueprint {path} is not UTF-8 text: byte {error.start} is not part of it",
            hint="save the file as UTF-8",
        ) from error
    except FileTooLargeError as error:
        raise InputError(
            "E_BLUEPRINT",
            f"the blueprint {path} is larger than {FILE_BYTES_MAX} bytes",
            hint="name the stack's greenroom.yaml",
        ) from error
    except OSError as error:
        raise InputError(
            "E_BLUEPRINT",
            f"the blueprint {path} cannot be read: {error.strerror}",
            hint="run greenroom where greenroom.yaml lies, or name the file",
        ) from error
    return parse_blueprint(text, path, read)


def parse_blueprint(text: str, path: Path, read: ReadTree = _read_tree) -> Blueprint:
    """Parse ``text`` as the blueprint at ``path``, which relative paths in it start from.

    Raises InputError E_BLUEPRINT with every fault at once.
    """
    resolved = path.resolve()
    tree = read(text, str(path))
    faults = list(tree.faults)
    contents: dict[str, str] = {}
    files = read_job_files(resolved.parent)
    document: BlueprintDocument | None = None
    if isinstance(tree.value, dict):
        document = _document(tree, faults)
        faults += reference_faults(tree)
        faults += all_job_faults(tree, files)
        faults += _bucket_faults(tree, resolved.parent)
        faults += _read_contents(tree, resolved.parent, contents)
    elif not faults:
        faults.append(tree.fault((), "expected a mapping with the keys stack, zone and machines"))
    if faults or document is None:
        raise _refusal(path, faults)
    jobs = {name: JobSpec.model_validate(each.value) for name, each in files.items()}
    return _with_what_it_names(
        document, path=resolved, contents=contents, jobs={**document.jobs, **jobs}
    )


def _document(tree: Tree, faults: list[Fault]) -> BlueprintDocument | None:
    """What the file says; None if it is at fault, which ``faults`` then says."""
    try:
        return BlueprintDocument.model_validate(tree.value)
    except ValidationError as error:
        faults += schema_faults(tree, BlueprintDocument, error)
    return None


def _with_what_it_names(document: BlueprintDocument, **named: object) -> Blueprint:
    """Put together without another validation: its parts have just had theirs, and to build a
    second validator of the whole blueprint takes longer than to read one."""
    given = {**dict(document), **named}
    return Blueprint.model_construct(document.model_fields_set | named.keys(), **given)


def _bucket_faults(tree: Tree, folder: Path) -> list[Fault]:
    """Buckets are folders beside the blueprint; that one is still empty is no fault."""
    faults = []
    for bucket in mapping_names(tree, "buckets"):
        at = ("buckets", bucket, "path")
        relative = tree.at(at)
        if isinstance(relative, str):
            try:
                inside(folder, relative)
            except ValueError as error:
                faults.append(tree.fault(at, str(error)))
    return faults


def _read_contents(tree: Tree, folder: Path, contents: dict[str, str]) -> list[Fault]:
    """Read every source file of the images into ``contents``, once each."""
    faults = []
    for image in mapping_names(tree, "images"):
        for target in mapping_names(tree, "images", image, "files"):
            at = ("images", image, "files", target)
            source = tree.at(at)
            if not isinstance(source, str) or source in contents:
                continue
            try:
                contents[source] = read_text_inside(folder, source)
            except ValueError as error:
                faults.append(tree.fault(at, str(error)))
    return faults


def _refusal(path: Path, faults: list[Fault]) -> InputError:
    ordered = sorted(set(faults), key=lambda f: (f.file != str(path), *f))
    count = "1 fault" if len(ordered) == 1 else f"{len(ordered)} faults"
    return InputError(
        "E_BLUEPRINT", f"the blueprint {path} has {count}", hint=SCHEMA_HINT, faults=ordered
    )
