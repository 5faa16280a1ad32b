"""Requests that do not fit the blueprint, each with the exact message that it gets."""
# ruff: noqa: E501 - a case is one line, so that the tables can be read as such.

from __future__ import annotations

import pytest
from tests.unit.blueprint_values import PHOTOS, allocation, blueprint_of, edited, request, stack_of

from greenroom.errors import InputError
from greenroom.plan.plan import plan


def refusal(*machines: str, **options: object) -> InputError:
    with pytest.raises(InputError) as raised:
        stack_of(*machines, **options)
    assert raised.value.hint
    return raised.value


@pytest.mark.parametrize(
    ("machines", "code", "message"),
    [
        (["backnd"], "E_MACHINE_TYPE", "unknown machine type 'backnd'; did you mean 'backend'?"),
        (
            ["metrix"],
            "E_MACHINE_TYPE",
            "unknown machine type 'metrix'; did you mean 'metrics', which is shared?",
        ),
        (["zzzz=2"], "E_MACHINE_TYPE", "unknown machine type 'zzzz'; known: backend, db, feed"),
        ([""], "E_MACHINE_TYPE", "unknown machine type ''; known: backend, db, feed"),
        (
            ["metrics"],
            "E_MACHINE_TYPE",
            "the machine type 'metrics' is shared: it serves all environments and is in none",
        ),
        (
            ["db", "db=2"],
            "E_MACHINE_TWICE",
            "the machine type 'db' is named twice in --machines",
        ),
        (
            ["db=0"],
            "E_MACHINE_COUNT",
            "'db=0' asks for '0' machines; expected a number from 1 to 50",
        ),
        (
            ["db=x"],
            "E_MACHINE_COUNT",
            "'db=x' asks for 'x' machines; expected a number from 1 to 50",
        ),
        (["db="], "E_MACHINE_COUNT", "'db=' asks for '' machines; expected a number from 1 to 50"),
        (
            ["db=²"],
            "E_MACHINE_COUNT",
            "'db=²' asks for '²' machines; expected a number from 1 to 50",
        ),
        (
            ["db=30", "feed=21"],
            "E_MACHINE_COUNT",
            "51 machines are asked for; an environment has at most 50",
        ),
        (["backend", "feed"], "E_NEEDS", "backend needs db: add db to --machines"),
        (["backend"], "E_NEEDS", "backend needs db and feed: add db feed to --machines"),
    ],
)
def test_machines_that_do_not_fit_are_refused(machines: list[str], code: str, message: str) -> None:
    error = refusal(*machines)
    assert (error.code, error.message) == (code, message)


def test_missing_needs_are_answered_with_the_whole_list_of_machines() -> None:
    assert refusal("backend").hint == "--machines backend db feed"


@pytest.mark.parametrize(
    ("restore", "code", "message"),
    [
        ({"bd": "extract"}, "E_RESTORE_DATA", "--restore bd=extract: unknown data 'bd'; did you mean 'db'?"),
        ({"feed": "extract"}, "E_RESTORE_DATA", "--restore feed=extract: machine type feed has no 'data' to restore"),
        ({"db": "extrct"}, "E_RESTORE_SOURCE", "--restore db=extrct: unknown restore source 'extrct'; did you mean 'extract'?"),
        ({"db": "zzz"}, "E_RESTORE_SOURCE", "--restore db=zzz: unknown restore source 'zzz'; known: backup, extract, none"),
        ({"db": ""}, "E_RESTORE_SOURCE", "--restore db=: unknown restore source ''; known: backup, extract, none"),
        ({"db": "none:cold"}, "E_RESTORE_SOURCE", "--restore db=none:cold: 'none' is an empty database, which nothing restores"),
        ({"db": "extract:warm"}, "E_RESTORE_SOURCE", "--restore db=extract:warm: 'warm' is no way to restore; expected 'cold'"),
        ({"db": "extract:"}, "E_RESTORE_SOURCE", "--restore db=extract:: '' is no way to restore; expected 'cold'"),
    ],
)  # fmt: skip
def test_a_restore_that_does_not_fit_is_refused(
    restore: dict[str, str], code: str, message: str
) -> None:
    error = refusal("db", restore=restore)
    assert (error.code, error.message) == (code, message)


def test_the_restore_sources_there_are_stand_in_the_hint() -> None:
    assert refusal("db", restore={"db": "x"}).hint == "restore sources of db: extract, backup, none"


def test_a_restore_of_a_machine_that_is_not_asked_for_is_refused() -> None:
    error = refusal("feed", restore={"db": "extract"})
    assert error.code == "E_RESTORE_DATA"
    assert error.message == (
        "--restore db=extract: db is not among the machines of this environment"
    )


def test_a_source_that_the_instance_profile_cannot_read_is_refused() -> None:
    text = PHOTOS.replace("    image: mariadb\n", "    image: mariadb\n    instance_profile: p\n")
    blueprint = blueprint_of(f"{text}instance_profiles: {{p: {{read: [code]}}}}\n")
    with pytest.raises(InputError) as raised:
        plan(blueprint, request("db"), allocation())
    assert raised.value.code == "E_RESTORE_SOURCE"
    assert raised.value.message == (
        "db may not read the bucket 'extracts' of its restore source 'extract': "
        "the instance profile 'p' does not list it"
    )
    assert plan(blueprint, request("db", restore={"db": "none"}), allocation()).machines


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        (("backnd", "/s"), "--mount backnd=/s: unknown machine type 'backnd'; did you mean 'backend'?"),
        (("db", "/s"), "--mount db=/s: db deploys nothing, so there is nothing to mount over"),
        (("backend", "src"), "--mount backend=src: the folder's path is not absolute"),
    ],
)  # fmt: skip
def test_a_mount_that_does_not_fit_is_refused(mount: tuple[str, str], message: str) -> None:
    error = refusal(mounts=(mount,))
    assert (error.code, error.message) == ("E_MOUNT", message)


def test_a_mount_on_a_machine_that_is_not_asked_for_is_refused() -> None:
    error = refusal("feed", mounts=(("backend", "/s"),))
    assert error.message == (
        "--mount backend=/s: backend is not among the machines of this environment"
    )


def test_a_mount_is_named_once() -> None:
    error = refusal(mounts=(("backend", "/a"), ("backend", "/b")))
    assert (error.code, error.message) == ("E_MOUNT", "--mount names backend twice: /a and /b")


@pytest.mark.parametrize("branch", ["a/../../b", "..", "x/./y", "a//b"])
def test_a_branch_cannot_name_an_artifact_outside_its_bucket(branch: str) -> None:
    blueprint = edited(("backend-{branch}.tar.gz", "code/{branch}/backend.tar.gz"))
    with pytest.raises(InputError) as raised:
        plan(blueprint, request(branch=branch), allocation())
    assert raised.value.code == "E_BRANCH"
    assert raised.value.message == (
        f"the artifact's key 'code/{branch}/backend.tar.gz' would leave its place in the bucket"
    )


@pytest.mark.parametrize("branch", ["Feature/X", "--help", "🚀", "x" * 200, "it's; $(x) `y`"])
def test_any_branch_that_git_knows_can_be_planned(branch: str) -> None:
    stack = stack_of(branch=branch)
    assert dict(stack.machine("backend1").tags)["branch"] == branch
    assert stack.machine("backend1").deploy is not None
    assert stack.machine("backend1").deploy.keys[0] == f"backend-{branch}.tar.gz"


def test_a_control_character_in_the_branch_is_refused() -> None:
    assert refusal(branch="a\nb").code == "E_BRANCH"


def test_more_data_than_there_are_places_for_drills_is_refused() -> None:
    start = PHOTOS.index("  db:\n")
    end = PHOTOS.index("  feed:\n")
    one = PHOTOS[start:end]
    more = "".join(one.replace("  db:", f"  db{c}:") for c in "abcdefghij")
    blueprint = blueprint_of(PHOTOS[:end] + more + PHOTOS[end:])
    with pytest.raises(InputError) as raised:
        plan(blueprint, request(), allocation())
    assert (raised.value.code, raised.value.message) == (
        "E_MACHINE_COUNT",
        "11 machine types with data are asked for; at most 10 fit",
    )


def test_user_data_that_ec2_would_refuse_is_refused() -> None:
    long = "x" * 3900
    blueprint = edited(("check: [{http: /health}]", f"check: [{{command: {[long] * 4}}}]"))
    with pytest.raises(InputError) as raised:
        plan(blueprint, request(), allocation())
    assert raised.value.code == "E_USER_DATA"
    assert "EC2 allows 16384" in raised.value.message
