"""What every engine keeps: one suite over the one in memory and the durable one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from greenroom.errors import Fault, InputError, OperationError, RefusedError
from greenroom.jobs.engine import DbosEngine
from greenroom.jobs.memory import MemoryEngine
from greenroom.ports import Engine, Steps

TIMEOUT_S = 20.0
Run = Callable[[str, Steps], None]


class Launcher:
    """Builds engines on the same memory, one after the other, and closes what is open."""

    def __init__(self, build: Callable[[], Engine]) -> None:
        self._build = build
        self._open: Engine | None = None

    def launch(self, **runs: Run) -> Engine:
        self.close()
        engine = self._build()
        for kind, run in runs.items():
            engine.register(kind, run)
        engine.launch()
        self._open = engine
        return engine

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open = None


@pytest.fixture(params=["memory", "dbos"])
def launcher(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Launcher]:
    history: dict = {}
    builders: dict[str, Callable[[], Engine]] = {
        "memory": lambda: MemoryEngine(history),
        "dbos": lambda: DbosEngine(tmp_path / "engine.db"),
    }
    launcher = Launcher(builders[request.param])
    yield launcher
    launcher.close()


class Recorder:
    """An operation of three steps that writes down what it did."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.results: list[str] = []
        self.returned = threading.Event()

    def __call__(self, operation: str, steps: Steps) -> None:
        for name in ("one", "two", "three"):
            self.results.append(steps.run(name, lambda name=name: self._do(operation, name)))
        self.returned.set()

    def _do(self, operation: str, name: str) -> str:
        self.steps.append(f"{operation} {name}")
        return f'{{"step": "{name} ✓"}}'


def test_an_operation_runs_its_steps_in_order_and_gets_their_results(launcher: Launcher) -> None:
    run = Recorder()
    launcher.launch(create=run).start("create", "op-1")

    assert run.returned.wait(TIMEOUT_S)
    assert run.steps == ["op-1 one", "op-1 two", "op-1 three"]
    assert run.results == [f'{{"step": "{name} ✓"}}' for name in ("one", "two", "three")]


def test_starting_the_same_id_again_runs_nothing_twice(launcher: Launcher) -> None:
    run = Recorder()
    engine = launcher.launch(create=run)
    engine.start("create", "op-1")
    engine.start("create", "op-1")
    assert run.returned.wait(TIMEOUT_S)

    engine.start("create", "op-1")
    engine = launcher.launch(create=run)
    engine.start("create", "op-1")
    launcher.close()

    assert run.steps == ["op-1 one", "op-1 two", "op-1 three"]


def test_operations_run_beside_each_other(launcher: Launcher) -> None:
    meeting = threading.Barrier(3)
    met = []

    def run(operation: str, steps: Steps) -> None:
        def meet() -> str:
            meeting.wait(TIMEOUT_S)
            met.append(operation)
            return ""

        steps.run("meet", meet)

    engine = launcher.launch(create=run)
    for operation in ("op-1", "op-2", "op-3"):
        engine.start("create", operation)
    launcher.close()

    assert sorted(met) == ["op-1", "op-2", "op-3"]


def test_start_returns_while_the_operation_runs(launcher: Launcher) -> None:
    may_end = threading.Event()

    def run(operation: str, steps: Steps) -> None:
        steps.run("wait", lambda: str(may_end.wait(TIMEOUT_S)))

    launcher.launch(create=run).start("create", "op-1")
    may_end.set()


def test_close_waits_for_what_runs_and_refuses_what_comes(launcher: Launcher) -> None:
    began, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def run(operation: str, steps: Steps) -> None:
        began.set()
        steps.run("wait", lambda: str(may_end.wait(TIMEOUT_S)))
        ended.set()

    engine = launcher.launch(create=run)
    engine.start("create", "op-1")
    assert began.wait(TIMEOUT_S)
    closing = threading.Thread(target=launcher.close)
    closing.start()
    may_end.set()
    closing.join(TIMEOUT_S)

    assert ended.is_set()
    with pytest.raises(RefusedError, match="the daemon is stopping"):
        engine.start("create", "op-2")


def test_an_error_of_a_step_reaches_the_operation_whole_and_it_goes_on(launcher: Launcher) -> None:
    fault = Fault(file="greenroom.yaml", line=3, column=5, path="machines.db", message="no")
    caught: list[InputError] = []
    done = threading.Event()

    def fail() -> str:
        raise InputError("E_WRONG", "wrong artifact", hint="build it", faults=[fault])

    def run(operation: str, steps: Steps) -> None:
        try:
            steps.run("fail", fail)
        except InputError as error:
            caught.append(error)
        steps.run("undo", lambda: "undone")
        done.set()

    launcher.launch(create=run).start("create", "op-1")

    assert done.wait(TIMEOUT_S)
    (error,) = caught
    assert (error.code, error.message, error.hint) == ("E_WRONG", "wrong artifact", "build it")
    assert error.faults == (fault,)


def test_an_operation_that_raised_can_be_started_again_after_the_next_launch(
    launcher: Launcher,
) -> None:
    runs: list[str] = []
    begun = threading.Event()

    def broken(operation: str, steps: Steps) -> None:
        runs.append("broken")
        begun.set()
        raise OperationError("E_LEDGER", "the disk is full")

    launcher.launch(create=broken).start("create", "op-1")
    # A close before it has begun would leave it to the next launch, which is another law.
    assert begun.wait(TIMEOUT_S)
    launcher.close()
    mended = Recorder()
    launcher.launch(create=mended).start("create", "op-1")

    assert mended.returned.wait(TIMEOUT_S)
    assert runs == ["broken"]
