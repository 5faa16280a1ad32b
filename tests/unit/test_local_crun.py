"""crun runs from a copy that nobody can write."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from greenroom.providers.local.crun import crun_program


def test_crun_runs_from_a_copy_that_nobody_can_change():
    program = Path(crun_program())
    assert program.is_relative_to(f"/proc/{os.getpid()}/fd")
    done = subprocess.run(
        ["crun", "--version"], executable=program, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("crun version")
    with pytest.raises(OSError, match=r"not permitted|busy"), program.open("r+b") as file:
        file.write(b"evil")


def test_where_nothing_runs_from_memory_crun_runs_as_it_is(monkeypatch):
    def refused(name: str, flags: int) -> int:
        raise PermissionError(13, "memfd_noexec")

    monkeypatch.setattr(os, "memfd_create", refused)
    assert crun_program.__wrapped__() == "crun"
