"""From what a person typed to the stack, and to the machine, that is meant (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.app.only import refuse_unless_one
from greenroom.blueprint.nearest import nearest, unknown
from greenroom.errors import InputError, OperationError, RefusedError, UsageError
from greenroom.model.cloud_account import FoundStack, Identity
from greenroom.model.cloud_views import Power, SeenInstance


def identity_of(stack: FoundStack) -> Identity:
    """Who the stack is; raises RefusedError E_AWS_NOT_OURS for one that greenroom did not make."""
    if stack.identity is None:
        raise RefusedError(
            "E_AWS_NOT_OURS",
            f"greenroom did not make the CloudFormation stack {stack.name}: "
            "it has no tag greenroom:environment",
            hint="leave it to whoever made it; greenroom touches nothing without its own tags",
        )
    return stack.identity


def choose(
    stacks: Sequence[FoundStack], text: str | None, *, region: str, here: str | None
) -> FoundStack:
    """The stack of the environment called ``text``: ``photos/feature-x``, its slug, its raw
    branch, with or without its stack, or the name or id of the CloudFormation stack. None: the
    only one. Of several with one short name that of the stack ``here`` is meant.

    Raises InputError E_NO_ENVIRONMENT (with the nearest name) or E_AMBIGUOUS, UsageError.
    """
    if text is None:
        return _the_only_one(stacks, region)
    matches = [stack for stack in stacks if text in _full_names(stack)]
    matches = matches or [stack for stack in stacks if text in _short_names(stack)]
    if len(matches) > 1:
        matches = [each for each in matches if _stack_of(each) == here] or matches
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise InputError(
            "E_AMBIGUOUS",
            f"{text!r} may be any of {', '.join(sorted(map(_name, matches)))}",
            hint="give one of these full names",
        )
    raise no_environment(stacks, text, region)


def no_environment(stacks: Sequence[FoundStack], text: str, region: str) -> InputError:
    """There is none of that name, or there is none any more."""
    known = {name for stack in stacks for name in (_name(stack), *_short_names(stack))}
    match = nearest(text, sorted(known))
    listing = f"greenroom list --provider aws --region {region} shows all"
    hint = f"did you mean {match!r}?" if match else listing
    return InputError(
        "E_NO_ENVIRONMENT", f"there is no environment {text!r} on AWS in {region}", hint=hint
    )


def instance_of(instances: Sequence[SeenInstance], environment: str, machine: str) -> SeenInstance:
    """The running instance of a machine.

    Raises InputError E_NO_MACHINE for an unknown one, OperationError E_AWS_MACHINE_DOWN for one
    whose instance does not run.
    """
    there = [each for each in instances if each.power is not Power.TERMINATED]
    known = {each.machine for each in there if each.machine}
    ours = [each for each in there if each.machine == machine]
    running = [each for each in ours if each.power is Power.RUNNING]
    if running:
        return max(running, key=lambda each: each.launched_at)
    if ours:
        raise OperationError(
            "E_AWS_MACHINE_DOWN",
            f"{machine} of {environment} does not run: its instance {ours[0].id} is "
            f"{ours[0].power}",
            hint=f"aws ec2 start-instances --instance-ids {ours[0].id}"
            if ours[0].power is Power.STOPPED
            else "wait until it runs",
        )
    listed = f"machines of {environment}: {', '.join(sorted(known))}" if known else ""
    raise InputError(
        "E_NO_MACHINE", f"{environment}: {unknown('machine', machine, known)}", hint=listed
    )


def _the_only_one(stacks: Sequence[FoundStack], region: str) -> FoundStack:
    none = UsageError(
        "E_NO_ENVIRONMENT",
        f"there is no environment on AWS in {region}",
        hint="greenroom create --provider aws boots one",
    )
    refuse_unless_one(sorted(map(_name, stacks)), none)
    return stacks[0]


def _name(stack: FoundStack) -> str:
    return str(stack.identity.environment) if stack.identity else stack.name


def _stack_of(stack: FoundStack) -> str | None:
    return stack.identity.environment.stack if stack.identity else None


def _full_names(stack: FoundStack) -> set[str]:
    return {_name(stack), stack.name, stack.id}


def _short_names(stack: FoundStack) -> set[str]:
    if stack.identity is None:
        return set()
    environment = stack.identity.environment
    return {
        environment.slug,
        stack.identity.branch,
        f"{environment.stack}/{stack.identity.branch}",
    }
