"""One running operation of a stack: it makes, changes and removes resources, and undoes."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.cloud.fake import natives
from tests.cloud.fake.changes import changed_properties
from tests.cloud.fake.engine import (
    EXPECTED,
    STACK_TYPE,
    CancelledError,
    Engine,
    StackScope,
    ask_of,
    failure_reason,
)
from tests.cloud.fake.graph import reverse, run_graph
from tests.cloud.fake.kinds import Made, ResourceFailedError
from tests.cloud.fake.records import Desired, Resource, Stack
from tests.cloud.fake.template import ResourceBlock, resolve

Nested = Callable[[Engine, Stack, Mapping[str, Any], Stack | None], Stack]
"""Starts a nested stack's create or, if it is given, its update (see nested.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """What an update did to a resource. ``before`` None: it was created; ``replaced``: ``before``
    still stands in the account beside the new one."""

    logical_id: str
    before: Resource | None
    replaced: bool


class Operation:
    """``cancel`` is set when a resource fails: those that wait give up."""

    def __init__(self, engine: Engine, stack: Stack, start_nested: Nested) -> None:
        self.engine = engine
        self.stack = stack
        self.start_nested = start_nested
        self.cancel = threading.Event()
        self.abandoned = False
        self.taken_back = False
        self.undo: list[Undo] = []
        self.superseded: list[Resource] = []

    def abandon(self) -> None:
        """Give up, since the stack is to be deleted: what is on its way ends, nothing follows."""
        self.abandoned = True
        self.cancel.set()
        self.engine.clock.wake()

    def take_back(self) -> bool:
        """Undo the update, as CancelUpdateStack asks; False if it is past that."""
        engine, stack = self.engine, self.stack
        with engine.lock:
            if stack.status != "UPDATE_IN_PROGRESS":
                return False
            self.taken_back = True
            self.cancel.set()
            engine.emit(stack, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        engine.clock.wake()
        return True

    def create(self) -> None:
        """Make every resource, or roll back as the stack says."""
        blocks = self.blocks()
        failed = run_graph(
            {name: block.requires for name, block in blocks.items()},
            lambda name: self._create_one(blocks[name]),
            stop_on_failure=self._give_up,
        )
        if self.abandoned:
            return
        if not failed:
            self._finish("CREATE_COMPLETE")
            return
        reason = f"The following resource(s) failed to create: [{', '.join(failed)}]. "
        match self.stack.on_failure:
            case "DO_NOTHING":
                self.engine.emit(self.stack, "CREATE_FAILED", reason)
            case "DELETE":
                self.engine.emit(
                    self.stack, "DELETE_IN_PROGRESS", f"{reason}Delete requested by user."
                )
                self.delete()
            case _:
                self.engine.emit(
                    self.stack, "ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user."
                )
                self._remove_all("ROLLBACK", frozenset())

    def delete(self, retained: frozenset[str] = frozenset(), *, force: bool = False) -> None:
        """Remove every resource but the ``retained``; ``force`` keeps what does not go."""
        self._remove_all("DELETE", retained, force=force)

    def update(self, desired: Desired, *, rollback: bool) -> None:
        """Bring the stack to ``desired``."""
        engine, stack = self.engine, self.stack
        before, stack.desired = stack.desired, desired
        blocks = self.blocks()
        failed = run_graph(
            {name: block.requires for name, block in blocks.items()},
            lambda name: self._update_one(blocks[name]),
            stop_on_failure=self._give_up,
        )
        with engine.lock:
            # From here on nobody can take it back.
            succeeded = not failed and not self.taken_back
            if succeeded:
                engine.emit(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        if succeeded:
            gone = [stack.resources[name] for name in set(stack.resources) - set(blocks)]
            self._clean_up([*self.superseded, *gone])
            self._finish("UPDATE_COMPLETE")
            return
        if self.taken_back:
            stack.desired = before
            self._roll_back_update()
            return
        created = [
            name
            for name in failed
            if any(u.logical_id == name and u.before is None for u in self.undo)
        ]
        updated = [name for name in failed if name not in created]
        reason = "".join(
            f"The following resource(s) failed to {verb}: [{', '.join(group)}]. "
            for verb, group in (("create", created), ("update", updated))
            if group
        )
        if not rollback:
            engine.emit(stack, "UPDATE_FAILED", reason)
            return
        engine.emit(stack, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
        stack.desired = before
        self._roll_back_update()

    def blocks(self) -> dict[str, ResourceBlock]:
        """The template's resources whose condition holds."""
        scope = StackScope(self.engine, self.stack)
        return {
            name: block
            for name, block in scope.desired.template.resources.items()
            if block.condition is None or scope.condition(block.condition)
        }

    # One resource.

    def _create_one(self, block: ResourceBlock) -> bool:
        resource = Resource(
            logical_id=block.logical_id,
            type=block.type,
            status="",
            changed_at=self.engine.clock.now(),
            requires=block.requires,
            deletion_policy=block.deletion_policy,
        )
        with self.engine.lock:
            self.stack.resources[block.logical_id] = resource
            self.undo.append(Undo(logical_id=block.logical_id, before=None, replaced=False))
        return self._attempt(resource, "CREATE", lambda: self._make(resource, block, "CREATE"))

    def _attempt(self, resource: Resource, verb: str, work: Callable[[], None]) -> bool:
        """Do ``work`` and say how it ended."""
        try:
            if self.cancel.is_set():
                raise CancelledError
            work()
        except EXPECTED as exc:
            noun = {"CREATE": "creation", "UPDATE": "update", "DELETE": "deletion"}[verb]
            reason = failure_reason(exc, noun, resource.type)
        except Exception as exc:  # noqa: BLE001 - else the stack would hang and not say why
            self.engine.bugs.append(traceback.format_exc())
            reason = f"a bug of the fake: {exc!r}"
        else:
            self.engine.emit(self.stack, f"{verb}_COMPLETE", resource=resource)
            return True
        self.engine.emit(self.stack, f"{verb}_FAILED", reason, resource=resource)
        return False

    def _make(
        self, resource: Resource, block: ResourceBlock, verb: str, first: str | None = None
    ) -> None:
        """Make the resource of ``block``, with both of its IN_PROGRESS events."""
        engine, stack = self.engine, self.stack
        engine.emit(stack, f"{verb}_IN_PROGRESS", first, resource=resource)
        properties = resolve(block.properties, StackScope(engine, stack))
        self._break(block.logical_id, verb.lower())
        made = self._begin(block, properties)
        with engine.lock:
            resource.physical_id = made.physical_id
            resource.ref = made.ref or made.physical_id
            resource.attributes = made.attributes
            resource.properties = properties
            resource.tags = self._tags(block.type)
        shown = json.dumps(properties, separators=(",", ":"))
        # Before the event: who sees it may move the clock.
        begun_s = engine.clock.now_s()
        engine.emit(
            stack,
            f"{verb}_IN_PROGRESS",
            "Resource creation Initiated",
            resource=resource,
            properties=shown,
        )
        self._settle(resource, properties, begun_s)

    def _begin(self, block: ResourceBlock, properties: Mapping[str, Any]) -> Made:
        engine = self.engine
        ask = ask_of(engine, self.stack, block.logical_id, block.type, properties)
        match block.type:
            case natives.HANDLE_TYPE:
                return natives.make_handle(engine, ask)
            case natives.CONDITION_TYPE:
                return natives.make_condition(ask)
            case t if t == STACK_TYPE:
                child = self.start_nested(
                    engine, self.stack, {**properties, "LogicalId": block.logical_id}, None
                )
                return Made(physical_id=child.stack_id)
            case _:
                return engine.kinds[block.type].create(ask)

    def _settle(self, resource: Resource, properties: Mapping[str, Any], begun_s: float) -> None:
        """What a resource needs after it is there: time, signals, its own resources."""
        engine = self.engine
        delay_s = engine.faults.delay_of(resource.logical_id, "create")
        if delay_s and engine.clock.wait_till(begun_s + delay_s, self._given_up):
            raise CancelledError
        if resource.type == natives.CONDITION_TYPE:
            told = natives.await_condition(engine, properties, begun_s, self.cancel)
            resource.attributes = {**resource.attributes, **told}
        if resource.type == STACK_TYPE:
            child = engine.stacks[resource.physical_id or ""]
            natives.await_stack(engine, child, "CREATE_COMPLETE", self.cancel)
            resource.attributes = natives.outputs_of(child)

    def _give_up(self) -> None:
        self.cancel.set()
        self.engine.clock.wake()

    def _given_up(self) -> bool:
        return self.cancel.is_set() or self.engine.closing.is_set()

    def _break(self, logical_id: str, on: str) -> None:
        reason = self.engine.faults.failure_of(logical_id, on)
        if reason is not None:
            raise ResourceFailedError(reason)

    def _tags(self, type_: str) -> Mapping[str, str]:
        desired = self.stack.desired
        return desired.tags if desired and self.engine.kinds[type_].taggable else {}

    # Updates.

    def _update_one(self, block: ResourceBlock) -> bool:
        resource = self.stack.resources.get(block.logical_id)
        if resource is None or resource.physical_id is None:
            return self._create_one(block)
        resource.requires, resource.deletion_policy = block.requires, block.deletion_policy
        return self._change_one(resource, block)

    def _change_one(self, resource: Resource, block: ResourceBlock) -> bool:
        kind = self.engine.kinds[block.type]
        try:
            properties = resolve(block.properties, StackScope(self.engine, self.stack))
        except EXPECTED as exc:
            reason = failure_reason(exc, "update", resource.type)
            self.engine.emit(self.stack, "UPDATE_FAILED", reason, resource=resource)
            return False
        changed = changed_properties(resource.properties, properties)
        if resource.type != block.type or any(kind.recreation(n) == "Always" for n in changed):
            return self._replace_one(resource, block)
        if not changed and dict(resource.tags) == dict(self._tags(block.type)):
            return True
        if kind.update is not None or block.type == STACK_TYPE:
            # A type that AWS does not update has nothing to be put back.
            with self.engine.lock:
                self.undo.append(
                    Undo(logical_id=block.logical_id, before=_copy(resource), replaced=False)
                )
        return self._attempt(
            resource, "UPDATE", lambda: self._modify(resource, properties, "update")
        )

    def _modify(self, resource: Resource, properties: Mapping[str, Any], on: str) -> None:
        engine, stack = self.engine, self.stack
        shown = json.dumps(properties, separators=(",", ":"))
        engine.emit(stack, "UPDATE_IN_PROGRESS", resource=resource, properties=shown)
        self._break(resource.logical_id, on)
        kind = engine.kinds[resource.type]
        if resource.type == STACK_TYPE:
            child = engine.stacks[resource.physical_id or ""]
            self.start_nested(engine, stack, properties, child)
            natives.await_stack(engine, child, "UPDATE_COMPLETE", self.cancel)
            made = Made(physical_id=child.stack_id, attributes=natives.outputs_of(child))
        elif kind.update is None:
            raise ResourceFailedError(f"Update to resource type {resource.type} is not supported.")
        else:
            ask = ask_of(engine, stack, resource.logical_id, resource.type, properties)
            made = kind.update(ask, resource.physical_id or "", resource.properties)
        with engine.lock:
            resource.attributes = {**resource.attributes, **made.attributes}
            resource.properties = properties
            resource.tags = self._tags(resource.type)

    def _replace_one(self, resource: Resource, block: ResourceBlock) -> bool:
        before = _copy(resource)
        with self.engine.lock:
            self.undo.append(Undo(logical_id=block.logical_id, before=before, replaced=True))
            resource.type = block.type
        why = (
            "Requested update requires the creation of a new physical resource; hence creating one."
        )
        made = self._attempt(resource, "UPDATE", lambda: self._make(resource, block, "UPDATE", why))
        if made and block.replace_policy == "Delete":
            self.superseded.append(before)
        return made

    def _roll_back_update(self) -> None:
        engine, stack = self.engine, self.stack
        self.cancel = threading.Event()
        extra: list[Resource] = []
        failed: list[str] = []
        for undo in reversed(self.undo):
            resource = stack.resources[undo.logical_id]
            if undo.before is None or (
                undo.replaced and resource.physical_id != undo.before.physical_id
            ):
                extra.append(_copy(resource))
            if undo.before is None:
                continue
            if not self._restore(resource, undo):
                failed.append(undo.logical_id)
        if failed:
            reason = f"The following resource(s) failed to update: [{', '.join(failed)}]. "
            engine.emit(stack, "UPDATE_ROLLBACK_FAILED", reason)
            return
        engine.emit(stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        for undo in self.undo:
            if undo.before is None:
                del stack.resources[undo.logical_id]
        self._clean_up([one for one in extra if one.physical_id])
        self._finish("UPDATE_ROLLBACK_COMPLETE")

    def _restore(self, resource: Resource, undo: Undo) -> bool:
        assert undo.before is not None
        if undo.replaced:
            with self.engine.lock:
                self.stack.resources[undo.logical_id] = undo.before
            self.engine.emit(self.stack, "UPDATE_COMPLETE", resource=undo.before)
            return True
        before = undo.before
        return self._attempt(
            resource, "UPDATE", lambda: self._modify(resource, before.properties, "rollback")
        )

    # Removal.

    def _remove_all(self, verb: str, retained: frozenset[str], *, force: bool = False) -> None:
        engine, stack = self.engine, self.stack
        self.cancel = threading.Event()
        there = {
            name: resource
            for name, resource in stack.resources.items()
            if resource.physical_id and resource.status not in ("DELETE_COMPLETE", "DELETE_SKIPPED")
        }
        needs = reverse({name: resource.requires for name, resource in there.items()})
        failed = run_graph(
            needs,
            lambda name: self._remove_one(there[name], retained, created=verb == "ROLLBACK"),
            stop_on_failure=None,
        )
        if failed and not force:
            reason = f"The following resource(s) failed to delete: [{', '.join(failed)}]. "
            engine.emit(stack, f"{verb}_FAILED", reason)
            return
        with engine.lock:
            stack.outputs = []
            if verb == "DELETE":
                stack.deleted_at = engine.clock.now()
            engine.emit(stack, f"{verb}_COMPLETE")

    def _remove_one(self, resource: Resource, retained: frozenset[str], *, created: bool) -> bool:
        keep = resource.deletion_policy == "Retain" or (
            resource.deletion_policy == "RetainExceptOnCreate" and not created
        )
        if keep or resource.logical_id in retained:
            self.engine.emit(self.stack, "DELETE_SKIPPED", resource=resource)
            return True
        return self._attempt(resource, "DELETE", lambda: self._delete(resource))

    def _delete(self, resource: Resource) -> None:
        engine = self.engine
        engine.emit(self.stack, "DELETE_IN_PROGRESS", resource=resource)
        self._break(resource.logical_id, "delete")
        delay_s = engine.faults.delay_of(resource.logical_id, "delete")
        if delay_s:
            engine.clock.wait(delay_s, self._given_up)
        if resource.type == STACK_TYPE:
            child = engine.stacks[resource.physical_id or ""]
            if not child.live:
                return
            nested = Operation(engine, child, self.start_nested)
            engine.begin(child, "DELETE_IN_PROGRESS", None, nested.delete)
            natives.await_stack(engine, child, "DELETE_COMPLETE", self.cancel)
            return
        ask = ask_of(engine, self.stack, resource.logical_id, resource.type, resource.properties)
        engine.kinds[resource.type].delete(ask, resource.physical_id or "")

    def _clean_up(self, resources: list[Resource]) -> None:
        """Remove what an update left behind; as on AWS its failure does not fail the update."""
        by_name = {resource.logical_id: resource for resource in resources}
        run_graph(
            reverse({name: resource.requires for name, resource in by_name.items()}),
            lambda name: self._remove_one(by_name[name], frozenset(), created=False),
            stop_on_failure=None,
        )
        with self.engine.lock:
            for resource in resources:
                if self.stack.resources.get(resource.logical_id) is resource:
                    del self.stack.resources[resource.logical_id]

    def _finish(self, status: str) -> None:
        scope = StackScope(self.engine, self.stack)
        outputs = []
        for name, output in scope.desired.template.outputs.items():
            if "Condition" in output and not scope.condition(output["Condition"]):
                continue
            value = {"OutputKey": name, "OutputValue": str(resolve(output["Value"], scope))}
            if "Description" in output:
                value["Description"] = output["Description"]
            outputs.append(value)
        with self.engine.lock:
            self.stack.outputs = outputs
            self.engine.emit(self.stack, status)


def _copy(resource: Resource) -> Resource:
    return Resource(**{name: getattr(resource, name) for name in Resource.__slots__})
