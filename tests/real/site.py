"""A copy of the photos example with little data, and the CLI to drive it in the tests' region."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LABEL = os.environ.get("GREENROOM_TEST_REGION", "test")
"""Two runs on one host need two regions, and other addresses: see GREENROOM_TEST_NET."""
REGION = f"greenroom-{LABEL}"
RUN, STATE = Path("/run") / REGION, Path("/var/lib") / REGION
REGION_FOLDERS = (RUN, STATE)
NET = os.environ.get("GREENROOM_TEST_NET", "10.214")
FREE_NET = f"10.{int(NET.split('.')[1]) + 1}"
"""The next range, for a region that never comes up."""
PORT = int(os.environ.get("GREENROOM_TEST_PORT", "18080"))
SEED_COMMAND = "create --machines backend db feed --restore_db extract --branch feature_x"
ENVIRONMENT = {
    **os.environ,
    "GREENROOM_REGION": LABEL,
    "GREENROOM_CIDR": f"{NET}.0.0/16",
    "GREENROOM_PORT": str(PORT),
    "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
}


@dataclass(frozen=True, slots=True)
class Site:
    """A folder with a blueprint; commands run in it, in the tests' region unless ``region`` (of
    environment variables) says another."""

    folder: Path
    region: Mapping[str, str] = field(default_factory=dict)

    def greenroom(self, *words: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Run the CLI as a person would."""
        return subprocess.run(
            [sys.executable, "-m", "greenroom.cli", *words],
            cwd=self.folder,
            env={**ENVIRONMENT, **self.region},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the CLI and leave it running."""
        return subprocess.Popen(
            [sys.executable, "-m", "greenroom.cli", *words],
            cwd=self.folder,
            env={**ENVIRONMENT, **self.region},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ok(self, *words: str) -> str:
        """Run the CLI, insist that it succeeds, and return what it printed. One string is a
        whole command line."""
        words = tuple(words[0].split()) if len(words) == 1 else words
        done = self.greenroom(*words)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def data(self, *words: str) -> Any:
        """The one JSON document that a command prints."""
        return json.loads(self.ok(*words, "--json"))

    def inside(self, environment: str, machine: str, script: str) -> tuple[int, str]:
        """Run a shell script in a machine; exit code and stdout."""
        done = self.greenroom("exec", environment, machine, "--", "sh", "-c", script)
        return done.returncode, done.stdout

    def copied(self, folder: Path) -> Site:
        """The same blueprint, code and data in another folder, free to be broken."""
        shutil.copytree(self.folder, folder)
        return Site(folder, self.region)

    def edit(self, name: str, old: str, new: str) -> None:
        """Change a file of the site."""
        path = self.folder / name
        text = path.read_text()
        assert old in text, f"{name} holds no {old!r}"
        path.write_text(text.replace(old, new))


def get(host: str, path: str = "/", port: int = PORT) -> tuple[int, str]:
    """GET through the proxy, as a browser would with http://HOST:PORT/."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def make_site(folder: Path) -> Site:
    """A copy of the example with its artifacts and a small data set."""
    source = REPOSITORY / "examples" / "photos"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("data", "artifacts"))
    for script in (["make_artifacts.py"], ["make_data.py", "--users", "400"]):
        subprocess.run([sys.executable, *script], cwd=folder, check=True, capture_output=True)
    return Site(folder)


def bring_up(example: str, folder: Path) -> Site:
    """What the one command of an example's README does, in a fresh copy of what it needs of the
    repository; the site is the example."""
    # First here: the copy's own set-up then finds the shared .venv up to date, and leaves it alone.
    subprocess.run([REPOSITORY / "scripts" / "setup"], check=True, capture_output=True)
    for name in ("scripts", "examples"):
        ignored = shutil.ignore_patterns("data", "artifacts", "__pycache__")
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    shutil.copy(REPOSITORY / "Makefile", folder)
    (folder / ".venv").symlink_to(REPOSITORY / ".venv")
    command = ["make", f"demo-{example}"]
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Site(folder / "examples" / example)


def destroy_all(site: Site) -> None:
    """Destroy every environment of the region."""
    for environment in site.data("list"):
        site.ok("destroy", environment["name"], "--confirm", environment["name"])


def stop_daemon(site: Site) -> None:
    """Stop the region's daemon, as an operator would, and wait until it is gone."""
    site.greenroom("serve", "--stop")


def is_in_use(run: Path) -> bool:
    """Whether a daemon of that region runs; its lock names the last one that did."""
    if not (run / "daemon.lock").exists():
        return False
    with (run / "daemon.lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def refuse_if_in_use(run: Path) -> None:
    """A region whose daemon still runs belongs to somebody."""
    if is_in_use(run):
        pytest.fail(f"{run.name} is in use: stop its daemon first")


def daemon_pid() -> int:
    """The process of the region's daemon; one that starts has an empty lock for a moment."""
    found: list[str] = []

    def is_told() -> bool:
        found[:] = (RUN / "daemon.lock").read_text().split()
        return bool(found)

    wait_until(is_told)
    return int(found[0])


def error_in(stderr: str) -> str:
    """The error that a command ended with: what follows the progress."""
    found = stderr.find("error E_")
    assert found == 0 or stderr[found - 1] == "\n", stderr
    return stderr[found:]


def wait_until(true: Any, timeout_s: float = 60) -> None:
    """Wait for a state of the world."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "the state did not come in time"
        time.sleep(0.02)
