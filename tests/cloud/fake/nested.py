"""Starts nested stacks: a child is a stack of its own, with its own events and thread."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from tests.cloud.fake.desired import nested_desired
from tests.cloud.fake.engine import Engine
from tests.cloud.fake.operations import Operation
from tests.cloud.fake.records import Stack


def start_nested(
    engine: Engine, parent: Stack, properties: Mapping[str, Any], child: Stack | None
) -> Stack:
    """Create a nested stack of ``parent``, or update ``child``; returns while it is at work."""
    desired = nested_desired(engine, parent, properties, child.desired if child else None)
    if child is not None:
        operation = Operation(engine, child, start_nested)
        child.updated_at = engine.clock.now()
        child.abandon = None
        engine.begin(
            child,
            "UPDATE_IN_PROGRESS",
            parent.token,
            lambda: operation.update(desired, rollback=True),
        )
        return child
    suffix = uuid.uuid4().hex[:12].upper()
    name = f"{parent.name}-{properties['LogicalId']}-{suffix}"
    made = Stack(
        stack_id=engine.stack_id(parent.region, name),
        name=name,
        region=parent.region,
        status="CREATE_IN_PROGRESS",
        created_at=engine.clock.now(),
        desired=desired,
        # The parent's rollback takes it away.
        on_failure="DO_NOTHING",
        parent_id=parent.stack_id,
        root_id=parent.root_id or parent.stack_id,
    )
    with engine.lock:
        engine.stacks[made.stack_id] = made
    operation = Operation(engine, made, start_nested)
    made.abandon = operation.abandon
    engine.begin(made, "CREATE_IN_PROGRESS", parent.token, operation.create)
    return made
