"""``greenroom flows``."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from greenroom.cli.connect import chosen_environment, connect
from greenroom.cli.declare import ANY_ENVIRONMENT, JSON, Option, command
from greenroom.cli.matrix import matrix_lines
from greenroom.cli.provider import PROVIDER, refuse_on_aws
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean, count
from greenroom.cli.verdict import PROVED, verdict_of
from greenroom.errors import InputError, NotProvedError, UsageError

if TYPE_CHECKING:
    from greenroom.cli.shapes import ProofReply

PIPE_COLUMNS = 160
"""The width of the matrix where no terminal limits it."""
_STDOUT = "-"
_ENDING = ".svg"


@command(
    "flows",
    ANY_ENVIRONMENT,
    Option("--watch", flag=True, help="Prove again and again; print what changes."),
    Option("--graph", metavar="FILE", help="Draw groups and flows as SVG; - is stdout."),
    PROVIDER,
    JSON,
)
def flows(
    environment: str | None, watch: bool, graph: str | None, provider: str | None, as_json: bool
) -> None:
    """Probe who reaches whom, and judge it.

    Every declared flow must be open, every other one closed, also between environments, and
    nothing in the region may be other than declared. Exits with 3 if that is not proved. Ctrl-C
    ends --watch with 0 or 3, by the last proof.
    """
    refuse_on_aws(
        "flows",
        "on AWS no packet is sent: greenroom drift --provider aws ENV compares the account's rules "
        "with the declared ones",
        provider,
    )
    if graph is not None and (watch or (as_json and graph == _STDOUT)):
        other = "--watch" if watch else "--json"
        raise UsageError(
            "E_USAGE",
            f"--graph and {other} exclude each other here",
            hint=f"leave {other} out, or --graph",
        )
    if graph is not None and graph != _STDOUT:
        _refuse_unwritable(graph)
    client = connect()
    name = chosen_environment(client, environment)
    if watch:
        from greenroom.cli.watching import watched

        proof = watched(lambda: client.prove(name), _print, as_json)
    else:
        proof = client.prove(name)
        if graph != _STDOUT:
            _print(proof, as_json)
        if graph is not None:
            from greenroom.drawing.flows import draw

            _write(draw(client.environment(name), proof, verdict_of(proof)), graph)
    if verdict_of(proof) != PROVED:
        raise NotProvedError(
            "E_NOT_PROVED",
            f"the environment is {verdict_of(proof)}",
            hint=f"greenroom show {name} has every claim with its evidence",
        )


def _print(proof: ProofReply, as_json: bool) -> None:
    verdict = verdict_of(proof)
    if as_json:
        say_json({"verdict": verdict, **proof})
        return
    paint = Paint(sys.stdout)
    columns = shutil.get_terminal_size().columns if paint.terminal else PIPE_COLUMNS
    for line in matrix_lines(proof["flows"], columns, paint):
        say(line)
    for claim in proof["claims"]:
        if claim["verdict"] != PROVED:
            say(
                f"{paint.verdict(claim['verdict'])}: {clean(claim['subject'])}: "
                f"{clean(claim['claim'])} ({clean(claim['evidence'])})"
            )
    proved = sum(flow["verdict"] == PROVED for flow in proof["flows"])
    flows = f"{proved} of {count(len(proof['flows']), 'flow')} proved"
    say(f"the environment is {paint.verdict(verdict)}: {flows}")


def _refuse_unwritable(file: str) -> None:
    """Before packets are sent, which takes seconds; raises UsageError, InputError."""
    target = Path(file)
    if target.suffix.lower() != _ENDING:
        raise UsageError(
            "E_USAGE",
            f"--graph {file}: flows are drawn as SVG and as nothing else",
            hint=f"--graph {target.with_suffix(_ENDING) if target.name else 'flows.svg'}; "
            "- is stdout, for a program that makes another format of it",
        )
    try:
        with os.scandir(target.parent):
            pass
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not os.access(target if target.exists() else target.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _not_written(file, error) from error


def _write(svg: str, file: str) -> None:
    if file == _STDOUT:
        sys.stdout.write(svg)
        return
    try:
        Path(file).write_text(svg, encoding="utf-8")
    except OSError as error:
        raise _not_written(file, error) from error


def _not_written(file: str, error: OSError) -> InputError:
    return InputError(
        "E_GRAPH_FILE",
        f"cannot write {file}: {error.strerror}",
        hint="name a file in a folder that is there and can be written",
    )
