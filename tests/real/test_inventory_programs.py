"""The inventory as other programs read it, each the real one."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real import host
from tests.real.inventory_site import lay_out, surroundings
from tests.real.reboot import machine_pids
from tests.real.site import (
    PORT,
    REGION,
    REPOSITORY,
    RUN,
    Site,
    destroy_all,
    stop_daemon,
    wait_until,
)

ENVIRONMENT = "park/feature-x"
HOSTS = ["backend1.feature-x.park", "backend2.feature-x.park", "client1.feature-x.park"]
TIMEOUT_S = 120
WEB_PORT = PORT + 10
"""Of API and page: the tests' region leaves it where it is by default."""


@pytest.fixture(scope="module")
def park(tmp_path_factory: pytest.TempPathFactory, bare_host: host.HostState) -> Iterator[Site]:
    site = lay_out(tmp_path_factory.mktemp("inventory") / "park")
    # Programs that read the inventory see all that the region has.
    destroy_all(site)
    site.ok("create", "--branch", "feature_x")
    yield site
    site.ok("destroy", ENVIRONMENT)
    if not site.data("list"):
        stop_daemon(site)


def run(
    folder: Path, *words: str, stdin: bytes = b"", **more: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a program that must be installed; ``more`` are variables of its environment."""
    environment = surroundings(folder, **more)
    assert shutil.which(words[0], path=environment["PATH"]), f"{words[0]}: scripts/setup tests"
    return subprocess.run(
        words,
        cwd=folder,
        env=environment,
        input=stdin,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """What a program that succeeded has printed."""
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


# greenroom itself.


def test_every_machine_is_in_the_inventory_with_what_is_known_of_it(park: Site) -> None:
    def backends() -> Any:
        return park.data("inventory", "--branch", "feature_x", "--role", "backend")

    # A host that is very busy writes down a moment later what the create has proved.
    wait_until(lambda: {record["health"] for record in backends()} == {"healthy"})
    records = backends()
    assert [record["name"] for record in records] == ["backend1", "backend2"]
    first = records[0]
    assert first["public_dns"] == "api.feature-x.park.localhost"
    assert first["services"] == [["http", 80], ["p9100", 9100]]
    assert dict(first["tags"])["puppetbranch"] == "feature-x"
    assert len(first["image_digest"]) == 64


def test_a_machine_that_is_not_well_says_so_and_applications_do_without_it(
    park: Site, tmp_path: Path
) -> None:
    def health() -> tuple[str, str]:
        (record,) = [r for r in park.data("inventory") if r["name"] == "backend2"]
        return record["health"], record["failing"]

    both = {"backend1", "backend2"}
    wait_until(lambda: served_by(park) == both)
    # Stopped, and not ended: the region sees nothing of that by itself.
    signal_server(park, "backend2", "STOP")
    wait_until(lambda: health()[0] == "unhealthy", timeout_s=120)
    assert health()[1].startswith("GET / on port 80 got no answer")
    service = "_http._tcp.backend.feature-x.park.internal"
    assert dig(tmp_path, service, "SRV") == ["0 0 80 backend1.feature-x.park.internal."]
    # The application that has subscribed to backends goes on with the other one.
    wait_until(lambda: served_by(park) == {"backend1"})
    signal_server(park, "backend2", "CONT")
    wait_until(lambda: health() == ("healthy", ""), timeout_s=120)
    wait_until(lambda: served_by(park) == both)
    assert len(dig(tmp_path, service, "SRV")) == 2
    changes = park.data("inventory", "diff", "--since", "10m")
    told = [
        (field["before"], field["after"])
        for change in changes
        if change["machine"] == "backend2"
        for field in change["fields"]
        if field["field"] == "health"
    ]
    assert told[-2:] == [("healthy", "unhealthy"), ("unhealthy", "healthy")]


def served_by(site: Site) -> set[str]:
    """The backends that the client's answers come from, of so many that each has its share."""
    script = (
        "for n in $(seq 24); do curl -fsS -m 5 http://127.0.0.1:8000/ || echo failed; echo; done"
    )
    return set(site.inside("feature-x", "client1", script)[1].split())


def told(site: Site) -> list[tuple[str, str, dict[str, Any]]]:
    """What the client's hook was told: event, peer, facts."""
    lines = site.inside("feature-x", "client1", "cat /var/log/greenroom/peers")[1].splitlines()
    words = [line.split(maxsplit=2) for line in lines]
    return [(event, peer, json.loads(facts)) for event, peer, facts in words]


def test_a_subscriber_is_told_of_a_lost_peer_by_the_next_daemon_as_well(park: Site) -> None:
    """The first process of a machine is killed, so that it is gone and comes again; the hook
    refuses until another daemon runs, which finds the queue in the ledger."""
    wait_until(lambda: {peer for _, peer, _ in told(park)} == {"backend1", "backend2"})
    before = len(told(park))
    assert park.inside("feature-x", "client1", "touch /run/refuse")[0] == 0
    os.kill(first_process("backend1"), signal.SIGKILL)
    wait_until(lambda: len(told(park)) > before)
    stop_daemon(park)
    assert park.inside("feature-x", "client1", "rm /run/refuse")[0] == 0

    def events() -> list[str]:
        return [event for event, peer, _ in told(park)[before:] if peer == "backend1"]

    wait_until(lambda: events()[-1:] == ["came"], timeout_s=120)
    # At least once, and in its order.
    assert [event for event, _ in itertools.groupby(events())] == ["gone", "came"]
    assert events().count("gone") >= 2
    _, _, facts = told(park)[-1]
    assert facts["role"] == "backend"
    assert facts["services"] == {"http": 80, "p9100": 9100}
    wait_until(lambda: served_by(park) == {"backend1", "backend2"})


def first_process(machine: str) -> int:
    """The machine's s6-svscan, as the host sees it."""
    pids = machine_pids("park.feature-x", machine)
    found = [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text() == "s6-svscan\n"]
    assert len(found) == 1
    return found[0]


def signal_server(site: Site, machine: str, name: str) -> None:
    """Signal the machine's HTTP server; the pattern does not match the shell that looks for it."""
    script = (
        "for folder in /proc/[0-9]*; do if grep -qs '[h]ttp.server' $folder/cmdline; "
        f"then kill -{name} ${{folder#/proc/}}; fi; done"
    )
    assert site.inside("feature-x", machine, script)[0] == 0


def test_variables_for_programs_are_what_a_shell_reads(park: Site, tmp_path: Path) -> None:
    text = park.ok("inventory", "feature_x", "--format", "dotenv")
    (tmp_path / "env").write_text(text)
    script = '. ./env; curl -fsS "http://$BACKEND1_HOST:$BACKEND1_HTTP_PORT/" >/dev/null; echo $?'
    assert said(run(tmp_path, "sh", "-c", script)).strip() == "0"
    assert "BACKEND_HOSTS=" in text


# DNS.


def dig(folder: Path, name: str, kind: str) -> list[str]:
    """What the region's DNS answers, asked from inside the region."""
    words = ("ip", "netns", "exec", REGION, "dig", "+short", "@169.254.169.253", name, kind)
    return sorted(said(run(folder, *words)).split("\n")[:-1])


def test_names_lead_to_machines_and_services_to_those_that_are_well(
    park: Site, tmp_path: Path
) -> None:
    (first, second) = park.data("inventory", "--role", "backend")
    domain = "feature-x.park.internal"
    assert dig(tmp_path, f"backend1.{domain}", "A") == [first["address"]]
    assert dig(tmp_path, f"backend.{domain}", "A") == [first["address"], second["address"]]
    both = [f"0 0 80 backend1.{domain}.", f"0 0 80 backend2.{domain}."]
    assert dig(tmp_path, f"_http._tcp.backend.{domain}", "SRV") == both
    assert len(dig(tmp_path, f"_p9100._tcp.client.{domain}", "SRV")) == 1
    assert dig(tmp_path, f"_http._tcp.client.{domain}", "SRV") == []
    assert dig(tmp_path, f"_http._tcp.backend.{domain}", "A") == []


# Ansible.


def ansible(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return run(
        folder,
        *words,
        # Its master process would outlive the test.
        ANSIBLE_SSH_ARGS="-o ControlMaster=no",
        ANSIBLE_LOCAL_TEMP=str(folder / "ansible"),
        ANSIBLE_NOCOLOR="1",
        ANSIBLE_INVENTORY=str(REPOSITORY / "packaging" / "ansible" / "greenroom-inventory"),
    )


def test_ansible_knows_the_machines_by_role_branch_and_tag(park: Site, tmp_path: Path) -> None:
    listed = json.loads(said(ansible(tmp_path, "ansible-inventory", "--list")))
    assert sorted(listed["_meta"]["hostvars"]) == HOSTS
    assert listed["role_backend"]["hosts"] == HOSTS[:2]
    assert listed["branch_feature_x"]["hosts"] == HOSTS
    assert listed["tag_puppetbranch_feature_x"]["hosts"] == HOSTS
    one = json.loads(said(ansible(tmp_path, "ansible-inventory", "--host", HOSTS[0])))
    assert one["greenroom_role"] == "backend"


def test_ansible_reaches_machines_and_takes_no_tag_for_a_template(
    park: Site, tmp_path: Path
) -> None:
    pinged = said(ansible(tmp_path, "ansible", "role_backend", "-m", "ping", "-o"))
    assert sorted(line.split()[0] for line in pinged.splitlines()) == HOSTS[:2]
    assert pinged.count('"ping": "pong"') == 2
    shown = "msg={{ greenroom_tags.greeting }}"
    debugged = said(ansible(tmp_path, "ansible", HOSTS[2], "-m", "debug", "-a", shown))
    assert "{{ 6 * 7 }}" in debugged
    assert "42" not in debugged


# OpenSSH.


@pytest.fixture
def ssh_config(park: Site, tmp_path: Path) -> Path:
    path = tmp_path / "ssh_config"
    path.write_text(park.ok("inventory", "--format", "ssh"))
    return path


def test_ssh_runs_a_command_in_the_machine_and_ends_as_it_ends(
    ssh_config: Path, tmp_path: Path
) -> None:
    data = os.urandom(300_000)
    command = "hostname >&2; cat; exit 7"
    done = run(tmp_path, "ssh", "-F", str(ssh_config), "backend1.feature-x", command, stdin=data)
    assert done.returncode == 7
    assert done.stderr.decode().split() == ["backend1"]
    assert done.stdout == data


def test_ssh_gives_a_terminal_to_who_asks_for_one(ssh_config: Path, tmp_path: Path) -> None:
    name = "backend2.feature-x.park.internal"
    words = ("ssh", "-F", str(ssh_config), "-tt", name, "tty && id -u")
    printed = said(run(tmp_path, *words)).split()
    assert printed[0].startswith("/dev/pts/")
    assert printed[1] == "0"


def test_ssh_opens_to_no_other_key_and_forwards_nothing(ssh_config: Path, tmp_path: Path) -> None:
    key = tmp_path / "other"
    said(run(tmp_path, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)))
    text = ssh_config.read_text()
    ssh_config.write_text(text.replace(str(RUN / "ssh" / "id_ed25519"), str(key)))
    name = "backend1.feature-x"
    words = ("ssh", "-F", str(ssh_config), "-o", "BatchMode=yes")
    done = run(tmp_path, *words, name, "true")
    assert done.returncode == 255
    assert b"Permission denied" in done.stderr
    ssh_config.write_text(text)
    done = run(tmp_path, *words, "-W", "127.0.0.1:80", name)
    assert done.returncode == 255
    assert b"administratively prohibited" in done.stderr


def test_the_keys_are_roots_alone(ssh_config: Path) -> None:
    folder = RUN / "ssh"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "id_ed25519").stat().st_mode & 0o777 == 0o600


# Prometheus.


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_prometheus_finds_and_scrapes_every_machine(park: Site, tmp_path: Path) -> None:
    token = park.data("token", "create", f"prometheus-{os.getpid()}", "--role", "viewer")["token"]
    (tmp_path / "token").write_text(token)
    config = {
        "scrape_configs": [
            {
                "job_name": "nodes",
                "scrape_interval": "1s",
                "http_sd_configs": [
                    {
                        "url": f"http://127.0.0.1:{WEB_PORT}/v1/inventory/http_sd?port=9100",
                        "authorization": {"credentials_file": str(tmp_path / "token")},
                        "refresh_interval": "1s",
                    }
                ],
            }
        ]
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    said(run(tmp_path, "promtool", "check", "config", "prometheus.yml"))
    port = free_port()
    words = (
        "prometheus",
        "--config.file=prometheus.yml",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
    )
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            words, cwd=tmp_path, env=surroundings(tmp_path), stdout=log, stderr=log
        )
    try:
        wait_until(lambda: sorted(scraped(port)) == HOSTS, timeout_s=TIMEOUT_S)
    finally:
        server.terminate()
        server.wait()


def scraped(port: int) -> list[str]:
    """The machines whose node exporter has answered, by their labels and their own host name."""
    query = urllib.parse.quote('up{job="nodes"} == 1')
    names = {
        (each["machine"], each["environment"])
        for each in _results(port, query)
        if each["branch"] == "feature_x"
    }
    known = {each["nodename"] for each in _results(port, "node_uname_info")}
    return [f"{name}.feature-x.park" for name, where in names if name in known and where]


def _results(port: int, query: str) -> list[dict[str, Any]]:
    url = f"http://127.0.0.1:{port}/api/v1/query?query={query}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            found = json.load(answer)["data"]["result"]
    except (OSError, http.client.HTTPException):
        return []
    return [result["metric"] for result in found]


# Puppet.


def test_puppet_classifies_a_machine_by_its_role_and_branch(park: Site, tmp_path: Path) -> None:
    (tmp_path / "environments" / "feature_x").mkdir(parents=True)
    words = (
        "puppet",
        "node",
        "find",
        "backend1.feature-x.park.internal",
        "--terminus=exec",
        "--node_terminus=exec",
        f"--external_nodes={REPOSITORY / 'packaging' / 'puppet' / 'greenroom-enc'}",
        f"--environmentpath={tmp_path / 'environments'}",
        f"--confdir={tmp_path}",
        f"--vardir={tmp_path / 'var'}",
        "--render-as=json",
    )
    node = json.loads(said(run(tmp_path, *words)).strip().splitlines()[-1])
    assert node["environment"] == "feature_x"
    assert node["classes"] == {"role::backend": {}}
    assert node["parameters"]["branch"] == "feature_x"
    assert node["parameters"]["greeting"] == "{{ 6 * 7 }}"
