"""greenroom image, doctor, serve and completion."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.component.cli_daemon import Answer, FakeDaemon, Request
from tests.component.cli_stage import Run
from tests.unit import cli_values as values

from greenroom.cli.table import COMMANDS
from greenroom.model.events import EventKind, OperationStatus
from greenroom.region import Region


def test_images_are_listed_built_and_removed(daemon: FakeDaemon, run: Run, tmp_path: Path) -> None:
    image = {"name": "web", "digest": "ab" * 32, "bytes": 3 << 20, "built_at": "2026-01-01T00:00Z"}
    daemon.answer("GET", "/v1/images", [image])
    head, line = run("image list").out.splitlines()
    assert head.split() == ["IMAGE", "DIGEST", "SIZE", "BUILT"]
    assert line.split()[:4] == ["web", "abababababab", "3", "MiB"]
    assert run("image list --json").json == [image]

    build = [
        values.event(1, EventKind.PHASE_DONE, phase="images", seconds=2.5, message="web"),
        values.result(2, message="1 image built"),
    ]
    daemon.answer("POST", "/v1/images/build", lines=build)
    ran = run("image build web")
    assert (ran.code, ran.out) == (0, "1 image built\n")
    assert ran.err.split() == ["✓", "images", "2.50", "s", "web"]
    expected = {"blueprint": str(tmp_path / "greenroom.yaml"), "names": ["web"]}
    assert daemon.bodies("/v1/images/build") == [expected]
    assert run("image build --json").lines == build

    daemon.answer("DELETE", f"/v1/images/{'ab' * 32}", {"removed": ["web"]})
    assert run("image remove abab").out == "removed 1 image: web\n"
    assert run("image remove abab --json").json == {"removed": ["web"]}


def test_an_image_is_removed_only_by_what_begins_its_digest_alone(
    daemon: FakeDaemon, run: Run
) -> None:
    both = [
        {"name": "web", "digest": digest, "bytes": 1, "built_at": "2026-01-01T00:00Z"}
        for digest in ("abc0", "abc1")
    ]
    daemon.answer("GET", "/v1/images", both)
    daemon.answer("DELETE", "/v1/images/abc1", {"removed": ["abc1"]})
    assert run("image remove abc").err.startswith("error E_WHICH_IMAGE: 2 digests begin with abc")
    for words in (["../x"], [""], ["web"]):
        assert run("image", "remove", *words).code == 2
    assert not any(each.method == "DELETE" for each in daemon.requests)
    assert run("image remove abc1").code == 0


def test_the_documentation_has_every_command() -> None:
    page = (Path(__file__).parents[2] / "docs/cli.md").read_text()
    assert [name for name in COMMANDS if f"`{name}" not in page] == []


def test_a_failed_build_fails(daemon: FakeDaemon, run: Run) -> None:
    failed = values.result(
        1, OperationStatus.FAILED, code="E_IMAGE_BUILD", message="no package x", exit_code=1
    )
    daemon.answer("POST", "/v1/images/build", lines=[failed])
    ran = run("image build")
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.startswith("error E_IMAGE_BUILD: no package x")


def test_doctor_names_the_mend_and_fails(
    region: Region, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from greenroom.providers.local import doctor

    good = doctor.Finding(name="root", ok=True, message="running as root")
    lack = doctor.Finding(name="nft", ok=False, message="missing", mend="apt-get install nftables")
    monkeypatch.setattr(doctor, "diagnose", lambda region: (good,))
    monkeypatch.setattr(doctor, "page_port", lambda region: lack)
    ran = run("doctor")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "✓ root  running as root",
        "✗ nft   missing",
        "        → apt-get install nftables",
    ]
    assert run("doctor --json").json[1] == {
        "name": "nft",
        "ok": False,
        "message": "missing",
        "mend": "apt-get install nftables",
    }
    monkeypatch.setattr(doctor, "page_port", lambda region: good)
    assert run("doctor").code == 0


STATUS = {"pid": 4711, "cidr": "10.213.0.0/16", "proxy_port": 8080, "web_port": 8090}


@pytest.mark.parametrize(
    ("here", "told", "mend"),
    [
        (
            {"GREENROOM_PORT": "9000"},
            "GREENROOM_PORT 8080, not 9000",
            "unset GREENROOM_PORT, or greenroom serve --stop: the next command starts a daemon "
            "with yours",
        ),
        (
            {"GREENROOM_CIDR": "10.9.0.0/16", "GREENROOM_WEB_PORT": "9010"},
            "GREENROOM_CIDR 10.213.0.0/16, not 10.9.0.0/16 and GREENROOM_WEB_PORT 8090, not 9010",
            "unset GREENROOM_CIDR GREENROOM_WEB_PORT, or export GREENROOM_REGION=NAME for a region "
            "of its own with 10.9.0.0/16",
        ),
    ],
)
def test_doctor_tells_that_the_daemon_runs_with_other_settings(
    daemon: FakeDaemon,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    here: dict[str, str],
    told: str,
    mend: str,
) -> None:
    from greenroom.providers.local import doctor

    good = doctor.Finding(name="root", ok=True, message="running as root")
    monkeypatch.setattr(doctor, "diagnose", lambda region: (good,))
    monkeypatch.setattr(doctor, "page_port", lambda region: good)
    daemon.answer("GET", "/v1/status", STATUS)
    for variable, value in here.items():
        monkeypatch.setenv(variable, value)

    ran = run("doctor")

    assert (ran.code, ran.out.splitlines()[2:]) == (
        1,
        [f"✗ daemon  process 4711 runs with {told}", f"          → {mend}"],
    )


@pytest.mark.parametrize("here", [{}, {"GREENROOM_PORT": "8080"}])
def test_doctor_tells_what_the_daemon_runs_with(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch, here: dict[str, str]
) -> None:
    from greenroom.providers.local import doctor

    monkeypatch.setattr(doctor, "diagnose", lambda region: ())
    monkeypatch.setattr(
        doctor, "page_port", lambda region: doctor.Finding(name="page", ok=True, message="served")
    )
    for variable in ("GREENROOM_CIDR", "GREENROOM_PORT", "GREENROOM_WEB_PORT"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in here.items():
        monkeypatch.setenv(variable, value)
    # A daemon that was started with other settings than the usual, and a shell without any.
    status = STATUS | {"web_port": 9999}
    daemon.answer("GET", "/v1/status", status)

    ran = run("doctor")

    assert (ran.code, ran.out.splitlines()[1]) == (
        0,
        "✓ daemon  process 4711 runs with GREENROOM_CIDR 10.213.0.0/16, GREENROOM_PORT 8080, "
        "GREENROOM_WEB_PORT 9999",
    )


def test_stopping_what_does_not_run_is_no_error(region: Region, run: Run) -> None:
    assert run("serve --stop").out == "no daemon runs for the region greenroom\n"
    assert run("serve --stop --json").json == {"stopped": False, "pid": None}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_calls_greenroom_back(run: Run, shell: str) -> None:
    ran = run(f"completion {shell}")
    assert ran.code == 0
    assert "_GREENROOM_COMPLETE" in ran.out
    assert run(f"completion {shell} --json").json["shell"] == shell


def completed(run: Run, monkeypatch: pytest.MonkeyPatch, words: str, position: int) -> list[str]:
    monkeypatch.setenv("_GREENROOM_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(position))
    return [line.partition(",")[2] for line in run("ignored").out.split()]


def test_completion_knows_commands_options_and_running_environments(
    daemon: FakeDaemon, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert completed(run, monkeypatch, "greenroom de", 1) == ["deploy", "destroy"]
    assert "--machines" in completed(run, monkeypatch, "greenroom create --ma", 2)
    half = "greenroom create --machines backend --br"
    assert completed(run, monkeypatch, half, 4) == ["--branch"]
    assert completed(run, monkeypatch, "greenroom show fe", 2) == ["feature-x"]


def test_completion_starts_no_daemon(
    region: Region, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert completed(run, monkeypatch, "greenroom show fe", 2) == []
    assert not region.run_dir.exists()


ORPHAN = {
    "environment": "photos/old",
    "ended": False,
    "resources": [{"kind": "cgroup", "name": "/greenroom/photos.old"}],
}
STRANGER = {"environment": None, "ended": False, "resources": [{"kind": "cgroup", "name": "/x/y"}]}


def test_doctor_lists_orphans_and_fails(daemon: FakeDaemon, run: Run) -> None:
    daemon.answer("GET", "/v1/orphans", [ORPHAN, STRANGER])
    ran = run("doctor --orphans")
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "OF          KIND    NAME",
        "photos/old  cgroup  /greenroom/photos.old",
        "(nobody)    cgroup  /x/y",
        "→ greenroom doctor --orphans --remove removes what bears an environment's name",
        "what is (nobody)'s names no environment: greenroom does not touch it",
    ]
    assert run("doctor --orphans --json").json == [ORPHAN, STRANGER]


def test_doctor_removes_only_orphans_that_have_a_name(daemon: FakeDaemon, run: Run) -> None:
    left = [ORPHAN, STRANGER]
    daemon.routes["GET", "/v1/orphans"] = lambda _: Answer(value=list(left))

    def removed(request: Request) -> Answer:
        left.remove(ORPHAN)
        receipt = {"environment": "photos/old", "removed": ORPHAN["resources"], "left_over": []}
        return Answer(value=receipt | {"seconds": 0.1})

    daemon.routes["DELETE", "/v1/orphans/photos/old"] = removed
    ran = run("doctor --orphans --remove")
    assert (ran.code, ran.out.splitlines()[0]) == (1, "photos/old: 1 thing removed")
    left.clear()
    ran = run("doctor --orphans --remove")
    assert (ran.code, ran.out) == (0, "the host holds nothing that no environment owns\n")


def test_doctor_removes_nothing_unless_orphans_are_meant(daemon: FakeDaemon, run: Run) -> None:
    ran = run("doctor --remove")
    assert ran.code == 2
    assert daemon.requests == []
