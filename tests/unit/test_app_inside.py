"""The command line that runs in a machine for what somebody asked for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from greenroom.app.inside import command_argv


def test_a_command_that_cannot_be_run_ends_as_a_shell_would(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("not executable")
    for words, code, said in (
        (["nosuchcmd"], 127, "cannot run nosuchcmd: not found in $PATH ("),
        (["/nonexistent/cmd", "x"], 127, "cannot run /nonexistent/cmd: there is no such file\n"),
        ([str(data)], 126, f"cannot run {data}: {data} is not executable\n"),
        (["data"], 126, f"cannot run data: {data} is not executable\n"),
        (["/"], 126, "cannot run /: / is not executable\n"),
        (["sh", "-c", "exit 255"], 255, ""),
        (["printf", "%s|", "a b", "*", "$PATH"], 0, ""),
    ):
        done = subprocess.run(
            command_argv("photos/x", "db1", words),
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        )
        assert done.returncode == code, words
        if said:
            assert done.stderr.startswith(f"error E_COMMAND: db1: {said}")
            assert "→ greenroom shell photos/x db1 shows what the machine has\n" in done.stderr
        else:
            assert done.stderr == ""
        assert done.stdout == ("a b|*|$PATH|" if words[0] == "printf" else "")


def test_a_shell_is_run_without_another_around_it() -> None:
    asked = ("/bin/sh", "-c", "exec bash -l")
    assert command_argv("photos/x", "db1", asked) == asked
