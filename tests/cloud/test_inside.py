"""``exec``, ``logs`` and ``shell`` on AWS, through Systems Manager."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.app.cloud.inside import Inside, read_logs, run_command
from greenroom.app.cloud.look import find
from greenroom.errors import GreenroomError
from greenroom.model.cloud_account import FoundStack
from greenroom.providers.aws.systems_manager import RESPONSE_VARIABLE
from tests.cloud.fake.account import Account
from tests.cloud.session_manager import SessionManager
from tests.cloud.standing import looking, stand


@pytest.fixture
def manager(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SessionManager]:
    """A running machine whose agent is online."""
    made = SessionManager(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", made.url)
    stack = stand(account)
    made.online[stack.resources["backend1"].physical_id or ""] = "Online"
    yield made
    made.close()


def inside_of(account: Account) -> tuple[Inside, FoundStack]:
    inventory = looking(account)
    return Inside(inventory=inventory, pause=lambda _: None), find(inventory, None, None)


def test_a_command_keeps_its_words_its_output_and_its_exit_code(
    account: Account, manager: SessionManager
) -> None:
    inside, stack = inside_of(account)
    words = ["sh", "-c", 'printf "%s|" "$@"; echo no >&2; exit 7', "sh", "a b", "$HOME", "'", "*"]
    ran = run_command(inside, stack, "backend1", words)
    assert (ran.exit_code, ran.stdout, ran.stderr) == (7, "a b|$HOME|'|*|", "no\n")
    assert not ran.cut
    long = run_command(inside, stack, "backend1", ["sh", "-c", "yes | head -c 30000"])
    assert (long.cut, len(long.stdout)) == (True, 24_000)


def test_a_machine_that_cannot_be_reached_says_why(
    account: Account, manager: SessionManager
) -> None:
    inside, stack = inside_of(account)
    (instance,) = inside.inventory.instances("photos/feature-x")
    cases = [
        (
            "backend2",
            "E_NO_MACHINE",
            "photos/feature-x: unknown machine 'backend2'; did you mean 'backend1'?",
        ),
    ]
    for machine, code, message in cases:
        with pytest.raises(GreenroomError) as raised:
            run_command(inside, stack, machine, ["true"])
        assert (raised.value.code, raised.value.message) == (code, message)
    manager.online[instance.id] = "ConnectionLost"
    with pytest.raises(GreenroomError) as lost:
        run_command(inside, stack, "backend1", ["true"])
    assert (lost.value.code, lost.value.message) == (
        "E_AWS_SSM",
        f"the Systems Manager agent of backend1 ({instance.id}) is ConnectionLost, "
        "last heard of at no known time",
    )
    manager.online.clear()
    with pytest.raises(GreenroomError) as unknown:
        run_command(inside, stack, "backend1", ["true"])
    assert (unknown.value.code, unknown.value.message) == (
        "E_AWS_SSM",
        f"backend1 ({instance.id}) is not managed by Systems Manager: its agent has not "
        "announced itself",
    )
    account.client("ec2").stop_instances(InstanceIds=[instance.id])
    with pytest.raises(GreenroomError) as stopped:
        run_command(inside, stack, "backend1", ["true"])
    assert (stopped.value.code, stopped.value.message, stopped.value.hint) == (
        "E_AWS_MACHINE_DOWN",
        f"backend1 of photos/feature-x does not run: its instance {instance.id} is stopped",
        f"aws ec2 start-instances --instance-ids {instance.id}",
    )


def test_logs_are_followed_through_a_rotation_and_never_told_twice(
    account: Account, manager: SessionManager
) -> None:
    folder = manager.root / "var/log/greenroom/nginx"
    folder.mkdir(parents=True)
    current = folder / "current"
    current.write_text("".join(f"line {number}\n" for number in range(3)))
    inside, stack = inside_of(account)
    looks = 0

    def pause(_: float) -> None:
        nonlocal looks
        looks += 1
        with current.open("a") as file:
            file.write(f"before {looks}\n")
        if looks == 2:
            current.rename(folder / "@old.s")
            current.write_text("after\n")
        if looks == 4:
            raise KeyboardInterrupt

    following = Inside(inventory=inside.inventory, pause=lambda _: None)
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        follow = Inside(inventory=following.inventory, pause=_only_between(pause, manager))
        for line in read_logs(follow, stack, machine=None, service=None, follow=True):
            told.append(line.line)
    assert told == ["line 0", "line 1", "line 2", "before 1", "before 2", "after", "before 3"]


def _only_between(pause, manager: SessionManager):  # type: ignore[no-untyped-def]
    """The pauses between looks, not those in which a command's result is waited for."""

    def between(seconds: float) -> None:
        if seconds >= 2.0:
            pause(seconds)

    return between


def test_a_long_log_comes_in_bounded_looks(account: Account, manager: SessionManager) -> None:
    for service in ("app", "web", "db"):
        folder = manager.root / "var/log/greenroom" / service
        folder.mkdir(parents=True)
        (folder / "current").write_text("".join(f"{service} {n:05d}\n" for n in range(5000)))
    inside, stack = inside_of(account)
    lines = list(read_logs(inside, stack, machine="backend1", service=None, follow=False))
    for service in ("app", "web", "db"):
        own = [line.line for line in lines if line.service == service]
        assert own[-1] == f"{service} 04999"
        numbers = [int(line.split()[1]) for line in own]
        assert numbers == list(range(numbers[0], 5000))
    assert "only the end of long logs is shown" in [x.line for x in lines if not x.service]
    assert all(len(result["StandardOutputContent"]) < 24_000 for result in manager.results.values())


def test_a_shell_is_opened_by_the_plugin_and_its_token_hidden(
    account: Account,
    manager: SessionManager,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inventory = looking(account)
    (instance,) = inventory.instances("photos/feature-x")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GreenroomError) as raised:
        inventory.shell("backend1", instance.id)
    assert (raised.value.code, raised.value.message) == (
        "E_AWS_PLUGIN",
        "session-manager-plugin, which opens shells on AWS, is not on PATH",
    )
    plugin = tmp_path / "session-manager-plugin"
    for version, hidden in (("1.2.707.0", True), ("1.2.497.0", False)):
        plugin.write_text(f"#!/bin/sh\necho {version}\n")
        plugin.chmod(0o755)
        command = inventory.shell("backend1", instance.id)
        response = json.dumps(
            {"SessionId": "s-1", "TokenValue": "secret", "StreamUrl": "wss://example.com/s-1"}
        )
        assert command.argv == (
            str(plugin),
            RESPONSE_VARIABLE if hidden else response,
            "eu-west-1",
            "StartSession",
            "",
            json.dumps({"Target": instance.id}),
            manager.url,
        )
        assert dict(command.variables) == ({RESPONSE_VARIABLE: response} if hidden else {})
