"""The bench's arithmetic and its table."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

_PATH = Path(__file__).resolve().parents[2] / "bench" / "table.py"


@pytest.fixture(scope="module")
def table() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_table", _PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_table"] = module
    spec.loader.exec_module(module)
    return module


def test_a_ratio_is_that_of_the_medians(table):
    ours = table.milliseconds([0.1, 0.2, 9.0])
    peer = table.milliseconds([0.4, 0.3, 0.5])
    row = table.Row(what="create", ours=ours, peer=peer, at_most=0.5)
    assert row.ratio == pytest.approx(0.5)
    assert row.holds is True


@pytest.mark.parametrize(
    ("bar", "holds"),
    [
        ({"at_most": 200}, True),
        ({"at_most": 199}, False),
        ({"at_least": 200}, True),
        ({"at_least": 201}, False),
        ({}, None),
    ],
)
def test_without_a_peer_the_bar_is_on_the_figure_itself(table, bar, holds):
    row = table.Row(what="destroy", ours=table.milliseconds([0.2]), **bar)
    assert row.ratio is None
    assert row.holds is holds


def test_a_bar_that_does_not_hold_is_said_in_capitals(table):
    ours, peer = table.milliseconds([1.0, 1.1, 1.2]), table.milliseconds([1.0])
    text = table.render([table.Row(what="create", ours=ours, peer=peer, at_most=0.5)])
    assert "| create | 1100 ms (1000–1200) | 1000 ms | 1.10  | ≤ 0.50 × | NO     |" in text


def test_a_note_stands_below_the_table(table):
    memory = table.Sample(values=(7.25,), unit="MiB")
    text = table.render([table.Row(what="memory", ours=memory, at_most=10, note="PSS")])
    assert "| memory | 7.25 MiB |      |       | ≤ 10 MiB | yes    |" in text
    assert text.endswith("\n- memory: PSS\n")


def test_the_document_holds_every_value(table):
    row = table.Row(what="list", ours=table.milliseconds([0.002, 0.004]))
    assert row.document()["ours"] == [2.0, 4.0]
    assert row.document()["holds"] is None


@pytest.mark.parametrize("entry", ["bench", "bench/critical_path.py"])
def test_what_the_bench_uses_of_the_product_is_there(entry):
    root = _PATH.parents[1]
    argv = [sys.executable, str(root / entry), "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
