"""The door: what is refused before an operation exists, and what is written when it is accepted.

Each ``admit_*`` runs in one transaction, so that of two requests for the same thing one wins.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from greenroom.app.deploy import deployable
from greenroom.app.deploy_types import Without, refuse_undeployable
from greenroom.app.drill import restorable
from greenroom.app.lifetimes import owner_of
from greenroom.app.lookup import pick
from greenroom.app.planning import Draft
from greenroom.app.removal import half_removed
from greenroom.app.replaceable import chosen, inputs_of
from greenroom.app.rights import require
from greenroom.errors import InputError, RefusedError
from greenroom.model.access import Action, Caller
from greenroom.model.events import OperationStatus
from greenroom.model.lifetimes import awake_until, end_of
from greenroom.model.names import EnvironmentName
from greenroom.model.proof import Verdict
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
from greenroom.model.stack import Machine, Stack
from greenroom.model.views import EnvironmentStatus
from greenroom.ports import Provider
from greenroom.store.environments import (
    STANDING,
    EnvironmentRecord,
    branches_by_slug,
    find_environment,
    insert_environment,
    list_environments,
    lowest_free_index,
    set_status,
)
from greenroom.store.incidents import forget_incidents
from greenroom.store.intents import record_intents
from greenroom.store.operations import (
    OperationRecord,
    insert_operation,
    unfinished_on,
)

_SECRET_BYTES = 32
_NOTHING_TO_DEPLOY = Without(
    of_type="has nothing to deploy",
    anywhere="no machine type has anything to deploy",
    remedy="create it again",
)


def admit_create(
    connection: Connection,
    request: CreateRequest,
    draft: Draft,
    provider: Provider,
    caller: Caller,
    now: datetime,
) -> OperationRecord:
    """Reserve name and subnet, and write down what will be made on the host."""
    index = lowest_free_index(connection)
    secret = secrets.token_hex(_SECRET_BYTES)
    stack = draft.resolve(index, secret, branches_by_slug(connection, draft.stack_name))
    require(caller, Action.CREATE, draft.stack_name, production=stack.production)
    _refuse_busy(connection, stack.environment)
    _refuse_existing(connection, stack.environment)
    provider.check_inputs(stack)
    operation = _accepted("create", stack.environment, request, caller, now)
    insert_operation(connection, operation)
    insert_environment(
        connection,
        EnvironmentRecord(
            name=stack.environment,
            subnet_index=index,
            secret=secret,
            status=EnvironmentStatus.CREATING,
            stack=stack,
            created_by=operation.id,
            created_at=now,
            owner=owner_of(request, caller),
            expires_at=end_of(stack.lifetime, now),
            awake_until=awake_until(stack.lifetime, now),
        ),
    )
    forget_incidents(connection, stack.environment)
    resources = provider.resources_of(stack)
    record_intents(connection, operation.id, stack.environment, resources, now)
    return operation


def admit_deploy(
    connection: Connection, request: DeployRequest, caller: Caller, now: datetime
) -> OperationRecord:
    """Accept a deploy on an environment whose machines run."""
    environment = pick(list_environments(connection), request.environment, caller)
    _require(caller, Action.DEPLOY, environment)
    _refuse_busy(connection, environment.name)
    if environment.status not in STANDING:
        raise refused_status(environment, "deploy")
    _refuse_undeployable(environment.stack, request.types)
    operation = _accepted("deploy", environment.name, request, caller, now)
    insert_operation(connection, operation)
    return operation


def admit_destroy(
    connection: Connection, request: DestroyRequest, caller: Caller, now: datetime
) -> OperationRecord:
    """Accept a destroy; production only if its name was typed once more."""
    environment = pick(list_environments(connection), request.environment, caller)
    _require(caller, Action.DESTROY, environment)
    _refuse_busy(connection, environment.name)
    _refuse_unconfirmed(environment, "destroy", request.confirm)
    operation = _accepted("destroy", environment.name, request, caller, now)
    insert_operation(connection, operation)
    return operation


def admit_recover(
    connection: Connection, request: RecoverRequest, caller: Caller, now: datetime
) -> OperationRecord:
    """Accept a recovery of an environment whose create once came through."""
    environment = pick(list_environments(connection), request.environment, caller)
    _require(caller, Action.RECOVER, environment)
    _refuse_busy(connection, environment.name)
    _refuse_half_removed(connection, environment, "recover")
    if environment.status is EnvironmentStatus.STOPPED:
        raise refused_status(environment, "recover")
    operation = _accepted("recover", environment.name, request, caller, now)
    insert_operation(connection, operation)
    set_status(connection, environment.name, EnvironmentStatus.RECOVERING, Verdict.NOT_VERIFIED)
    return operation


def admit_stop(
    connection: Connection, request: StopRequest, caller: Caller, now: datetime
) -> OperationRecord:
    """Accept a stop of an environment whose machines run, or that an earlier one left failed."""
    environment = pick(list_environments(connection), request.environment, caller)
    _require(caller, Action.STOP, environment)
    _refuse_busy(connection, environment.name)
    _refuse_half_removed(connection, environment, "stop")
    if environment.status not in (*STANDING, EnvironmentStatus.FAILED):
        raise refused_status(environment, "stop")
    operation = _accepted("stop", environment.name, request, caller, now)
    insert_operation(connection, operation)
    return operation


def admit_start(
    connection: Connection,
    request: StartRequest,
    provider: Provider,
    caller: Caller,
    now: datetime,
) -> OperationRecord:
    """Accept a start of a stopped environment, and write down what it makes on the host again."""
    environment = pick(list_environments(connection), request.environment, caller)
    _require(caller, Action.START, environment)
    _refuse_busy(connection, environment.name)
    if environment.status is not EnvironmentStatus.STOPPED:
        raise refused_status(environment, "start")
    operation = _accepted("start", environment.name, request, caller, now)
    insert_operation(connection, operation)
    resources = provider.resources_of(environment.stack)
    record_intents(connection, operation.id, environment.name, resources, now)
    return operation


def admit_replace(
    connection: Connection,
    request: ReplaceRequest,
    provider: Provider,
    caller: Caller,
    now: datetime,
) -> OperationRecord:
    """Accept a replace on an environment that stands, or that failed since: it may mend that."""
    environment = pick(list_environments(connection), request.environment, caller)
    _require(caller, Action.REPLACE, environment)
    _refuse_busy(connection, environment.name)
    _refuse_half_removed(connection, environment, "replace")
    if environment.status not in (*STANDING, EnvironmentStatus.FAILED):
        raise refused_status(environment, "replace")
    machines = chosen(environment.stack, request)
    words = "--stateless" if request.stateless else " ".join(m.name for m in machines)
    _refuse_unconfirmed(environment, "replace", request.confirm, words)
    provider.check_inputs(inputs_of(environment.stack, machines))
    operation = _accepted("replace", environment.name, request, caller, now)
    insert_operation(connection, operation)
    return operation


def admit_drill(
    connection: Connection,
    request: DrillRequest,
    provider: Provider,
    caller: Caller,
    now: datetime,
) -> OperationRecord:
    """Accept a drill on an environment that stands. One that only restores touches none of its
    machines, so production needs no more than the right to it."""
    environment = pick(list_environments(connection), request.environment, caller)
    _require(caller, Action.DRILL, environment)
    _refuse_busy(connection, environment.name)
    if environment.status not in STANDING:
        raise refused_status(environment, "drill")
    if request.throw_away:
        machines = chosen(environment.stack, request)
        _refuse_unread(environment.stack)
        _refuse_unconfirmed(environment, "drill", request.confirm, "--throw-away")
        provider.check_inputs(inputs_of(environment.stack, machines))
    else:
        drills = restorable(environment.stack)
        _refuse_nothing_to_restore(environment, drills)
        # What they restore has to be there, and room for it.
        provider.check_inputs(replace(environment.stack, machines=drills, drills=()))
    operation = _accepted("drill", environment.name, request, caller, now)
    insert_operation(connection, operation)
    return operation


def refused_status(environment: EnvironmentRecord, what: str) -> RefusedError:
    """The refusal of something for which the environment stands wrong."""
    name = environment.name
    match environment.status:
        case EnvironmentStatus.STOPPED:
            hint = f"greenroom start {name} boots it from its own disks"
        case status if status in STANDING:
            hint = (
                f"its machines run; greenroom stop {name} ends them, and greenroom recover {name} "
                "looks at them again"
            )
        case EnvironmentStatus.FAILED:
            hint = f"greenroom show {name} tells why; greenroom recover {name} brings it back"
        case _:
            hint = f"greenroom show {name} tells why"
    return RefusedError(
        "E_NOT_READY", f"{what} of {name} refused: it is {environment.status}", hint=hint
    )


def _accepted(
    kind: str, environment: EnvironmentName, request: Request, caller: Caller, now: datetime
) -> OperationRecord:
    return OperationRecord(
        id=f"op-{secrets.token_hex(6)}",
        kind=kind,
        environment=environment,
        request=request,
        status=OperationStatus.QUEUED,
        created_at=now,
        asked_by=caller.name,
        asked_from=caller.origin,
    )


def _require(caller: Caller, action: Action, environment: EnvironmentRecord) -> None:
    production = environment.stack.production
    require(caller, action, environment.name.stack, production=production)


def _refuse_unconfirmed(
    environment: EnvironmentRecord, what: str, confirm: str | None, words: str = ""
) -> None:
    """Production goes, wholly or in parts, only if its name was typed once more."""
    name = environment.name
    if environment.stack.production and confirm not in (name.slug, str(name)):
        command = " ".join(filter(None, ("greenroom", what, str(name), words)))
        raise RefusedError(
            "E_PRODUCTION",
            f"{name} is production: {what} needs its name typed once more",
            hint=f"{command} --confirm {name}",
        )


def _refuse_unread(stack: Stack) -> None:
    if all(machine.endpoint is None for machine in stack.machines):
        raise InputError(
            "E_NO_ENDPOINT",
            f"{stack.environment} has no endpoint that a client could read meanwhile",
            hint=f"greenroom replace {stack.environment} --stateless replaces without one",
        )


def _refuse_nothing_to_restore(environment: EnvironmentRecord, drills: tuple[Machine, ...]) -> None:
    name = environment.name
    if not drills:
        raise InputError(
            "E_NOTHING_TO_DRILL",
            f"{name} has no data volume that is a clone of a restored one",
            hint=f"greenroom drill {name} --throw-away replaces its machines in turn",
        )


def _refuse_busy(connection: Connection, environment: EnvironmentName) -> None:
    running = unfinished_on(connection, environment)
    if running is not None:
        raise RefusedError(
            "E_BUSY",
            f"{environment} is busy: {running.kind} {running.id} runs on it",
            hint=f"wait until it has ended, or stop it: greenroom cancel {environment}",
        )


def _refuse_half_removed(connection: Connection, environment: EnvironmentRecord, what: str) -> None:
    """What a failed create or destroy has left is no environment: parts of it are gone."""
    removal = half_removed(connection, environment)
    if removal is not None:
        kind = "destroy" if removal.kind == "destroy" else "create"
        raise RefusedError(
            "E_HALF_REMOVED",
            f"{what} of {environment.name} refused: its {kind} failed and has left parts of it",
            hint=f"destroy it: greenroom destroy {environment.name.slug}",
        )


def _refuse_existing(connection: Connection, name: EnvironmentName) -> None:
    existing = find_environment(connection, name)
    if existing is None:
        return
    standing = existing.status in STANDING and deployable(existing.stack, ())
    deploy = f"greenroom deploy {name}, or " if standing else ""
    if existing.status is EnvironmentStatus.STOPPED:
        deploy = f"greenroom start {name}, or "
    whose = "shared" if existing.stack.shared else f"branch {existing.stack.branch}"
    raise InputError(
        "E_ENVIRONMENT_EXISTS",
        f"environment {name} exists already ({whose}, {_since(existing)})",
        hint=f"{deploy}greenroom destroy {name} first",
    )


def _since(environment: EnvironmentRecord) -> str:
    if environment.status is EnvironmentStatus.READY and environment.ready_at is not None:
        return f"ready since {_minute(environment.ready_at)}"
    return f"{environment.status}, created {_minute(environment.created_at)}"


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _refuse_undeployable(stack: Stack, types: tuple[str, ...]) -> None:
    refuse_undeployable(
        str(stack.environment),
        types,
        known={machine.type for machine in stack.machines},
        deploying={machine.type for machine in deployable(stack, ())},
        without=_NOTHING_TO_DEPLOY,
    )
