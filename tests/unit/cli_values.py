"""What the fake daemon answers: values of the real model, serialised as the real daemon does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from greenroom.model.events import Event, EventKind, OperationStatus
from greenroom.model.proof import (
    Claim,
    Flow,
    Proof,
    Reach,
    RestoreReport,
    TableReport,
    Verdict,
)
from greenroom.model.receipt import Receipt, Resource, ResourceKind
from greenroom.model.stack import Protocol
from greenroom.model.views import (
    Artifact,
    EnvironmentDetail,
    EnvironmentStatus,
    EnvironmentView,
    MachineView,
    OperationView,
    PhaseTime,
)

NOW = datetime.now(UTC)
OPERATION = "op-1"
URL = "http://api.feature-x.photos.localhost:8080"


def dumped(value: Any) -> Any:
    return TypeAdapter(type(value)).dump_python(value, mode="json")


def environment(slug: str = "feature-x", **more: Any) -> EnvironmentView:
    fields: dict[str, Any] = {
        "name": f"photos/{slug}",
        "branch": slug.replace("-", "_"),
        "status": EnvironmentStatus.READY,
        "production": slug == "master",
        "shared": slug == "shared",
        "verdict": Verdict.PROVED,
        "url": URL,
        "machines": ("backend1", "db1"),
        "instance_types": ("t3.small", "t3.small"),
        "created_at": NOW - timedelta(hours=3),
        "operation": None,
        "owner": "claudia",
        "expires_at": None,
        "warned_at": None,
        "stopped_at": None,
    }
    return EnvironmentView(**(fields | more))


def machine(name: str, artifact: Artifact | None = None) -> MachineView:
    kind = name.rstrip("0123456789")
    return MachineView(
        name=name,
        type=kind,
        role=kind,
        instance_id="i-0123456789abcdef0",
        instance_type="t3.small",
        image="web",
        address="10.213.0.10",
        private_dns=f"{name}.feature-x.photos.internal",
        groups=(kind, "base"),
        tags=(("branch", "feature_x"), ("role", kind)),
        artifact=artifact,
    )


def flow(source: str, target: str, port: int, reach: Reach, **more: Any) -> Flow:
    fields: dict[str, Any] = {
        "protocol": Protocol.TCP,
        "declared": reach is Reach.OPEN,
        "verdict": Verdict.PROVED,
    }
    return Flow(source=source, target=target, port=port, reach=reach, **(fields | more))


def proof(*more: Flow, claims: tuple[Claim, ...] = ()) -> Proof:
    health = Claim(
        subject="db1", claim="healthy", verdict=Verdict.PROVED, evidence="tcp 3306 answers"
    )
    flows = (
        flow("outside", "backend1", 80, Reach.OPEN),
        flow("outside", "db1", 3306, Reach.FILTERED),
        flow("backend1", "db1", 3306, Reach.OPEN),
    )
    return Proof(at=NOW, claims=(health, *claims), flows=(*flows, *more))


def restore() -> RestoreReport:
    return RestoreReport(
        machine="db1",
        source="extract",
        mode="clone",
        artefact_sha256="ab" * 32,
        taken_at=NOW - timedelta(hours=16, minutes=1),
        verified_at=NOW - timedelta(hours=2),
        restore_s=12.4,
        verify_s=3.1,
        clone_s=0.014,
        tables=(TableReport(name="users", rows=2000, checksum="0123456789abcdef"),),
        table_count=1,
        row_count=2000,
    )


def detail(**more: Any) -> EnvironmentDetail:
    code = Artifact(key="backend-feature_x.tar.gz", sha256="cd" * 32, fallback=False)
    fields: dict[str, Any] = {
        "summary": environment(),
        "machines": (machine("backend1", code), machine("db1")),
        "urls": (URL,),
        "phases": (
            PhaseTime(phase="network", machine=None, seconds=0.012, message=""),
            PhaseTime(phase="deploy", machine="backend1", seconds=0.214, message="unpacked"),
        ),
        "restores": (restore(),),
        "proof": proof(),
        "create_s": 0.84,
        "incidents": (),
    }
    return EnvironmentDetail(**(fields | more))


def event(seq: int, kind: EventKind, **more: Any) -> Any:
    return dumped(Event(seq=seq, at=NOW, operation=OPERATION, kind=kind, **more))


def result(seq: int, status: OperationStatus = OperationStatus.SUCCEEDED, **more: Any) -> Any:
    return event(seq, EventKind.RESULT, status=status, **more)


def events() -> list[Any]:
    return [
        event(1, EventKind.PHASE_STARTED, phase="network"),
        event(2, EventKind.PHASE_DONE, phase="network", seconds=0.012),
        event(3, EventKind.PHASE_STARTED, phase="deploy", machine="backend1"),
        event(4, EventKind.NOTICE, machine="backend1", message="the default branch's artifact"),
        event(5, EventKind.PHASE_DONE, phase="deploy", machine="backend1", seconds=0.214),
        result(6),
    ]


def receipt(*left_over: Resource) -> Receipt:
    removed = (
        Resource(kind=ResourceKind.NAMESPACE, name="greenroom.photos.feature-x.backend1"),
        Resource(kind=ResourceKind.NAMESPACE, name="greenroom.photos.feature-x.db1"),
        Resource(kind=ResourceKind.MOUNT, name="/run/greenroom/photos.feature-x/db1"),
    )
    return Receipt(
        environment="photos/feature-x", removed=removed, left_over=left_over, seconds=0.21
    )


def operation(kind: str = "create", **more: Any) -> OperationView:
    fields: dict[str, Any] = {
        "id": OPERATION,
        "kind": kind,
        "environment": "photos/feature-x",
        "status": OperationStatus.RUNNING,
        "created_at": NOW,
        "ended_at": None,
        "receipt": None,
    }
    return OperationView(**(fields | more))
