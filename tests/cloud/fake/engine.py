"""CloudFormation's ledger: its stacks and change sets, their events, and who may touch them."""

from __future__ import annotations

import threading
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from tests.cloud.fake.clock import Clock
from tests.cloud.fake.faults import Faults
from tests.cloud.fake.handles import Handles
from tests.cloud.fake.kinds import Ask, Kind, Launch, ResourceFailedError
from tests.cloud.fake.query import ApiError
from tests.cloud.fake.records import ACCOUNT_ID, ChangeSet, Desired, Event, Resource, Stack
from tests.cloud.fake.template import NO_VALUE, resolve

STACK_TYPE = "AWS::CloudFormation::Stack"


class CancelledError(Exception):
    """A resource was given up because another one failed."""


class Engine:
    """All that the parts of the fake share. ``client`` gives CloudFormation's own boto3 clients.

    ``bugs`` are tracebacks of what is our own fault; a test that sees one must fail.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        faults: Faults,
        handles: Handles,
        kinds: Mapping[str, Kind],
        client: Callable[[str, str], Any],
    ) -> None:
        self.clock = clock
        self.faults = faults
        self.handles = handles
        self.kinds = kinds
        self.client = client
        self.lock = threading.RLock()
        self.stacks: dict[str, Stack] = {}
        self.change_sets: dict[str, ChangeSet] = {}
        self.detections: dict[str, str] = {}
        self.bugs: list[str] = []
        self.launches: list[Launch] = []
        self.on_instance: list[Callable[[Launch], None]] = []
        self.page_size = 100
        self.closing = threading.Event()

    def attributes_of(self, type_: str) -> frozenset[str] | None:
        """What Fn::GetAtt knows of a type; None if there is no such type."""
        kind = self.kinds.get(type_)
        return None if kind is None else kind.attributes

    def stack_id(self, region: str, name: str) -> str:
        """A new stack's id."""
        return f"arn:aws:cloudformation:{region}:{ACCOUNT_ID}:stack/{name}/{uuid.uuid4()}"

    def find(self, region: str, name_or_id: str) -> Stack | None:
        """The stack: by name only if it lives, by id always, as AWS does."""
        with self.lock:
            if name_or_id.startswith("arn:"):
                return self.stacks.get(name_or_id)
            return next(
                (
                    stack
                    for stack in self.stacks.values()
                    if stack.name == name_or_id and stack.region == region and stack.live
                ),
                None,
            )

    def emit(
        self,
        stack: Stack,
        status: str,
        reason: str | None = None,
        *,
        resource: Resource | None = None,
        properties: str | None = None,
    ) -> None:
        """A new status of the stack or of one of its resources, and its event."""
        with self.lock:
            if self.closing.is_set():
                return
            now = self.clock.now()
            if resource is None:
                stack.status, stack.reason = status, reason
                logical_id, physical_id, type_ = stack.name, stack.stack_id, STACK_TYPE
                event_id = str(uuid.uuid4())
            else:
                resource.status, resource.reason, resource.changed_at = status, reason, now
                logical_id, physical_id = resource.logical_id, resource.physical_id
                type_ = resource.type
                event_id = f"{logical_id}-{status}-{uuid.uuid4()}"
            stack.events.append(
                Event(
                    event_id=event_id,
                    operation_id=stack.operation_id,
                    logical_id=logical_id,
                    physical_id=physical_id,
                    type=type_,
                    at=now,
                    status=status,
                    reason=reason,
                    properties=properties,
                    token=stack.token,
                )
            )
        self.clock.wake()

    def begin(self, stack: Stack, status: str, token: str | None, work: Callable[[], None]) -> None:
        """Start an operation: the first event at once, the work in a thread of its own."""
        with self.lock:
            stack.operation_id = str(uuid.uuid4())
            stack.token = token
            self.emit(stack, status, "User Initiated" if stack.parent_id is None else None)

            def run() -> None:
                with self.guarded():
                    work()

            stack.thread = threading.Thread(target=run, daemon=True, name=f"stack {stack.name}")
        stack.thread.start()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Remember an exception that nobody expects as our bug."""
        try:
            yield
        except Exception:
            self.bugs.append(traceback.format_exc())
            raise

    def close(self) -> None:
        """End every operation where it stands and forget everything."""
        self.closing.set()
        self.clock.wake()
        for stack in list(self.stacks.values()):
            if stack.thread is not None:
                stack.thread.join(timeout=10)


class StackScope:
    """What a stack's functions are resolved against, while it is being made."""

    def __init__(self, engine: Engine, stack: Stack, desired: Desired | None = None) -> None:
        self.engine = engine
        self.stack = stack
        found = desired or stack.desired
        assert found is not None
        self.desired = found

    def ref(self, name: str) -> Any:
        """A parameter's value, a pseudo parameter, or what Ref gives of a resource."""
        if name in self.desired.values:
            return self.desired.values[name]
        match name:
            case "AWS::Region":
                return self.stack.region
            case "AWS::AccountId":
                return ACCOUNT_ID
            case "AWS::StackName":
                return self.stack.name
            case "AWS::StackId":
                return self.stack.stack_id
            case "AWS::Partition":
                return "aws"
            case "AWS::URLSuffix":
                return "amazonaws.com"
            case "AWS::NoValue":
                return NO_VALUE
            case _:
                return self.resource(name).ref

    def attribute(self, name: str, attribute: str) -> Any:
        """What Fn::GetAtt gives."""
        found = self.resource(name).attributes
        if attribute not in found:
            raise ResourceFailedError(
                f"Requested attribute {attribute} must be a readonly property in schema for {name}"
            )
        return found[attribute]

    def resource(self, name: str) -> Resource:
        """A resource that is there already."""
        resource = self.stack.resources.get(name)
        if resource is None or resource.ref is None:
            raise ResourceFailedError(f"Unable to retrieve the resource {name}: it does not exist")
        return resource

    def condition(self, name: str) -> bool:
        """Whether a condition of the template holds."""
        return bool(resolve(self.desired.template.conditions[name], self))

    def mapping(self, name: str, first: str, second: str) -> Any:
        """What Fn::FindInMap gives."""
        return self.desired.template.mappings[name][first][second]

    def ssm(self, name: str) -> str:
        """The value of a parameter of the parameter store."""
        return read_parameter(self.engine, self.stack.region, name)


def read_parameter(engine: Engine, region: str, name: str) -> str:
    """An SSM parameter's value; raises ApiError in CloudFormation's words."""
    try:
        found = engine.client("ssm", region).get_parameter(Name=name)
    except ClientError as exc:
        raise ApiError(
            "ValidationError",
            f"Unable to fetch parameters [{name}] from parameter store for this account.",
        ) from exc
    return str(found["Parameter"]["Value"])


def ask_of(
    engine: Engine, stack: Stack, logical_id: str, type_: str, properties: Mapping[str, Any]
) -> Ask:
    """What a kind's functions get."""

    def launched(launch: Launch) -> None:
        engine.launches.append(launch)
        for hook in engine.on_instance:
            hook(launch)

    assert stack.desired is not None
    taggable = engine.kinds[type_].taggable
    own = {
        "aws:cloudformation:stack-name": stack.name,
        "aws:cloudformation:stack-id": stack.stack_id,
        "aws:cloudformation:logical-id": logical_id,
    }
    return Ask(
        logical_id=logical_id,
        stack_id=stack.stack_id,
        stack_name=stack.name,
        region=stack.region,
        properties=properties,
        tags={**stack.desired.tags, **own} if taggable else {},
        nonce=uuid.uuid4().hex,
        client=lambda service: engine.client(service, stack.region),
        launched=launched,
    )


def failure_reason(exc: Exception, operation: str, type_: str) -> str:
    """A resource's status reason for what went wrong, in the words of AWS's resource handlers."""
    match exc:
        case CancelledError():
            return f"Resource {operation} cancelled"
        case ClientError():
            error = exc.response["Error"]
            service = type_.split("::")[1].capitalize()
            status = exc.response["ResponseMetadata"]["HTTPStatusCode"]
            return (
                f'Resource handler returned message: "{error["Message"]} (Service: {service}, '
                f'Status Code: {status}, Request ID: {uuid.uuid4()})" '
                f"(RequestToken: {uuid.uuid4()}, HandlerErrorCode: {_handler_code(error['Code'])})"
            )
        case ParamValidationError():
            return f"Model validation failed ({exc})"
        case ApiError():
            return exc.message
        case _:
            return str(exc)


def _handler_code(code: str) -> str:
    if "NotFound" in code or code == "NoSuchEntity":
        return "NotFound"
    if "Duplicate" in code or "AlreadyExists" in code:
        return "AlreadyExists"
    if code in ("AccessDenied", "UnauthorizedOperation"):
        return "AccessDenied"
    return "InvalidRequest"


EXPECTED = (CancelledError, ClientError, ParamValidationError, ApiError, ResourceFailedError)
"""What fails a resource; anything else is a bug of the fake."""
