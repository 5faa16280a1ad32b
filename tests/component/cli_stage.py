"""A command line against a daemon with canned answers, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.component.cli_daemon import ONE, FakeDaemon, running
from tests.unit import cli_values as values

from greenroom.cli.main import main
from greenroom.region import Region

SEED = "create --machines backend db feed --restore_db extract --branch feature_x"
EVENTS = f"/v1/operations/{values.OPERATION}/events"


@dataclass(frozen=True, kw_only=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Any:
        (line,) = self.err.splitlines()
        return json.loads(line)["error"]


@pytest.fixture
def region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Region:
    monkeypatch.setattr(Region, "run_dir", property(lambda self: tmp_path / "run"))
    monkeypatch.setattr(Region, "state_dir", property(lambda self: tmp_path / "lib"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "greenroom.yaml").write_text("stack: photos\n")
    return Region.from_environment()


@pytest.fixture
def daemon(region: Region) -> Iterator[FakeDaemon]:
    with running(region.socket_path) as fake:
        fake.answer("GET", "/v1/environments", [values.dumped(values.environment())])
        fake.answer("GET", ONE, values.dumped(values.detail()))
        fake.answer("POST", "/v1/operations", values.dumped(values.operation()), status=202)
        fake.answer("GET", EVENTS, lines=values.events())
        yield fake


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run_words(*words: str) -> Ran:
        with pytest.raises(SystemExit) as exit_:
            main(words[0].split() if len(words) == 1 else words)
        captured = capfd.readouterr()
        assert isinstance(exit_.value.code, int)
        return Ran(code=exit_.value.code, out=captured.out, err=captured.err)

    return run_words
