"""What really runs in a machine when somebody asks for a command there.

The daemon wraps the command and not its client, so that the audit log tells what was asked for in
the caller's own words, and nobody can pass words of theirs off as the wrapper's.
"""

from __future__ import annotations

from collections.abc import Sequence

_SHELL = "/bin/sh"

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
    if command[0] == _SHELL:
        # A machine without it could not run the wrapper either.
        return tuple(command)
    return (_SHELL, "-c", _COMMAND_SCRIPT, "sh", environment, machine, *command)
