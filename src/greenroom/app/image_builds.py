"""Building a blueprint's images ahead of the first create that needs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from greenroom.app.cancellation import NeverCancelled
from greenroom.app.clock import Clock, SystemClock
from greenroom.blueprint.nearest import unknown
from greenroom.blueprint.parse import load_blueprint
from greenroom.errors import GreenroomError, InputError, RefusedError
from greenroom.model.events import Event, EventKind, OperationStatus
from greenroom.model.stack import Image, Stack
from greenroom.plan.images import all_images
from greenroom.ports import Provider

_OPERATION = "image-build"


def chosen_images(blueprint: Path, names: tuple[str, ...]) -> tuple[Image, ...]:
    """The blueprint's images of those names, or all. Raises InputError (E_IMAGE)."""
    images = {image.name: image for image in all_images(load_blueprint(blueprint))}
    for name in names:
        if name not in images:
            raise InputError(
                "E_IMAGE",
                unknown("image", name, set(images)),
                hint=f"images of {blueprint}: {', '.join(sorted(images))}",
            )
    return tuple(images[name] for name in names or images)


def build_images(
    provider: Provider, images: tuple[Image, ...], clock: Clock | None = None
) -> Iterator[Event]:
    """Build each image that is not there yet; the last event is the result."""
    clock = SystemClock() if clock is None else clock
    events = _Events(clock)
    for image in images:
        yield events.make(EventKind.PHASE_STARTED, f"image {image.name}")
        began_s = clock.monotonic_s()
        try:
            built = provider.ensure_image(image, _Silent(), NeverCancelled())
        except GreenroomError as error:
            yield events.make(EventKind.RESULT, "", error=error)
            return
        seconds = clock.monotonic_s() - began_s
        message = "built" if built else "was there"
        yield events.make(EventKind.PHASE_DONE, f"image {image.name}", message, seconds)
    yield events.make(EventKind.RESULT, "", f"{len(images)} images are ready")


def refuse_image_in_use(digest: str, stacks: Iterable[Stack]) -> None:
    """Raises RefusedError (E_IMAGE_IN_USE): a machine's root filesystem stands on its image."""
    users = [
        str(stack.environment)
        for stack in stacks
        if digest in {image.digest for image in stack.images}
    ]
    if users:
        raise RefusedError(
            "E_IMAGE_IN_USE",
            f"image {digest[:12]} is in use by {', '.join(users)}",
            hint="destroy these environments first",
        )


class _Events:
    """Numbers the events of one build."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seq = 0

    def make(
        self,
        kind: EventKind,
        phase: str,
        message: str = "",
        seconds: float | None = None,
        error: GreenroomError | None = None,
    ) -> Event:
        self._seq += 1
        result = kind is EventKind.RESULT
        ended = OperationStatus.SUCCEEDED if error is None else OperationStatus.FAILED
        return Event(
            seq=self._seq,
            at=self._clock.now(),
            operation=_OPERATION,
            kind=kind,
            phase=phase,
            message=message if error is None else error.message,
            seconds=seconds,
            status=ended if result else None,
            code=None if error is None else error.code,
            hint=None if error is None else error.hint or None,
            exit_code=(0 if error is None else error.exit_code) if result else None,
        )


class _Silent:
    """A Progress that tells nothing: the events above say it all."""

    def started(self, phase: str, machine: str | None = None) -> None:
        """See the port."""

    def done(
        self, phase: str, seconds: float, message: str = "", machine: str | None = None
    ) -> None:
        """See the port."""

    def notice(self, message: str, machine: str | None = None) -> None:
        """See the port."""
