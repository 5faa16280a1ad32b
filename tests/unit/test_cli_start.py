"""The first command after a stop says what it waits for, where somebody sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from greenroom.cli import start
from greenroom.cli.client import Client
from greenroom.region import Region

WORDS = "starting the region's daemon …\n"


class SlowClient(Client):
    """Whom the daemon answers when it was asked so often."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def accepts(self) -> bool:
        self.looks -= 1
        return self.looks < 0


class Started:
    """A daemon that runs on."""

    pid = 1

    def poll(self) -> None:
        return None


@pytest.fixture
def region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Region:
    monkeypatch.setattr(Region, "run_dir", tmp_path / "run")
    monkeypatch.setattr(Region, "log_path", tmp_path / "daemon.log")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: Started())
    return Region.from_environment()


def started(
    region: Region,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    after_s: float,
    terminal: bool,
) -> str:
    monkeypatch.setattr(start, "_TOLD_AFTER_S", after_s)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    start.start_daemon(region, SlowClient(looks=4))
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_who_waits_at_a_terminal_is_told_once_what_for(
    region: Region, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert started(region, monkeypatch, capsys, after_s=0.0, terminal=True) == WORDS


def test_a_daemon_that_is_there_soon_is_not_told_of(
    region: Region, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert started(region, monkeypatch, capsys, after_s=3600.0, terminal=True) == ""


def test_a_program_that_reads_our_errors_reads_nothing_else(
    region: Region, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert started(region, monkeypatch, capsys, after_s=0.0, terminal=False) == ""
