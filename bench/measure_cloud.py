"""An environment on AWS: its template, by the command line and by the compiler alone; and what
greenroom adds to the time of the stack itself."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import measure_cloud_overhead
import site_of_bench as site
from table import Row, milliseconds

from greenroom.blueprint.parse import parse_blueprint
from greenroom.model.cloud import CloudStack
from greenroom.model.requests import CreateRequest
from greenroom.plan.cloud import CloudAsk, plan_cloud
from greenroom.providers.aws.template import compile_template

_WORDS = "template --machines backend db feed --restore_db extract --branch feature_x"
_TROPOSPHERE = (sys.executable, "-c", "import troposphere.ec2")
_RESOURCES = 500
_PATH = Path("/srv/large/greenroom.yaml")


def measure(folder: Path, rounds: int) -> list[Row]:
    """One row per bar; troposphere's own import stands beside them, since nothing is quicker."""
    command: list[float] = []
    bare: list[float] = []
    compiler: list[float] = []
    cloud = _large()
    for number in range(rounds + 1):
        command.append(site.timed(lambda: site.greenroom(folder, *_WORDS.split())))
        bare.append(site.timed(_import_troposphere))
        compiler.append(site.timed(lambda: compile_template(cloud)))
        if number == 0:
            # The first round warms everybody up.
            for kept in (command, bare, compiler):
                kept.clear()
    return [
        Row(
            what="greenroom template of the seed's stack",
            ours=milliseconds(command),
            at_most=300,
        ),
        Row(what="python -c 'import troposphere.ec2'", ours=milliseconds(bare)),
        Row(
            what=f"compile {_RESOURCES} resources",
            ours=milliseconds(compiler),
            at_most=100,
        ),
        *measure_cloud_overhead.measure(folder, rounds),
    ]


def _import_troposphere() -> None:
    subprocess.run(_TROPOSPHERE, env=site.ENVIRONMENT, check=True)


def _large() -> CloudStack:
    """The largest stack that needs no nested ones: filled up with rules."""
    fixed = compile_template(_stack(0)).resources
    cloud = _stack(_RESOURCES - fixed)
    found = compile_template(cloud)
    assert (found.resources, found.nested) == (_RESOURCES, ()), found.resources
    return cloud


def _stack(rules: int) -> CloudStack:
    types = {
        name: {"image": "web", "count": 10, "ingress": [{"port": 80, "from": "anywhere"}]}
        for name in ("web", "api", "search", "queue")
    }
    types["web"]["ingress"] = [{"port": 1000 + n, "from": "anywhere"} for n in range(rules)]
    document = {
        "stack": "large",
        "zone": "large.internal",
        "images": {"web": {"packages": ["nginx"]}},
        "machines": types,
        "aws": {"region": "eu-west-1", "bucket": "large-greenroom"},
    }
    return plan_cloud(
        # JSON is YAML.
        parse_blueprint(json.dumps(document), _PATH),
        CreateRequest(blueprint=_PATH, branch="feature_x"),
        CloudAsk(agent_sha256="ab" * 32, owner="bench", now=datetime.now(UTC), taken={}),
    )
