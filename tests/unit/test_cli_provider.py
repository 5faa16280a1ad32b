"""--provider on the command line: what it refuses, and what local work must not import for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from greenroom.cli.main import main
from greenroom.cli.provider import on_aws
from greenroom.errors import UsageError

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos" / "greenroom.yaml"
FOREIGN = (
    "boto3",
    "botocore",
    "troposphere",
    "cfnlint",
    "greenroom.cloud",
    "greenroom.providers.aws",
)


def test_the_provider_comes_from_the_flag_then_the_environment(monkeypatch):
    monkeypatch.delenv("GREENROOM_PROVIDER", raising=False)
    assert not on_aws(None)
    assert on_aws("aws")
    monkeypatch.setenv("GREENROOM_PROVIDER", "aws")
    assert on_aws(None)
    assert not on_aws("local")


def test_an_unknown_provider_is_refused():
    with pytest.raises(UsageError) as caught:
        on_aws("azure")
    assert caught.value.message == "there is no provider 'azure'"
    assert caught.value.hint == "providers: local, aws"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create", "--keep-failed"], "--keep-failed is for AWS"),
        (["create", "--region", "eu-west-1"], "--region is for AWS"),
        (["create", "--max-cost-usd-per-day", "3"], "--max-cost-usd-per-day is for AWS"),
        (["plan", "--profile", "dev"], "--profile is for AWS"),
        (["create", "--provider", "aws", "--detach"], "--detach is for this host"),
        (["update", "feature_x"], "update is for AWS: a local environment is created in seconds"),
    ],
)
def test_options_of_the_other_provider_are_refused(words, message, capsys, monkeypatch):
    monkeypatch.delenv("GREENROOM_PROVIDER", raising=False)
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["cancel", "flows", "recover", "extend", "stop", "start"])
def test_what_aws_has_no_side_of_is_refused_and_looks_for_nothing_here(
    command, capsys, monkeypatch
):
    monkeypatch.setenv("GREENROOM_PROVIDER", "aws")
    with pytest.raises(SystemExit) as caught:
        main([command, "feature_x"])
    first, *hints = capsys.readouterr().err.splitlines()
    assert caught.value.code == 4
    assert (
        first == f"error E_LOCAL_ONLY: {command} is for this host, and GREENROOM_PROVIDER says aws"
    )
    assert hints[0].strip("→ ").startswith("on AWS ")
    assert hints[1].endswith(
        f"for a local environment: GREENROOM_PROVIDER=local greenroom {command}"
    )


@pytest.mark.parametrize("words", [["image", "list"], ["flows", "x"], ["recover", "x"]])
def test_an_aws_that_is_said_is_never_asked_of_the_local_daemon(words, capsys, monkeypatch):
    if words[0] == "image":
        monkeypatch.setenv("GREENROOM_PROVIDER", "aws")
    else:
        monkeypatch.delenv("GREENROOM_PROVIDER", raising=False)
        words = [*words, "--provider", "aws"]
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 4
    assert f"error E_LOCAL_ONLY: {words[0]} is for this host" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["create", "--help"],
        ["plan", "-f", str(EXAMPLE)],
        ["list"],
        ["create", "-f", str(EXAMPLE), "--branch", "feature_x"],
        ["update", "feature_x"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_local_work_imports_nothing_for_aws(words, tmp_path):
    """``create`` and ``list`` meet no daemon here, and end when they look for one."""
    environment = {**os.environ, "GREENROOM_REGION": "nobody", "PATH": str(tmp_path)}
    environment.pop("GREENROOM_PROVIDER", None)
    code = (
        "import os, sys; from greenroom.cli import connect, start, entry; "
        "start.start_daemon = start.needs_root = lambda *_: sys.exit(9); "
        f"sys.argv[1:] = {words!r}; entry.entry()"
    )
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    imported = {
        line.rpartition("|")[2].strip()
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert "greenroom.cli.entry" in imported, done.stderr[-2000:]
    assert done.returncode in (0, 2, 9), done.stderr[-2000:]
    foreign = [name for name in imported if name.startswith(FOREIGN)]
    assert foreign == []


def test_the_help_of_update_lists_what_it_takes(capsys):
    with pytest.raises(SystemExit):
        main(["update", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "--shared" not in text
    assert "--mount" not in text
    assert "[default: those that it was last asked for]" in text
    assert "[default: all]" not in text


def test_plan_takes_the_limit_on_aws_alone(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["plan", "--max-cost-usd-per-day", "3"])
    assert ended.value.code == 2
    assert "--max-cost-usd-per-day is for AWS" in capsys.readouterr().err
