"""``greenroom schema``."""

from __future__ import annotations

import json

import click

from greenroom.cli.options import json_option
from greenroom.cli.terminal import say, say_json


@click.command("schema")
@json_option
def schema(as_json: bool) -> None:
    """Print the blueprint's JSON Schema.

    An editor completes a greenroom.yaml that begins with
    '# yaml-language-server: $schema=greenroom.schema.json'.
    """
    from greenroom.blueprint.json_schema import blueprint_json_schema

    document = blueprint_json_schema()
    if as_json:
        say_json(document)
    else:
        say(json.dumps(document, indent=2, ensure_ascii=False))
