"""Create an environment: every step can be run again, and a failure takes all of it back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from greenroom.app.operation import Operation, Ports, begin
from greenroom.app.removal import compensate
from greenroom.app.verdict import keep_proof
from greenroom.errors import GreenroomError
from greenroom.model.proof import Proof
from greenroom.model.stack import Image
from greenroom.model.views import MachineReport
from greenroom.ports import Steps
from greenroom.store import codec


def run_create(ports: Ports, operation_id: str, steps: Steps) -> None:
    """Boot the Stack that the door has planned, prove it and publish it; or compensate."""
    operation = begin(ports, operation_id, steps)
    if operation is None:
        return
    try:
        reports, proof = operation.guarded(lambda: _build(operation))
    except GreenroomError as error:
        compensate(operation, error)
    else:
        keep_proof(operation, reports, proof)


def _build(operation: Operation) -> tuple[tuple[MachineReport, ...], Proof]:
    provider, stack = operation.ports.provider, operation.environment.stack

    def boot() -> str:
        return codec.dump_reports(provider.boot(stack, operation.progress, operation.cancel))

    def prove() -> str:
        return codec.dump_proof(provider.prove(stack, reports, operation.others(), recheck=False))

    def publish() -> str:
        provider.publish(stack)
        return ""

    operation.phase("images", lambda: ensure_images(operation))
    operation.step("ground", lambda: _lay_ground(operation))
    reports = codec.load_reports(operation.phase("machines", boot))
    proof = codec.load_proof(operation.phase("proof", prove))
    # Also what is not proved is published: it is kept so that somebody can look at it.
    operation.phase("publish", publish)
    operation.cancel.check()
    return reports, proof


def ensure_images(operation: Operation) -> str:
    """Two at a time: a build waits about as long for packages as it computes."""
    provider = operation.ports.provider

    def ensure(image: Image) -> None:
        operation.cancel.check()
        provider.ensure_image(image, operation.progress, operation.cancel)

    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="images") as pool:
        list(pool.map(ensure, operation.environment.stack.images))
    return ""


def _lay_ground(operation: Operation) -> str:
    """Network and volumes, at once: one durable step."""
    provider, stack = operation.ports.provider, operation.environment.stack

    def network() -> None:
        operation.cancel.check()
        provider.create_network(stack)

    def volumes() -> None:
        operation.cancel.check()
        provider.create_volumes(stack, operation.progress, operation.cancel)

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="volumes") as beside:
        other = beside.submit(operation.tell, "volumes", volumes)
        operation.tell("network", network)
    other.result()
    return ""
