"""The use cases on AWS as a test calls them: real boto3 on a fake account, a person who may press
Ctrl-C, and the events kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from greenroom.app.clock import SystemClock
from greenroom.app.cloud.create import Booted, create
from greenroom.app.cloud.draft import CloudPorts, Wish
from greenroom.app.cloud.plan import CloudPlan, plan
from greenroom.app.cloud.update import Updated, environment_asked, update
from greenroom.app.cloud.words import words_of
from greenroom.blueprint.parse import load_blueprint
from greenroom.cli.follow import LeftAloneError
from greenroom.cloud import cloud_ports
from greenroom.errors import CancelledError
from greenroom.model.events import Event
from greenroom.model.requests import CreateRequest
from greenroom.providers.aws.session import Access
from tests.cloud.fake.account import REGION

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos" / "greenroom.yaml"


class Person:
    """The Attention port: presses Ctrl-C when told to, and never makes anybody wait long."""

    def __init__(self) -> None:
        self.presses = 0
        self.answered = 0
        self.left: tuple[str, str] | None = None
        self.waited_s = 0.0
        self.pauses_s: list[float] = []
        self.pause_s = 0.05

    def wait(self, seconds: float) -> None:
        self.waited_s += seconds
        self.pauses_s.append(seconds)
        time.sleep(min(seconds, self.pause_s))
        if self.left is not None:
            self.check()

    def check(self) -> None:
        if self.presses <= self.answered:
            return
        if self.left is not None:
            raise LeftAloneError("E_LEFT_TO_AWS", self.left[0], hint=self.left[1])
        raise CancelledError("E_CANCELLED", "cancelled")

    def obey(self, left: str, hint: str) -> None:
        self.answered = self.presses
        self.left = (left, hint)


class HurriedClock(SystemClock):
    """Time goes by as fast as the person waits."""

    def __init__(self, person: Person) -> None:
        self._person = person

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self._person.waited_s


class Stage:
    """One blueprint on one account."""

    def __init__(self, blueprint: Path, region: str = REGION) -> None:
        self.blueprint = blueprint
        self.person = Person()
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = lambda _: None
        ports = cloud_ports(Access(region=region), self.person, self._take)
        self.ports: CloudPorts = replace(ports, clock=HurriedClock(self.person))

    def wish(self, branch: str = "feature_x", **given: Any) -> Wish:
        fields = {name: given.pop(name) for name in ("machines", "restore") if name in given}
        request = CreateRequest(blueprint=self.blueprint, branch=branch, **fields)
        return Wish(
            blueprint=load_blueprint(self.blueprint),
            request=request,
            words=words_of(request),
            **given,
        )

    def create(self, **given: Any) -> Booted:
        return create(self.ports, self.wish(**given))

    def plan(self, **given: Any) -> CloudPlan:
        return plan(self.ports, self.wish(**given))

    def update(self, **given: Any) -> Updated:
        wish = self.wish(**given)
        asked = environment_asked(self.ports, wish.blueprint, None, wish.request)
        return update(self.ports, replace(wish, request=asked, words=words_of(asked)))

    def press_while_booting(self, machine: str) -> None:
        """Press Ctrl-C as soon as ``machine`` boots."""

        def on_event(event: Event) -> None:
            if (event.machine, event.phase, event.kind) == (machine, "boot", "phase-started"):
                self.person.presses += 1

        self.on_event = on_event

    def press_at_notice(self, words: str) -> None:
        """Press Ctrl-C as soon as a notice has these words."""

        def on_event(event: Event) -> None:
            if event.kind == "notice" and words in event.message:
                self.person.presses += 1

        self.on_event = on_event

    def told(self, kind: str) -> list[str]:
        return [event.message for event in self.events if event.kind == kind]

    def _take(self, event: Event) -> None:
        self.events.append(event)
        self.on_event(event)
