"""The daemon's API, call by call; errors of the daemon come out as our own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote

from greenroom.cli.transport import Reply, accepts, send
from greenroom.errors import (
    BugError,
    Fault,
    GreenroomError,
    NotProvedError,
    OperationError,
    RefusedError,
    UsageError,
)

if TYPE_CHECKING:
    from greenroom.cli.shapes import (
        AuditReply,
        ChangeReply,
        DetailReply,
        EnvironmentReply,
        EventReply,
        ExecutionReply,
        ExtensionReply,
        FaultReply,
        GrantReply,
        ImageReply,
        JobLineReply,
        JobReply,
        LoginLinkReply,
        LogReply,
        NewTokenReply,
        OperationBody,
        OperationReply,
        OrphanReply,
        ProofReply,
        ReceiptReply,
        RecordPageReply,
        RecordReply,
        RevokedReply,
        StatusReply,
        TimingReply,
        TokenReply,
    )

_T = TypeVar("_T")

PROVE_TIMEOUT_S = 120.0
"""How long a fresh proof may take: every undeclared flow is a probe that waits for silence."""

ABORT_TIMEOUT_S = 60.0
"""How long processes may take to die."""

_FAMILIES: Mapping[int, type[GreenroomError]] = {
    2: UsageError,
    3: NotProvedError,
    4: RefusedError,
}


class Client:
    """One region's daemon. Every method raises GreenroomError as the daemon reports it."""

    def __init__(self, socket_path: str) -> None:
        self._socket_path = socket_path

    def accepts(self) -> bool:
        """Whether the daemon listens; raises PermissionError."""
        return accepts(self._socket_path)

    def status(self) -> StatusReply:
        """Who answers."""
        return cast("StatusReply", self._call("GET", "/v1/status"))

    def login_link(self) -> LoginLinkReply:
        """A link that logs a browser in once."""
        return cast("LoginLinkReply", self._call("POST", "/v1/web/tickets"))

    def environments(self) -> list[EnvironmentReply]:
        """Every environment of the region."""
        return cast("list[EnvironmentReply]", self._call("GET", "/v1/environments"))

    def environment(self, name: str) -> DetailReply:
        """All of one environment; ``name`` is a slug, a raw branch or ``stack/slug``."""
        return cast("DetailReply", self._call("GET", self._place(name)))

    def extend(self, name: str, ttl_s: float | None) -> ExtensionReply:
        """Let the environment live longer; None: as long as the blueprint says."""
        target = f"{self._place(name)}/extend"
        return cast("ExtensionReply", self._call("POST", target, {"ttl_s": ttl_s}))

    def machines(self, **query: str | None) -> list[RecordReply]:
        """The inventory's machines, as many pages as there are."""
        found: list[RecordReply] = []
        after: str | None = None
        while True:
            target = _target("/v1/inventory", **query, after=after)
            page = cast("RecordPageReply", self._call("GET", target))
            found += page["machines"]
            after = page["next"]
            if after is None:
                return found

    def inventory_text(self, path: str, **query: str | None) -> str:
        """The inventory in somebody else's format, as it is."""
        target = _target(f"/v1/inventory/{path}", **query)
        reply = self._opened("GET", target, None)
        try:
            return reply.body().decode()
        finally:
            reply.close()

    def machine_changes(self, **query: str | None) -> list[ChangeReply]:
        """What changed in the inventory, the oldest first."""
        target = _target("/v1/inventory/changes", **query)
        return cast("list[ChangeReply]", self._call("GET", target))

    def orphans(self) -> list[OrphanReply]:
        """What the host holds and no environment owns."""
        return cast("list[OrphanReply]", self._call("GET", "/v1/orphans"))

    def remove_orphan(self, name: str) -> ReceiptReply:
        """Remove what bears that name, which no environment has."""
        return cast("ReceiptReply", self._call("DELETE", f"/v1/orphans/{name}"))

    def prove(self, name: str) -> ProofReply:
        """Look at the environment again and judge."""
        target = f"{self._place(name)}/flows"
        return cast("ProofReply", self._call("POST", target, timeout_s=PROVE_TIMEOUT_S))

    def command(self, name: str, machine: str, argv: Sequence[str], *, tty: bool) -> list[str]:
        """The command line that runs ``argv`` in the machine."""
        options = {"machine": machine, "tty": str(int(tty))}
        target = _target(f"{self._place(name)}/command", **options)
        reply = self._call("GET", target + "".join(f"&arg={_quoted(word)}" for word in argv))
        return cast("dict[str, list[str]]", reply)["argv"]

    def logs(
        self, name: str, *, machine: str | None, service: str | None, follow: bool
    ) -> Iterator[LogReply]:
        """The services' log lines; endless with ``follow``."""
        options = {"machine": machine, "service": service, "follow": str(int(follow))}
        target = f"{self._place(name)}/logs"
        for line in self._lines("GET", _target(target, **options)):
            if line is not None:
                yield cast("LogReply", _decoded(line, target))

    def start_operation(self, body: OperationBody) -> OperationReply:
        """Begin an operation."""
        fields: dict[str, object] = {**body}

        def ask(name: str) -> Any:
            return self._call("POST", "/v1/operations", fields | {"environment": name})

        name = fields.get("environment")
        if not isinstance(name, str):
            return cast("OperationReply", self._call("POST", "/v1/operations", body))
        return cast("OperationReply", _meant(name, ask))

    def operation(self, operation_id: str) -> OperationReply:
        """Where the operation stands."""
        return cast("OperationReply", self._call("GET", f"/v1/operations/{_quoted(operation_id)}"))

    def timings(self, operation_id: str) -> list[TimingReply]:
        """What the operation took, machine by machine; it has ended."""
        target = f"/v1/operations/{_quoted(operation_id)}/timings"
        return cast("list[TimingReply]", self._call("GET", target))

    def cancel_operation(self, operation_id: str) -> None:
        """Ask the operation to stop and to compensate."""
        self._call("POST", f"/v1/operations/{_quoted(operation_id)}/cancel")

    def events(
        self, operation_id: str, *, after: int, tick_s: float | None, wake_fd: int | None
    ) -> Iterator[EventReply | None]:
        """The operation's events past ``after``; None as a tick, see ``Reply.lines``."""
        target = _target(f"/v1/operations/{_quoted(operation_id)}/events", after=str(after))
        for line in self._lines("GET", target, tick_s=tick_s, wake_fd=wake_fd):
            yield None if line is None else cast("EventReply", _decoded(line, target))

    def create_token(
        self, name: str, grants: Sequence[GrantReply], expires_s: float
    ) -> NewTokenReply:
        """A new token; its text is told this once."""
        body = {"name": name, "grants": list(grants), "expires_s": expires_s}
        return cast("NewTokenReply", self._call("POST", "/v1/tokens", body))

    def tokens(self) -> list[TokenReply]:
        """The tokens that the caller may see, as many pages as there are."""
        found: list[TokenReply] = []
        cursor = None
        while True:
            page = self._call("GET", _target("/v1/tokens", limit="500", cursor=cursor))
            found += cast("list[TokenReply]", page["items"])
            cursor = page["next"]
            if cursor is None:
                return found

    def revoke_token(self, token: str) -> RevokedReply:
        """End the token of that name or id."""
        return cast("RevokedReply", self._call("DELETE", f"/v1/tokens/{_quoted(token)}"))

    def audit(self, wanted: Mapping[str, str | None]) -> Iterator[AuditReply]:
        """Entries of the audit log, the newest first; older pages are asked for as they are
        needed."""
        cursor = None
        while True:
            page = self._call("GET", _target("/v1/audit", limit="500", cursor=cursor, **wanted))
            yield from cast("list[AuditReply]", page["items"])
            cursor = page["next"]
            if cursor is None:
                return

    def audit_since(
        self, after: int, limit: int, wanted: Mapping[str, str | None]
    ) -> list[AuditReply]:
        """Entries of the audit log past that number, the oldest first."""
        target = _target("/v1/audit", after=str(after), limit=str(limit), **wanted)
        return cast("list[AuditReply]", self._call("GET", target)["items"])

    def images(self) -> list[ImageReply]:
        """The cached images."""
        return cast("list[ImageReply]", self._call("GET", "/v1/images"))

    def build_images(
        self, blueprint: str, names: Sequence[str], *, tick_s: float | None
    ) -> Iterator[EventReply | None]:
        """Build a blueprint's images, all or the named ones; events as an operation's."""
        body = {"blueprint": blueprint, "names": list(names)}
        for line in self._lines("POST", "/v1/images/build", body, tick_s=tick_s):
            yield None if line is None else cast("EventReply", _decoded(line, "/v1/images/build"))

    def remove_image(self, digest: str) -> list[str]:
        """Remove a cached image; returns what was removed."""
        reply = self._call("DELETE", f"/v1/images/{_quoted(digest)}")
        return cast("dict[str, list[str]]", reply)["removed"]

    def _place(self, name: str) -> str:
        """The path of the environment that a person means by ``name``."""

        def ask(name: str) -> Any:
            return self._call("GET", _target("/v1/lookup", name=name))

        return f"/v1/environments/{cast('dict[str, str]', _meant(name, ask))['name']}"

    def jobs(self) -> list[JobReply]:
        """Every job that we may see."""
        return cast("list[JobReply]", self._call("GET", "/v1/jobs"))

    def job(self, name: str) -> JobReply:
        """One job, by its full name or its name."""
        return cast("JobReply", self._call("GET", _target("/v1/job", name=name)))

    def register_jobs(self, blueprint: str) -> list[JobReply]:
        """Have a stack's jobs be those of its blueprint."""
        body = {"blueprint": blueprint}
        return cast("list[JobReply]", self._call("POST", "/v1/jobs/register", body))

    def run_job(self, name: str, options: Mapping[str, str]) -> ExecutionReply:
        """Run a job."""
        body = {"job": name, "options": dict(options)}
        return cast("ExecutionReply", self._call("POST", "/v1/executions", body))

    def executions(
        self, *, job: str | None, environment: str | None, limit: int
    ) -> list[ExecutionReply]:
        """The newest executions first."""
        target = _target("/v1/executions", job=job, environment=environment, limit=str(limit))
        return cast("list[ExecutionReply]", self._call("GET", target))

    def execution(self, execution_id: str) -> ExecutionReply:
        """Where an execution stands."""
        return cast("ExecutionReply", self._call("GET", f"/v1/executions/{_quoted(execution_id)}"))

    def change_execution(self, execution_id: str, verb: str, body: object = None) -> ExecutionReply:
        """Abort, approve, reject or retry an execution."""
        # An abort answers when the processes are gone.
        reply = self._call(
            "POST",
            f"/v1/executions/{_quoted(execution_id)}/{verb}",
            body,
            timeout_s=ABORT_TIMEOUT_S,
        )
        return cast("ExecutionReply", reply)

    def job_log(
        self,
        execution_id: str,
        *,
        after: int,
        follow: bool,
        tick_s: float | None = None,
        wake_fd: int | None = None,
    ) -> Iterator[JobLineReply | None]:
        """The execution's log past ``after``; with ``follow`` until it has ended. None as a tick,
        see ``Reply.lines``."""
        options = {"after": str(after), "follow": str(int(follow))}
        target = _target(f"/v1/executions/{_quoted(execution_id)}/log", **options)
        for line in self._lines("GET", target, tick_s=tick_s, wake_fd=wake_fd):
            yield None if line is None else cast("JobLineReply", _decoded(line, target))

    def _call(
        self, method: str, target: str, body: object = None, *, timeout_s: float | None = None
    ) -> Any:
        reply = send(self._socket_path, method, target, body, timeout_s)
        try:
            content = reply.body()
        finally:
            reply.close()
        if reply.status >= 400:
            raise error_of(reply.status, content, f"{method} {target}")
        return _decoded(content, target) if content else None

    def _lines(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        tick_s: float | None = None,
        wake_fd: int | None = None,
    ) -> Iterator[bytes | None]:
        return _read(self._opened(method, target, body), tick_s, wake_fd)

    def _opened(self, method: str, target: str, body: object) -> Reply:
        reply = send(self._socket_path, method, target, body)
        if reply.status >= 400:
            content = reply.body()
            reply.close()
            raise error_of(reply.status, content, f"{method} {target}")
        return reply


def _meant(name: str, ask: Callable[[str], _T]) -> _T:
    """What ``ask`` gives for the environment called ``name``; where several stacks have one of
    that name, for the one of the stack whose blueprint is in this folder or above.

    Only then is the blueprint looked for: a name that says enough costs nothing.
    """
    try:
        return ask(name)
    except GreenroomError as error:
        if error.code != "E_AMBIGUOUS":
            raise
        from greenroom.cli.request import stack_here

        stack = stack_here()
        if stack is None:
            raise
        try:
            return ask(f"{stack}/{name}")
        except GreenroomError as other:
            raise error if other.code == "E_NO_ENVIRONMENT" else other from None


def _read(reply: Reply, tick_s: float | None, wake_fd: int | None) -> Iterator[bytes | None]:
    try:
        yield from reply.lines(tick_s, wake_fd)
    finally:
        reply.close()


def error_of(status: int, content: bytes, request: str) -> GreenroomError:
    """The error that a problem document (RFC 9457, with our own fields) describes."""
    try:
        problem = json.loads(content)
        code, message = str(problem["code"]), str(problem["message"])
    except (ValueError, KeyError, TypeError):
        excerpt = content[:200].decode("utf-8", "replace")
        return BugError(
            "E_DAEMON_REPLY",
            f"the daemon answered {status} to {request}: {excerpt}",
            hint="the daemon's log says more; please report it",
        )
    return error_from(
        code,
        message,
        hint=str(problem.get("hint") or ""),
        exit_code=int(problem.get("exit_code") or 1),
        faults=problem.get("faults") or [],
    )


def error_from(
    code: str, message: str, *, hint: str, exit_code: int, faults: Sequence[FaultReply] = ()
) -> GreenroomError:
    """An error of the family that ``exit_code`` stands for."""
    family = _FAMILIES.get(exit_code, OperationError)
    return family(code, message, hint=hint, faults=[Fault(**fault) for fault in faults])


def _decoded(content: bytes, target: str) -> Any:
    try:
        return json.loads(content)
    except ValueError as exc:
        raise BugError(
            "E_DAEMON_REPLY", f"the daemon's answer to {target} is not JSON: {content[:200]!r}"
        ) from exc


def _target(path: str, **query: str | None) -> str:
    pairs = (f"{key}={_quoted(value)}" for key, value in query.items() if value is not None)
    return f"{path}?{'&'.join(pairs)}"


def _quoted(text: str) -> str:
    try:
        return quote(text, safe="", errors="strict")
    except UnicodeEncodeError as exc:
        raise UsageError(
            "E_NOT_UTF8",
            f"{text[:80]!a} is not valid UTF-8",
            hint="type it in a terminal whose locale is UTF-8",
        ) from exc
