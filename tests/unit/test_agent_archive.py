"""The zipapp: the same bytes each time, compiled code used, whole boots of pretended machines."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from tests.unit.agent_region import (
    DIED,
    UP,
    add_service,
    boot_document,
    install_s6,
    machine_paths,
    running_region,
    service_calls,
    tar_gz,
    write_boot,
)

from greenroom.agent_archive import build_agent, pack_agent

SOURCE = Path(__file__).parents[2] / "src"
BOOT_LIMIT_S = 60.0


def test_the_archive_is_the_same_in_every_process_and_hash_seed():
    code = "from greenroom.agent_archive import build_agent; print(build_agent().sha256)"
    noise = "import typing, decimal, unittest.mock; " + code
    digests = {
        subprocess.run(
            [sys.executable, "-c", text],
            env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed, text in (("1", code), ("2", noise))
    }
    assert digests == {build_agent().sha256}


def test_another_source_is_another_archive():
    one, two = ({"__main__.py": f"print({number})\n"} for number in (1, 2))
    assert pack_agent(one) == pack_agent(dict(one))
    assert pack_agent(one).sha256 != pack_agent(two).sha256


def test_the_agent_needs_nothing_but_the_standard_library(tmp_path):
    archive = tmp_path / "agent.pyz"
    archive.write_bytes(build_agent().content)
    names = [
        name.removesuffix(".py").replace("/", ".")
        for name in zipfile.ZipFile(archive).namelist()
        if name.startswith("greenroom_agent/") and name.endswith(".py")
    ]
    code = (
        f"import sys; sys.path.insert(0, {str(archive)!r}); known = set(sys.stdlib_module_names)\n"
        f"for name in {names!r}: __import__(name)\n"
        "print({n.split('.')[0] for n in sys.modules} - known - {'greenroom_agent', '__main__'})"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "set()"


def test_a_boot_imports_none_of_the_modules_that_cost_it_most(tmp_path):
    archive = tmp_path / "agent.pyz"
    archive.write_bytes(build_agent().content)
    costly = {"collections", "contextlib", "dataclasses", "enum", "json", "re", "socket"}
    code = (
        f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        "from greenroom_agent import boot, restore_mariadb, kept\n"
        f"print(sorted({costly!r} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"


def usage_of(archive: Path) -> str:
    argv = [sys.executable, "-I", str(archive)]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stderr


def with_entries(change) -> bytes:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(build_agent().content)) as old,
        zipfile.ZipFile(buffer, "w") as new,
    ):
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return buffer.getvalue()


def test_the_compiled_modules_suffice_where_the_magic_number_fits(tmp_path):
    archive = tmp_path / "agent.pyz"
    broken = with_entries(lambda name, text: b"(((" if name.endswith(".py") else text)
    archive.write_bytes(broken)
    assert "usage: agent.pyz boot" in usage_of(archive)


def test_another_python_falls_back_to_the_sources(tmp_path):
    archive = tmp_path / "agent.pyz"
    archive.write_bytes(
        with_entries(lambda n, text: b"\0\0\r\n" + text[4:] if n.endswith(".pyc") else text)
    )
    assert "usage: agent.pyz boot" in usage_of(archive)


class Machine:
    """A machine below a folder, whose agent is the built archive in a process of its own."""

    def __init__(self, region, root: Path) -> None:
        self.region, self.root = region, root
        self.paths = machine_paths(root, region)
        self.archive = root / "agent.pyz"
        root.mkdir()
        self.archive.write_bytes(build_agent().content)

    def start(self, *words: str) -> subprocess.Popen:
        environment = {
            **os.environ,
            "GREENROOM_AGENT_ROOT": str(self.root),
            "GREENROOM_AGENT_METADATA": self.region.url,
        }
        return subprocess.Popen(
            [sys.executable, "-I", str(self.archive), *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=BOOT_LIMIT_S)
        return process.returncode, out, err

    def boot(self, **changes: object) -> tuple[int, dict]:
        """The exit code and the signal, which there must be exactly one of."""
        self.region.signals.clear()
        write_boot(self.paths, boot_document(self.region, **changes))
        code, out, err = self.run("boot")
        assert len(self.region.signals) == 1, out + err
        return code, self.region.signals[0]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    with running_region() as region:
        machine = Machine(region, tmp_path / "root")
        install_s6(machine.paths, tmp_path / "bin", monkeypatch)
        yield machine


def deployment(region, **changes: object) -> dict:
    return {
        "bucket_url": region.bucket_url("code"),
        "keys": ["backend-feature_x.tar.gz", "backend-master.tar.gz"],
        "directory": "/var/www/backend",
        "restart": ["web"],
        "keep": {},
        "mounted": False,
        **changes,
    }


def web_check(region, **changes: object) -> dict:
    check = {"kind": "http", "path": "/health", "port": region.port, "status": 200}
    return {**check, "contains": "", "deadline_s": 10.0, **changes}


def test_a_boot_deploys_starts_checks_and_signals_success_once(machine):
    region = machine.region
    region.pages["/health"] = (200, b"well")
    digest = region.put("code", "backend-master.tar.gz", tar_gz({"index.html": "hello"}))
    add_service(machine.paths, "web", UP)
    code, said = machine.boot(
        services=["web"], deploy=deployment(region), checks=[web_check(region)]
    )
    assert (code, said["Status"], said["UniqueId"]) == (0, "SUCCESS", "backend1")
    data = json.loads(said["Data"])
    assert [name for name, _ in data["phases"]] == ["facts", "deploy", "services", "checks"]
    assert data["artifact"] == {"key": "backend-master.tar.gz", "sha256": digest, "fallback": True}
    assert data["notices"] == ["no artifact for branch feature_x: using backend-master.tar.gz"]
    assert data["restore"] is None
    assert region.signal_headers[-1].get("Content-Type") == ""
    assert Path(machine.paths.phase).read_text() == "ready\n"


def test_a_boot_leaves_facts_for_programs_and_people(machine):
    machine.region.tags["motto"] = "it's $HOME"
    machine.boot()
    facts = json.loads(Path(machine.paths.facts).read_text())
    assert (facts["role"], facts["tags"]["branch"]) == ("backend", "feature_x")
    assert facts["metadata"]["local-ipv4"] == "127.0.0.1"
    script = f'. {machine.paths.environment}; printf "%s" "$GREENROOM_TAG_MOTTO"'
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "it's $HOME"
    wrapper = machine.root / "usr/local/bin/greenroom-facts"
    assert wrapper.read_text().splitlines()[1] == (
        'exec python3 -I -S /opt/greenroom/agent.pyz facts "$@"'
    )
    assert os.access(wrapper, os.X_OK)
    assert os.access(machine.root / "usr/local/bin/greenroom-manifest", os.X_OK)


def test_a_failed_deploy_signals_its_reason_and_starts_nothing(machine):
    add_service(machine.paths, "web", UP)
    code, said = machine.boot(services=["web"], deploy=deployment(machine.region))
    assert (code, said["Status"]) == (1, "FAILURE")
    assert said["Reason"] == (
        "no artifact: neither backend-feature_x.tar.gz nor backend-master.tar.gz "
        "is in bucket 'code'"
    )
    assert service_calls(machine.paths) == []


def test_a_service_that_dies_at_boot_is_the_reason_with_its_log(machine):
    add_service(machine.paths, "web", UP, DIED, log="cannot bind port 80\n")
    code, said = machine.boot(services=["web"])
    assert (code, said["Status"]) == (1, "FAILURE")
    assert said["Reason"] == (
        "service web died (exit code 1); the last lines of its log:\ncannot bind port 80"
    )


def test_a_drill_starts_no_service(machine):
    add_service(machine.paths, "web", UP)
    code, said = machine.boot(
        drill=True, services=["web"], checks=[{"kind": "tcp", "port": 1, "deadline_s": 1}]
    )
    assert (code, said["Status"], service_calls(machine.paths)) == (0, "SUCCESS", [])


def test_a_boot_document_that_is_wrong_still_signals(machine):
    code, said = machine.boot(checks="none")
    assert (code, said["Reason"]) == (1, "boot.json: checks is 'none', expected a list")


def test_the_deadline_is_told_with_what_was_done(machine):
    check = {"kind": "tcp", "port": 1, "deadline_s": 60}
    code, said = machine.boot(deadline_s=0.5, checks=[check])
    assert (code, said["Status"]) == (1, "FAILURE")
    assert said["Reason"] == "not ready within 0.5 s: still at «checks»"


def test_sigterm_is_a_failure_that_is_told(machine):
    check = {"kind": "tcp", "port": 1, "deadline_s": 60}
    write_boot(machine.paths, boot_document(machine.region, checks=[check]))
    process = machine.start("boot")
    deadline = time.monotonic() + BOOT_LIMIT_S
    phase = Path(machine.paths.phase)
    while not (phase.exists() and phase.read_text() == "checks\n"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=BOOT_LIMIT_S)
    assert process.returncode == 1
    assert [said["Reason"] for said in machine.region.signals] == ["stopped by SIGTERM at «checks»"]


def test_facts_print_a_tag_or_explain(machine):
    assert machine.run("facts", "role") == (0, "backend\n", "")
    assert machine.run("facts", "instance-type") == (0, "t3.small\n", "")
    code, out, err = machine.run("facts", "color")
    assert (code, out) == (1, "")
    assert err.startswith(
        "greenroom: no fact named 'color'. Tags: branch, monitoring, role. Metadata: ami-id, "
    )
    code, out, _ = machine.run("facts", "--json")
    assert json.loads(out)["tags"]["role"] == "backend"
    assert "role=backend\n" in machine.run("facts")[1]


@pytest.mark.parametrize(
    "words", [(), ("dance",), ("boot", "x"), ("manifest",), ("facts", "a", "b")]
)
def test_a_command_that_is_not_understood_is_answered_with_the_usage(machine, words):
    code, out, err = machine.run(*words)
    assert (code, out) == (2, "") and err.startswith("usage: agent.pyz boot")


def test_a_later_deploy_switches_restarts_and_checks(machine):
    region = machine.region
    region.pages["/health"] = (200, b"well")
    region.put("code", "backend-feature_x.tar.gz", tar_gz({"v": "1"}))
    add_service(machine.paths, "web", UP)
    machine.boot(services=["web"], deploy=deployment(region), checks=[web_check(region)])
    digest = region.put("code", "backend-feature_x.tar.gz", tar_gz({"v": "2"}))
    Path(machine.paths.services, "web/after").write_text("true 300 @9 -1 NA\n")
    code, out, _ = machine.run("deploy")
    said = json.loads(out)
    assert (code, said["status"], said["artifact"]["sha256"]) == (0, "SUCCESS", digest)
    assert [name for name, _ in said["phases"]] == ["deploy", "services", "checks"]
    assert service_calls(machine.paths) == ["-u web", "-ru web"]
    assert (machine.root / "var/www/backend/current/v").read_text() == "2"
    assert len(region.signals) == 1


def test_a_later_deploy_whose_checks_fail_puts_the_former_release_back(machine):
    region = machine.region
    region.pages["/health"] = (200, b"well")
    first = region.put("code", "backend-feature_x.tar.gz", tar_gz({"v": "1"}))
    machine.boot(deploy=deployment(region, restart=[]), checks=[web_check(region, deadline_s=0.3)])
    region.put("code", "backend-feature_x.tar.gz", tar_gz({"v": "2"}))
    region.pages["/health"] = (500, b"broken")
    code, out, _ = machine.run("deploy")
    said = json.loads(out)
    assert (code, said["status"]) == (1, "FAILURE")
    assert said["error"] == (
        f"GET /health on port {region.port} answered 500 (wanted 200) for 0.3 s; "
        f"release {first[:12]} is back in place, but it fails as well: "
        f"GET /health on port {region.port} answered 500 (wanted 200) for 0.3 s"
    )
    assert (machine.root / "var/www/backend/current/v").read_text() == "1"


def test_a_later_deploy_on_a_machine_without_code_says_so(machine):
    machine.boot()
    code, out, _ = machine.run("deploy")
    assert (code, json.loads(out)["error"]) == (1, "backend1 deploys nothing")
