"""What is wrong with an input, a host or a machine is said in one exact message, and nothing
stays behind."""
# ruff: noqa: E501 - a message is one line, so that it can be read as its reader does.

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from tests.real.site import (
    ENVIRONMENT,
    FREE_NET,
    LABEL,
    PORT,
    REGION,
    RUN,
    STATE,
    Site,
    error_in,
    get,
    wait_until,
)

NOT_A_REGION = f"{LABEL[:6]}no"
"""A region whose daemon refuses to start."""
ANOTHER = {"GREENROOM_REGION": NOT_A_REGION, "GREENROOM_WEB_PORT": str(PORT + 11)}
"""The same, beside the tests' own, whose page has the usual port."""


def test_the_names_are_those_of_the_environment(feature: Site) -> None:
    """What the other tests take for «nothing» is something when there is an environment."""
    assert keys_on_the_host() == {"photos.feature-x"}


def keys_on_the_host() -> set[str]:
    """The environments of which the host holds anything: namespaces, cgroups, files, names."""
    found = {path.name for path in Path("/run/netns").glob(f"{REGION}.*")}
    found = {name.removeprefix(f"{REGION}.").rpartition(".")[0] for name in found}
    for folder in (RUN / "machines", RUN / "dns", STATE / "pool" / "environments"):
        found |= {path.name for path in folder.iterdir()}
    found |= {path.name.rpartition(".")[0] for path in (RUN / "crun").iterdir()}
    found |= {path.name for path in Path("/sys/fs/cgroup").glob(f"*/{REGION}/*.*") if path.is_dir()}
    return {key for key in found if re.fullmatch(r"[a-z]+\.[a-z0-9-]+", key)}


def refuse(site: Site, *words: str, code: int = 1) -> str:
    """Run a command that must fail, and leave the host and the list as they are; its error."""
    before = what_there_is(site)
    done = site.greenroom(*words)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert what_there_is(site) == before
    return error_in(done.stderr)


def what_there_is(site: Site) -> tuple[list[str], set[str]]:
    """The environments that the daemon knows, and those of which the host holds anything."""
    listed = [environment["name"] for environment in site.data("list")]
    return listed, keys_on_the_host()


# What is wrong with the command line

UNKNOWN = [
    (
        "create --machines bakend db feed --branch x",
        "error E_MACHINE_TYPE: unknown machine type 'bakend'; did you mean 'backend'?\n"
        "→ machine types of photos: backend, db, feed; shared, for --shared: metrics\n",
    ),
    (
        "create --machines metrics --branch x",
        "error E_MACHINE_TYPE: the machine type 'metrics' is shared: it serves all environments and is in none\n"
        "→ leave metrics out of --machines; greenroom create --shared metrics boots it\n",
    ),
    (
        "create --shared backend",
        "error E_MACHINE_TYPE: the machine type 'backend' is not shared: each environment has its own\n"
        "→ ask for backend with --machines, or declare 'shared: true' for it\n",
    ),
    (
        "create --shared metric",
        "error E_MACHINE_TYPE: unknown shared machine type 'metric'; did you mean 'metrics'?\n"
        "→ shared machine types of photos: metrics\n",
    ),
    (
        "create --shared metrics --branch feature_x",
        "error E_SHARED: --shared and --branch exclude each other: the shared environment belongs to no branch and has shared machines only\n"
        "→ create the shared environment and the branch's in two commands\n",
    ),
    (
        "create --machines backend --branch x",
        "error E_NEEDS: backend needs db and feed: add db feed to --machines\n"
        "→ --machines backend db feed\n",
    ),
    (
        "create --restore db=extrakt --branch x",
        "error E_RESTORE_SOURCE: --restore db=extrakt: unknown restore source 'extrakt'; did you mean 'extract'?\n"
        "→ restore sources of db: extract, backup, none\n",
    ),
    (
        "create --restore_bd extract --branch x",
        "error E_RESTORE_DATA: --restore bd=extract: unknown data 'bd'; did you mean 'db'?\n"
        "→ a data's name is that of its machine type\n",
    ),
    (
        "create --restore db=extract:warm --branch x",
        "error E_RESTORE_SOURCE: --restore db=extract:warm: 'warm' is no way to restore; expected 'cold'\n"
        "→ write db=extract for a clone, db=extract:cold for the real thing\n",
    ),
    (
        "create --mount bakend=/tmp --branch x",
        "error E_MOUNT: --mount bakend=/tmp: unknown machine type 'bakend'; did you mean 'backend'?\n"
        "→ name a requested machine type that deploys, and a folder of this host\n",
    ),
    (
        "create --mount backend=/nowhere --branch x",
        "error E_MOUNT: --mount backend=/nowhere: there is no such folder\n"
        "→ give the folder that holds the code\n",
    ),
    (
        "create --restore db=backup --branch x",
        "error E_EXTRACT_MISSING: restore source 'backup' of db: there is no manifest SITE/data/backup/manifest.json\n"
        "→ make or fetch the extract, or restore another source: --restore db=none\n",
    ),
    (
        "show featur_x",
        "error E_NO_ENVIRONMENT: there is no environment 'featur_x'\n→ did you mean 'feature_x'?\n",
    ),
    (
        "exec feature_x bakend1 -- true",
        "error E_NO_MACHINE: photos/feature-x: unknown machine 'bakend1'; did you mean 'backend1'?\n"
        "→ machines of photos/feature-x: backend1, db1, feed1\n",
    ),
    (
        "deploy feature_x bakend",
        "error E_MACHINE_TYPE: photos/feature-x: unknown machine type 'bakend'; did you mean 'backend'?\n"
        "→ machine types of photos/feature-x: backend, db, feed\n",
    ),
]


@pytest.mark.parametrize(("line", "message"), UNKNOWN, ids=[line for line, _ in UNKNOWN])
def test_what_nobody_knows_is_refused_with_the_nearest_name(
    feature: Site, line: str, message: str
) -> None:
    site = without_a_backup(feature) if "backup" in line else feature
    assert refuse(site, *line.split()) == message.replace("SITE", str(site.folder))


def without_a_backup(site: Site) -> Site:
    (site.folder / "data" / "backup" / "manifest.json").unlink(missing_ok=True)
    return site


def test_a_branch_whose_environment_exists_is_refused_with_what_can_be_done(feature: Site) -> None:
    created = feature.data("show", "feature_x")["summary"]["created_at"]
    message = refuse(feature, "create", "--branch", "feature_x")
    expected = (
        r"error E_ENVIRONMENT_EXISTS: environment photos/feature-x exists already "
        r"\(branch feature_x, ready since \d{4}-\d\d-\d\d \d\d:\d\d UTC\)\n"
        r"→ greenroom deploy photos/feature-x, or greenroom destroy photos/feature-x first\n"
    )
    assert re.fullmatch(expected, message)
    assert feature.data("show", "feature_x")["summary"]["created_at"] == created


# What is wrong with the blueprint

# Replaced text, replacement, what stands at the place of the fault, path and message.
BLUEPRINTS = [
    (
        "    groups: [base]\n    instance_profile: extract-access",
        "    groups: [bas]\n    instance_profile: extract-access",
        "bas]",
        "machines.db.groups[0]: unknown group 'bas'; did you mean 'base'?",
    ),
    (
        "instance_type: t3.micro",
        "instance_type: t3.mikro",
        "t3.mikro",
        "machines.feed.instance_type: unknown instance type 't3.mikro'; did you mean 't3.micro'?",
    ),
    (
        "  feed:\n    image: redis",
        "  feed:\n    needs: [backend]\n    image: redis",
        "feed]",
        "machines.backend.needs[1]: needs form a cycle: backend → feed → backend",
    ),
    (
        "{port: 3306, from: backend}",
        "{port: 3306, from: bakend}",
        "bakend}",
        "machines.db.ingress[0].from: unknown machine type or group 'bakend'; did you mean 'backend'?",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "at", "fault"), BLUEPRINTS, ids=[case[-1] for case in BLUEPRINTS]
)
def test_a_fault_of_the_blueprint_is_told_with_its_place(
    feature: Site, tmp_path: Path, old: str, new: str, at: str, fault: str
) -> None:
    site = feature.copied(tmp_path / "photos")
    site.edit("greenroom.yaml", old, new)
    blueprint = site.folder / "greenroom.yaml"
    assert refuse(site, "create", "--branch", "x") == (
        f"error E_BLUEPRINT: the blueprint {blueprint} has 1 fault\n"
        f"  {blueprint}:{place_of(at, blueprint)}: {fault}\n"
        "→ mend the places named; 'greenroom schema' prints what a blueprint may hold\n"
    )


def place_of(text: str, file: Path) -> str:
    """``line:column``, both from 1, of the first place that holds ``text``."""
    before = file.read_text().partition(text)[0]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def test_two_groups_that_disagree_on_a_tag_are_refused_with_who_can_decide(
    feature: Site, tmp_path: Path
) -> None:
    site = feature.copied(tmp_path / "photos")
    site.edit("greenroom.yaml", 'tags: {monitoring: "false"}', 'tags: {role: "spare"}')
    assert refuse(site, "create", "--branch", "x") == (
        "error E_TAG_CONFLICT: the groups 'backend' and 'base' of machine type 'backend' disagree "
        "on the tag 'role': 'backend' and 'spare'\n"
        "→ decide with 'role' in the machine_tags of backend\n"
    )


# What is wrong with artifacts and extracts


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def artifact(site: Site) -> Path:
    return site.folder / "artifacts" / "backend-feature_x.tar.gz"


def dump(site: Site) -> Path:
    return site.folder / "data" / "extract" / "photos.sql.gz"


def put_artifact(site: Site, content: bytes) -> None:
    artifact(site).write_bytes(content)
    artifact(site).with_name(f"{artifact(site).name}.sha256").write_text(
        f"{sha256(artifact(site))}  {artifact(site).name}\n"
    )


def archive_of(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


def change_manifest(site: Site, change: Callable[[dict], None]) -> None:
    path = site.folder / "data" / "extract" / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def adapt_manifest(site: Site) -> None:
    """Let the manifest say of the dump what is true of it now."""
    now = {"sha256": sha256(dump(site)), "bytes": dump(site).stat().st_size}
    change_manifest(site, lambda manifest: manifest["dump"].update(now))


def no_artifact(site: Site) -> str:
    for path in artifact(site).parent.glob("*.tar.gz"):
        path.unlink()
    return (
        "error E_ARTIFACT_MISSING: backend: none of backend-feature_x.tar.gz, backend-master.tar.gz "
        f"is in bucket code ({artifact(site).parent})\n"
        "→ build the artifact and put it there, with its .sha256 beside it\n"
    )


def wrong_checksum_of_the_artifact(site: Site) -> str:
    name, before = artifact(site).name, sha256(artifact(site))
    artifact(site).write_bytes(archive_of("index.php"))
    return machine_failed(
        f"backend1: {name}: sha256 is {sha256(artifact(site))}, {name}.sha256 says {before}"
    )


def no_checksum_of_the_artifact(site: Site) -> str:
    name = artifact(site).name
    artifact(site).with_name(f"{name}.sha256").unlink()
    return (
        f"error E_ARTIFACT_CHECKSUM: backend: {name} in bucket code has no checksum beside it\n"
        f"→ in {artifact(site).parent}: sha256sum {name} > {name}.sha256\n"
    )


def artifact_that_climbs_out(site: Site) -> str:
    put_artifact(site, archive_of("../../../etc/cron.d/climber"))
    return machine_failed(
        f"backend1: {artifact(site).name} refused: '../../../etc/cron.d/climber' lies outside of the archive"
    )


def no_manifest(site: Site) -> str:
    manifest = site.folder / "data" / "extract" / "manifest.json"
    manifest.unlink()
    return (
        f"error E_EXTRACT_MISSING: restore source 'extract' of db: there is no manifest {manifest}\n"
        "→ make or fetch the extract, or restore another source: --restore db=none\n"
    )


def no_dump(site: Site) -> str:
    dump(site).unlink()
    return machine_failed("db1: the dump extract/photos.sql.gz is not in bucket 'extracts'")


def cut_dump(site: Site) -> str:
    whole = dump(site).read_bytes()
    dump(site).write_bytes(whole[:-1000])
    return machine_failed(
        f"db1: extract/photos.sql.gz: {len(whole) - 1000} bytes, the manifest says {len(whole)}"
    )


def changed_dump(site: Site) -> str:
    before = sha256(dump(site))
    content = bytearray(dump(site).read_bytes())
    content[len(content) // 2] ^= 1
    dump(site).write_bytes(content)
    return machine_failed(
        f"db1: extract/photos.sql.gz: sha256 is {sha256(dump(site))}, the manifest says {before}"
    )


def cut_dump_with_its_own_checksum(site: Site) -> str:
    dump(site).write_bytes(dump(site).read_bytes()[:-4])
    adapt_manifest(site)
    return machine_failed("db1: the dump is truncated: its gzip stream ends early")


def dump_without_its_trailer(site: Site) -> str:
    text = gzip.decompress(dump(site).read_bytes())
    kept = text[: text.rindex(b"-- Dump completed")]
    dump(site).write_bytes(gzip.compress(kept))
    adapt_manifest(site)
    return machine_failed("db1: the dump is truncated: its last line is not '-- Dump completed'")


def dump_that_commands_the_client(site: Site) -> str:
    text = gzip.decompress(dump(site).read_bytes())
    dump(site).write_bytes(gzip.compress(b"\\! touch /data/commanded\n" + text))
    adapt_manifest(site)
    return machine_failed(r"db1: the dump does not load: ERROR at line 2: Unknown command '\!'.")


def wrong_row_count(site: Site) -> str:
    rows = 0

    def one_more(manifest: dict) -> None:
        nonlocal rows
        rows = manifest["tables"]["likes"]["rows"]
        manifest["tables"]["likes"]["rows"] = rows + 1

    change_manifest(site, one_more)
    return machine_failed(
        "db1: the restored database is not the manifest's: "
        f"table likes: {rows} rows, the manifest says {rows + 1}"
    )


def wrong_checksum_of_a_table(site: Site) -> str:
    found = ""

    def another(manifest: dict) -> None:
        nonlocal found
        found = manifest["tables"]["users"]["checksum"]
        manifest["tables"]["users"]["checksum"] = "0123456789abcdef"

    change_manifest(site, another)
    return machine_failed(
        "db1: the restored database is not the manifest's: "
        f"table users: checksum is {found}, the manifest says 0123456789abcdef"
    )


def wrong_schema(site: Site) -> str:
    change_manifest(
        site, lambda manifest: manifest["tables"]["users"]["columns"].append("x int(11) NULL")
    )
    return machine_failed(
        "db1: the restored database is not the manifest's: "
        "table users: column 'x int(11) NULL' is missing"
    )


def machine_failed(reason: str) -> str:
    return (
        f"error E_MACHINE_FAILED: {reason}\n"
        "→ mend what the machine says and run the same command again\n"
    )


BROKEN = [
    no_artifact,
    wrong_checksum_of_the_artifact,
    no_checksum_of_the_artifact,
    artifact_that_climbs_out,
    no_manifest,
    no_dump,
    cut_dump,
    changed_dump,
    cut_dump_with_its_own_checksum,
    dump_without_its_trailer,
    dump_that_commands_the_client,
    wrong_row_count,
    wrong_checksum_of_a_table,
    wrong_schema,
]


@pytest.mark.parametrize("break_something", BROKEN, ids=[case.__name__ for case in BROKEN])
def test_a_broken_input_fails_the_create_with_its_reason_and_nothing_stays(
    feature: Site, tmp_path: Path, break_something: Callable[[Site], str]
) -> None:
    site = feature.copied(tmp_path / "photos")
    expected = break_something(site)
    # Another stack, so that its environment of the same branch is another one.
    site.edit("greenroom.yaml", "stack: photos\n", "stack: broken\n")
    of_the_data = break_something in BROKEN[4:]
    machines = ["db"] if of_the_data else ["backend", "db", "feed"]
    restore = "db=extract:cold" if of_the_data else "db=extract"
    goldens = sorted((STATE / "pool" / "goldens").iterdir())
    words = ["create", "--machines", *machines, "--restore", restore, "--branch", "feature_x"]
    assert refuse(site, *words) == expected
    assert sorted((STATE / "pool" / "goldens").iterdir()) == goldens


def test_a_drill_that_fails_leaves_no_golden_volume(feature: Site, tmp_path: Path) -> None:
    site = feature.copied(tmp_path / "photos")
    expected = wrong_row_count(site).replace("db1:", "db-drill:")
    goldens = sorted((STATE / "pool" / "goldens").iterdir())
    assert refuse(site, "create", "--machines", "db", "--branch", "x") == expected
    assert sorted((STATE / "pool" / "goldens").iterdir()) == goldens


# Machines that misbehave

CREW = r"""
stack: crew
zone: crew.internal

images:
  bare:
    services:
      app:
        command: |
          case $(sed -n 's/.*"conduct": "\([a-z]*\)".*/\1/p' /etc/greenroom/facts.json) in
          dies)
            # s6 starts it again: what comes then says nothing more.
            [ -e /tmp/died ] && exit 3
            touch /tmp/died
            echo 'reading the configuration'
            echo 'fatal: there is no table users'
            exit 3 ;;
          silences)
            while ! grep -qsx checks /var/log/greenroom/phase; do sleep 0.1; done
            # The agent is stopped, as if its machine hung: it can neither go on nor signal.
            for process in /proc/[0-9]*; do
              grep -qs agent.pyz "$process/cmdline" && kill -STOP "${process#/proc/}"
            done ;;
          esac
          exec sleep infinity

machines:
  dies:
    image: bare
    machine_tags: {conduct: dies}
  hangs:
    image: bare
    machine_tags: {conduct: hangs}
    deadline_s: 6
    check: [{http: /health, port: 8000, deadline_s: 60}]
  silences:
    image: bare
    machine_tags: {conduct: silences}
    deadline_s: 6
    check: [{http: /health, port: 8000, deadline_s: 60}]
  waits:
    image: bare
    machine_tags: {conduct: hangs}
    check: [{http: /health, port: 8000, deadline_s: 60}]
  fails:
    image: bare
    machine_tags: {conduct: serves}
    check: [{http: /health, port: 8000, deadline_s: 1}]
"""


@pytest.fixture(scope="module")
def crew(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Machines of a small image whose one service does what a tag says."""
    folder = tmp_path_factory.mktemp("crew")
    (folder / "greenroom.yaml").write_text(CREW)
    return Site(folder)


MISBEHAVIOUR = [
    (
        "dies",
        machine_failed(
            "dies1: service app died (exit code 3); the last lines of its log:\n"
            "  reading the configuration\n"
            "  fatal: there is no table users"
        ),
    ),
    (
        "hangs",
        machine_failed("hangs1: not ready within 6 s: still at «checks»"),
    ),
    (
        "silences",
        "error E_MACHINE_SILENT: silences1 did not signal within 6 s; the last thing it was doing: checks\n"
        "→ if it only needs longer, raise deadline_s of machine type silences\n",
    ),
    (
        "fails",
        machine_failed(
            "fails1: GET /health on port 8000 got no answer (connection refused) for 1 s"
        ),
    ),
]


@pytest.mark.parametrize(("conduct", "message"), MISBEHAVIOUR, ids=[m[0] for m in MISBEHAVIOUR])
def test_a_machine_that_misbehaves_is_told_with_what_it_was_doing(
    crew: Site, conduct: str, message: str
) -> None:
    # An agent that looks late finds the service that died in its next life.
    late = message.replace("(exit code 3)", "and was started again")
    assert refuse(crew, "create", "--machines", conduct, "--branch", "x") in (message, late)


def test_a_machine_that_is_killed_is_told_with_what_it_was_doing(crew: Site) -> None:
    before = what_there_is(crew)
    process = crew.start("create", "--machines", "waits", "--branch", "x")
    phase = STATE / "pool" / "environments" / "crew.x" / "waits1" / "log" / "phase"
    wait_until(lambda: phase.exists() and phase.read_text() == "checks\n")
    status = json.loads((RUN / "crun" / "crew.x.waits1" / "status").read_text())
    os.kill(status["pid"], signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert error_in(err) == (
        "error E_MACHINE_DIED: waits1 ended before it signalled; the last thing it was doing: checks\n"
    )
    assert what_there_is(crew) == before


# What is wrong with the host

AS_NOBODY = [
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    # It may read everything, wherever this clone lies, and change nothing.
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
]


def run_as_nobody(site: Site, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(site, [*AS_NOBODY, sys.executable, "-m", "greenroom.cli", *words], environment)


def run_without(program: str, site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the CLI where a program of the host is not one: only this command sees it so."""
    script = 'mount --bind /dev/null "$0" && exec "$@"'
    hidden = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, program]
    command = [*hidden, sys.executable, "-m", "greenroom.cli", *words]
    environment = {**ANOTHER, "GREENROOM_CIDR": f"{FREE_NET}.0.0/16"}
    return run(site, command, environment)


def run(
    site: Site, argv: list[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        cwd=site.folder,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def no_region() -> Iterator[None]:
    """Takes away the log and the lock of a daemon that refused to start, and asserts that there
    is no more of it."""
    folders = {
        Path("/run") / f"greenroom-{NOT_A_REGION}": {"start.lock"},
        Path("/var/lib") / f"greenroom-{NOT_A_REGION}": {"daemon.log"},
    }
    try:
        yield
        for folder, known in folders.items():
            assert {path.name for path in folder.rglob("*")} <= known
        assert not Path("/run/netns", f"greenroom-{NOT_A_REGION}").exists()
        assert not Path("/sys/class/net", f"gr-{NOT_A_REGION}").exists()
    finally:
        for folder, known in folders.items():
            for name in known:
                (folder / name).unlink(missing_ok=True)
            if folder.exists():
                folder.rmdir()


def mends(doctor: str) -> list[str]:
    """The lines of what is lacking, each with its mend below."""
    lines = doctor.splitlines()
    numbers = [number for number, line in enumerate(lines) if line.startswith("✗")]
    return [" ".join(line.split()) for number in numbers for line in lines[number : number + 2]]


@pytest.mark.parametrize("region", [LABEL, NOT_A_REGION], ids=["a running region", "no region"])
def test_without_root_the_door_is_closed_and_says_how_to_open_it(
    feature: Site, region: str
) -> None:
    done = run_as_nobody(feature, "create", "--branch", "a b", GREENROOM_REGION=region)
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "error E_NOT_ROOT: greenroom create needs root: the daemon makes namespaces, mounts and firewall rules\n"
        "→ sudo greenroom create --branch 'a b'\n",
    )


def test_without_root_the_doctor_says_so(feature: Site) -> None:
    done = run_as_nobody(feature, "doctor")
    assert done.returncode == 1
    assert mends(done.stdout) == [
        "✗ root greenroom needs root, this is uid 65534",
        "→ run it with sudo",
    ]


@pytest.mark.parametrize(
    ("program", "package"), [("/usr/sbin/nft", "nftables"), ("/usr/bin/crun", "crun")]
)
def test_a_missing_program_is_told_by_doctor_and_at_the_door_with_its_mend(
    feature: Site, program: str, package: str
) -> None:
    name = Path(program).name
    mend = f"→ apt-get install -y --no-install-recommends {package}"
    with no_region():
        done = run_without(program, feature, "doctor")
        assert done.returncode == 1
        assert mends(done.stdout) == [f"✗ {name} the program {name} is missing", mend]
        done = run_without(program, feature, "create", "--branch", "x")
        assert (done.returncode, done.stdout, done.stderr) == (
            1,
            "",
            f"error E_HOST: this host cannot run machines: the program {name} is missing\n{mend}\n",
        )


@pytest.mark.parametrize(
    "route",
    [
        f"unreachable {FREE_NET}.5.0/24",
        f"blackhole {FREE_NET}.5.7",
        f"{IPv4Network(f'{FREE_NET}.0.0/16').supernet()} dev lo scope link",
    ],
    ids=["a part", "one address", "more"],
)
def test_addresses_that_the_host_uses_are_told_by_doctor_and_at_the_door_with_a_free_range(
    feature: Site, route: str
) -> None:
    region = f"{FREE_NET}.0.0/16"
    environment = {**ANOTHER, "GREENROOM_CIDR": region}
    greenroom = [sys.executable, "-m", "greenroom.cli"]
    ip = ["ip", "route"]
    subprocess.run([*ip, "add", *route.split()], check=True)
    try:
        with no_region():
            used = f"the host uses addresses of {region} already: {route}"
            done = run(feature, [*greenroom, "doctor"], environment)
            assert done.returncode == 1
            told, mend = mends(done.stdout)
            assert told == f"✗ addresses {used}"
            assert mend.startswith("→ choose another range: export GREENROOM_CIDR=")
            done = run(feature, [*greenroom, "create", "--branch", "x"], environment)
            assert (done.returncode, done.stdout, done.stderr) == (
                1,
                "",
                f"error E_HOST: this host cannot run machines: {used}\n{mend}\n",
            )
            # The mend is one.
            environment["GREENROOM_CIDR"] = mend.rpartition("=")[2]
            assert run(feature, [*greenroom, "doctor"], environment).returncode == 0
    finally:
        subprocess.run([*ip, "delete", *route.split()], check=True)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "GREENROOM_REGION",
            "../../etc",
            "error E_REGION_NAME: GREENROOM_REGION is '../../etc': expected at most 8 of a-z and 0-9, letter first\n→ unset GREENROOM_REGION for the region that has no name\n",
        ),
        (
            "GREENROOM_CIDR",
            "10.999.0.0/16",
            "error E_REGION_CIDR: GREENROOM_CIDR is '10.999.0.0/16': expected a private /16 such as 10.213.0.0/16\n→ unset GREENROOM_CIDR for 10.213.0.0/16\n",
        ),
        (
            "GREENROOM_PORT",
            "80; reboot",
            "error E_REGION_PORT: GREENROOM_PORT is '80; reboot': expected 1 to 65535\n→ unset GREENROOM_PORT for port 8080\n",
        ),
    ],
)
def test_a_region_that_cannot_be_is_refused(
    feature: Site, variable: str, value: str, message: str
) -> None:
    argv = [sys.executable, "-m", "greenroom.cli", "list"]
    done = run(feature, argv, {"GREENROOM_REGION": NOT_A_REGION, variable: value})
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)


# Names

HOSTILE = r"""
stack: ../up
zone: "a.b\naddress=/#/1.2.3.4"
default_branch: "master\r\nX-Injected: 1"
buckets:
  code: {path: ../../etc}
  "../keys": {path: artifacts}
images:
  web:
    suite: bookworm; reboot
    packages: [nginx, "--customize-hook=reboot"]
    files:
      /etc/../../root/.bashrc: greenroom.yaml
      /etc/shadow: /etc/shadow
      /etc/passwd: ../../etc/passwd
    services:
      ../../sbin/init: {command: "exec true"}
groups:
  "base { policy accept": {}
machines:
  "web; flush ruleset":
    image: web
    tags: {"k\n": "v", role: "web\nroot"}
    ingress:
      - {port: "80 accept; drop", from: "0.0.0.0/0 accept"}
    endpoint: {name: "api HTTP/1.1", port: 80}
    deploy:
      bucket: code
      artifact: ../{branch}.tar.gz
      directory: /var/www/../../etc
    data:
      engine: mariadb
      database: "a`; DROP DATABASE mysql"
      user: "root'@'%"
      directory: /data $(id)
      service: ../../sbin/init
      restore:
        extract: {bucket: code, manifest: ../../etc/passwd}
    check:
      - {http: "/ HTTP/1.1\r\nHost: evil"}
  $(id):
    image: web
"""
LABEL_OF = "is not a DNS label (a-z, 0-9 and inner dashes, at most {} characters)"
CLIMBS = "has a '.' or '..' in it; expected a path without them"
SQL_NAME = "is not a name of 1 to 32 letters, digits and underscores"
HOSTILE_TYPE = "machines.web; flush ruleset"
HOSTILE_FAULTS = [
    f"2:8: stack: '../up' {LABEL_OF.format(24)}",
    r"3:7: zone: 'a.b\naddress=/#/1.2.3.4' is not a DNS name in lower case such as 'photos.internal'",
    r"4:17: default_branch: 'master\r\nX-Injected: 1' holds control characters; expected printable text",
    "6:16: buckets.code.path: '../../etc' leaves the blueprint's folder",
    f"7:3: buckets.../keys: '../keys' {LABEL_OF.format(63)}",
    "10:12: images.web.suite: 'bookworm; reboot' is not a Debian suite such as 'bookworm'",
    "11:23: images.web.packages[1]: '--customize-hook=reboot' is not the name of a Debian package",
    f"13:7: images.web.files./etc/../../root/.bashrc: '/etc/../../root/.bashrc' {CLIMBS}",
    "14:20: images.web.files./etc/shadow: '/etc/shadow' is absolute; expected a path beside this file",
    "15:20: images.web.files./etc/passwd: '../../etc/passwd' leaves the blueprint's folder",
    "17:7: images.web.services.../../sbin/init: '../../sbin/init' is not a service name (a-z, 0-9, '.', '_' and '-', at most 32)",
    f"19:3: groups.base {{ policy accept: 'base {{ policy accept' {LABEL_OF.format(32)}",
    f"21:3: {HOSTILE_TYPE}: 'web; flush ruleset' {LABEL_OF.format(32)}",
    rf"23:12: {HOSTILE_TYPE}.tags.k : 'k\n' is not a tag key (1 to 127 of A-Z a-z 0-9 + = . , _ : @ -, not starting with 'aws:')",
    rf"23:30: {HOSTILE_TYPE}.tags.role: 'web\nroot' holds control characters; expected printable text",
    f"25:16: {HOSTILE_TYPE}.ingress[0].port: '80 accept; drop' is not a port; expected 80 or \"8000-8100\"",
    f"25:41: {HOSTILE_TYPE}.ingress[0].from: '0.0.0.0/0 accept' is not an IPv4 network; expected a CIDR such as 10.0.0.0/8",
    f"26:22: {HOSTILE_TYPE}.endpoint.name: 'api HTTP/1.1' {LABEL_OF.format(63)}",
    f"29:17: {HOSTILE_TYPE}.deploy.artifact: '../{{branch}}.tar.gz' {CLIMBS}",
    f"30:18: {HOSTILE_TYPE}.deploy.directory: '/var/www/../../etc' {CLIMBS}",
    f"33:17: {HOSTILE_TYPE}.data.database: 'a`; DROP DATABASE mysql' {SQL_NAME}",
    f"34:13: {HOSTILE_TYPE}.data.user: \"root'@'%\" {SQL_NAME}",
    f"35:18: {HOSTILE_TYPE}.data.directory: '/data $(id)' is not an absolute path such as '/var/www/backend' (of A-Z a-z 0-9 . _ @ + -)",
    f"38:43: {HOSTILE_TYPE}.data.restore.extract.manifest: '../../etc/passwd' {CLIMBS}",
    rf"40:16: {HOSTILE_TYPE}.check[0].http: '/ HTTP/1.1\r\nHost: evil' is not a URL path (starts with '/', printable ASCII, no spaces)",
    f"41:3: machines.$(id): '$(id)' {LABEL_OF.format(32)}",
]


def test_no_name_of_a_blueprint_leaves_its_folder_or_speaks_another_language(
    feature: Site, tmp_path: Path
) -> None:
    blueprint = tmp_path / "greenroom.yaml"
    blueprint.write_text(HOSTILE)
    first, *faults, hint = refuse(Site(tmp_path), "create", "--branch", "x").splitlines()
    assert first == f"error E_BLUEPRINT: the blueprint {blueprint} has {len(HOSTILE_FAULTS)} faults"
    assert faults == [f"  {blueprint}:{fault}" for fault in HOSTILE_FAULTS]
    assert hint.startswith("→ mend the places named")


def test_a_link_in_a_blueprints_folder_does_not_lead_out_of_it(
    feature: Site, tmp_path: Path
) -> None:
    site = feature.copied(tmp_path / "photos")
    (site.folder / "images" / "redis" / "redis.conf").unlink()
    (site.folder / "images" / "redis" / "redis.conf").symlink_to("/etc/shadow")
    blueprint = site.folder / "greenroom.yaml"
    assert refuse(site, "create", "--branch", "x").splitlines()[1] == (
        f"  {blueprint}:{place_of('images/redis/redis.conf', blueprint)}: "
        "images.redis.files./etc/redis/greenroom.conf: 'images/redis/redis.conf' is a symbolic link that leaves the blueprint's folder"
    )


BRANCHES = [
    (
        "../../etc/passwd",
        "error E_BRANCH: the artifact's key 'backend-../../etc/passwd.tar.gz' would leave its place in the bucket\n"
        "→ give the branch a name without '..' and empty parts\n",
    ),
    (
        "a\nb",
        "error E_BRANCH: the branch 'a\\nb' holds control characters\n→ name the branch as git does\n",
    ),
    ("", "error E_BRANCH: the branch's name is empty\n→ name it with --branch\n"),
    (
        "x" * 256,
        f"error E_BRANCH: the branch '{'x' * 58}… has 256 characters; at most 255 fit\n"
        "→ give the branch a shorter name\n",
    ),
]


@pytest.mark.parametrize(("branch", "message"), BRANCHES, ids=["climbs", "line", "empty", "long"])
def test_a_branch_that_cannot_be_a_name_is_refused(
    feature: Site, branch: str, message: str
) -> None:
    assert refuse(feature, "create", "--branch", branch) == message


def test_a_branch_that_is_no_text_is_refused(feature: Site) -> None:
    assert refuse(feature, "create", "--branch", os.fsdecode(b"\xff"), code=2).startswith(
        "error E_NOT_UTF8: "
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["show", "../../etc/passwd"], 1, "error E_NO_ENVIRONMENT: there is no environment '../../etc/passwd'"),
        (["logs", "feature_x", "--machine", "../db1"], 1, "error E_NO_MACHINE: photos/feature-x: unknown machine '../db1'; did you mean 'db1'?"),
        (["logs", "feature_x", "--service", "../../etc"], 1, "error E_SERVICE: unknown service '../../etc'; known: mariadb, nginx, php-fpm, redis, user-data"),
        (["exec", "feature_x", "$(id)", "--", "true"], 1, "error E_NO_MACHINE: photos/feature-x: unknown machine '$(id)'; known: backend1, db1, feed1"),
        (["image", "remove", "../../ledger"], 2, "error E_USAGE: '../../ledger' is not a digest (hex)"),
        (["image", "build", "../web"], 1, "error E_IMAGE: unknown image '../web'; did you mean 'web'?"),
    ],
)  # fmt: skip
def test_a_name_on_the_command_line_is_looked_up_and_nothing_else(
    feature: Site, words: list[str], code: int, message: str
) -> None:
    assert refuse(feature, *words, code=code).splitlines()[0] == message


def test_the_words_of_a_branch_and_of_tags_are_never_run(feature: Site, tmp_path: Path) -> None:
    mark = Path(tempfile.gettempdir(), f"{REGION}-ran")
    command = f"touch {mark}"
    branch = f"a;{command};$({command})`{command}`'\"|{command}"
    tag = f"$({command})'; {command}; '"
    site = feature.copied(tmp_path / "photos")
    quoted = tag.replace("'", "''")
    site.edit("greenroom.yaml", 'service_discovery: "true"', f"service_discovery: '{quoted}'")
    try:
        site.ok("create", "--branch", branch)
        (slug,) = [e["name"].partition("/")[2] for e in site.data("list") if e["branch"] == branch]
        assert re.fullmatch(r"a-touch[a-z0-9-]+", slug)
        assert get(f"api.{slug}.photos.localhost", "/health")[0] == 200
        # As people and as programs read it, in the machine.
        assert site.inside(branch, "backend1", "greenroom-facts branch") == (0, f"{branch}\n")
        script = '. /etc/greenroom/environment; printf %s "$GREENROOM_TAG_SERVICE_DISCOVERY"'
        assert site.inside(branch, "backend1", script) == (0, tag)
        for machine in ("backend1", "db1", "feed1"):
            assert site.inside(branch, machine, f"test -e {mark}")[0] == 1
        site.ok("destroy", branch)
    finally:
        site.greenroom("destroy", branch)
    assert not mark.exists()
    assert keys_on_the_host() == {"photos.feature-x"}
