"""The JSON of the daemon's API as the client reads and writes it, by the names of the model.

Plain dictionaries with declared keys: the model's own classes, and pydantic to fill them, would
cost a client that only prints more time than the request itself. For the same reason this module
is imported for type checking only.
"""

from __future__ import annotations

from typing import TypedDict


class FaultReply(TypedDict):
    """``greenroom.errors.Fault``."""

    file: str
    line: int
    column: int
    path: str
    message: str


class StatusReply(TypedDict):
    """``greenroom.web.status.Status``."""

    version: str
    pid: int
    region: str
    started_at: str
    cidr: str
    proxy_port: int
    web_port: int
    web_url: str | None
    web_notice: str | None


class LoginLinkReply(TypedDict):
    """A link that logs a browser in once."""

    url: str
    expires_s: float


class EventReply(TypedDict):
    """``greenroom.model.events.Event``."""

    seq: int
    at: str
    operation: str
    kind: str
    phase: str
    machine: str | None
    message: str
    seconds: float | None
    status: str | None
    code: str | None
    hint: str | None
    exit_code: int | None


class ResourceReply(TypedDict):
    """``greenroom.model.receipt.Resource``."""

    kind: str
    name: str


class ReceiptReply(TypedDict):
    """``greenroom.model.receipt.Receipt``."""

    environment: str
    removed: list[ResourceReply]
    left_over: list[ResourceReply]
    seconds: float


class OrphanReply(TypedDict):
    """``greenroom.model.orphans.Orphan``."""

    environment: str | None
    ended: bool
    resources: list[ResourceReply]


class OperationReply(TypedDict):
    """``greenroom.model.views.OperationView``."""

    id: str
    kind: str
    environment: str
    status: str
    created_at: str
    ended_at: str | None
    receipt: ReceiptReply | None


class ArtifactReply(TypedDict):
    """``greenroom.model.views.Artifact``."""

    key: str
    sha256: str
    fallback: bool


class PhaseTimeReply(TypedDict):
    """``greenroom.model.views.PhaseTime``."""

    phase: str
    machine: str | None
    seconds: float
    message: str


class EnvironmentReply(TypedDict):
    """``greenroom.model.views.EnvironmentView``."""

    name: str
    branch: str
    status: str
    production: bool
    shared: bool
    verdict: str
    url: str | None
    machines: list[str]
    instance_types: list[str]
    created_at: str
    operation: str | None
    owner: str
    expires_at: str | None
    warned_at: str | None
    stopped_at: str | None


class MachineReply(TypedDict):
    """``greenroom.model.views.MachineView``."""

    name: str
    type: str
    role: str
    instance_id: str
    instance_type: str
    image: str
    address: str
    private_dns: str
    groups: list[str]
    tags: list[tuple[str, str]]
    artifact: ArtifactReply | None


class TableReply(TypedDict):
    """``greenroom.model.proof.TableReport``."""

    name: str
    rows: int
    checksum: str


class RestoreReply(TypedDict):
    """``greenroom.model.proof.RestoreReport``."""

    machine: str
    source: str | None
    mode: str
    artefact_sha256: str | None
    taken_at: str | None
    verified_at: str | None
    restore_s: float | None
    verify_s: float | None
    clone_s: float | None
    tables: list[TableReply]
    table_count: int
    row_count: int


class FlowReply(TypedDict):
    """``greenroom.model.proof.Flow``."""

    source: str
    target: str
    protocol: str
    port: int
    declared: bool
    reach: str
    verdict: str
    chosen: str


class ClaimReply(TypedDict):
    """``greenroom.model.proof.Claim``."""

    subject: str
    claim: str
    verdict: str
    evidence: str


class ProofReply(TypedDict):
    """``greenroom.model.proof.Proof``; the verdict is ``verdict_of``, as in the model."""

    at: str
    claims: list[ClaimReply]
    flows: list[FlowReply]


class IncidentReply(TypedDict):
    """``greenroom.model.incidents.Incident``."""

    at: str
    subject: str
    message: str
    away_s: float | None


class DetailReply(TypedDict):
    """``greenroom.model.views.EnvironmentDetail``."""

    summary: EnvironmentReply
    machines: list[MachineReply]
    urls: list[str]
    phases: list[PhaseTimeReply]
    restores: list[RestoreReply]
    proof: ProofReply | None
    create_s: float | None
    incidents: list[IncidentReply]


class SeenReply(TypedDict):
    """``greenroom.model.visits.Seen``."""

    requests: int
    errors: list[tuple[str, int]]
    longest_gap_s: float | None
    slowest_s: float | None
    whole: bool


class TimingReply(TypedDict):
    """``greenroom.model.timings.Timing``."""

    at: str
    operation: str
    environment: str
    stack: str
    kind: str
    machine: str | None
    restore_s: float | None
    boot_s: float | None
    total_s: float
    verdict: str
    seen: SeenReply | None


class LogReply(TypedDict):
    """One line of a machine's service."""

    machine: str
    service: str
    line: str


class ImageReply(TypedDict):
    """One cached image."""

    name: str
    digest: str
    bytes: int
    built_at: str


class CreateBody(TypedDict):
    """What ``greenroom create`` sends."""

    kind: str
    blueprint: str
    machines: list[str]
    branch: str | None
    restore: dict[str, str]
    mounts: dict[str, str]
    shared: list[str]
    owner: str | None
    ttl_s: float | None


class ExtensionReply(TypedDict):
    """``greenroom.model.lifetimes.Extension``."""

    environment: str
    expires_at: str | None
    awake_until: str | None


class DeployBody(TypedDict):
    """What ``greenroom deploy`` sends."""

    kind: str
    environment: str
    types: list[str]


class DestroyBody(TypedDict):
    """What ``greenroom destroy`` sends."""

    kind: str
    environment: str
    confirm: str | None


class RecoverBody(TypedDict):
    """What ``greenroom recover`` sends."""

    kind: str
    environment: str


class StopBody(TypedDict):
    """What ``greenroom stop`` sends, and ``greenroom start``."""

    kind: str
    environment: str


class ReplaceBody(TypedDict):
    """What ``greenroom replace`` sends."""

    kind: str
    environment: str
    machines: list[str]
    stateless: bool
    confirm: str | None


class DrillBody(TypedDict):
    """What ``greenroom drill`` sends."""

    kind: str
    environment: str
    throw_away: bool
    confirm: str | None


OperationBody = (
    CreateBody | DeployBody | DestroyBody | RecoverBody | StopBody | ReplaceBody | DrillBody
)


class RecordReply(TypedDict):
    """``greenroom.model.inventory.MachineRecord``."""

    environment: str
    name: str
    stack: str
    slug: str
    branch: str
    production: bool
    type: str
    role: str
    instance_id: str
    instance_type: str
    address: str
    private_dns: str
    public_dns: str | None
    services: list[tuple[str, int]]
    groups: list[str]
    tags: list[tuple[str, str]]
    image: str
    image_digest: str
    artifact_key: str | None
    artifact_sha256: str | None
    health: str
    failing: str
    since: str
    health_since: str


class RecordPageReply(TypedDict):
    """``greenroom.model.inventory.MachinePage``."""

    machines: list[RecordReply]
    next: str | None


class FieldChangeReply(TypedDict):
    """``greenroom.model.inventory.FieldChange``."""

    field: str
    before: object
    after: object


class ChangeReply(TypedDict):
    """``greenroom.model.inventory.MachineChange``."""

    at: str
    environment: str
    machine: str
    kind: str
    record: RecordReply | None
    fields: list[FieldChangeReply]


class DependenceReply(TypedDict):
    """``greenroom.model.jobs.Dependence``."""

    option: str
    value: str | None


class JobOptionReply(TypedDict):
    """``greenroom.model.jobs.JobOption``."""

    name: str
    kind: str
    description: str
    default: str | None
    required: bool
    pattern: str | None
    choices: list[str]
    minimum: int | None
    maximum: int | None
    depends_on: DependenceReply | None


class WhoReply(TypedDict):
    """``greenroom.model.jobs.Who``."""

    role: str
    callers: list[str]


class ApprovalReply(TypedDict):
    """``greenroom.model.jobs.Approval``."""

    who: WhoReply
    expires_s: float


class ConcurrencyReply(TypedDict):
    """``greenroom.model.jobs.Concurrency``."""

    key: str
    limit: int
    per: str | None


class RetriesReply(TypedDict):
    """``greenroom.model.jobs.Retries``."""

    times: int
    delay_s: float
    interrupted: bool


class ScheduleReply(TypedDict):
    """``greenroom.model.jobs.ScheduleView``."""

    cron: str
    zone: str
    options: list[list[str]]
    missed: str
    next_at: str | None


class ExecutionReply(TypedDict):
    """``greenroom.model.jobs.ExecutionView``."""

    id: str
    job: str
    stack: str
    environment: str | None
    options: list[list[str]]
    status: str
    trigger: str
    asked_by: str
    decided_by: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    duration_s: float | None
    exit_code: int | None
    code: str | None
    message: str
    hint: str | None
    attempt: int
    retry_of: str | None
    retried_by: str | None
    operation: str | None
    log_lines: int
    log_truncated: bool


class JobReply(TypedDict):
    """``greenroom.model.jobs.JobView``."""

    name: str
    stack: str
    description: str
    built_in: bool
    where: str
    options: list[JobOptionReply]
    environment_option: str | None
    timeout_s: float
    retries: RetriesReply
    concurrency: ConcurrencyReply | None
    schedules: list[ScheduleReply]
    run: WhoReply | None
    approval: ApprovalReply | None
    may_run: bool
    last: ExecutionReply | None


class JobLineReply(TypedDict):
    """A line of an execution's log (``greenroom.app.jobs.log``)."""

    seq: int
    at: str
    machine: str | None
    text: str


class GrantReply(TypedDict):
    """``greenroom.web.tokens.GrantBody``."""

    stack: str
    role: str


class TokenReply(TypedDict):
    """``greenroom.web.tokens.TokenReply``."""

    id: str
    name: str
    grants: list[GrantReply]
    status: str
    created_by: str
    created_at: str
    expires_at: str
    last_used_at: str | None
    revoked_at: str | None


class NewTokenReply(TokenReply):
    """``greenroom.web.tokens.NewTokenReply``."""

    token: str
    notices: list[str]


class RevokedReply(TokenReply):
    """``greenroom.web.tokens.RevokedReply``."""

    again: bool


class AuditReply(TypedDict):
    """``greenroom.web.audit.AuditReply``."""

    seq: int
    at: str
    caller: str
    origin: str
    action: str
    outcome: str
    stack: str
    subject: str
    parameters: dict[str, str]
    code: str | None
    message: str
    reference: str | None
