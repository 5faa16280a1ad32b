"""One command boots the branch: real servers, a restored database, and the proof."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.real.books import held, rows
from tests.real.site import NET, REGION, SEED_COMMAND, Site, get, wait_until

FEATURE = "api.feature-x.photos.localhost"
MASTER = "api.master.photos.localhost"
FILTERED = str(errno.EHOSTUNREACH)


def test_the_seeds_command_boots_the_branch_from_nothing(site: Site) -> None:
    done = site.greenroom(*SEED_COMMAND.split())
    assert done.returncode == 0, done.stdout + done.stderr
    detail = site.data("show", "feature_x")
    assert detail["summary"]["status"] == "ready"
    assert detail["summary"]["verdict"] == "proved"
    status, page = get(FEATURE)
    assert status == 200
    assert "feature_x" in page


def test_the_page_shows_rows_of_the_restored_database(feature: Site) -> None:
    manifest = json.loads((feature.folder / "data/extract/manifest.json").read_text())
    _, stats = get(FEATURE, "/api/stats")
    rows = json.loads(stats)
    for table in ("users", "photos", "likes", "comments"):
        assert str(manifest["tables"][table]["rows"]) in json.dumps(rows), (table, rows)


def test_show_tells_phases_restore_time_and_age_of_the_data(feature: Site) -> None:
    detail = feature.data("show", "feature_x")
    phases = {phase["phase"] for phase in detail["phases"] if phase["machine"] is None}
    assert {"images", "volumes", "network", "machines", "proof", "publish"} <= phases
    (restore,) = detail["restores"]
    assert restore["mode"] == "clone"
    assert restore["restore_s"] > 0 and restore["verify_s"] > 0 and restore["clone_s"] > 0
    assert {table["name"] for table in restore["tables"]} >= {"users", "photos", "likes"}
    text = feature.ok("show", "feature_x")
    assert "extract" in text and "clone" in text


def test_a_second_branch_has_other_code_its_own_data_and_no_flow_to_the_first(
    feature: Site,
) -> None:
    feature.ok(
        *[
            "create",
            "--machines",
            "backend",
            "db",
            "feed",
            "--restore_db",
            "extract",
            "--branch",
            "master",
        ]
    )
    try:
        assert get(MASTER)[1] != get(FEATURE)[1]
        script = 'mariadb -N -e "{}" photos'
        feature.inside("master", "db1", script.format("DELETE FROM likes"))
        assert feature.inside("master", "db1", script.format("SELECT COUNT(*) FROM likes"))[1] == (
            "0\n"
        )
        assert feature.inside("feature_x", "db1", script.format("SELECT COUNT(*) FROM likes"))[
            1
        ] != ("0\n")
        for branch in ("feature_x", "master"):
            proof = feature.data("flows", branch)
            assert {flow["verdict"] for flow in proof["flows"]} == {"proved"}
            between = [f for f in proof["flows"] if "/" in f["source"] or "/" in f["target"]]
            assert {flow["reach"] for flow in between} == {"filtered"}
            # Both ways, from every machine to every other one.
            assert len({(f["source"], f["target"]) for f in between}) == 18
    finally:
        assert feature.greenroom("destroy", "master").returncode == 4
        feature.ok("destroy", "master", "--confirm", "master")


def test_metadata_answers_with_imdsv2_only(feature: Site) -> None:
    url = "http://169.254.169.254/latest"
    _, code = feature.inside(
        "feature_x", "backend1", f"curl -s -o /dev/null -w '%{{http_code}}' {url}/meta-data/"
    )
    assert code == "401"
    script = (
        f"T=$(curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {url}/api/token);"
        f'curl -s -H "X-aws-ec2-metadata-token: $T" {url}/meta-data/tags/instance/role'
    )
    assert feature.inside("feature_x", "backend1", script) == (0, "backend")
    assert feature.inside("feature_x", "db1", script) == (0, "db")
    no_lifetime = f"curl -s -o /dev/null -w '%{{http_code}}' -X PUT {url}/api/token"
    assert feature.inside("feature_x", "backend1", no_lifetime)[1] == "400"


def test_facts_names_and_flows_from_inside(feature: Site) -> None:
    assert feature.inside("feature_x", "backend1", "greenroom-facts role") == (0, "backend\n")
    assert feature.inside("feature_x", "backend1", "greenroom-facts branch") == (0, "feature_x\n")
    assert connect_from(feature, "backend1", "db", 3306) == "0"
    assert connect_from(feature, "feed1", "db", 3306) == FILTERED
    code, names = feature.inside("feature_x", "feed1", "getent hosts backend1 api db")
    assert code == 0
    assert "backend1.feature-x.photos.internal" in names


def test_from_outside_only_the_backends_port_80_answers(feature: Site) -> None:
    machines = feature.data("show", "feature_x")["machines"]
    reached = set()
    for machine in machines:
        for port in (22, 80, 3306, 6379, 9000):
            try:
                socket.create_connection((machine["address"], port), timeout=2).close()
            except OSError:
                continue
            reached.add((machine["name"], port))
    assert reached == {("backend1", 80)}


def test_the_user_data_read_back_is_what_ran(feature: Site) -> None:
    url = "http://169.254.169.254/latest"
    script = (
        f"T=$(curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' {url}/api/token);"
        f'curl -s -H "X-aws-ec2-metadata-token: $T" {url}/user-data | sha256sum;'
        "sha256sum < /var/lib/cloud/instance/user-data.txt"
    )
    _, sums = feature.inside("feature_x", "db1", script)
    served, ran = sums.splitlines()
    assert served == ran
    assert not served.startswith(hashlib.sha256(b"").hexdigest())


def test_a_machine_whose_agent_is_missing_or_changed_fetches_the_genuine_one(
    feature: Site,
) -> None:
    script = (
        "agent=/opt/greenroom/agent.pyz; sha256sum < $agent; {spoil};"
        " /var/lib/cloud/instance/user-data.txt >/dev/null; sha256sum < $agent"
    )
    for spoil in ("rm $agent", "echo more >> $agent"):
        code, sums = feature.inside("feature_x", "feed1", script.format(spoil=spoil))
        before, after = sums.splitlines()
        assert (code, before) == (0, after)


def test_the_agent_reads_of_a_service_what_s6_says(feature: Site) -> None:
    script = (
        "import sys; sys.path.insert(0, '/opt/greenroom/agent.pyz')\n"
        "from greenroom_agent.services import S6\n"
        "from greenroom_agent.paths import paths_from_environment\n"
        "s6 = S6(paths_from_environment())\n"
        "for name in ('nginx', 'php-fpm'):\n"
        "    ours, theirs = s6.state(name), s6._asked(name)\n"
        "    print(ours.up, ours.pid == theirs.pid, len(s6._status(name)), ours.up == theirs.up)\n"
    )
    code, said = feature.inside("feature_x", "backend1", f'python3 -I -S -c "{script}"')
    assert (code, said) == (0, "True True 35 True\n" * 2)


def test_the_metadata_kept_in_a_machine_is_what_the_service_says(feature: Site) -> None:
    script = (
        "import sys; sys.path.insert(0, '/opt/greenroom/agent.pyz')\n"
        "from greenroom_agent.facts import gather_facts, kept_facts\n"
        "from greenroom_agent.metadata import Metadata\n"
        "from greenroom_agent.paths import paths_from_environment\n"
        "paths = paths_from_environment()\n"
        "asked = gather_facts(Metadata(paths.metadata_url))\n"
        "print(asked.tags['role'], kept_facts(paths) == asked)\n"
    )
    for machine in ("backend1", "db1"):
        code, said = feature.inside("feature_x", machine, f'python3 -I -S -c "{script}"')
        assert (code, said) == (0, f"{machine[:-1]} True\n")


def test_a_machine_reads_no_bucket_but_its_own(feature: Site) -> None:
    code = "curl -s -o /dev/null -w '%{http_code}' http://169.254.169.252/s3/"
    assert feature.inside("feature_x", "backend1", code + "extracts/extract/manifest.json")[1] == (
        "403"
    )
    assert feature.inside("feature_x", "db1", code + "extracts/extract/manifest.json")[1] == "200"
    assert feature.inside("feature_x", "db1", code + "extracts/..%2fgreenroom.yaml")[1] == "404"
    assert (feature.folder / "data" / ".." / "greenroom.yaml").exists()
    assert feature.inside("feature_x", "feed1", code + "extracts/extract/manifest.json")[1] == (
        "403"
    )


def test_root_in_a_machine_cannot_change_its_network_or_reach_the_host(feature: Site) -> None:
    script = "python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'"
    assert feature.inside("feature_x", "backend1", script)[0] != 0
    assert feature.inside("feature_x", "backend1", "mount -t tmpfs none /mnt")[0] != 0
    vsock = "python3 -c 'import socket; socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)'"
    assert feature.inside("feature_x", "backend1", vsock)[0] != 0
    with socket.create_server(("0.0.0.0", 0)) as listener:
        port = listener.getsockname()[1]
        socket.create_connection((f"{NET}.255.1", port), timeout=2).close()
        assert connect_from(feature, "backend1", f"{NET}.255.1", port) == FILTERED


def test_exec_passes_the_exit_code_through(feature: Site) -> None:
    assert (
        feature.greenroom("exec", "feature_x", "backend1", "--", "sh", "-c", "exit 7").returncode
        == 7
    )


def test_limits_of_the_instance_type_hold(feature: Site) -> None:
    limits = list(Path("/sys/fs/cgroup").glob(f"**/{REGION}/photos.feature-x/feed1"))
    assert limits
    texts = {
        path.name: path.read_text().strip()
        for folder in limits
        for path in folder.iterdir()
        if path.name in ("memory.limit_in_bytes", "memory.max", "pids.max")
    }
    assert str(1024 * 1024 * 1024) in texts.values(), texts
    assert texts["pids.max"].isdigit()


def test_a_mounted_folder_takes_the_place_of_the_artifact(feature: Site) -> None:
    code = feature.folder / "my-code" / "public"
    code.mkdir(parents=True)
    (code / "index.php").write_text("<?php echo 'edited on the laptop';")
    feature.ok(
        "create", "--branch", "dev", "--restore", "db=none", "--mount", f"backend={code.parent}"
    )
    try:
        assert get("api.dev.photos.localhost")[1] == "edited on the laptop"
        (code / "index.php").write_text("<?php echo 'edited again';")
        assert get("api.dev.photos.localhost")[1] == "edited again"
        _, log = feature.inside("dev", "backend1", "cat /var/log/greenroom/user-data/current")
        assert "skipping deploy" in log
        assert feature.inside("dev", "db1", "mariadb -N -e 'SHOW TABLES' photos") == (0, "")
    finally:
        feature.ok("destroy", "dev")


def test_a_machine_leaves_nothing_of_the_hosts_root_in_a_mounted_folder(feature: Site) -> None:
    code = feature.folder / "somebodys-code"
    (code / "public").mkdir(parents=True)
    (code / "public" / "index.php").write_text("<?php echo 'mine';")
    for path in (code, *code.rglob("*")):
        os.chown(path, 4711, 4711)
    mount = f"backend={code}"
    feature.ok("create", "--branch", "mounted", "--restore", "db=none", "--mount", mount)
    try:
        script = "cd /var/www/backend/current && cp /bin/true tool && chmod 4755 tool"
        assert feature.inside("mounted", "backend1", script)[0] == 0
        assert (code / "tool").stat().st_uid == 4711
        os.chown(code, 0, 0)
    finally:
        feature.ok("destroy", "mounted")
    feature.ok("create", "--branch", "mounted", "--restore", "db=none", "--mount", mount)
    try:
        script = "touch /var/www/backend/current/anything"
        assert feature.inside("mounted", "backend1", script)[0] != 0
    finally:
        feature.ok("destroy", "mounted")


def test_what_a_machine_has_made_too_deep_to_walk_is_removed_all_the_same(site: Site) -> None:
    site.ok("create", "--branch", "deep", "--machines", "feed")
    dig = "import os; [(os.mkdir(str(1)), os.chdir(str(1))) for _ in range(3000)]"
    assert site.inside("deep", "feed1", f"cd /tmp && python3 -c '{dig}'")[0] == 0
    assert "0 left over" in site.ok("destroy", "deep")


def test_a_branch_without_an_artifact_gets_the_default_branchs_and_says_so(feature: Site) -> None:
    out = feature.greenroom("create", "--restore", "db=none", "--branch", "no-artifact")
    try:
        assert out.returncode == 0, out.stdout + out.stderr
        assert "backend-master.tar.gz" in out.stdout + out.stderr
        assert artifact_of(feature, "no-artifact")["fallback"] is True
    finally:
        feature.ok("destroy", "no-artifact")


def test_cold_forces_the_real_restore(feature: Site) -> None:
    feature.ok("create --machines db --restore db=extract:cold --branch cold")
    try:
        (restore,) = feature.data("show", "cold")["restores"]
        assert restore["mode"] == "cold"
        assert restore["clone_s"] is None
        assert restore["restore_s"] > 0
    finally:
        feature.ok("destroy", "cold")


def test_what_takes_its_time_in_a_machine_is_told_meanwhile(site: Site, tmp_path: Path) -> None:
    own = site.copied(tmp_path / "slow")
    own.edit(
        "greenroom.yaml", "{tcp: 6379, deadline_s: 60}", '{command: ["false"], deadline_s: 60}'
    )
    # So that there is a ledger to look into.
    own.ok("list")
    asked = own.start("create", "--machines", "feed", "--branch", "slow")
    query = (
        "SELECT phase FROM events JOIN operations ON operations.id = operation "
        "WHERE environment = ? AND machine = 'feed1' AND events.kind = 'phase-started'"
    )
    try:
        wait_until(lambda: ("checks",) in rows(query, "photos/slow"), 120)
    finally:
        own.ok("cancel", "slow")
        asked.communicate(timeout=120)
    assert held("photos/slow") == set()


def test_deploy_switches_a_running_environment_to_a_new_artifact(feature: Site) -> None:
    before = artifact_of(feature, "feature_x")
    features = feature.folder / "branches/feature_x/src/features.php"
    features.write_text(features.read_text() + "\n// a new release\n")
    make_artifacts = [sys.executable, "make_artifacts.py"]
    subprocess.run(make_artifacts, cwd=feature.folder, check=True, capture_output=True)
    feature.ok("deploy", "feature_x")
    after = artifact_of(feature, "feature_x")
    assert after["sha256"] != before["sha256"]
    _, running = feature.inside(
        "feature_x", "backend1", "tail -1 /var/www/backend/current/src/features.php"
    )
    assert running == "// a new release\n"
    assert get(FEATURE, "/health")[0] == 200


def test_a_failed_deploy_leaves_the_old_code_in_place(feature: Site) -> None:
    before = get(FEATURE, "/api/stats")
    artifact = feature.folder / "artifacts/backend-feature_x.tar.gz"
    good = artifact.read_bytes()
    artifact.write_bytes(good + b"!")
    try:
        done = feature.greenroom("deploy", "feature_x")
        assert done.returncode == 1
        assert (
            "error E_MACHINE_FAILED: backend1: backend-feature_x.tar.gz: sha256 is" in done.stderr
        )
        assert f" of {artifact.name} on backend1\n→ mend the artifact" in done.stderr
        assert f" in {artifact.parent}, and deploy again\n" in done.stderr
        assert get(FEATURE, "/api/stats")[0] == before[0] == 200
    finally:
        artifact.write_bytes(good)
    feature.ok("deploy", "feature_x")


def test_flows_finds_a_service_that_died_after_the_boot(feature: Site) -> None:
    nginx = "/etc/greenroom/service/nginx"
    assert feature.inside("feature_x", "backend1", f"s6-svc -d -wd {nginx}")[0] == 0
    try:
        done = feature.greenroom("flows", "feature_x")
        assert done.returncode == 3
        assert "backend1: healthy (service nginx is down; " in done.stdout
        assert "outside → backend1:80/tcp is refused, declared" in done.stdout
    finally:
        assert feature.inside("feature_x", "backend1", f"s6-svc -u -wu {nginx}")[0] == 0
    wait_until(lambda: get(FEATURE, "/health")[0] == 200)
    feature.ok("flows", "feature_x")


def connect_from(site: Site, machine: str, host: str, port: int) -> str:
    """The error number of a TCP connect from inside a machine of feature_x; 0 when it works."""
    lines = ("import socket", "s = socket.socket()", "s.settimeout(3)")
    program = "; ".join([*lines, f'print(s.connect_ex((socket.gethostbyname("{host}"), {port})))'])
    code, number = site.inside("feature_x", machine, f"python3 -c '{program}'")
    assert code == 0
    return number.strip()


def artifact_of(site: Site, branch: str) -> dict[str, Any]:
    """The artifact that the branch's backend runs."""
    machines = site.data("show", branch)["machines"]
    artifact: dict[str, Any] = next(m for m in machines if m["type"] == "backend")["artifact"]
    return artifact
