"""A machine that meets its limits: the report says so with the limit, and nobody else suffers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.crew import BYSTANDER, assert_unhurt, create, make_crew
from tests.real.site import Site, error_in


@pytest.fixture(scope="module")
def crew(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = make_crew(tmp_path_factory.mktemp("crew"))
    create(made, "serves", BYSTANDER)
    yield made
    made.ok("destroy", BYSTANDER)


FAULTS = [
    (
        "hungry",
        "\n→ give machine type hungry a larger instance_type in the blueprint, or let its servers use less\n",  # noqa: E501
    ),
    (
        "breeds",
        "\n→ raise pids of machine type breeds in the blueprint, or let its servers use fewer\n",
    ),
    (
        "clashes",
        "OSError: [Errno 98] Address already in use\n"
        "→ mend what the machine says and run the same command again\n",
    ),
]
FIRST_LINES = {
    # An agent that looks late finds the server in its next life, or dead once more.
    "hungry": r"error E_MEMORY_LIMIT: hungry1: the kernel killed (1 process|\d+ processes) of it at its memory limit of 512 MiB \(t3\.nano\): service app died (\(SIGKILL\)|and was started again); its log is empty",  # noqa: E501 - as its reader sees it
    # How often it is refused, and who is first (the server, its supervisor, whoever looks at it),
    # is a race in a machine that is full.
    "breeds": r"error E_PROCESS_LIMIT: breeds1: the kernel refused it (1 process|\d+ processes) at its limit of 48 processes: .+",  # noqa: E501
    "clashes": r"error E_MACHINE_FAILED: clashes1: service app died \(exit code 1\); the last lines of its log:",  # noqa: E501
}


@pytest.mark.parametrize(("machine", "ending"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_limit_that_is_met_at_the_boot_is_the_reason(
    crew: Site, machine: str, ending: str
) -> None:
    done = crew.greenroom("create", "--machines", machine, "--branch", "x")
    assert (done.returncode, done.stdout) == (1, "")
    message = error_in(done.stderr)
    assert message.endswith(ending)
    assert re.fullmatch(FIRST_LINES[machine], message.splitlines()[0]), message
    assert [environment["name"] for environment in crew.data("list")].count("crew/x") == 0
    assert_unhurt(crew)


OUT_OF_MEMORY = """
mariadb -e 'SET GLOBAL max_allowed_packet = 1073741824'
mariadb --max-allowed-packet=1G -e "SELECT LENGTH(CONCAT(REPEAT('x', 1e9), REPEAT('y', 7e7)))"
"""


SMALL_DB = ("  db:\n    image: mariadb\n    instance_type: t3.{}", "small", "nano")


def test_a_database_that_outgrows_its_memory_is_told_and_no_other_machine_is_killed(
    crew: Site, site: Site, tmp_path: Path
) -> None:
    small = site.copied(tmp_path / "photos")
    text, before, now = SMALL_DB
    small.edit("greenroom.yaml", text.format(before), text.format(now))
    small.ok("create", "--machines", "db", "--branch", "hungry")
    code, out = small.inside("hungry", "db1", OUT_OF_MEMORY)
    assert (code, out) == (1, "")
    # s6 starts the server again; whether it answers already is not this test's question.
    claims = json.loads(small.greenroom("flows", "hungry", "--json").stdout)["claims"]
    (health,) = [c for c in claims if (c["subject"], c["claim"]) == ("db1", "healthy")]
    assert health["evidence"].endswith(
        "since its boot the kernel killed 1 process of it at its memory limit of 512 MiB (t3.nano)"
    )
    small.ok("destroy", "hungry")
    assert_unhurt(crew)
