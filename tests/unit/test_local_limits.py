"""A machine that met a limit is told with the limit, not only with what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.blueprint_values import stack_of

from greenroom.errors import OperationError
from greenroom.providers.local import limits
from greenroom.providers.local.layout import Layout
from greenroom.providers.local.limits import LimitsMet, explained, limits_met, told
from greenroom.region import Region

STACK = stack_of("backend", "db", "feed", branch="feature_x")
DB = STACK.machine("db1")
PLACE = Layout(Region(label="unit")).machine(STACK.environment, "db1")
DIED = OperationError("E_MACHINE_FAILED", "db1: service mariadb died (SIGKILL); its log is empty")


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "memory").mkdir()
    (tmp_path / "pids").mkdir()
    folders = (tmp_path / "memory", tmp_path / "pids")
    monkeypatch.setattr(limits, "cgroup_folders", lambda cgroup: folders)
    return tmp_path


V1 = ("oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n")
V2 = ("events", "low 0\nhigh 0\nmax 12\noom 3\noom_kill {}\noom_group_kill 0\n")


@pytest.mark.parametrize(("file", "content"), [V1, V2], ids=["v1", "v2"])
def test_a_kill_for_want_of_memory_is_the_reason_with_the_limit(
    cgroup: Path, file: str, content: str
) -> None:
    (cgroup / "memory" / f"memory.{file}").write_text(content.format(2))
    error = explained(PLACE, DB, DIED)
    assert (error.code, error.message, error.hint) == (
        "E_MEMORY_LIMIT",
        "db1: the kernel killed 2 processes of it at its memory limit of 2048 MiB (t3.small): "
        "service mariadb died (SIGKILL); its log is empty",
        "give machine type db a larger instance_type in the blueprint, or let its servers use less",
    )


def test_a_refused_fork_is_the_reason_with_the_limit(cgroup: Path) -> None:
    (cgroup / "memory" / "memory.oom_control").write_text(V1[1].format(0))
    (cgroup / "pids" / "pids.events").write_text("max 1\n")
    error = explained(PLACE, DB, DIED)
    assert error.code == "E_PROCESS_LIMIT"
    assert error.message.startswith(
        f"db1: the kernel refused it 1 process at its limit of {DB.pids} processes: service mariadb"
    )


def test_a_limit_that_was_met_before_is_no_reason_now(cgroup: Path) -> None:
    (cgroup / "memory" / "memory.events").write_text(V2[1].format(1))
    assert explained(PLACE, DB, DIED, before=limits_met(PLACE)) is DIED


def test_without_a_cgroup_nothing_was_met(cgroup: Path) -> None:
    assert limits_met(PLACE) == LimitsMet()
    assert told(LimitsMet(), DB) == ""
    assert explained(PLACE, DB, DIED) is DIED
