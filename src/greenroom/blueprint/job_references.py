"""What in a job refers to another part of it or to a machine's role, and where that leads nowhere.

As ``references`` does, it reads the bare tree and passes over what has the wrong shape.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from pydantic import ValidationError

from greenroom.blueprint.job_values import value_problem
from greenroom.blueprint.jobs import OptionSpec
from greenroom.blueprint.nearest import unknown
from greenroom.blueprint.tree import Path, Tree, list_length, mapping_names
from greenroom.errors import Fault
from greenroom.model.job_words import OptionKind

if TYPE_CHECKING:
    from greenroom.model.jobs import JobOption


def job_faults(tree: Tree, at: Path, roles: Collection[str]) -> list[Fault]:
    """What is wrong with the references of the job at ``at``; ``roles`` are those of the
    blueprint's machines."""
    checks = _JobChecks(tree, at, roles)
    return [
        *checks.command(),
        *checks.options(),
        *checks.targets(),
        *checks.concurrency(),
        *checks.schedules(),
    ]


class _JobChecks:
    """The checks of one job."""

    def __init__(self, tree: Tree, at: Path, roles: Collection[str]) -> None:
        self._tree = tree
        self._at = at
        self._roles = roles
        self._options = _read_options(tree, (*at, "options"))

    def command(self) -> Iterator[Fault]:
        """Either a command or a script, and a user only where greenroom chooses one."""
        given = [key for key in ("command", "script") if self._value(key) is not None]
        if not given:
            yield self._fault((), "the job has neither a command nor a script", key=True)
        if len(given) == 2:
            yield self._fault(("script",), "the job has a command too; leave one out", key=True)
        if self._value("user") is not None and self._value("machines") is not None:
            yield self._fault(("user",), "in machines a job runs as their root", key=True)

    def options(self) -> Iterator[Fault]:
        """Each option by itself, and what it depends on."""
        for name, option in self._options.items():
            yield from self._option(name, option)
            yield from self._dependence(name, option)
            if option.kind is OptionKind.MACHINE and not self._of_kind(OptionKind.ENVIRONMENT):
                message = "a machine needs an option of type environment beside it"
                yield self._fault(("options", name), message, key=True)

    def _option(self, name: str, option: JobOption) -> Iterator[Fault]:
        at: Path = ("options", name)
        is_choice = option.kind is OptionKind.CHOICE
        if is_choice and not option.choices:
            yield self._fault(at, "a choice needs the key 'choices'", key=True)
        if option.choices and not is_choice:
            yield self._fault((*at, "choices"), "only a choice has choices", key=True)
        bounds = ("minimum", option.minimum), ("maximum", option.maximum)
        for key, bound in bounds:
            if bound is not None and option.kind is not OptionKind.INTEGER:
                yield self._fault((*at, key), f"only an integer has a {key}", key=True)
        if option.default is None:
            return
        if option.kind is OptionKind.SECRET:
            yield self._fault((*at, "default"), "a secret has no default", key=True)
        elif problem := value_problem(option, option.default):
            yield self._fault((*at, "default"), problem)

    def _dependence(self, name: str, option: JobOption) -> Iterator[Fault]:
        if option.depends_on is None:
            return
        at: Path = ("options", name, "depends_on")
        other = self._options.get(option.depends_on.option)
        if other is None:
            known = [each for each in self._names() if each != name]
            if option.depends_on.option not in known:
                message = unknown("option", option.depends_on.option, known)
                yield self._fault((*at, "option"), message)
        elif self._leads_back(name):
            yield self._fault((*at, "option"), "the options depend on each other in a circle")
        elif option.depends_on.value is not None and other.kind is OptionKind.SECRET:
            yield self._fault((*at, "value"), "a secret's value cannot stand in a definition")
        elif option.depends_on.value is not None and (
            problem := value_problem(other, option.depends_on.value)
        ):
            yield self._fault((*at, "value"), problem)

    def _leads_back(self, name: str) -> bool:
        seen = {name}
        option = self._options.get(name)
        while option is not None and option.depends_on is not None:
            if option.depends_on.option in seen:
                return True
            seen.add(option.depends_on.option)
            option = self._options.get(option.depends_on.option)
        return False

    def targets(self) -> Iterator[Fault]:
        """The role of the machines, and whose they are."""
        role = self._value("machines", "role")
        if isinstance(role, str) and role not in self._roles:
            yield self._fault(("machines", "role"), unknown("role", role, self._roles))
        if not isinstance(self._value("machines"), dict):
            return
        named = self._value("machines", "environment")
        environments = self._of_kind(OptionKind.ENVIRONMENT)
        if named is None and len(environments) != 1:
            message = (
                "machines need an option of type environment"
                if not environments
                else f"write the key 'environment': one of {', '.join(environments)}"
            )
            yield self._fault(("machines",), message, key=True)
        if isinstance(named, str) and named not in environments:
            message = unknown("option of type environment", named, environments)
            yield self._fault(("machines", "environment"), message)

    def concurrency(self) -> Iterator[Fault]:
        """The option that divides the limit."""
        per = self._value("concurrency", "per")
        if isinstance(per, str):
            yield from self._known(("concurrency", "per"), per)

    def schedules(self) -> Iterator[Fault]:
        """The values of each schedule, as a run is given them."""
        for index in range(list_length(self._tree, (*self._at, "schedule"))):
            at: Path = ("schedule", index, "options")
            given = mapping_names(self._tree, *self._at, *at)
            for name in given:
                yield from self._known((*at, name), name, key=True)
                yield from self._scheduled(at, name)
            for name, option in self._options.items():
                is_free = option.depends_on is None and option.default is None
                if option.required and is_free and name not in given:
                    message = f"the required option {name!r} has no value here"
                    yield self._fault(at, message, key=True)

    def _scheduled(self, at: Path, name: str) -> Iterator[Fault]:
        option, text = self._options.get(name), _text(self._value(*at, name))
        if option is None or text is None:
            return
        if option.kind is OptionKind.SECRET:
            message = "a secret's value cannot stand in a definition"
            yield self._fault((*at, name), message, key=True)
        elif problem := value_problem(option, text):
            yield self._fault((*at, name), problem)

    def _known(self, at: Path, name: str, *, key: bool = False) -> Iterator[Fault]:
        if name not in self._names():
            yield self._fault(at, unknown("option", name, self._names()), key=key)

    def _names(self) -> list[str]:
        return mapping_names(self._tree, *self._at, "options")

    def _of_kind(self, kind: OptionKind) -> list[str]:
        return [name for name, option in self._options.items() if option.kind is kind]

    def _value(self, *path: str | int) -> object:
        return self._tree.at((*self._at, *path))

    def _fault(self, path: Path, message: str, *, key: bool = False) -> Fault:
        return self._tree.fault((*self._at, *path), message, key=key)


def _read_options(tree: Tree, at: Path) -> dict[str, JobOption]:
    """The options that are well-formed each by itself; the others' faults are told elsewhere."""
    found = {}
    for name in mapping_names(tree, *at):
        try:
            spec = OptionSpec.model_validate(tree.at((*at, name)))
        except ValidationError:
            continue
        found[name] = option_of(name, spec)
    return found


def option_of(name: str, spec: OptionSpec) -> JobOption:
    """The option as the model has it."""
    # Most blueprints have no jobs, and the model of jobs takes a tenth of reading one.
    from greenroom.model.jobs import Dependence, JobOption

    depends = spec.depends_on
    return JobOption(
        name=name,
        kind=spec.type,
        description=spec.description,
        default=spec.default,
        required=spec.required,
        pattern=spec.pattern,
        choices=spec.choices,
        minimum=spec.minimum,
        maximum=spec.maximum,
        depends_on=None
        if depends is None
        else Dependence(option=depends.option, value=depends.value),
    )


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | str) else None
