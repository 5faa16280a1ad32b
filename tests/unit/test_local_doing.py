"""What a machine is doing is told while it lasts."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from greenroom.providers.local.doing import LASTING_S, Doing


@dataclass
class Ear:
    """A Progress that keeps what begins."""

    heard: list[tuple[str, str | None]] = field(default_factory=list)

    def started(self, phase: str, machine: str | None = None) -> None:
        self.heard.append((phase, machine))

    def done(
        self, phase: str, seconds: float, message: str = "", machine: str | None = None
    ) -> None:
        raise AssertionError("only the machine knows that")

    def notice(self, message: str, machine: str | None = None) -> None:
        raise AssertionError("nothing that a machine writes is repeated")


def heard(*words: tuple[str, float]) -> list[str]:
    ear = Ear()
    doing = Doing(ear)
    for word, now_s in words:
        doing.look("db1", word, now_s)
    assert {machine for _, machine in ear.heard} <= {"db1"}
    return [phase for phase, _ in ear.heard]


def test_a_phase_is_told_once_when_it_lasts() -> None:
    assert heard(("restore", 10.0), ("restore", 10.0 + LASTING_S - 0.01)) == []
    looks = [(f"restore: loading part {n}", 10.0 + n * LASTING_S) for n in range(4)]
    assert heard(("restore", 9.9), *looks, ("checks", 20.0), ("checks", 21.0)) == [
        "restore",
        "checks",
    ]


def test_each_machine_has_phases_of_its_own() -> None:
    ear = Ear()
    doing = Doing(ear)
    for machine in ("db1", "db2"):
        for now_s in (0.0, LASTING_S):
            doing.look(machine, "restore", now_s)
    assert ear.heard == [("restore", "db1"), ("restore", "db2")]


@pytest.mark.parametrize("word", ["", "ready", "\x1b[2J", "rm -rf /", "restored", "x" * 3000])
def test_what_is_no_phase_is_not_repeated(word: str) -> None:
    assert heard((word, 0.0), (word, 1.0), (word, 2.0)) == []


def test_a_machine_that_goes_to_and_fro_is_not_told_again() -> None:
    looks = [(("restore", "checks")[n // 2 % 2], n * LASTING_S) for n in range(40)]
    assert heard(*looks) == ["restore", "checks"]
