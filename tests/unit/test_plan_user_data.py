"""The boot script, rendered and really run: under /bin/sh, with a curl that writes down its use."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.blueprint_values import stack_of

from greenroom.agent.config import parse_boot
from greenroom.model.stack import (
    CommandCheck,
    Deploy,
    KeptFolder,
    RestoreMode,
    TcpCheck,
    Volume,
)
from greenroom.plan.user_data import BootConfig, render_boot_json, render_user_data

AGENT = b"this would be the agent\n"

CONFIG = BootConfig(
    machine="backend1",
    environment="photos/feature-x",
    branch="feature_x",
    signal_url="http://169.254.169.252/signal/abc",
    bucket_urls={
        "code": "http://169.254.169.252/s3/code",
        "extracts": "http://169.254.169.252/s3/extracts",
    },
    agent_url="http://169.254.169.252/s3/greenroom-agent/agent.pyz",
    agent_sha256=hashlib.sha256(AGENT).hexdigest(),
    deadline_s=120.0,
    services=("php-fpm", "nginx"),
    drill=False,
    volume=None,
    deploy=Deploy(
        bucket="code",
        keys=("b-feature_x.tgz", "b-master.tgz"),
        directory="/w",
        restart=("nginx",),
        keep=(KeptFolder(path="uploads", owner="www-data"),),
    ),
    mounted=False,
    checks=(TcpCheck(port=80, deadline_s=30.0),),
)

VOLUME = Volume(
    data_name="db",
    engine="mariadb",
    database="photos",
    user="app",
    directory="/data",
    service="mariadb",
    mode=RestoreMode.COLD,
    source="extract",
    bucket="extracts",
    manifest_key="extract/manifest.json",
)

FAKE_CURL = """\
#!/bin/sh
# Writes down its arguments; a PUT's body comes on standard input.
printf '%s\\n' "$@" > "$FAKES/curl.$(ls "$FAKES" | wc -l)"
case " $* " in
*" PUT "*) cat > "$FAKES/signalled" ;;
*)
    if [ -e "$FAKES/agent" ]; then
        while [ "$1" != -o ]; do shift; done
        cat "$FAKES/agent" > "$2"
    else
        printf '%s\\n' 'curl: (22) "quoted" \\back 404' >&2
        exit 22
    fi
    ;;
esac
"""

FAKE_PYTHON = """\
#!/bin/sh
printf '%s\\n' "$@" > "$FAKES/python"
umask >> "$FAKES/python"
"""


@dataclass(frozen=True)
class Machine:
    """A folder that stands for a machine's root, with the programs that the script finds."""

    root: Path

    @property
    def fakes(self) -> Path:
        return self.root / "fakes"

    def program(self, name: str, text: str) -> None:
        path = self.root / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def boot(self, config: BootConfig, shell: str = "/bin/sh") -> int:
        script = render_user_data(config)
        for folder in ("/etc/greenroom", "/opt/greenroom", "/var/log/greenroom"):
            script = script.replace(folder, f"{self.root}{folder}")
        done = subprocess.run(
            [shell, "-c", script],
            env={"PATH": str(self.root / "bin"), "FAKES": str(self.fakes)},
            timeout=20,
            check=False,
        )
        return done.returncode

    def signal(self) -> dict[str, str]:
        signal: dict[str, str] = json.loads((self.fakes / "signalled").read_text())
        return signal


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(root=tmp_path)
    (tmp_path / "bin").mkdir()
    found.fakes.mkdir()
    (found.fakes / "agent").write_bytes(AGENT)
    for tool in ("cat", "mkdir", "sha256sum", "tr", "ls", "wc", "sh", "sed"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    found.program("curl", FAKE_CURL)
    found.program("python3", FAKE_PYTHON)
    return found


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_the_script_writes_its_config_fetches_the_agent_and_becomes_it(
    machine: Machine, shell: str
) -> None:
    assert machine.boot(CONFIG, shell) == 0
    agent = machine.root / "opt/greenroom/agent.pyz"
    assert agent.read_bytes() == AGENT
    python = (machine.fakes / "python").read_text().split("\n")
    assert python[:3] == ["-I", "-S", "-c"]
    assert python[-4:] == [str(agent), "boot", "0022", ""]
    boot = machine.root / "etc/greenroom/boot.json"
    assert boot.stat().st_mode & 0o777 == 0o600
    assert json.loads(boot.read_text()) == json.loads(render_boot_json(CONFIG))
    assert not (machine.fakes / "signalled").exists()


def test_an_agent_that_is_there_and_genuine_is_not_fetched_again(machine: Machine) -> None:
    assert machine.boot(CONFIG) == 0
    (machine.fakes / "agent").unlink()
    assert machine.boot(CONFIG) == 0


def test_an_agent_that_cannot_be_fetched_is_signalled_with_curls_reason(machine: Machine) -> None:
    (machine.fakes / "agent").unlink()
    assert machine.boot(CONFIG) == 22
    signal = machine.signal()
    assert signal["Status"] == "FAILURE"
    assert signal["UniqueId"] == "backend1"
    assert signal["Reason"] == (
        f"the boot script could not fetch the agent from {CONFIG.agent_url}: "
        "curl: (22) quoted back 404 (exit status 22)"
    )
    assert json.loads(signal["Data"]) == {
        "phases": [],
        "notices": [],
        "restore": None,
        "artifact": None,
    }
    assert not (machine.fakes / "python").exists()
    phase = (machine.root / "var/log/greenroom/phase").read_text()
    assert phase == f"fetch the agent from {CONFIG.agent_url}\n"


def test_the_signal_is_a_put_without_a_content_type(machine: Machine) -> None:
    (machine.fakes / "agent").unlink()
    machine.boot(CONFIG)
    calls = [path.read_text().splitlines() for path in machine.fakes.glob("curl.*")]
    put = next(call for call in calls if "PUT" in call)
    assert put[put.index("-H") + 1] == "Content-Type:"
    assert put[-1] == CONFIG.signal_url


def test_an_agent_with_a_wrong_checksum_is_not_run(machine: Machine) -> None:
    (machine.fakes / "agent").write_bytes(b"evil")
    assert machine.boot(CONFIG) != 0
    reason = machine.signal()["Reason"]
    assert reason.startswith("the boot script could not verify the agent: expected sha256 ")
    assert hashlib.sha256(b"evil").hexdigest() in reason
    assert not (machine.fakes / "python").exists()


def test_a_machine_without_python_is_signalled(machine: Machine) -> None:
    (machine.root / "bin" / "python3").unlink()
    assert machine.boot(CONFIG) != 0
    assert machine.signal()["Reason"].startswith(
        "the boot script could not start the agent: python3 is not installed (exit status "
    )


def test_a_directory_that_cannot_be_made_is_signalled(machine: Machine) -> None:
    (machine.root / "etc").write_text("a file")
    assert machine.boot(CONFIG) != 0
    assert machine.signal()["Reason"].startswith(
        "the boot script could not prepare its directories (exit status "
    )


def test_a_file_that_cannot_be_written_is_signalled(machine: Machine) -> None:
    (machine.root / "etc/greenroom/boot.json").mkdir(parents=True)
    assert machine.boot(CONFIG) != 0
    assert "write " in machine.signal()["Reason"]


def test_a_failure_that_cannot_be_signalled_still_ends_the_script_with_its_status(
    machine: Machine,
) -> None:
    machine.program("curl", "#!/bin/sh\nexit 7\n")
    assert machine.boot(CONFIG) == 7


def test_no_name_reaches_the_shell(machine: Machine) -> None:
    hostile = "x'; touch $FAKES/owned; `touch $FAKES/owned` $(touch $FAKES/owned) \"\\ 🚀"
    config = replace(
        CONFIG,
        branch=hostile,
        checks=(CommandCheck(argv=(hostile, "END_OF_BOOT_JSON"), deadline_s=1.0),),
    )
    assert machine.boot(config) == 0
    boot = json.loads((machine.root / "etc/greenroom/boot.json").read_text())
    assert boot["branch"] == hostile
    assert boot["checks"][0]["argv"][0] == hostile
    assert not (machine.fakes / "owned").exists()


def boot_json_in(script: str) -> str:
    """What the shell would put into boot.json."""
    (line,) = (row for row in script.splitlines() if row.startswith("boot_json="))
    (word,) = shlex.split(line.removeprefix("boot_json="))
    return word


@given(st.text(), st.text())
def test_whatever_the_branch_is_called_the_json_is_one_line_of_ascii(
    branch: str, word: str
) -> None:
    config = replace(CONFIG, branch=branch, checks=(CommandCheck(argv=(word,), deadline_s=1.0),))
    text = render_boot_json(config)
    assert text.isascii()
    assert text.startswith("{")
    assert not any(ord(c) < 0x20 for c in text)
    assert json.loads(text)["branch"] == branch
    script = render_user_data(config)
    assert script.isascii()
    assert boot_json_in(script) == text


def test_the_config_has_the_shape_that_the_agent_reads() -> None:
    assert json.loads(render_boot_json(replace(CONFIG, volume=VOLUME))) == {
        "version": 1,
        "machine": "backend1",
        "environment": "photos/feature-x",
        "branch": "feature_x",
        "signal_url": "http://169.254.169.252/signal/abc",
        "deadline_s": 120.0,
        "services": ["php-fpm", "nginx"],
        "aws": None,
        "health_url": None,
        "drill": False,
        "restore": {
            "engine": "mariadb",
            "directory": "/data",
            "service": "mariadb",
            "database": "photos",
            "user": "app",
            "mode": "cold",
            "source": "extract",
            "bucket_url": "http://169.254.169.252/s3/extracts",
            "manifest_key": "extract/manifest.json",
        },
        "deploy": {
            "bucket_url": "http://169.254.169.252/s3/code",
            "keys": ["b-feature_x.tgz", "b-master.tgz"],
            "directory": "/w",
            "restart": ["nginx"],
            "keep": {"uploads": "www-data"},
            "mounted": False,
        },
        "checks": [{"kind": "tcp", "port": 80, "deadline_s": 30.0}],
    }


def test_an_empty_volume_names_no_bucket() -> None:
    empty = replace(VOLUME, mode=RestoreMode.EMPTY, source=None, bucket=None, manifest_key=None)
    restore = json.loads(render_boot_json(replace(CONFIG, volume=empty)))["restore"]
    assert restore["mode"] == "empty"
    assert (restore["source"], restore["bucket_url"], restore["manifest_key"]) == (None,) * 3


def test_every_machines_user_data_is_its_own_and_small() -> None:
    stack = stack_of("backend=2", "db", "feed")
    everyone = (*stack.machines, *stack.drills)
    assert len({machine.user_data for machine in everyone}) == len(everyone)
    for machine in everyone:
        assert machine.user_data.startswith("#!/bin/sh\n")
        assert len(machine.user_data) < 5120
        assert f"http://169.254.169.252/signal/{machine.signal_token}" in machine.user_data
        assert f"/s3/greenroom-agent/agent-{'ab' * 32}.pyz" in machine.user_data
        for other in everyone:
            assert other is machine or other.signal_token not in machine.user_data


@pytest.mark.parametrize("restore", ["extract", "extract:cold", "none"])
def test_the_agent_understands_every_config(restore: str) -> None:
    stack = stack_of(restore={"db": restore})
    for machine in (*stack.machines, *stack.drills):
        boot = parse_boot(json.loads(boot_json_in(machine.user_data)))
        assert (boot.machine, boot.branch) == (machine.name, "feature_x")
        assert (boot.restore is None) == (machine.volume is None)
