"""Running a command line inside a machine, as the daemon spells it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from greenroom.errors import HostError

SHELL_ARGV = ("/bin/sh", "-c", "command -v bash >/dev/null && exec bash -l; exec sh -l")
"""The machine's best shell: an image need not have bash."""


_COMMAND_SCRIPT = """
environment=$1 machine=$2
shift 2
found=
IFS=:
case $1 in
*/*)
  if [ -e "$1" ]; then found=$1; fi
  if [ -f "$1" ] && [ -x "$1" ]; then exec "$@"; fi
  what='there is no such file' ;;
*)
  for folder in $PATH; do
    [ -f "$folder/$1" ] || continue
    found=$folder/$1
    if [ -x "$found" ]; then exec "$@"; fi
  done
  what="not found in \\$PATH ($PATH)" ;;
esac
if [ -n "$found" ]; then code=126 what="$found is not executable"; else code=127; fi
printf 'error E_COMMAND: %s: cannot run %s: %s\\n' "$machine" "$1" "$what" >&2
printf '→ greenroom shell %s %s shows what the machine has\\n' "$environment" "$machine" >&2
exit $code
"""


def command_argv(environment: str, machine: str, command: Sequence[str]) -> tuple[str, ...]:
    """``command`` so that it ends with 127 if the machine has none of that name, and with 126 if
    that cannot be executed, as a shell would: the runtime says 255, which may be the command's."""
    return ("/bin/sh", "-c", _COMMAND_SCRIPT, "sh", environment, machine, *command)


def become(argv: Sequence[str]) -> NoReturn:
    """Replace this process by ``argv``: its exit code, its terminal and its signals are ours."""
    sys.stdout.flush()
    sys.stderr.flush()
    if _has_children():
        _leave_children()
    try:
        os.execvp(argv[0], list(argv))
    except OSError as exc:
        raise _not_run(argv[0], exc) from exc


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _leave_children() -> None:
    """Go on in a child, and end as it ends: crun waits for every child of its process, so it would
    wait for the daemon that this command has started."""
    pid = os.fork()
    if pid == 0:
        return
    # The terminal's signals reach both; the child decides what they mean.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(pid, number))
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os._exit(code if code >= 0 else 128 - code)


def captured(argv: Sequence[str]) -> dict[str, int | str]:
    """Run ``argv`` to its end; exit code (128 + signal as shells count), stdout and stderr."""
    import subprocess

    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError as exc:
        raise _not_run(argv[0], exc) from exc
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return {
        "exit_code": code,
        "stdout": done.stdout.decode("utf-8", "replace"),
        "stderr": done.stderr.decode("utf-8", "replace"),
    }


def _not_run(program: str, exc: OSError) -> HostError:
    return HostError(
        "E_EXEC",
        f"{program} cannot be run: {exc.strerror}",
        hint="greenroom doctor says what this host lacks",
    )
