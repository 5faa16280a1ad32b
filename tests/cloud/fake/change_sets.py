"""The API's actions on change sets."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from tests.cloud.fake.changes import UNKNOWN, plan_change
from tests.cloud.fake.descriptions import described_change, described_change_set, page
from tests.cloud.fake.desired import read_desired
from tests.cloud.fake.engine import Engine, StackScope
from tests.cloud.fake.nested import start_nested
from tests.cloud.fake.operations import Operation
from tests.cloud.fake.query import ApiError, invalid
from tests.cloud.fake.records import ACCOUNT_ID, Change, ChangeSet, Desired, Stack
from tests.cloud.fake.refusals import refuse_bad_name, refuse_not_updatable
from tests.cloud.fake.template import ResourceBlock, resolve

Values = Mapping[str, Any]
NO_CHANGES = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)


class ChangeSetActions:
    """CreateChangeSet and what follows from it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.table = {
            "CreateChangeSet": self.create,
            "DescribeChangeSet": self.describe,
            "ListChangeSets": self.list,
            "ExecuteChangeSet": self.execute,
            "DeleteChangeSet": self.delete,
        }

    def create(self, region: str, values: Values) -> Mapping[str, Any]:
        """A change set, ready at once; with CREATE also its stack in REVIEW_IN_PROGRESS."""
        engine = self.engine
        refuse_bad_name(values["StackName"])
        with engine.lock:
            stack = engine.find(region, values["StackName"])
            if stack is not None and (again := self._same(stack, values)) is not None:
                return {"Id": again.change_set_id, "StackId": stack.stack_id}
            kind = values.get("ChangeSetType", "UPDATE")
            desired = self._checked(region, values, kind, stack)
            if stack is None:
                stack = self._review(region, values["StackName"])
            made = self._made(values, kind, desired, stack)
            engine.change_sets[made.change_set_id] = made
        return {"Id": made.change_set_id, "StackId": stack.stack_id}

    def _same(self, stack: Stack, values: Values) -> ChangeSet | None:
        """The change set that an earlier call with this token made, or refuse its name."""
        same_name = [
            one
            for one in self.engine.change_sets.values()
            if one.stack_id == stack.stack_id and one.name == values["ChangeSetName"]
        ]
        for one in same_name:
            if values.get("ClientToken") and one.token == values["ClientToken"]:
                if one.request == values:
                    return one
                raise ApiError(
                    "TokenAlreadyExistsException",
                    f"Token {one.token} was used with other parameters",
                )
        # The name of one that was executed is free again.
        if any(not one.execution.startswith("EXECUTE") for one in same_name):
            raise ApiError(
                "AlreadyExistsException", f"ChangeSet {values['ChangeSetName']} already exists"
            )
        return None

    def _checked(self, region: str, values: Values, kind: str, stack: Stack | None) -> Desired:
        name = values["StackName"]
        if kind == "CREATE" and stack is not None and stack.status != "REVIEW_IN_PROGRESS":
            raise invalid(
                f"Stack [{name}] already exists and cannot be created again with the "
                f"changeSet [{values['ChangeSetName']}]."
            )
        if kind == "UPDATE":
            if stack is None:
                raise invalid(f"Stack [{name}] does not exist")
            refuse_not_updatable(stack)
        return read_desired(self.engine, region, values, stack.desired if stack else None)

    def _review(self, region: str, name: str) -> Stack:
        engine = self.engine
        stack = Stack(
            stack_id=engine.stack_id(region, name),
            name=name,
            region=region,
            status="REVIEW_IN_PROGRESS",
            created_at=engine.clock.now(),
            operation_id=str(uuid.uuid4()),
            hidden_describes=engine.faults.hidden_describes,
        )
        engine.stacks[stack.stack_id] = stack
        engine.emit(stack, "REVIEW_IN_PROGRESS", "User Initiated")
        return stack

    def _made(self, values: Values, kind: str, desired: Desired, stack: Stack) -> ChangeSet:
        changes = plan_changes(self.engine, stack, desired)
        before = stack.desired
        # Other outputs are a change too, though none of a resource.
        same = before is not None and before.template.outputs == desired.template.outputs
        nothing = not changes and (same or before is None)
        name = values["ChangeSetName"]
        return ChangeSet(
            change_set_id=(
                f"arn:aws:cloudformation:{stack.region}:{ACCOUNT_ID}:changeSet/{name}/"
                f"{uuid.uuid4()}"
            ),
            name=name,
            stack_id=stack.stack_id,
            kind=kind,
            desired=desired,
            created_at=self.engine.clock.now(),
            status="FAILED" if nothing else "CREATE_COMPLETE",
            execution="UNAVAILABLE" if nothing else "AVAILABLE",
            reason=NO_CHANGES if nothing else None,
            description=values.get("Description"),
            changes=changes,
            on_failure=values.get("OnStackFailure"),
            token=values.get("ClientToken"),
            request=dict(values),
        )

    def describe(self, region: str, values: Values) -> Mapping[str, Any]:
        """A change set and a page of its changes."""
        with self.engine.lock:
            one, stack = self._find(region, values)
            shown, token = page(one.changes, values, self.engine.page_size)
        with_values = values.get("IncludePropertyValues", False)
        return {
            **described_change_set(one, stack),
            "Changes": [described_change(change, with_values=with_values) for change in shown],
            "NextToken": token,
        }

    def list(self, region: str, values: Values) -> Mapping[str, Any]:
        """The change sets of a stack that were not executed."""
        with self.engine.lock:
            stack = self.engine.find(region, values["StackName"])
            if stack is None:
                raise invalid(f"Stack [{values['StackName']}] does not exist")
            kept = [
                "StackId",
                "StackName",
                "ChangeSetId",
                "ChangeSetName",
                "ExecutionStatus",
                "Status",
                "StatusReason",
                "CreationTime",
                "Description",
            ]
            found = [
                one for one in self.engine.change_sets.values() if one.stack_id == stack.stack_id
            ]
            shown, token = page(found, values, self.engine.page_size)
            summaries = [
                {
                    name: value
                    for name, value in described_change_set(one, stack).items()
                    if name in kept
                }
                for one in shown
            ]
        return {"Summaries": summaries, "NextToken": token}

    def execute(self, region: str, values: Values) -> Mapping[str, Any]:
        """Begin what the change set says; the stack's other change sets are gone then."""
        engine = self.engine
        with engine.lock:
            token = values.get("ClientRequestToken")
            one, stack = self._find(region, values)
            if one.execution.startswith("EXECUTE_") and token and token == stack.token:
                return {}
            if one.execution != "AVAILABLE":
                status = one.execution if one.status == "CREATE_COMPLETE" else one.status
                raise ApiError(
                    "InvalidChangeSetStatus",
                    f"ChangeSet [{one.change_set_id}] cannot be executed in its current status "
                    f"of [{status}]",
                )
            one.execution = "EXECUTE_IN_PROGRESS"
            stack.change_set_id = one.change_set_id
            for other in [*engine.change_sets.values()]:
                if other.stack_id == stack.stack_id and other is not one:
                    del engine.change_sets[other.change_set_id]
            stack.on_failure = on_failure_of(one, values)
            self._start(one, stack, token)
        return {}

    def _start(self, one: ChangeSet, stack: Stack, token: str | None) -> None:
        engine = self.engine
        operation = Operation(engine, stack, start_nested)
        rollback = stack.on_failure != "DO_NOTHING"

        def work() -> None:
            if one.kind == "CREATE":
                operation.create()
            else:
                operation.update(one.desired, rollback=rollback)
            done = stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
            one.execution = "EXECUTE_COMPLETE" if done else "EXECUTE_FAILED"

        if one.kind == "CREATE":
            stack.desired = one.desired
            stack.abandon = operation.abandon
        else:
            stack.abandon = None
            stack.cancel_update = operation.take_back
            stack.updated_at = engine.clock.now()
        engine.begin(stack, f"{one.kind}_IN_PROGRESS", token, work)

    def delete(self, region: str, values: Values) -> Mapping[str, Any]:
        """Drop a change set; the stack in REVIEW_IN_PROGRESS stays, as on AWS."""
        with self.engine.lock:
            try:
                one, _ = self._find(region, values)
            except ApiError:
                return {}
            if one.execution == "EXECUTE_IN_PROGRESS":
                raise ApiError(
                    "InvalidChangeSetStatus",
                    f"ChangeSet [{one.change_set_id}] cannot be deleted in its current status "
                    f"of [{one.execution}]",
                )
            del self.engine.change_sets[one.change_set_id]
        return {}

    def _find(self, region: str, values: Values) -> tuple[ChangeSet, Stack]:
        name = values["ChangeSetName"]
        if name.startswith("arn:"):
            one = self.engine.change_sets.get(name)
        else:
            stack_name = values.get("StackName")
            if stack_name is None:
                raise invalid(
                    "StackName must be specified if ChangeSetName is not specified as an ARN."
                )
            stack = self.engine.find(region, stack_name)
            if stack is None:
                raise invalid(f"Stack [{stack_name}] does not exist")
            one = next(
                (
                    each
                    for each in reversed(self.engine.change_sets.values())
                    if each.stack_id == stack.stack_id and each.name == name
                ),
                None,
            )
        if one is None:
            raise ApiError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)
        return one, self.engine.stacks[one.stack_id]


def on_failure_of(one: ChangeSet, values: Values) -> str:
    """What the change set says, unless the call switches the rollback off."""
    if values.get("DisableRollback"):
        return "DO_NOTHING"
    return one.on_failure or "ROLLBACK"


class _PlanScope(StackScope):
    """The stack as it will be: what is not known yet is UNKNOWN.

    ``planned`` are the changes so far, in the order of dependencies.
    """

    def __init__(self, engine: Engine, stack: Stack, desired: Desired) -> None:
        super().__init__(engine, stack, desired)
        self.planned: dict[str, Change] = {}

    def ref(self, name: str) -> Any:
        """As the stack's, but UNKNOWN for what will be new."""
        if name in self.desired.template.resources and self._new(name):
            return UNKNOWN
        return super().ref(name)

    def attribute(self, name: str, attribute: str) -> Any:
        """As the stack's, but UNKNOWN for what will be new or may change."""
        if self._new(name) or name in self.planned:
            return UNKNOWN
        return super().attribute(name, attribute)

    def _new(self, name: str) -> bool:
        change = self.planned.get(name)
        return change is not None and (
            change.action == "Add" or change.replacement in ("True", "Conditional")
        )


def plan_changes(engine: Engine, stack: Stack, desired: Desired) -> tuple[Change, ...]:
    """What ``desired`` does to the stack's resources, in the template's order; then removals."""
    scope = _PlanScope(engine, stack, desired)
    blocks = {
        name: block
        for name, block in desired.template.resources.items()
        if block.condition is None or scope.condition(block.condition)
    }
    for name in _ordered(blocks):
        change = _plan_one(engine, stack, blocks[name], scope)
        if change is not None:
            scope.planned[name] = change
    changed = [scope.planned[name] for name in blocks if name in scope.planned]
    gone = [
        Change(
            action="Remove",
            logical_id=name,
            physical_id=resource.physical_id,
            type=resource.type,
        )
        for name, resource in stack.resources.items()
        if name not in blocks
    ]
    return (*changed, *gone)


def _plan_one(
    engine: Engine, stack: Stack, block: ResourceBlock, scope: _PlanScope
) -> Change | None:
    resource = stack.resources.get(block.logical_id)
    if resource is None or resource.physical_id is None:
        return Change(action="Add", logical_id=block.logical_id, physical_id=None, type=block.type)
    kind = engine.kinds[block.type]
    return plan_change(
        resource,
        block,
        resolve(block.properties, scope),
        scope.desired.tags if kind.taggable else {},
        kind.recreation,
    )


def _ordered(blocks: Mapping[str, ResourceBlock]) -> list[str]:
    """Each after what it needs; the template has no circles."""
    done: list[str] = []
    left = {name: set(block.requires) & set(blocks) for name, block in blocks.items()}
    while left:
        free = [name for name, needs in left.items() if not needs]
        done += free
        left = {name: needs - set(free) for name, needs in left.items() if name not in free}
    return done
