"""``greenroom flows``."""

from __future__ import annotations

import shutil
import sys

from greenroom.cli.connect import chosen_environment, connect
from greenroom.cli.declare import ANY_ENVIRONMENT, JSON, command
from greenroom.cli.matrix import matrix_lines
from greenroom.cli.terminal import Paint, say, say_json
from greenroom.cli.text import clean, count
from greenroom.cli.verdict import PROVED, verdict_of
from greenroom.errors import NotProvedError

PIPE_COLUMNS = 160
"""The width of the matrix where no terminal limits it."""


@command("flows", ANY_ENVIRONMENT, JSON)
def flows(environment: str | None, as_json: bool) -> None:
    """Probe who reaches whom, and judge it.

    Every declared flow must be open, every other one between the machines' listening ports
    closed, also between environments. Exits with 3 if that is not proved.
    """
    client = connect()
    proof = client.prove(chosen_environment(client, environment))
    verdict = verdict_of(proof)
    if as_json:
        say_json({"verdict": verdict, **proof})
    else:
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
    if verdict != PROVED:
        raise NotProvedError(
            "E_NOT_PROVED",
            f"the environment is {verdict}",
            hint="greenroom show has every claim with its evidence",
        )
