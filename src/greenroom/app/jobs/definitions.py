"""Where the definitions of jobs come from: a blueprint's file and the folder beside it."""

from __future__ import annotations

from pathlib import Path

from greenroom.blueprint.parse import load_blueprint
from greenroom.model.jobs import Job
from greenroom.plan.jobs import plan_jobs


def read_jobs(path: Path) -> tuple[str, tuple[Job, ...]]:
    """The stack of the blueprint at ``path``, and its jobs; raises InputError with all faults."""
    blueprint = load_blueprint(path)
    return blueprint.stack, plan_jobs(blueprint)
