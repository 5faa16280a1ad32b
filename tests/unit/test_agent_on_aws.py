"""The agent's archive on an instance whose image is made: DNS records, snapshots, its signal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest
from tests.unit.agent_aws import aws_document, running_account
from tests.unit.agent_region import (
    UP,
    add_service,
    boot_document,
    install_command,
    install_s6,
    machine_paths,
    quiet_progress,
    tar_gz,
    write_boot,
)

from greenroom.agent import name_records
from greenroom.agent.account import Account
from greenroom.agent.aws_config import parse_aws
from greenroom.agent.bucket import Bucket
from greenroom.agent.config import Restore
from greenroom.agent.errors import AgentError
from greenroom.agent.facts import NAMES, Facts
from greenroom.agent.metadata import Metadata
from greenroom.agent.name_records import change_batch, signing_region, write_records
from greenroom.agent.restore_mariadb import Place, known_report, restore
from greenroom.agent.snapshot import count_snapshot, differing
from greenroom.agent.wait_handle import RefusedError, send_signal
from greenroom.agent_archive import ON_AWS_ONLY, build_agent

DIGEST = "ab" * 32
RECORDS = [
    {"zone": "ZPRIVATE", "name": "backend1.feature-x.photos.greenroom", "public": False},
    {"zone": "ZPRIVATE", "name": "backend.feature-x.photos.greenroom", "public": False},
    {"zone": "ZPUBLIC", "name": "api.feature-x.example.com", "public": True},
]


class Instance:
    """An instance below a folder, with its image made and its name set."""

    def __init__(self, account, root: Path, bin_folder: Path, monkeypatch) -> None:
        self.account, self.root = account, root
        self.paths = machine_paths(root, account)
        install_s6(self.paths, bin_folder, monkeypatch)
        (root / "etc/greenroom/image").write_text(f"{DIGEST}\n")
        (root / "etc/resolv.conf").write_text("nameserver 10.0.0.2\n")
        self.archive = root / "agent.pyz"
        self.archive.write_bytes(build_agent().content)

    def boot(self, **changes: object) -> tuple[int, str]:
        # The machine bears the host's name, which nobody can change here.
        aws = aws_document(self.account, **changes.pop("aws", {}))
        name = os.uname().nodename
        write_boot(self.paths, boot_document(self.account, machine=name, aws=aws, **changes))
        done = subprocess.run(
            [sys.executable, "-I", str(self.archive), "boot"],
            env={
                **os.environ,
                "GREENROOM_AGENT_ROOT": str(self.root),
                "GREENROOM_AGENT_METADATA": self.account.url,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def aws():
    with running_account() as running:
        running.metadata["local-ipv4"] = "127.0.0.1"
        running.metadata["public-ipv4"] = "203.0.113.7"
        yield running


@pytest.fixture
def instance(aws, tmp_path, monkeypatch):
    (tmp_path / "root").mkdir()
    return Instance(aws, tmp_path / "root", tmp_path / "bin", monkeypatch)


def deployment(account, **changes: object) -> dict:
    return {
        "bucket_url": account.bucket_url("code"),
        "keys": ["backend-feature_x.tar.gz", "backend-master.tar.gz"],
        "directory": "/var/www/backend",
        "restart": ["web"],
        "keep": {},
        "mounted": False,
        **changes,
    }


def records_of(body: str) -> dict[str, tuple[str, str, str]]:
    """Name to set identifier, type and address of every record of a change."""
    space = f"{{{name_records.NAMESPACE}}}"
    found = {}
    for change in ElementTree.fromstring(body).iter(f"{space}Change"):
        assert change.findtext(f"{space}Action") == "UPSERT"
        record = change.find(f"{space}ResourceRecordSet")
        assert record is not None
        assert record.findtext(f"{space}MultiValueAnswer") == "true"
        value = f"{space}ResourceRecords/{space}ResourceRecord/{space}Value"
        found[record.findtext(f"{space}Name")] = (
            record.findtext(f"{space}SetIdentifier"),
            record.findtext(f"{space}Type"),
            record.findtext(value),
        )
    return found


def test_an_instance_deploys_starts_checks_writes_its_names_and_signals(instance):
    account = instance.account
    account.put("code", "backend-master.tar.gz", tar_gz({"index.html": "hello"}))
    account.pages["/health"] = (200, b"well")
    add_service(instance.paths, "web", UP)
    check = {
        "kind": "http",
        "path": "/health",
        "port": account.port,
        "status": 200,
        "contains": "",
        "deadline_s": 10.0,
    }
    code, said = instance.boot(
        aws={"records": RECORDS}, services=["web"], deploy=deployment(account), checks=[check]
    )
    assert code == 0, said
    (signal,) = account.signals
    assert signal["Status"] == "SUCCESS"
    data = json.loads(signal["Data"])
    phases = [name for name, _ in data["phases"]]
    assert phases == ["image", "facts", "deploy", "services", "checks", "names"]
    assert data["artifact"]["key"] == "backend-master.tar.gz"
    assert data["notices"] == [
        "no artifact for branch feature_x that this machine may read (S3 answered 403): "
        "using backend-master.tar.gz"
    ]
    machine = os.uname().nodename
    private, public = (records_of(body) for body in account.changes)
    assert private == {
        "backend1.feature-x.photos.greenroom.": (machine, "A", "127.0.0.1"),
        "backend.feature-x.photos.greenroom.": (machine, "A", "127.0.0.1"),
    }
    assert public == {"api.feature-x.example.com.": (machine, "A", "203.0.113.7")}
    posts = [line for line in account.requests if line.startswith("POST")]
    assert posts == [
        f"POST /2013-04-01/hostedzone/{zone}/rrset/" for zone in ("ZPRIVATE", "ZPUBLIC")
    ]
    resolv = Path(instance.paths.at("/etc/resolv.conf")).read_text()
    assert resolv.endswith("search feature-x.photos.greenroom\n")


def test_a_machine_that_fails_its_checks_takes_no_name(instance):
    check = {"kind": "tcp", "port": 1, "deadline_s": 0.1}
    code, _ = instance.boot(aws={"records": RECORDS}, checks=[check])
    assert code == 1
    assert instance.account.signals[0]["Status"] == "FAILURE"
    assert instance.account.changes == []


def test_a_later_deploy_is_signed_too(instance):
    account = instance.account
    add_service(instance.paths, "web", UP)
    account.put("code", "backend-feature_x.tar.gz", tar_gz({"v": "1"}))
    assert instance.boot(services=["web"], deploy=deployment(account))[0] == 0
    account.put("code", "backend-feature_x.tar.gz", tar_gz({"v": "2"}))
    Path(instance.paths.services, "web/after").write_text("true 300 @9 -1 NA\n")
    done = subprocess.run(
        [sys.executable, "-I", str(instance.archive), "deploy"],
        env={
            **os.environ,
            "GREENROOM_AGENT_ROOT": str(instance.root),
            "GREENROOM_AGENT_METADATA": account.url,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (instance.root / "var/www/backend/current/v").read_text() == "2"


def test_a_handle_that_is_over_fails_no_machine_that_is_well(instance):
    instance.account.failures.append(403)  # the first request is the signal: no facts are asked
    keep_facts(instance)
    code, said = instance.boot()
    assert code == 0
    assert "the wait handle took no signal (403): its URL is not valid now" in said
    assert instance.account.signals == []


def test_a_handle_that_is_over_saves_no_machine_that_has_failed(instance):
    keep_facts(instance)
    instance.account.failures.append(403)
    code, said = instance.boot(checks=[{"kind": "tcp", "port": 1, "deadline_s": 0.1}])
    assert code == 1
    assert "port 1 did not accept a connection" in said


def keep_facts(instance: Instance) -> None:
    """As cloud-init leaves them, so that metadata is not asked."""
    known = {**dict.fromkeys(NAMES, "x"), "local-ipv4": "127.0.0.1"}
    path = Path(instance.paths.instance_data)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"ds": {"meta_data": {**known, "tags": {"instance": {}}}}}))


def test_a_refused_signal_is_not_sent_again(aws):
    aws.failures += [403, 403]
    started = time.monotonic()
    with pytest.raises(RefusedError):
        send_signal(f"{aws.url}/signal/1", b"{}", started + 20)
    assert aws.failures == [403]


def write(aws, *records: dict) -> None:
    parsed = parse_aws(aws_document(aws, records=list(records)))
    metadata = Metadata(aws.url)
    facts = Facts(tags={}, metadata={"local-ipv4": "10.0.0.9"})
    write_records(parsed, "backend1", Account(parsed.region, metadata), facts, metadata)


@pytest.mark.parametrize(
    "failure",
    [
        (400, b"<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"),
        (
            400,
            b"<ErrorResponse><Error><Code>PriorRequestNotComplete</Code></Error></ErrorResponse>",
        ),
        (503, b""),
    ],
)
def test_a_busy_route53_is_asked_again(aws, failure):
    aws.change_failures.append(failure)
    write(aws, RECORDS[0])
    assert len(aws.changes) == 1


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (
            (403, b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"),
            "it answered 403 AccessDenied: does the machine's role allow "
            "route53:ChangeResourceRecordSets?",
        ),
        (
            (404, b"<ErrorResponse><Error><Code>NoSuchHostedZone</Code></Error></ErrorResponse>"),
            "it answered 404 NoSuchHostedZone",
        ),
    ],
)
def test_a_name_that_is_not_taken_is_told(aws, failure, reason):
    aws.change_failures.append(failure)
    with pytest.raises(AgentError) as error:
        write(aws, RECORDS[0])
    assert str(error.value) == (
        "Route53 does not take backend1.feature-x.photos.greenroom in the zone ZPRIVATE: " + reason
    )


def test_a_machine_without_a_public_address_takes_no_public_name(aws):
    del aws.metadata["public-ipv4"]
    with pytest.raises(AgentError) as error:
        write(aws, RECORDS[2])
    assert str(error.value) == (
        "api.feature-x.example.com shall lead to this machine's public address, but it has none"
    )
    assert aws.changes == []


def test_a_partition_of_aws_has_one_place_that_signs_for_route53():
    signed = {r: signing_region(r) for r in ("eu-west-1", "cn-north-1", "us-gov-east-1")}
    assert signed == {
        "eu-west-1": "us-east-1",
        "cn-north-1": "cn-northwest-1",
        "us-gov-east-1": "us-gov-west-1",
    }


def test_a_name_cannot_break_out_of_the_request():
    found = records_of(change_batch([("a<b>&c", "1.2.3.4")], "m&1").decode())
    assert found == {"a<b>&c.": ("m&1", "A", "1.2.3.4")}


# A client that answers as the server of a snapshot would: two tables of three and of five rows.
MARIADB = """#!/bin/sh
while read -r line || [ -n "$line" ]; do case $line in
*information_schema*) printf 'likes\\tid\\tint(10)\\tNO\\nusers\\tid\\tint(10)\\tNO\\n' ;;
*COUNT*likes*) echo 3 ;;
*COUNT*users*) echo 5 ;;
esac; done
"""


class Snapshot:
    """A machine whose data volume came from a snapshot."""

    def __init__(self, aws, root: Path, monkeypatch) -> None:
        self.aws, self.root = aws, root
        self.paths = machine_paths(root, aws)
        self.progress = quiet_progress(self.paths)
        (root / "data/current").mkdir(parents=True)
        install_command(root / "bin", "mariadb", MARIADB)
        monkeypatch.setenv("PATH", f"{root}/bin:{os.environ['PATH']}")
        self.config = Restore(
            engine="mariadb",
            directory="/data",
            service="mariadb",
            database="photos",
            user="photos",
            mode="clone",
            source="extract",
            bucket_url=aws.bucket_url("extracts"),
            manifest_key="extract/manifest.json",
        )

    def boot(self) -> dict[str, object]:
        account = Account("eu-west-1", Metadata(self.aws.url))
        report = restore(self.config, self.paths, self.progress, account)
        count_snapshot(self.config, report, self.paths, self.progress)
        return report

    def manifest(self, **rows: int) -> None:
        tables = {
            name: {"rows": count, "checksum": "0" * 16, "columns": ["id int(10) NOT NULL"]}
            for name, count in rows.items()
        }
        document = {
            "format": 1,
            "engine": "mariadb",
            "database": "photos",
            "source": "extract",
            "taken_at": "2026-11-21T03:00:00Z",
            "dump": {"key": "extract/x.sql.gz", "sha256": "ab" * 32, "bytes": 1},
            "tables": tables,
        }
        self.aws.put("extracts", "extract/manifest.json", json.dumps(document).encode())


@pytest.fixture
def snapshot(aws, tmp_path, monkeypatch):
    return Snapshot(aws, tmp_path, monkeypatch)


COUNTED = "the data came with a snapshot: no drill restored it; rows of 2 tables counted, "
NO_CHECKSUMS = "; checksums were not computed"


def test_a_snapshot_that_holds_what_the_manifest_says_is_counted_and_promises_no_checksum(snapshot):
    snapshot.manifest(likes=3, users=5)
    report = snapshot.boot()
    assert report["tables"] == [["likes", 3, ""], ["users", 5, ""]]
    assert (report["mode"], report["artefact_sha256"], report["verified_at"]) == (
        "clone",
        None,
        None,
    )
    assert snapshot.progress.notices[-1] == f"{COUNTED}as expected{NO_CHECKSUMS}"


def test_a_snapshot_of_another_day_is_told_and_not_refused(snapshot):
    snapshot.manifest(likes=4, words=1, users=5)
    report = snapshot.boot()
    assert report["tables"] == [["likes", 3, ""], ["users", 5, ""]]
    assert snapshot.progress.notices[-1] == (
        f"{COUNTED}and they differ: table likes: 3 rows, expected 4; "
        f"table words is missing{NO_CHECKSUMS}"
    )


def test_a_snapshot_without_anything_to_compare_is_counted(snapshot):
    report = snapshot.boot()
    assert report["tables"] == [["likes", 3, ""], ["users", 5, ""]]
    first, second, last = snapshot.progress.notices
    assert first == "the snapshot holds no report of a restore"
    assert second.startswith("the snapshot cannot be compared with its source: extract/manifest.")
    assert last == f"{COUNTED}with nothing to compare them with{NO_CHECKSUMS}"


def test_the_report_of_the_restore_before_the_snapshot_is_evidence_while_it_holds(snapshot):
    kept = {"mode": "cold", "artefact_sha256": "cd" * 32, "verified_at": "2026-11-21T03:00:00Z"}
    place = Place(directory=str(snapshot.root / "data"))
    tables = [["likes", 3, "1" * 16], ["users", 5, "2" * 16]]
    Path(place.report).write_text(json.dumps({**kept, "tables": tables}))
    report = snapshot.boot()
    assert report == {**kept, "mode": "clone", "tables": tables}


def test_a_former_report_that_does_not_hold_any_more_promises_nothing(snapshot):
    place = Place(directory=str(snapshot.root / "data"))
    kept = {"artefact_sha256": "cd" * 32, "tables": [["likes", 9, "1" * 16]]}
    Path(place.report).write_text(json.dumps(kept))
    report = snapshot.boot()
    assert report["artefact_sha256"] is None
    assert report["tables"] == [["likes", 3, ""], ["users", 5, ""]]


def test_a_later_boot_does_not_count_what_the_application_has_written_since(snapshot):
    first = snapshot.boot()
    told = len(snapshot.progress.notices)
    install_command(snapshot.root / "bin", "mariadb", "#!/bin/sh\nexit 1\n")
    assert snapshot.boot() == first
    assert len(snapshot.progress.notices) == told
    assert known_report(snapshot.config, snapshot.paths) == first


def test_a_snapshot_without_the_database_is_a_failure(snapshot):
    install_command(snapshot.root / "bin", "mariadb", "#!/bin/sh\ncat > /dev/null\n")
    with pytest.raises(AgentError) as error:
        snapshot.boot()
    assert str(error.value) == "the snapshot holds no table of the database 'photos'"


def test_a_volume_without_a_data_directory_is_a_failure(snapshot):
    (snapshot.root / "data/current").rmdir()
    with pytest.raises(AgentError, match="the volume is no clone of a restore"):
        snapshot.boot()


def test_every_kind_of_difference_is_named():
    expected = {"a": (1, ""), "b": (2, ""), "c": (3, "")}
    assert differing(expected, {"a": 1, "b": 9, "d": 4}) == [
        "table b: 9 rows, expected 2",
        "table c is missing",
        "table d was not expected",
    ]
    assert differing({}, {"a": 1}) == []


def test_nothing_for_aws_is_imported_by_a_local_boot(tmp_path):
    archive = tmp_path / "agent.pyz"
    archive.write_bytes(build_agent().content)
    code = (
        f"import sys; sys.path.insert(0, {str(archive)!r})\n"
        "from greenroom_agent import boot, deploy, restore_mariadb\n"
        "print(sorted(name.rpartition('.')[2] for name in sys.modules))"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    packed = zipfile.ZipFile(archive).namelist()
    for name in ON_AWS_ONLY:
        assert f"'{name}'" not in said.stdout
        assert f"greenroom_agent/{name}.pyc" in packed
    assert "'boot'" in said.stdout
    assert "'hmac'" not in said.stdout


def test_a_bucket_that_does_not_exist_is_not_a_missing_object(aws):
    aws.listing = True
    account = Account("eu-west-1", Metadata(aws.url))
    assert Bucket(url=aws.bucket_url("code"), account=account).read("x") is None
    aws.missing_buckets.add("nonsuch")
    with pytest.raises(AgentError) as error:
        Bucket(url=aws.bucket_url("nonsuch"), account=account).read("x")
    assert str(error.value) == "cannot read x in bucket 'nonsuch': it answered 404 NoSuchBucket"
