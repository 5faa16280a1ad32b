"""What a second process does meanwhile, so that two cores can import at once.

``greenroom template`` is nearly all import: pydantic to read a blueprint, troposphere to write a
template, and neither waits for the other.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.model.cloud import CloudStack, Target
    from greenroom.providers.aws.template import CompiledTemplate

_HASH_CHARACTERS = 64


class Compiler:
    """A child that packs the agent, then compiles one stack. Whatever happens to it, the caller
    has the same code for itself: so the child reports nothing, and its errors are met again."""

    def __init__(self) -> None:
        asks, self._to_child = os.pipe()
        self._from_child, answers = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            try:
                # Else a parent that was killed would never end the pipes of its child.
                os.close(self._to_child)
                os.close(self._from_child)
                _serve(asks, answers)
            finally:
                # No buffer, handler or traceback of the parent's is the child's to end.
                os._exit(0)
        os.close(asks)
        os.close(answers)

    def agent_sha256(self) -> str:
        """The hash (hex) of the agent that machines shall run."""
        found = b""
        while len(found) < _HASH_CHARACTERS and (more := os.read(self._from_child, 64)):
            found += more
        if len(found) == _HASH_CHARACTERS:
            return found.decode()
        from greenroom.agent_archive import build_agent

        return build_agent().sha256

    def compiled(self, cloud: CloudStack, target: Target) -> CompiledTemplate:
        """The template, as ``compile_template`` gives it or refuses it."""
        import pickle

        try:
            with os.fdopen(self._to_child, "wb") as pipe:
                pickle.dump((cloud, target), pipe)
        except BrokenPipeError:
            pass
        with os.fdopen(self._from_child, "rb") as pipe:
            answer = pipe.read()
        os.waitpid(self._child, 0)
        if answer:
            # Our own child's bytes, out of a pipe that nobody else holds.
            found: CompiledTemplate = pickle.loads(answer)
            return found
        from greenroom.providers.aws.template import compile_template

        return compile_template(cloud, target)


def _serve(asks: int, answers: int) -> None:
    from greenroom.agent_archive import build_agent

    os.write(answers, build_agent().sha256.encode())
    import pickle

    from greenroom.providers.aws.template import compile_template

    with os.fdopen(asks, "rb") as pipe:
        cloud, target = pickle.load(pipe)
    answer = pickle.dumps(compile_template(cloud, target))
    with os.fdopen(answers, "wb") as pipe:
        pipe.write(answer)
