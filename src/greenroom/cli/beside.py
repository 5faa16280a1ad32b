"""What a second process does meanwhile, so that two cores can import at once.

``greenroom template`` is nearly all import: pydantic to check a blueprint, a YAML library to read
it, troposphere to write a template, and none of them waits for the others.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from greenroom.blueprint.tree import Tree
    from greenroom.model.cloud import CloudStack, Target
    from greenroom.providers.aws.template import CompiledTemplate


class Compiler:
    """A child that reads the file ``blueprint`` as YAML, packs the agent, then compiles one stack.
    Whatever happens to it, the caller has the same code for itself: so the child reports nothing,
    and its errors are met again."""

    def __init__(self, blueprint: Path) -> None:
        asks, to_child = os.pipe()
        from_child, answers = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            try:
                # Else a parent that was killed would never end the pipes of its child.
                os.close(to_child)
                os.close(from_child)
                with os.fdopen(asks, "rb") as questions, os.fdopen(answers, "wb") as replies:
                    _serve(blueprint, questions, replies)
            finally:
                # No buffer, handler or traceback of the parent's is the child's to end.
                os._exit(0)
        os.close(asks)
        os.close(answers)
        self._to_child = os.fdopen(to_child, "wb")
        self._from_child = os.fdopen(from_child, "rb")

    def tree(self, text: str, file: str) -> Tree:
        """The tree of ``text``, as ``read_tree`` gives it."""
        found = self._answer("tree")
        if found is not None:
            read, tree = found
            # The file may have changed since, and an answer of the child's counts for its text.
            if (read, tree.file) == (text, file):
                kept: Tree = tree
                return kept
        from greenroom.blueprint.yaml_tree import read_tree

        return read_tree(text, file)

    def agent_sha256(self) -> str:
        """The hash (hex) of the agent that machines shall run."""
        found = self._answer("agent")
        if found is not None:
            return str(found)
        from greenroom.agent_archive import build_agent

        return build_agent().sha256

    def compiled(self, cloud: CloudStack, target: Target) -> CompiledTemplate:
        """The template, as ``compile_template`` gives it or refuses it."""
        try:
            with self._to_child as pipe:
                pickle.dump((cloud, target), pipe)
        except BrokenPipeError:
            pass
        answer = self._answer("template")
        self._from_child.close()
        os.waitpid(self._child, 0)
        if answer is not None:
            found: CompiledTemplate = answer
            return found
        from greenroom.providers.aws.template import compile_template

        return compile_template(cloud, target)

    def _answer(self, wanted: str) -> Any:
        """What the child says of ``wanted``, past what nobody asked for; None if it has ended."""
        while True:
            try:
                # Our own child's bytes, out of a pipe that nobody else holds.
                kind, found = pickle.load(self._from_child)
            except (EOFError, pickle.UnpicklingError):
                return None
            if kind == wanted:
                return found


def _serve(blueprint: Path, questions: IO[bytes], replies: IO[bytes]) -> None:
    """Answer in the order in which the parent needs it."""

    def say(kind: str, found: object) -> None:
        pickle.dump((kind, found), replies)
        replies.flush()

    from greenroom.blueprint.regular_files import read_regular
    from greenroom.blueprint.yaml_tree import read_tree

    text = read_regular(blueprint).decode("utf-8")
    say("tree", (text, read_tree(text, str(blueprint))))
    from greenroom.agent_archive import build_agent

    say("agent", build_agent().sha256)
    from greenroom.providers.aws.template import compile_template

    cloud, target = pickle.load(questions)
    say("template", compile_template(cloud, target))
