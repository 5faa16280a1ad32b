"""``greenroom template``: the words of create to a template, without account or credentials."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from cfn_flip import to_json
from tests.cloud_stacks import EXAMPLES, blueprint, example, machine, stack_of

from greenroom.blueprint.yaml_tree import read_tree
from greenroom.cli.beside import Compiler
from greenroom.errors import InputError
from greenroom.model.cloud import Target
from greenroom.providers.aws.template import compile_template

GREENROOM = (sys.executable, "-m", "greenroom.cli")
PHOTOS = EXAMPLES / "photos" / "greenroom.yaml"
TIMEOUT_S = 60.0
SEED = ("--machines", "backend", "db", "feed", "--restore_db", "extract", "--branch", "feature_x")


def template(
    *words: str, folder: str = "photos", **environment: str
) -> subprocess.CompletedProcess[str]:
    without = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [*GREENROOM, "template", *words],
        cwd=EXAMPLES / folder,
        env={**without, **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def printed(*words: str, **options: str) -> Any:
    done = template(*words, **options)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_it_prints_the_same_template_as_json_as_yaml_and_for_programs() -> None:
    document = printed(*SEED)
    assert set(document["Resources"]) >= {"backend1", "db1", "feed1", "backendTodbtcp3306"}
    short_form = template(*SEED, "--format", "yaml").stdout
    assert "!GetAtt" in short_form
    assert json.loads(to_json(short_form)) == document
    whole = printed(*SEED, "--json")
    assert whole == {
        "template": document,
        "nested": {},
        "resources": len(document["Resources"]),
    }


def test_target_classic_is_the_seeds_shape() -> None:
    document = printed(*SEED, "--target", "classic", folder="eyeem")
    assert "backend1puppetwaithandle" in document["Resources"]


def test_the_region_is_the_options_then_the_environments_then_the_blueprints() -> None:
    def region(*words: str, **environment: str) -> str:
        zone = printed(*words, **environment)["Resources"]["PrivateZone"]
        found: str = zone["Properties"]["VPCs"][0]["VPCRegion"]
        return found

    assert region() == "eu-west-1"
    assert region(AWS_REGION="eu-central-1") == "eu-central-1"
    assert region("--region", "us-east-1", AWS_REGION="eu-central-1") == "us-east-1"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--target", "ec2"], 2, "error E_USAGE: --target 'ec2': expected vpc or classic"),
        (["--format", "xml"], 2, "error E_USAGE: --format 'xml': expected json or yaml"),
        (["--mount", "backend=/srv"], 1, "error E_MOUNT: --mount backend=/srv: a folder of this"),
        (["--machines", "backed"], 1, "error E_MACHINE_TYPE: unknown machine type 'backed'"),
        (["--shared", "metrics"], 1, "error E_AWS_SHARED: --shared metrics: shared environments"),
    ],
)
def test_what_cannot_be_is_said_once(words: list[str], code: int, message: str) -> None:
    done = template(*words)
    assert (done.returncode, done.stdout) == (code, "")
    first, hint = done.stderr.splitlines()
    assert first.startswith(message)
    assert hint.startswith("→ ")


def test_what_cannot_be_mounted_is_pushed_to_where_the_branch_finds_it() -> None:
    done = template("--mount", "backend=/srv", "--branch", "feature x")
    assert done.stderr.splitlines()[1] == (
        "→ push it instead: greenroom artifact push backend /srv --provider aws "
        "--branch 'feature x'"
    )


def test_what_the_compiler_refuses_is_refused_although_a_child_compiles() -> None:
    done = template(folder="eyeem")
    assert done.returncode == 1
    assert done.stderr.startswith("error E_AWS_GROUP: groups.puppeteers.existing: 'puppeteers'")


def test_the_child_compiles_what_the_parent_would() -> None:
    cloud = example("photos")
    compiler = Compiler(PHOTOS)
    text, file = PHOTOS.read_text(), str(PHOTOS)
    assert compiler.tree(text, file) == read_tree(text, file)
    assert len(compiler.agent_sha256()) == 64
    assert compiler.compiled(cloud, Target.VPC) == compile_template(cloud)


def test_a_file_that_changed_meanwhile_is_read_anew() -> None:
    compiler = Compiler(PHOTOS)
    assert compiler.tree("stack: other", str(PHOTOS)).value == {"stack": "other"}
    assert len(compiler.agent_sha256()) == 64


def test_without_its_child_the_parent_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr("greenroom.cli.beside._serve", dies)
    compiler = Compiler(PHOTOS)
    cloud = example("photos")
    assert compiler.tree("stack: other", "x").value == {"stack": "other"}
    assert len(compiler.agent_sha256()) == 64
    assert compiler.compiled(cloud, Target.VPC) == compile_template(cloud)
    with pytest.raises(InputError):
        Compiler(PHOTOS).compiled(
            stack_of(blueprint({"web": machine(machine_tags={"greenroom:a": "b"})})), Target.VPC
        )


def test_it_needs_neither_boto3_nor_the_daemon() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "greenroom.cli", "template"],
        cwd=EXAMPLES / "photos",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"pydantic", "troposphere.ec2"} <= loaded
    assert not {"boto3", "botocore", "cfnlint", "fastapi", "sqlalchemy", "dbos"} & loaded
