"""What CloudFormation remembers: stacks, their resources and events, change sets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.cloud.fake.template import Template

ACCOUNT_ID = "123456789012"
"""moto's default account."""

UPDATABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_FAILED",
        "CREATE_FAILED",
    }
)
"""Statuses in which a stack takes an update. The FAILED ones only hold a stack whose rollback was
disabled ("Stack failure options" in the CloudFormation guide)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a stack's history."""

    event_id: str
    operation_id: str
    logical_id: str
    physical_id: str | None
    type: str
    at: datetime
    status: str
    reason: str | None
    properties: str | None
    token: str | None


@dataclass(slots=True, kw_only=True)
class Resource:
    """A resource of a stack. ``ref`` is what Ref gives; ``properties`` as they were resolved and
    applied; ``tags`` the stack's tags that it bears."""

    logical_id: str
    type: str
    status: str
    changed_at: datetime
    reason: str | None = None
    physical_id: str | None = None
    ref: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    requires: frozenset[str] = frozenset()
    deletion_policy: str = "Delete"
    drift: str = "NOT_CHECKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What a create or an update asks for. ``values`` are the parameters' with SSM's resolved."""

    template: Template
    body: str
    parameters: Mapping[str, str]
    values: Mapping[str, Any]
    tags: Mapping[str, str]
    capabilities: tuple[str, ...]
    role_arn: str | None


@dataclass(slots=True, kw_only=True)
class Stack:
    """A stack, also a deleted one. ``on_failure``: DO_NOTHING, ROLLBACK or DELETE."""

    stack_id: str
    name: str
    region: str
    status: str
    created_at: datetime
    desired: Desired | None = None
    reason: str | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    on_failure: str = "ROLLBACK"
    protected: bool = False
    outputs: list[dict[str, str]] = field(default_factory=list)
    resources: dict[str, Resource] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    parent_id: str | None = None
    root_id: str | None = None
    change_set_id: str | None = None
    operation_id: str = ""
    token: str | None = None
    drift: str = "NOT_CHECKED"
    drift_checked_at: datetime | None = None
    hidden_describes: int = 0
    thread: threading.Thread | None = None
    abandon: Callable[[], None] | None = None
    cancel_update: Callable[[], bool] | None = None

    @property
    def live(self) -> bool:
        """Whether its name is taken."""
        return self.status != "DELETE_COMPLETE"

    @property
    def busy(self) -> bool:
        """Whether an operation runs."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """Why a resource changes: ``name`` of the property or None for the tags, ``recreation``
    Never, Conditionally or Always, ``dynamic`` if its value is known only after the update."""

    attribute: str
    name: str | None
    recreation: str
    dynamic: bool
    cause: str | None
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a change set does to one resource: ``action`` Add, Modify or Remove; ``replacement``
    True, False or Conditional, None unless it is modified."""

    action: str
    logical_id: str
    physical_id: str | None
    type: str
    replacement: str | None = None
    scope: tuple[str, ...] = ()
    details: tuple[Detail, ...] = ()


@dataclass(slots=True, kw_only=True)
class ChangeSet:
    """A change set; ``request`` is what was asked, to tell a repeated token from a misused one."""

    change_set_id: str
    name: str
    stack_id: str
    kind: str
    desired: Desired
    created_at: datetime
    status: str
    execution: str
    reason: str | None
    description: str | None
    changes: tuple[Change, ...]
    on_failure: str | None
    token: str | None
    request: Mapping[str, Any]
