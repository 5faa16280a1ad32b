"""A destroy that comes in the middle of a create is refused with the way out, which works."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.crew import BYSTANDER, assert_unhurt, create, make_crew
from tests.real.site import RUN, STATE, Site, error_in, wait_until

KEY = "crew.waiting"


@pytest.fixture
def crew(site: Site, tmp_path: Path) -> Iterator[Site]:
    made = make_crew(tmp_path)
    create(made, "serves", BYSTANDER)
    yield made
    made.ok("destroy", BYSTANDER)


def bearing_its_name() -> list[str]:
    """What the host holds of the environment: files, namespaces, rules, processes."""
    places = [(RUN / "machines", KEY), (RUN / "crun", f"{KEY}.*"), (RUN / "dns", KEY)]
    places.append((STATE / "pool" / "environments", KEY))
    places.append((Path("/run/netns"), f"{RUN.name}.{KEY}.*"))
    places += [(folder, f"{RUN.name}/{KEY}") for folder in Path("/sys/fs/cgroup").glob("*")]
    found = [str(path) for folder, pattern in places for path in folder.glob(pattern)]
    argv = ["ip", "netns", "exec", RUN.name, "nft", "list", "ruleset"]
    rules = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return found + [line for line in rules.splitlines() if KEY in line]


def test_a_destroy_during_a_create_names_the_cancel_which_leaves_nothing(crew: Site) -> None:
    crew.ok("create", "--machines", "waits", "--branch", "waiting", "--detach")
    wait_until(lambda: any((RUN / "crun").glob(f"{KEY}.*")))

    refused = crew.greenroom("destroy", "waiting")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert re.fullmatch(
        r"error E_BUSY: crew/waiting is busy: create op-[0-9a-f]{12} runs on it\n"
        r"→ wait until it has ended, or stop it: greenroom cancel crew/waiting\n",
        error_in(refused.stderr),
    )
    assert crew.data("show", "waiting")["summary"]["status"] == "creating"
    assert bearing_its_name()

    crew.ok("cancel", "waiting")
    assert bearing_its_name() == []
    names = {environment["name"] for environment in crew.data("list")}
    assert f"crew/{BYSTANDER}" in names
    assert "crew/waiting" not in names
    gone = crew.greenroom("destroy", "waiting")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert error_in(gone.stderr) == (
        "error E_NO_ENVIRONMENT: there is no environment 'waiting'\n"
        "→ greenroom list shows what there is\n"
    )
    assert_unhurt(crew)
