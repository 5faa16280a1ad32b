"""Where the definitions of jobs come from: a blueprint's file and the folder beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from greenroom.blueprint.parse import load_blueprint
from greenroom.model.jobs import Job
from greenroom.plan.jobs import plan_jobs


def read_jobs(path: Path) -> tuple[str, tuple[Job, ...]]:
    """The stack of the blueprint at ``path``, and its jobs; raises InputError with all faults.

    Their folder is what ``path`` leads to now: a link that is changed later moves no job.
    """
    blueprint = load_blueprint(path)
    jobs = plan_jobs(blueprint)
    return blueprint.stack, tuple(
        replace(job, folder=str(Path(job.folder).resolve())) for job in jobs
    )
