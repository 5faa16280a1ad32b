"""What a test breaks: calls of any service, the connection, and resources of a stack.

Faults hit the calls of the code under test, never those that CloudFormation makes on its behalf:
it has credentials of its own in this account.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.cloud.fake.clock import Clock
from tests.cloud.fake.query import ApiError

USER_ARN = "arn:aws:iam::123456789012:user/ci"


@dataclass(slots=True, kw_only=True)
class CallFault:
    """Hits calls whose "service:Action" is ``name`` ("cloudformation:*": any of a service, "*":
    any). ``times`` left, None for as long as until_s, None for ever. ``error`` None: the
    connection is cut, after the call had its effect if ``late``, in the middle of the answer if
    ``half``."""

    name: str
    error: Callable[[str, str], ApiError] | None
    times: int | None = None
    until_s: float | None = None
    late: bool = False
    half: bool = False
    hits: int = 0

    def matches(self, name: str) -> bool:
        """Whether a call of ``name`` is hit, times and hours aside."""
        service, _, action = self.name.partition(":")
        own_service, _, own_action = name.partition(":")
        return self.name == "*" or (service == own_service and action in ("*", own_action))


@dataclass(slots=True, kw_only=True)
class ResourceFault:
    """A resource that fails ``on`` create, update, delete or rollback, or is slow."""

    logical_id: str
    on: str
    reason: str
    times: int | None
    delay_s: float = 0.0


@dataclass(slots=True)
class Faults:
    """The faults that are set; all methods may be called at any time, from any thread."""

    clock: Clock
    calls: list[CallFault] = field(default_factory=list)
    resources: list[ResourceFault] = field(default_factory=list)
    hidden_describes: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def clear(self) -> None:
        """Mend everything."""
        with self.lock:
            self.calls.clear()
            self.resources.clear()
            self.hidden_describes = 0

    def throttle(
        self, name: str = "cloudformation:*", times: int | None = None, seconds: float | None = None
    ) -> CallFault:
        """``Throttling: Rate exceeded`` for so many calls, or for so long."""
        return self._add(name, lambda *_: ApiError("Throttling", "Rate exceeded"), times, seconds)

    def deny(self, name: str, resource: str | None = None) -> CallFault:
        """AccessDenied as IAM words it; ``resource`` instead of the one that the call names."""

        def error(action: str, asked: str) -> ApiError:
            service = action.partition(":")[0]
            code = "UnauthorizedOperation" if service == "ec2" else "AccessDenied"
            return ApiError(
                code,
                f"User: {USER_ARN} is not authorized to perform: {action} on resource: "
                f"{resource or asked} because no identity-based policy allows the {action} action",
                403,
            )

        return self._add(name, error, None, None)

    def expire_token(self, name: str = "*") -> CallFault:
        """Every call finds the session's token expired."""
        text = "The security token included in the request is expired"
        return self._add(name, lambda *_: ApiError("ExpiredToken", text, 403), None, None)

    def refuse(
        self, name: str, code: str, message: str, *, status: int = 400, times: int | None = 1
    ) -> CallFault:
        """Any other answer, such as an instance that is not found right after its launch."""
        return self._add(name, lambda *_: ApiError(code, message, status), times, None)

    def cut(self, name: str, times: int = 1, *, late: bool = True, half: bool = False) -> CallFault:
        """The connection is closed instead of an answer; ``late``: the call was done. With
        ``half`` of an answer botocore raises its ResponseParserError, which is no BotoCoreError.
        """
        fault = self._add(name, None, times, None)
        fault.late, fault.half = late, half
        return fault

    def go_away(self, seconds: float | None = None) -> CallFault:
        """Nobody answers, until ``mend`` or for so long."""
        return self._add("*", None, None, seconds)

    def mend(self, fault: CallFault) -> None:
        """Take one fault away."""
        with self.lock:
            self.calls.remove(fault)

    def fail_resource(
        self, logical_id: str, reason: str, *, on: str = "create", times: int | None = None
    ) -> None:
        """The resource fails with ``reason``; ``on``: create, update, delete or rollback."""
        with self.lock:
            self.resources.append(
                ResourceFault(logical_id=logical_id, on=on, reason=reason, times=times)
            )

    def slow_resource(self, logical_id: str, seconds: float, *, on: str = "create") -> None:
        """The resource takes so many seconds of the account's clock."""
        with self.lock:
            self.resources.append(
                ResourceFault(logical_id=logical_id, on=on, reason="", times=None, delay_s=seconds)
            )

    def hide_new_stacks(self, describes: int) -> None:
        """A stack that is new is not found by so many describes."""
        self.hidden_describes = describes

    def hit(self, name: str) -> CallFault | None:
        """The fault that a call of ``name`` runs into, counted."""
        with self.lock:
            for fault in self.calls:
                over = fault.until_s is not None and self.clock.now_s() >= fault.until_s
                if fault.matches(name) and fault.times != 0 and not over:
                    fault.hits += 1
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault
        return None

    def failure_of(self, logical_id: str, on: str) -> str | None:
        """The reason for which the resource fails now, counted."""
        with self.lock:
            for fault in self.resources:
                if (fault.logical_id, fault.on) == (logical_id, on) and not fault.delay_s:
                    if fault.times == 0:
                        continue
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault.reason
        return None

    def delay_of(self, logical_id: str, on: str) -> float:
        """How many seconds the resource takes."""
        with self.lock:
            return sum(
                fault.delay_s
                for fault in self.resources
                if (fault.logical_id, fault.on) == (logical_id, on)
            )

    def _add(
        self,
        name: str,
        error: Callable[[str, str], ApiError] | None,
        times: int | None,
        seconds: float | None,
    ) -> CallFault:
        until_s = None if seconds is None else self.clock.now_s() + seconds
        fault = CallFault(name=name, error=error, times=times, until_s=until_s)
        with self.lock:
            self.calls.append(fault)
        return fault
