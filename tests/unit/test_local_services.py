"""What a machine can ask of its region: metadata, buckets, wait handles."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.unit.blueprint_values import stack_of

from greenroom.model.stack import Stack
from greenroom.providers.hearsay import TEXT_LIMIT
from greenroom.providers.local.health import HealthWords
from greenroom.providers.local.layout import METADATA_ADDRESS, SERVICE_ADDRESS, Layout
from greenroom.providers.local.residents import Resident, Residents
from greenroom.providers.local.services import RegionServices, object_path
from greenroom.providers.local.signals import Signals
from greenroom.providers.reports import report_of
from greenroom.region import Region

TTL = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}


@dataclass(frozen=True)
class Answer:
    """What the application replied."""

    status_code: int
    text: str


@dataclass(frozen=True)
class Client:
    """Calls the ASGI application as if from an address in the region."""

    application: Any
    address: str
    server: str

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return self._call("GET", path, headers or {}, b"")

    def put(self, path: str, headers: dict[str, str] | None = None, content: bytes = b"") -> Answer:
        return self._call("PUT", path, headers or {}, content)

    def _call(self, method: str, path: str, headers: dict[str, str], content: bytes) -> Answer:
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            "client": (self.address, 40000),
            "server": (self.server, 80),
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(self.application(scope, receive, send))
        text = b"".join(message.get("body", b"") for message in sent[1:]).decode()
        return Answer(status_code=sent[0]["status"], text=text)


class Clients:
    """HTTP clients that come from a machine's address."""

    def __init__(self, folder: Path, stack: Stack) -> None:
        self.stack = stack
        self.layout = _LayoutIn(Region(label="unit"), folder)
        residents = Residents()
        residents.admit(stack)
        self.signals = Signals(self.layout)
        self.words = HealthWords()
        services = RegionServices(self.layout, residents, self.signals, self.words)
        self.application = services.application()

    def of(self, name: str, server: str = METADATA_ADDRESS) -> Client:
        address = str(self.stack.machine(name).address) if name else "10.213.9.9"
        return Client(self.application, address, server)


class _LayoutIn(Layout):
    """A layout whose folders lie in a test's own folder."""

    def __init__(self, region: Region, folder: Path) -> None:
        super().__init__(region)
        object.__setattr__(self, "_folder", folder)

    @property
    def machines_run(self) -> Path:
        return Path(object.__getattribute__(self, "_folder")) / "machines"

    @property
    def agent_bucket(self) -> Path:
        return Path(object.__getattribute__(self, "_folder")) / "agent"


@pytest.fixture
def clients(tmp_path: Path) -> Clients:
    return Clients(tmp_path, stack_of("backend", "db", "feed", branch="feature_x"))


def token(client: Client) -> dict[str, str]:
    answer = client.put("/latest/api/token", headers=TTL)
    assert answer.status_code == 200
    return {"X-aws-ec2-metadata-token": answer.text}


def test_without_a_token_nothing_is_told(clients: Clients) -> None:
    assert clients.of("db1").get("/latest/meta-data/").status_code == 401
    assert clients.of("db1").get("/latest/user-data").status_code == 401


def test_a_token_of_one_machine_is_worth_nothing_to_another(clients: Clients) -> None:
    stolen = token(clients.of("db1"))
    assert clients.of("feed1").get("/latest/meta-data/", headers=stolen).status_code == 401


@pytest.mark.parametrize("lifetime", [None, "", "0", "21601", "ten", "-1"])
def test_a_token_needs_a_lifetime_that_ec2_takes(clients: Clients, lifetime: str | None) -> None:
    name = "X-aws-ec2-metadata-token-ttl-seconds"
    headers = {} if lifetime is None else {name: lifetime}
    assert clients.of("db1").put("/latest/api/token", headers=headers).status_code == 400


def test_a_token_is_not_given_through_a_proxy(clients: Clients) -> None:
    headers = {**TTL, "X-Forwarded-For": "10.0.0.1"}
    assert clients.of("db1").put("/latest/api/token", headers=headers).status_code == 403


def test_each_machine_sees_its_own_data(clients: Clients) -> None:
    for machine in clients.stack.machines:
        client = clients.of(machine.name)
        headers = token(client)
        told = client.get("/latest/meta-data/instance-id", headers=headers).text
        assert told == machine.instance_id
        assert client.get("/latest/user-data", headers=headers).text == machine.user_data
        assert client.get("/latest/meta-data/local-ipv4", headers=headers).text == str(
            machine.address
        )


def test_tags_are_listed_and_told_one_by_one(clients: Clients) -> None:
    client = clients.of("backend1")
    headers = token(client)
    keys = client.get("/latest/meta-data/tags/instance/", headers=headers).text.splitlines()
    assert keys == [key for key, _ in clients.stack.machine("backend1").tags]
    assert client.get("/latest/meta-data/tags/instance/role", headers=headers).text == "backend"
    assert client.get("/latest/meta-data/tags/instance/none", headers=headers).status_code == 404
    assert "tags/" in client.get("/latest/meta-data/", headers=headers).text.splitlines()


def test_a_stranger_and_the_other_address_get_nothing(clients: Clients) -> None:
    assert clients.of("").put("/latest/api/token", headers=TTL).status_code == 404
    assert clients.of("db1", SERVICE_ADDRESS).put("/latest/api/token", headers=TTL).status_code == (
        404
    )


def test_a_bucket_is_read_only_by_whom_the_profile_admits(clients: Clients) -> None:
    feed = clients.of("feed1", SERVICE_ADDRESS)
    assert feed.get("/s3/extracts/extract/manifest.json").status_code == 403
    assert feed.get("/s3/no-such-bucket/key").status_code == 403
    assert clients.of("db1", SERVICE_ADDRESS).get("/s3/extracts/none").status_code == 404


@pytest.mark.parametrize("key", ["../secret", "a/../../secret", "/etc/passwd", "link", ".", ""])
def test_a_key_cannot_lead_out_of_its_bucket(tmp_path: Path, key: str) -> None:
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    (tmp_path / "secret").write_text("no")
    (bucket / "link").symlink_to(tmp_path / "secret")
    assert object_path(bucket, key) is None


def test_the_first_signal_counts_and_survives(clients: Clients) -> None:
    machine = clients.stack.machine("db1")
    place = clients.layout.machine(clients.stack.environment, "db1")
    place.bundle.mkdir(parents=True)
    client = clients.of("db1", SERVICE_ADDRESS)
    url = f"/signal/{machine.signal_token}"
    assert client.put(url, content=body("FAILURE", "the dump is truncated")).status_code == 200
    assert client.put(url, content=body("SUCCESS", "second thoughts")).status_code == 200
    reread = Signals(clients.layout).of(Resident(clients.stack, machine))
    assert reread is not None
    assert (reread.success, reread.reason) == (False, "the dump is truncated")


def test_a_wait_handle_takes_no_foreign_and_no_malformed_signal(clients: Clients) -> None:
    machine = clients.stack.machine("db1")
    clients.layout.machine(clients.stack.environment, "db1").bundle.mkdir(parents=True)
    url = f"/signal/{machine.signal_token}"
    good = body("SUCCESS", "")
    assert clients.of("feed1", SERVICE_ADDRESS).put(url, content=good).status_code == 404
    client = clients.of("db1", SERVICE_ADDRESS)
    assert client.put("/signal/guessed", content=good).status_code == 404
    assert client.put(url, content=b"SUCCESS").status_code == 400
    assert client.put(url, content=body("PERHAPS", "")).status_code == 400
    assert client.put(url, content=b"x" * 20000).status_code == 413
    assert Signals(clients.layout).of(Resident(clients.stack, machine)) is None


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"phases": "all"},
        {"phases": [["boot"]]},
        {"phases": [["boot", float("nan")], ["boot", -1], ["boot", "1"]]},
        {"restore": {"mode": 7}},
        {"restore": []},
        {"artifact": "none"},
        {"notices": []},
    ],
)
def test_what_a_machine_claims_in_a_wrong_shape_is_left_out(data: dict[str, object]) -> None:
    report = report_of("db1", data)
    assert (report.phases, report.restore, report.artifact) == ((), None, None)


def test_what_a_machine_says_can_always_be_written_down() -> None:
    said = "\ud800" * 3 + "x" * 100_000
    report = report_of("db1", {"notices": [said], "artifact": {"key": said, "sha256": said}})
    assert report.artifact is not None
    for kept in (*report.notices, report.artifact.key, report.artifact.sha256):
        assert kept.encode().startswith(b"???x")
        assert len(kept) == TEXT_LIMIT


@pytest.mark.parametrize("depth", [*range(900, 1000, 5), 2000])
def test_what_a_machine_says_in_too_many_brackets_is_left_out(clients: Clients, depth: int) -> None:
    machine = clients.stack.machine("db1")
    clients.layout.machine(clients.stack.environment, "db1").bundle.mkdir(parents=True)
    nested = "[" * depth + "]" * depth
    said = body("SUCCESS", "", '{"notices": [' + nested + "]}" if depth < 2000 else nested)
    client = clients.of("db1", SERVICE_ADDRESS)
    assert client.put(f"/signal/{machine.signal_token}", content=said).status_code == 200
    signal = Signals(clients.layout).of(Resident(clients.stack, machine))
    assert signal is not None and signal.success
    assert len(report_of("db1", signal.data).notices) <= 1


def test_what_is_nested_too_deeply_to_be_told_is_nothing() -> None:
    """How deep is read and how deep is written are two limits of Python's."""
    nested: list[object] = []
    for _ in range(5000):
        nested = [nested]
    assert report_of("db1", {"notices": [nested, "kept"]}).notices == ("", "kept")


def test_a_duration_that_no_float_can_hold_is_left_out() -> None:
    assert report_of("db1", {"phases": [["boot", 10**400]]}).phases == ()


def body(status: str, reason: str, data: str = "{}") -> bytes:
    return json.dumps(
        {"Status": status, "UniqueId": "db1", "Reason": reason, "Data": data}
    ).encode()
