"""The agent's HTTP client against real servers: metadata, buckets, broken answers."""

from __future__ import annotations

import io
import socket
import threading
import time
from contextlib import contextmanager
from hashlib import sha256

import pytest
from tests.unit.agent_region import METADATA, TAGS, running_region

from greenroom.agent.bucket import Bucket, Fetched
from greenroom.agent.errors import AgentError
from greenroom.agent.facts import gather_facts, live_fact
from greenroom.agent.fetch import BODY_BYTES, FetchError, download, request
from greenroom.agent.metadata import Metadata
from greenroom.agent.wait_handle import send_signal


@pytest.fixture
def region():
    with running_region() as running:
        yield running


@contextmanager
def answering(*answers: bytes):
    """A server that sends these bytes, one per connection, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.0 200 OK\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\nTrailer: 1\r\n\r\n",
            b"abc",
        ),
    ],
)
def test_every_way_of_framing_a_body_is_read(answer, body):
    with answering(answer) as url:
        assert request("GET", url).body == body


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "the connection was closed before an answer"),
        (b"SSH-2.0-x\r\n\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-", "the answer's head is cut off"),
        (
            b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300 + b"\r\n",
            "the answer has more than 200 headers",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "the body ended after 3 of 9 bytes"),
        (
            b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (BODY_BYTES + 1),
            f"the answer has more than {BODY_BYTES} bytes",
        ),
    ],
)
def test_a_broken_answer_is_an_error_with_its_reason(answer, message):
    with answering(answer) as url, pytest.raises(FetchError) as caught:
        request("GET", url)
    assert str(caught.value) == message


def test_a_cut_download_is_an_error_and_a_whole_one_is_hashed():
    cut, whole = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b"HTTP/1.1 200 OK\r\n\r\nabc"
    with answering(cut, whole, whole) as url:
        with pytest.raises(FetchError, match="the body ended after 3 of 9 bytes"):
            download(url, io.BytesIO(), limit_bytes=100)
        with pytest.raises(FetchError, match="more than 2 bytes"):
            download(url, io.BytesIO(), limit_bytes=2)
        file = io.BytesIO()
        got = download(url, file, limit_bytes=3)
        assert (got.status, got.sha256, got.size) == (200, sha256(b"abc").hexdigest(), 3)
        assert file.getvalue() == b"abc"


def test_facts_take_one_token_and_one_connection(region):
    facts = gather_facts(Metadata(region.url))
    assert (facts.tags, facts.metadata) == (TAGS, METADATA)
    assert region.connections == 1
    assert [r for r in region.requests if r.startswith("PUT")] == ["PUT /latest/api/token"]


def test_one_tag_is_one_question(region):
    assert live_fact(Metadata(region.url), "role") == "backend"
    assert region.requests == ["PUT /latest/api/token", "GET /latest/meta-data/tags/instance/role"]


def test_a_metadata_name_is_a_fact_too(region):
    assert live_fact(Metadata(region.url), "instance-type") == "t3.small"


@pytest.mark.parametrize("name", ["nope", "../user-data", "role\r\nX: y", ""])
def test_an_unknown_fact_lists_the_known_ones(region, name):
    with pytest.raises(AgentError) as caught:
        live_fact(Metadata(region.url), name)
    assert str(caught.value).startswith(f"no fact named {name!r}. Tags: branch, monitoring, role. ")


def test_an_expired_token_is_replaced(region):
    metadata = Metadata(region.url)
    metadata._token = "expired"
    assert metadata.tag("role") == "backend"


def test_metadata_that_starts_late_is_waited_for(region):
    region.failures = [503, 503]
    assert Metadata(region.url).tag("role") == "backend"


def test_metadata_that_never_answers_is_named():
    with pytest.raises(AgentError, match=r"did not answer for 0\.05 s: connection refused"):
        Metadata("http://127.0.0.1:1", patience_s=0.05).tags()


def test_a_machine_without_tags_in_metadata_has_none(region):
    region.tags = {}
    assert gather_facts(Metadata(region.url)).tags == {}


def test_an_object_is_fetched_with_its_sha256(region, tmp_path):
    digest = region.put("code", "a b/c.tar", b"content")
    fetched = Bucket(url=region.bucket_url("code")).fetch("a b/c.tar", str(tmp_path / "x"))
    assert fetched == Fetched(sha256=digest, size=7)
    assert (tmp_path / "x").read_bytes() == b"content"


def test_a_missing_object_is_none_and_a_forbidden_one_an_explanation(region, tmp_path):
    bucket = Bucket(url=region.bucket_url("code"))
    assert bucket.fetch("x", str(tmp_path / "x")) is None
    assert bucket.read("x") is None
    region.forbidden.add("code/x")
    with pytest.raises(AgentError) as caught:
        bucket.read("x")
    assert str(caught.value) == (
        "this machine may not read x in bucket 'code' (403): does its instance profile allow it?"
    )


def test_a_bucket_that_stumbles_is_asked_again(region, monkeypatch):
    monkeypatch.setattr("greenroom.agent.bucket.PAUSES_S", (0.0, 0.0))
    region.put("code", "x", b"1")
    region.failures = [503, 500]
    assert Bucket(url=region.bucket_url("code")).read("x") == b"1"
    region.failures = [503, 500, 502]
    with pytest.raises(AgentError, match="cannot read x in bucket 'code': it answered 502"):
        Bucket(url=region.bucket_url("code")).read("x")


@pytest.mark.parametrize("key", ["", "../x", "a//b", "/a", "a/./b"])
def test_a_key_cannot_leave_its_bucket(key):
    with pytest.raises(AgentError, match="is not a key of bucket 'code'"):
        Bucket(url="http://h/s3/code").address(key)


def test_a_signal_that_is_not_taken_at_first_is_repeated(region):
    region.failures = [503, 500]
    send_signal(f"{region.url}/signal/1", b'{"Status": "SUCCESS"}', time.monotonic() + 20)
    assert region.signals == [{"Status": "SUCCESS"}]


def test_a_signal_that_is_never_taken_is_an_error_at_the_deadline(region):
    with pytest.raises(AgentError) as caught:
        send_signal(f"{region.url}/nowhere", b"{}", time.monotonic() + 0.1)
    assert str(caught.value) == "the signal was not taken: it answered 404"
