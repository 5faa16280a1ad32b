"""The API's actions on stacks: what CloudFormation checks at once, and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.cloud.fake.change_sets import ChangeSetActions
from tests.cloud.fake.descriptions import (
    described_event,
    described_operation_event,
    described_resource,
    described_resource_summary,
    described_stack,
    described_summary,
    page,
)
from tests.cloud.fake.desired import read_desired, read_template
from tests.cloud.fake.drift import DriftActions
from tests.cloud.fake.engine import Engine
from tests.cloud.fake.nested import start_nested
from tests.cloud.fake.operations import Operation
from tests.cloud.fake.query import ApiError, Query, invalid
from tests.cloud.fake.records import Stack
from tests.cloud.fake.refusals import (
    refuse_bad_name,
    refuse_not_deletable,
    refuse_not_updatable,
)

Values = Mapping[str, Any]


class Actions:
    """Every action that the fake answers, by its name."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        drift = DriftActions(engine, self.stack)
        sets = ChangeSetActions(engine)
        self.table: dict[str, Callable[[str, Values], Mapping[str, Any]]] = {
            "CreateStack": self.create_stack,
            "UpdateStack": self.update_stack,
            "CancelUpdateStack": self.cancel_update_stack,
            "DeleteStack": self.delete_stack,
            "DescribeStacks": self.describe_stacks,
            "ListStacks": self.list_stacks,
            "DescribeStackEvents": self.describe_stack_events,
            "DescribeEvents": self.describe_events,
            "DescribeStackResources": self.describe_stack_resources,
            "DescribeStackResource": self.describe_stack_resource,
            "ListStackResources": self.list_stack_resources,
            "GetTemplate": self.get_template,
            "ValidateTemplate": self.validate_template,
            "UpdateTerminationProtection": self.update_termination_protection,
            **sets.table,
            **drift.table,
        }

    def answer(self, region: str, query: Query) -> Mapping[str, Any]:
        """The result of a call; raises ApiError."""
        action = self.table.get(query.action)
        if action is None:
            raise ApiError("InvalidAction", f"the fake does not answer {query.action}", 501)
        return action(region, query.values)

    def stack(self, region: str, values: Values) -> Stack:
        """The stack that a call names, deleted ones by id only."""
        name = values["StackName"]
        refuse_bad_name(name)
        stack = self.engine.find(region, name)
        if stack is None:
            raise invalid(f"Stack with id {name} does not exist")
        return stack

    def create_stack(self, region: str, values: Values) -> Mapping[str, Any]:
        """Begin a stack without a change set."""
        engine = self.engine
        name = values["StackName"]
        refuse_bad_name(name)
        with engine.lock:
            known = engine.find(region, name)
            token = values.get("ClientRequestToken")
            if known is not None and token and token == known.token:
                return {"StackId": known.stack_id}
            if known is not None:
                raise ApiError("AlreadyExistsException", f"Stack [{name}] already exists")
            desired = read_desired(engine, region, values, None)
            on_failure = values.get("OnFailure", "ROLLBACK")
            stack = Stack(
                stack_id=engine.stack_id(region, name),
                name=name,
                region=region,
                status="CREATE_IN_PROGRESS",
                created_at=engine.clock.now(),
                desired=desired,
                on_failure="DO_NOTHING" if values.get("DisableRollback") else on_failure,
                protected=values.get("EnableTerminationProtection", False),
                hidden_describes=engine.faults.hidden_describes,
            )
            engine.stacks[stack.stack_id] = stack
        operation = Operation(engine, stack, start_nested)
        stack.abandon = operation.abandon
        engine.begin(stack, "CREATE_IN_PROGRESS", token, operation.create)
        return {"StackId": stack.stack_id}

    def update_stack(self, region: str, values: Values) -> Mapping[str, Any]:
        """Update a stack without a change set."""
        engine = self.engine
        name = values["StackName"]
        stack = engine.find(region, name)
        if stack is None:
            raise invalid(f"Stack [{name}] does not exist")
        refuse_not_updatable(stack)
        desired = read_desired(engine, region, values, stack.desired)
        before = stack.desired
        if before and (before.template, before.values, before.tags) == (
            desired.template,
            desired.values,
            desired.tags,
        ):
            raise invalid("No updates are to be performed.")
        stack.updated_at = engine.clock.now()
        rollback = not values.get("DisableRollback", False)
        operation = Operation(engine, stack, start_nested)
        stack.cancel_update = operation.take_back
        engine.begin(
            stack,
            "UPDATE_IN_PROGRESS",
            values.get("ClientRequestToken"),
            lambda: operation.update(desired, rollback=rollback),
        )
        return {"StackId": stack.stack_id}

    def cancel_update_stack(self, region: str, values: Values) -> Mapping[str, Any]:
        """Take back an update, while it is in UPDATE_IN_PROGRESS and only then."""
        stack = self.stack(region, values)
        if stack.cancel_update is None or not stack.cancel_update():
            raise invalid("CancelUpdateStack cannot be called from current stack status")
        return {}

    def delete_stack(self, region: str, values: Values) -> Mapping[str, Any]:
        """Begin to delete; a stack that is not there is no error, as on AWS."""
        engine = self.engine
        refuse_bad_name(values["StackName"])
        retained = frozenset(values.get("RetainResources", []))
        with engine.lock:
            stack = engine.find(region, values["StackName"])
            if stack is None or not stack.live or stack.status == "DELETE_IN_PROGRESS":
                return {}
            refuse_not_deletable(stack, retained)
            force = values.get("DeletionMode") == "FORCE_DELETE_STACK"
            earlier = stack.thread
            if stack.abandon is not None:
                stack.abandon()
            operation = Operation(engine, stack, start_nested)
            for one in [*engine.change_sets.values()]:
                if one.stack_id == stack.stack_id and not one.execution.startswith("EXECUTE"):
                    del engine.change_sets[one.change_set_id]

            def work() -> None:
                if earlier is not None:
                    earlier.join()
                operation.delete(retained, force=force)

            engine.begin(stack, "DELETE_IN_PROGRESS", values.get("ClientRequestToken"), work)
        return {}

    def describe_stacks(self, region: str, values: Values) -> Mapping[str, Any]:
        """One stack, or all that live."""
        engine = self.engine
        with engine.lock:
            if "StackName" in values:
                stack = self.stack(region, values)
                if stack.hidden_describes > 0:
                    stack.hidden_describes -= 1
                    raise invalid(f"Stack with id {values['StackName']} does not exist")
                return {"Stacks": [described_stack(stack)]}
            stacks = [one for one in engine.stacks.values() if one.live and one.region == region]
            stacks.sort(key=lambda one: one.created_at, reverse=True)
            shown, token = page(stacks, values, engine.page_size)
            return {"Stacks": [described_stack(one) for one in shown], "NextToken": token}

    def list_stacks(self, region: str, values: Values) -> Mapping[str, Any]:
        """Summaries of all stacks, deleted ones too, newest first."""
        wanted = set(values.get("StackStatusFilter", []))
        with self.engine.lock:
            stacks = [
                one
                for one in self.engine.stacks.values()
                if one.region == region and (not wanted or one.status in wanted)
            ]
            stacks.sort(key=lambda one: one.created_at, reverse=True)
            shown, token = page(stacks, values, self.engine.page_size)
            summaries = [described_summary(one) for one in shown]
        return {"StackSummaries": summaries, "NextToken": token}

    def describe_stack_events(self, region: str, values: Values) -> Mapping[str, Any]:
        """The history, newest first."""
        with self.engine.lock:
            stack = self.stack(region, values)
            shown, token = page(stack.events[::-1], values, self.engine.page_size)
            events = [described_event(stack, event) for event in shown]
        return {"StackEvents": events, "NextToken": token}

    def describe_events(self, region: str, values: Values) -> Mapping[str, Any]:
        """The history as operations, newest first; by stack only."""
        failed_only = values.get("Filters", {}).get("FailedEvents", False)
        with self.engine.lock:
            stack = self.stack(region, values)
            found = [
                event
                for event in stack.events[::-1]
                if values.get("OperationId") in (None, event.operation_id)
                and (not failed_only or event.status.endswith("_FAILED"))
            ]
            shown, token = page(found, values, self.engine.page_size)
            events = [described_operation_event(stack, event) for event in shown]
        return {"OperationEvents": events, "NextToken": token}

    def describe_stack_resources(self, region: str, values: Values) -> Mapping[str, Any]:
        """Up to 100 resources of a stack."""
        with self.engine.lock:
            stack = self.stack(region, values)
            wanted = values.get("LogicalResourceId")
            shown = [
                described_resource(stack, one)
                for one in stack.resources.values()
                if wanted in (None, one.logical_id)
            ]
        return {"StackResources": shown[:100]}

    def describe_stack_resource(self, region: str, values: Values) -> Mapping[str, Any]:
        """One resource of a stack."""
        with self.engine.lock:
            stack = self.stack(region, values)
            name = values["LogicalResourceId"]
            resource = stack.resources.get(name)
            if resource is None:
                raise invalid(f"Resource {name} does not exist for stack {stack.name}")
            detail = described_resource(stack, resource)
            detail["LastUpdatedTimestamp"] = detail.pop("Timestamp")
        return {"StackResourceDetail": detail}

    def list_stack_resources(self, region: str, values: Values) -> Mapping[str, Any]:
        """All resources of a stack, in pages."""
        with self.engine.lock:
            stack = self.stack(region, values)
            shown, token = page(list(stack.resources.values()), values, self.engine.page_size)
            summaries = [described_resource_summary(one) for one in shown]
        return {"StackResourceSummaries": summaries, "NextToken": token}

    def get_template(self, region: str, values: Values) -> Mapping[str, Any]:
        """The body as it was sent."""
        if "ChangeSetName" in values:
            found = [
                one
                for one in self.engine.change_sets.values()
                if values["ChangeSetName"] in (one.name, one.change_set_id)
            ]
            if not found:
                raise ApiError(
                    "ChangeSetNotFound",
                    f"ChangeSet [{values['ChangeSetName']}] does not exist",
                    404,
                )
            return {"TemplateBody": found[0].desired.body, "StagesAvailable": ["Original"]}
        stack = self.stack(region, values)
        if stack.desired is None:
            raise invalid(f"Stack with id {values['StackName']} does not have a template")
        return {"TemplateBody": stack.desired.body, "StagesAvailable": ["Original", "Processed"]}

    def validate_template(self, region: str, values: Values) -> Mapping[str, Any]:
        """What a template asks for; its references and circles are checked too."""
        template = read_template(self.engine, region, values, None)[1]
        return {
            "Description": template.description,
            "Parameters": [
                {
                    "ParameterKey": name,
                    "DefaultValue": spec.get("Default"),
                    "NoEcho": bool(spec.get("NoEcho", False)),
                    "Description": spec.get("Description"),
                }
                for name, spec in template.parameters.items()
            ],
        }

    def update_termination_protection(self, region: str, values: Values) -> Mapping[str, Any]:
        """Switch the protection."""
        stack = self.stack(region, values)
        if stack.parent_id is not None:
            raise invalid(
                f"Termination protection cannot be switched for the nested stack {stack.name}"
            )
        stack.protected = values["EnableTerminationProtection"]
        return {"StackId": stack.stack_id}
