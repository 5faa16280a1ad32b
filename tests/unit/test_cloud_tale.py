"""CloudFormation's events, retold: parts, their times, and the first thing that went wrong."""

from datetime import UTC, datetime, timedelta

import pytest

from greenroom.app.clock import SystemClock
from greenroom.app.cloud.failure import error_of
from greenroom.app.cloud.tale import CANCELLED, STOPPED, Tale, is_echo
from greenroom.app.cloud.telling import Telling
from greenroom.app.cloud.words import with_words, words_of
from greenroom.model.cloud_account import Change, ChangeKind, StackEvent
from greenroom.model.requests import CreateRequest

BEGAN = datetime(2026, 11, 23, tzinfo=UTC)
STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/s/1"
INSTANCE, CONDITION = "AWS::EC2::Instance", "AWS::CloudFormation::WaitCondition"
GROUP, RULE = "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress"


def machine_of(logical_id):
    return next((m for m in ("db1", "backend1") if logical_id.startswith(m)), None)


def happened(*rows):
    """Events a second apart: (logical id, type, status, reason)."""
    return [
        StackEvent(
            id=str(number),
            at=BEGAN + timedelta(seconds=number),
            stack_id=STACK,
            logical_id=logical_id,
            physical_id=STACK if type_ == "AWS::CloudFormation::Stack" else f"i-{logical_id}",
            type=type_,
            status=status,
            reason=reason,
        )
        for number, (logical_id, type_, status, reason) in enumerate(rows)
    ]


def tale_of(changes, *rows, why=STOPPED):
    told = []
    tale = Tale(
        Telling(told.append, SystemClock()),
        [Change(kind=ChangeKind.ADD, logical_id=i, type=t, physical_id="") for i, t in changes],
        machine_of,
    )
    for event in happened(*rows):
        tale.take(event)
    tale.close(why)
    return tale, [(e.kind.value, e.machine, e.phase, e.seconds, e.message) for e in told]


def test_a_part_is_done_when_all_of_its_resources_are():
    _, told = tale_of(
        [("g", GROUP), ("r", RULE)],
        ("g", GROUP, "CREATE_IN_PROGRESS", ""),
        ("g", GROUP, "CREATE_COMPLETE", ""),
        ("r", RULE, "CREATE_IN_PROGRESS", ""),
        ("r", RULE, "CREATE_COMPLETE", ""),
    )
    assert told == [
        ("phase-started", None, "network", None, ""),
        ("phase-done", None, "network", 3.0, ""),
    ]


def test_a_machine_has_its_instance_and_its_boot():
    _, told = tale_of(
        [("db1", INSTANCE), ("db1Ready1a", CONDITION)],
        ("db1", INSTANCE, "CREATE_IN_PROGRESS", ""),
        ("db1", INSTANCE, "CREATE_IN_PROGRESS", "Resource creation Initiated"),
        ("db1", INSTANCE, "CREATE_COMPLETE", ""),
        ("db1Ready1a", CONDITION, "CREATE_IN_PROGRESS", ""),
        ("db1Ready1a", CONDITION, "CREATE_COMPLETE", ""),
    )
    assert told == [
        ("phase-started", "db1", "instance", None, ""),
        ("phase-done", "db1", "instance", 2.0, "i-db1"),
        ("phase-started", "db1", "boot", None, ""),
        ("phase-done", "db1", "boot", 1.0, ""),
    ]


SIGNALLED = "WaitCondition received failed message: 'no space left' for uniqueId: db1"


def test_a_machines_word_goes_before_what_failed_earlier():
    tale, told = tale_of(
        [("g", GROUP), ("db1Ready", CONDITION), ("backend1Ready", CONDITION)],
        ("backend1Ready", CONDITION, "CREATE_IN_PROGRESS", ""),
        ("db1Ready", CONDITION, "CREATE_IN_PROGRESS", ""),
        ("g", GROUP, "CREATE_FAILED", "The maximum number of groups has been reached"),
        ("db1Ready", CONDITION, "CREATE_FAILED", SIGNALLED),
        ("backend1Ready", CONDITION, "CREATE_FAILED", "Resource creation cancelled"),
        ("s", "AWS::CloudFormation::Stack", "ROLLBACK_IN_PROGRESS", "The following resource(s)"),
        ("db1Ready", CONDITION, "DELETE_COMPLETE", ""),
        ("s", "AWS::CloudFormation::Stack", "ROLLBACK_COMPLETE", ""),
    )
    assert tale.failure is not None
    assert tale.failure.logical_id == "db1Ready"
    assert ("phase-failed", "backend1", "boot", None, STOPPED) in told
    assert told[-2:] == [
        ("phase-started", None, "rollback", None, ""),
        ("phase-done", None, "rollback", 2.0, ""),
    ]
    assert tale.removed == {"db1Ready": CONDITION}


def test_what_a_removal_leaves_is_kept_with_its_reason():
    tale, _ = tale_of(
        [],
        ("g", GROUP, "DELETE_FAILED", "it has a dependent object"),
        ("v", "AWS::EC2::Volume", "DELETE_SKIPPED", ""),
        ("r", RULE, "DELETE_COMPLETE", ""),
    )
    assert tale.left == {f"{GROUP} g": "it has a dependent object", "AWS::EC2::Volume v": ""}
    assert tale.failure is not None
    assert tale.failure.reason == "it has a dependent object"


@pytest.mark.parametrize(
    "reason",
    [
        "Resource creation cancelled",
        "Resource creation Cancelled",
        "The following resource(s) failed to create: [db1]. Rollback requested by user.",
        "Embedded stack arn:aws:… was not successfully created: …",
    ],
)
def test_echoes_are_known(reason):
    assert is_echo(reason)


class Timeouts:
    """As much of a CloudStack as an error needs."""

    name, region = "greenroom-photos-x", "eu-west-1"

    def machine(self, name):
        class Machine:
            timeout_s = 1800

        return Machine


CASES = [
    (CONDITION, SIGNALLED, "db1", "E_MACHINE_FAILED", "db1: no space left"),
    (
        CONDITION,
        "WaitCondition received failed message: 'it's gone: 'x'' for uniqueId: db1",
        "db1",
        "E_MACHINE_FAILED",
        "db1: it's gone: 'x'",
    ),
    (
        CONDITION,
        "WaitCondition timed out. Received 0 conditions when expecting 1",
        "db1",
        "E_MACHINE_SILENT",
        "db1 did not signal within 1800 s",
    ),
    (
        "AWS::IAM::Role",
        "User: a is not authorized to perform: iam:CreateRole on resource: arn:aws:iam::1:role/r",
        None,
        "E_AWS_DENIED",
        "AWS denies iam:CreateRole on arn:aws:iam::1:role/r, which x (AWS::IAM::Role) needs",
    ),
    (
        INSTANCE,
        "You have requested more vCPU capacity than your current vCPU limit of 16 allows",
        "db1",
        "E_AWS_LIMIT",
        "a limit of the account forbids x (AWS::EC2::Instance): You have requested more vCPU "
        "capacity than your current vCPU limit of 16 allows",
    ),
    (
        INSTANCE,
        "We currently do not have sufficient t3.small capacity in the Availability Zone",
        "db1",
        "E_AWS_CAPACITY",
        "AWS has no room for x (AWS::EC2::Instance): We currently do not have sufficient t3.small "
        "capacity in the Availability Zone",
    ),
    (
        INSTANCE,
        "Invalid value resolve:ssm:/ours/db for the image",
        "db1",
        "E_AWS_AMI_PARAMETER",
        "x (AWS::EC2::Instance): there is no usable SSM parameter /ours/db in eu-west-1",
    ),
    (GROUP, "Something\n  else", None, "E_AWS_RESOURCE", f"x ({GROUP}): Something else"),
    (
        "AWS::EC2::Volume",
        "The snapshot 'snap-0123456789abcdef0' does not exist. (Service: Ec2, Status Code: 400)",
        "db1",
        "E_AWS_SNAPSHOT",
        "x (AWS::EC2::Volume): there is no snapshot snap-0123456789abcdef0 in eu-west-1 that this "
        "account may use",
    ),
]


@pytest.mark.parametrize(("type_", "reason", "machine", "code", "message"), CASES)
def test_each_reason_becomes_an_error_of_ours(type_, reason, machine, code, message):
    [event] = happened(("x", type_, "CREATE_FAILED", reason))
    error = error_of(event, Timeouts(), machine, "ROLLBACK_COMPLETE")
    assert (error.code, error.message) == (code, message)


def test_a_stack_without_a_reason_says_so():
    error = error_of(None, Timeouts(), None, "ROLLBACK_COMPLETE")
    assert error.message == (
        "CloudFormation ended in ROLLBACK_COMPLETE without a reason, "
        "stack greenroom-photos-x in eu-west-1"
    )


def test_an_update_knows_what_its_create_was_asked(tmp_path):
    asked = CreateRequest(
        blueprint=tmp_path, machines=("backend=2", "db"), restore=(("db", "extract:cold"),)
    )
    words = words_of(asked)
    assert words == "backend=2 db --restore db=extract:cold"
    bare = CreateRequest(blueprint=tmp_path, branch="x")
    assert with_words(bare, words) == CreateRequest(
        blueprint=tmp_path,
        branch="x",
        machines=("backend=2", "db"),
        restore=(("db", "extract:cold"),),
    )
    other = CreateRequest(blueprint=tmp_path, restore=(("db", "backup"),))
    assert with_words(other, words).restore == (("db", "backup"),)
    assert with_words(bare, "") == bare


def test_what_somebody_cancelled_is_not_called_a_failure_of_something_else():
    _, told = tale_of(
        [("backend1Ready", CONDITION)],
        ("backend1Ready", CONDITION, "CREATE_IN_PROGRESS", ""),
        why=CANCELLED,
    )
    assert told[-1] == ("phase-failed", "backend1", "boot", None, CANCELLED)


@pytest.mark.parametrize(
    ("machines", "restore", "meant"),
    [
        (("backend=2", "db"), (), (("db", "none"),)),
        (("backend",), (), ()),
        ((), (("cache", "backup"),), (("db", "none"), ("cache", "backup"))),
        (("database", "redis"), (), (("db", "none"), ("redis", "extract"))),
    ],
)
def test_machines_and_restores_are_those_of_the_create_each_for_itself(
    tmp_path, machines, restore, meant
):
    asked = CreateRequest(blueprint=tmp_path, machines=machines, restore=restore)
    words = "backend db redis --restore db=none --restore redis=extract"
    aliases = {"database": "db", "cache": "redis"}
    request = with_words(asked, words, aliases)
    assert request.restore == meant
    assert request.machines == (machines or ("backend", "db", "redis"))


def test_what_a_complete_stack_never_told_of_is_done_and_not_stopped():
    told = []
    change = [
        Change(kind=ChangeKind.MODIFY, logical_id=each, type=GROUP, physical_id="")
        for each in ("g", "h")
    ]
    tale = Tale(Telling(told.append, SystemClock()), change, machine_of)
    for event in happened(
        ("g", GROUP, "UPDATE_IN_PROGRESS", ""), ("g", GROUP, "UPDATE_COMPLETE", "")
    ):
        tale.take(event)
    tale.finish()
    assert [(e.kind.value, e.phase, e.seconds) for e in told] == [
        ("phase-started", "network", None),
        ("phase-done", "network", 1.0),
    ]


def test_a_hint_offers_only_what_was_not_done():
    [event] = happened(("x", CONDITION, "CREATE_FAILED", SIGNALLED))
    cloud = Timeouts()
    hints = [
        error_of(event, cloud, "db1", "CREATE_FAILED", verb=command, kept=kept).hint
        for command, kept in (("create", False), ("update", False), ("create", True))
    ]
    assert hints == [
        "mend it and create again; with --keep-failed the machine stays for a look",
        "mend it and update again; with --keep-failed the machine stays for a look",
        "mend it and create again",
    ]
