"""Definitions of jobs: what they become, and every fault with its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.component.app_stage import request
from tests.component.jobs_stage import ANNA, OLGA, ROOT, JobStage, job
from tests.unit.blueprint_values import PHOTOS, blueprint_of, faults_of

from greenroom.app.jobs.definitions import read_jobs
from greenroom.errors import InputError, RefusedError
from greenroom.model.access import Role
from greenroom.model.job_words import Missed, OptionKind, Outcome
from greenroom.model.jobs import (
    Approval,
    Concurrency,
    Dependence,
    Job,
    MachineTarget,
    Retries,
    Schedule,
    Webhook,
    Who,
)
from greenroom.plan.jobs import plan_jobs

FULL = """\
description: Counts rows
options:
  environment: {type: environment, required: true}
  mode: {type: choice, choices: [all, some], default: all}
  rows: {type: integer, minimum: 1, maximum: 9, depends_on: {option: mode, value: some}}
machines: {role: backend}
script: echo "$OPTION_MODE"
timeout_s: 60
retry: {times: 2, delay_s: 5, interrupted: true}
concurrency: {limit: 2, per: environment}
schedule:
  - cron: "0 3 * * 1-5"
    zone: Europe/Berlin
    options: {environment: master, rows: 7, mode: some}
    missed: run
run: {role: operator, callers: [anna]}
approval: {callers: [olga]}
notify:
  - {url: "https://chat.example/hook", on: [failure]}
"""


def within(text: str, name: str = "count") -> str:
    """The photo feed with this job among the ``jobs`` of its blueprint."""
    indented = "".join(f"    {line}\n" for line in text.splitlines())
    return f"{PHOTOS}jobs:\n  {name}:\n{indented}"


def test_a_definition_becomes_a_job_with_all_it_says() -> None:
    (job,) = plan_jobs(blueprint_of(within(FULL)))
    environment, mode, rows = job.options

    assert (job.full_name, job.description, job.timeout_s) == ("photos/count", "Counts rows", 60)
    assert job.argv == ("/bin/sh", "-eu", "-c", 'echo "$OPTION_MODE"', "count")
    assert (environment.kind, environment.required) == (OptionKind.ENVIRONMENT, True)
    assert (mode.choices, mode.default) == (("all", "some"), "all")
    assert rows.depends_on == Dependence(option="mode", value="some")
    assert job.target == MachineTarget(role="backend", environment="environment")
    assert job.retries == Retries(times=2, delay_s=5, interrupted=True)
    assert job.concurrency == Concurrency(key="count", limit=2, per="environment")
    assert job.schedules == (
        Schedule(
            cron="0 3 * * 1-5",
            zone="Europe/Berlin",
            options=(("environment", "master"), ("rows", "7"), ("mode", "some")),
            missed=Missed.RUN,
        ),
    )
    assert job.run == Who(role=Role.OPERATOR, callers=("anna",))
    operator = Who(role=Role.OPERATOR, callers=("olga",))
    assert job.approval == Approval(who=operator, expires_s=86400)
    assert job.notify == (Webhook(url="https://chat.example/hook", on=(Outcome.FAILURE,)),)


def test_a_command_is_taken_as_it_is() -> None:
    (job,) = plan_jobs(blueprint_of(within("command: [make, 'a b', $HOME]")))
    assert job.argv == ("make", "a b", "$HOME")


NO_CRON = "expected minute, hour, day, month and weekday such as '0 3 * * *'"

# What is replaced in FULL, by what, and the one fault: path and message.
CASES = [
    ("script: echo", "scrpt: echo", "scrpt", "unknown key 'scrpt'; did you mean 'script'?"),
    ("timeout_s: 60", "command: [x]", "script", "the job has a command too; leave one out"),
    ("timeout_s: 60", "user: www", "user", "in machines a job runs as their root"),
    ("timeout_s: 60", "timeout_s: soon", "timeout_s", "'soon' is not a number"),
    ("type: choice,", "type: chioce,", "options.mode.type", None),
    (
        "default: all}",
        "default: al}",
        "options.mode.default",
        "unknown choice 'al'; did you mean 'all'?",
    ),
    ("choices: [all, some], ", "", "options.mode", "a choice needs the key 'choices'"),
    ("type: integer,", "type: string,", "options.rows.minimum", "only an integer has a minimum"),
    (
        "option: mode,",
        "option: mod,",
        "options.rows.depends_on.option",
        "unknown option 'mod'; did you mean 'mode'?",
    ),
    (
        "value: some}",
        "value: sum}",
        "options.rows.depends_on.value",
        "unknown choice 'sum'; did you mean 'some'?",
    ),
    (
        "default: all}",
        "depends_on: {option: rows}}",
        "options.rows.depends_on.option",
        "the options depend on each other in a circle",
    ),
    (
        "role: backend",
        "role: bakend",
        "machines.role",
        "unknown role 'bakend'; did you mean 'backend'?",
    ),
    (
        "per: environment",
        "per: env",
        "concurrency.per",
        "unknown option 'env'; known: environment, mode, rows",
    ),
    (
        "0 3 * * 1-5",
        "0 3 * *",
        "schedule[0].cron",
        f"'0 3 * *' is not a cron line (Wrong number of fields); {NO_CRON}",
    ),
    (
        "0 3 * * 1-5",
        "0 3 30 2 *",
        "schedule[0].cron",
        f"'0 3 30 2 *' is not a cron line (Bad day-of-month); {NO_CRON}",
    ),
    (
        "Europe/Berlin",
        "Europe/Berlln",
        "schedule[0].zone",
        "'Europe/Berlln' is not a time zone such as 'Europe/Berlin' or 'UTC'",
    ),
    ("rows: 7,", "rows: 77,", "schedule[0].options.rows", "77 is out of range; expected at most 9"),
    (
        "rows: 7,",
        "row: 7,",
        "schedule[0].options.row",
        "unknown option 'row'; did you mean 'rows'?",
    ),
    (
        "environment: master, ",
        "",
        "schedule[0].options",
        "the required option 'environment' has no value here",
    ),
    (
        "type: environment, required",
        "type: string, required",
        "machines",
        "machines need an option of type environment",
    ),
    ("https://chat", "ftp://chat", "notify[0].url", "the url is not an http or https address"),
    (
        "script: echo",
        "options2: {}\nscript: echo",
        "options2",
        "unknown key 'options2'; did you mean 'options'?",
    ),
]


@pytest.mark.parametrize(("old", "new", "path", "message"), CASES)
def test_each_fault_has_its_place_and_words(
    old: str, new: str, path: str, message: str | None
) -> None:
    assert FULL.count(old) == 1
    found = [(f.path, f.message) for f in faults_of(within(FULL.replace(old, new)))]

    # A misspelt key lacks as well; what follows from the fault may be told too.
    said = [text for where, text in found if where == f"jobs.count.{path}"]
    assert said
    assert message is None or message in said


def test_a_secret_has_no_default_and_no_place_in_a_schedule() -> None:
    text = FULL.replace("  mode:", "  key: {type: secret, default: hunter2}\n  mode:")
    text = text.replace("rows: 7,", "rows: 7, key: hunter2,")
    found = {f.path: f.message for f in faults_of(within(text))}

    assert found == {
        "jobs.count.options.key.default": "a secret has no default",
        "jobs.count.schedule[0].options.key": "a secret's value cannot stand in a definition",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    return tmp_path


SMALL = """\
stack: photos
zone: photos.internal
images: {web: {packages: [nginx-light]}}
machines: {backend: {image: web}}
"""


def jobs_beside(folder: Path, text: str = SMALL, **files: str) -> tuple[Job, ...]:
    for name, content in files.items():
        (folder / "jobs" / f"{name}.yaml").write_text(content)
    (folder / "greenroom.yaml").write_text(text)
    stack, jobs = read_jobs(folder / "greenroom.yaml")
    assert stack == "photos"
    return jobs


def test_a_file_beside_the_blueprint_is_a_job_of_its_name(folder: Path) -> None:
    found = jobs_beside(folder, SMALL + "jobs: {b: {script: b}}\n", a="script: a", c="script: c")

    assert [job.name for job in found] == ["a", "b", "c"]
    assert {job.folder for job in found} == {str(folder)}


def test_the_faults_of_all_files_are_told_at_once(folder: Path) -> None:
    with pytest.raises(InputError) as told:
        jobs_beside(
            folder,
            SMALL + "jobs: {a: {script: a, timeout_s: -1}}\n",
            a="script: a",
            Count="script: a",
            empty="",
            open="script: [",
            wrong="description: x\nmachines: {role: feed}\n",
        )

    found = {(Path(f.file).name, f.line, f.column, f.path, f.message) for f in told.value.faults}
    lacks = "the job has neither a command nor a script"
    known = "unknown role 'feed'; known: backend"
    empty = "expected a mapping with the keys description and script"
    name = (
        "the file's name 'Count' is not a DNS label of at most 32 characters; the job is called so"
    )
    assert found - {each for each in found if each[0] == "open.yaml"} == {
        ("greenroom.yaml", 5, 34, "jobs.a.timeout_s", "-1 is out of range; expected more than 0"),
        ("a.yaml", 1, 1, "(file)", "the blueprint has a job 'a' already; rename one"),
        ("Count.yaml", 1, 1, "(file)", name),
        ("empty.yaml", 1, 1, "(file)", empty),
        ("wrong.yaml", 1, 1, "(file)", lacks),
        ("wrong.yaml", 2, 18, "machines.role", known),
        ("wrong.yaml", 2, 1, "machines", "machines need an option of type environment"),
    }
    assert any(each[0] == "open.yaml" and each[4].startswith("not valid YAML") for each in found)


def test_a_job_file_that_leads_out_of_the_folder_is_a_fault(folder: Path) -> None:
    (folder / "jobs" / "shadow.yaml").symlink_to("/etc/hostname")
    with pytest.raises(InputError) as told:
        jobs_beside(folder)

    (fault,) = told.value.faults
    assert "is a symbolic link that leaves the blueprint's folder" in fault.message


def test_a_job_stays_where_its_blueprint_was_when_it_was_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(folder)
    jobs_beside(folder, SMALL + "jobs: {a: {script: a}}\n")
    _, (job,) = read_jobs(tmp_path / "current" / "greenroom.yaml")
    assert job.folder == str(folder)


def test_a_create_registers_the_jobs_of_its_blueprint(tmp_path: Path) -> None:
    stage = JobStage(tmp_path)
    names = "photos/new", "photos/newer"

    def registered() -> tuple[str, ...]:
        return tuple(view.name for view in stage.jobs.definitions.all(ROOT) if not view.built_in)

    # From a blueprint that is known already, and has a job since.
    stage.stage.control.submit(request("known"), ROOT)
    stage.definitions = (job("new"),)
    # A developer's create boots a branch; the jobs of all branches are an operator's.
    stage.stage.control.submit(request("a"), ANNA)
    assert registered() == ()
    stage.stage.control.submit(request("b"), ROOT)
    assert registered() == names[:1]
    stage.definitions = (job("new"), job("newer"))
    stage.stage.control.submit(request("c"), ROOT)
    assert registered() == names
    stage.definitions = ()
    elsewhere = replace(request("d"), blueprint=Path("/srv/elsewhere/greenroom.yaml"))
    stage.stage.control.submit(elsewhere, ROOT)
    assert registered() == names
    stage.close()


@pytest.mark.parametrize("user", ["root", "www-data"])
def test_only_an_operator_of_every_stack_says_who_a_job_runs_as(tmp_path: Path, user: str) -> None:
    stage = JobStage(tmp_path, (job("old"),))
    stage.create("known")
    stage.definitions = (job("new", user=user),)
    blueprint = Path("/srv/photos/greenroom.yaml")

    with pytest.raises(RefusedError) as told:
        stage.jobs.definitions.register(blueprint, OLGA)
    stage.stage.control.submit(request("a"), OLGA)
    mine = [view.name for view in stage.jobs.definitions.all(ROOT) if not view.built_in]
    registered = stage.jobs.definitions.register(blueprint, ROOT)
    stage.close()

    assert told.value.code == "E_FORBIDDEN"
    assert told.value.message == (
        f"registering photos/new with user: {user} takes the role operator on every stack, which "
        "olga has not"
    )
    assert mine == ["photos/old"]
    assert [view.name for view in registered] == ["photos/new"]
