"""What a script may rely on: JSON on stdout and nothing else there, and the exit codes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.real.site import REGION, Site

WORDS = ("--machines", "backend", "db", "feed", "--restore_db", "extract", "--branch")


def answer(site: Site, *words: str, code: int = 0) -> list[Any]:
    """Every document that a command prints on stdout, which is one per line; stderr is empty
    where the command succeeds."""
    done = site.greenroom(*words, "--json")
    assert done.returncode == code, done.stderr
    assert code != 0 or done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def keys(document: dict[str, Any]) -> set[str]:
    return set(document)


EVENT = {
    *("seq", "at", "operation", "kind", "phase", "machine", "message"),
    *("seconds", "status", "code", "hint", "exit_code"),
}
ENVIRONMENT = {
    *("name", "branch", "status", "production", "shared", "verdict"),
    *("url", "machines", "instance_types", "created_at", "operation"),
    *("owner", "expires_at", "warned_at", "stopped_at"),
}


def test_create_and_destroy_stream_their_events_and_end_with_the_outcome(site: Site) -> None:
    *events, last = answer(site, "create", *WORDS, "contract")
    assert keys(last) == {"environment"}
    assert last["environment"]["summary"]["verdict"] == "proved"
    assert_a_stream(events)
    *events, last = answer(site, "destroy", "contract")
    assert keys(last["receipt"]) == {"environment", "removed", "left_over", "seconds"}
    assert_a_stream(events)


def assert_a_stream(events: list[dict[str, Any]]) -> None:
    assert {frozenset(event) for event in events} == {frozenset(EVENT)}
    assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
    assert [event["kind"] for event in events].count("result") == 1
    assert (events[-1]["kind"], events[-1]["status"]) == ("result", "succeeded")
    assert events[-1]["exit_code"] == 0


def test_image_build_streams_its_events(site: Site) -> None:
    events = answer(site, "image", "build", "redis")
    assert_a_stream(events)
    assert [event["phase"] for event in events] == ["image redis", "image redis", ""]


def test_a_refused_create_says_its_error_as_json_on_stderr(site: Site) -> None:
    done = site.greenroom("create", "--restore", "db=extract:warm", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    error = json.loads(done.stderr)["error"]
    assert keys(error) == {"code", "message", "hint", "faults"}
    assert error["code"] == "E_RESTORE_SOURCE"


LISTS = [
    ("list", ENVIRONMENT),
    ("image list", {"name", "digest", "bytes", "built_at"}),
    ("doctor", {"name", "ok", "message", "mend"}),
]


@pytest.mark.parametrize(("words", "keys_of_one"), LISTS)
def test_a_list_is_one_document(feature: Site, words: str, keys_of_one: set[str]) -> None:
    ((first, *_),) = answer(feature, *words.split())
    assert keys(first) == keys_of_one


DOCUMENTS = [
    ("show feature_x", {"summary", "machines", "urls", "phases", "restores", "proof", "create_s"}),
    ("flows feature_x", {"verdict", "at", "claims", "flows"}),
    ("open feature_x", {"url", "urls"}),
    ("plan --branch other", {"environment", "machines", "groups", "images", "subnet"}),
    ("schema", {"title", "properties", "$defs"}),
    ("shell feature_x db1", {"argv"}),
    ("completion bash", {"shell", "script"}),
]


@pytest.mark.parametrize(("words", "some_keys"), DOCUMENTS)
def test_one_thing_is_one_document(feature: Site, words: str, some_keys: set[str]) -> None:
    (document,) = answer(feature, *words.split())
    assert keys(document) >= some_keys


def test_exec_as_json_holds_what_the_command_wrote(feature: Site) -> None:
    done = feature.greenroom(
        *("exec", "--json", "feature_x", "db1", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    )
    assert json.loads(done.stdout) == {"exit_code": 3, "stdout": "out\n", "stderr": "err\n"}
    assert (done.returncode, done.stderr) == (3, "")


def test_logs_are_a_stream_of_lines(feature: Site) -> None:
    lines = answer(feature, "logs", "feature_x", "--machine", "db1")
    assert {frozenset(line) for line in lines} == {frozenset({"machine", "service", "line"})}
    assert {line["machine"] for line in lines} == {"db1"}
    assert {"mariadb", "user-data"} <= {line["service"] for line in lines}


def test_the_exit_code_2_is_a_wrong_command_line(site: Site) -> None:
    for words in (["create", "--machnes", "db"], ["frobnicate"], ["destroy"]):
        done = site.greenroom(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error E_USAGE: ")


def test_the_exit_code_3_is_a_proof_that_does_not_hold(feature: Site) -> None:
    with a_rule_missing("group.photos.feature-x.db", "tcp dport 3306"):
        done = feature.greenroom("flows", "feature_x")
        assert done.returncode == 3
        assert "failed: flows: exactly as declared" in done.stdout
        assert "backend1 → db1:3306/tcp is filtered, declared" in done.stdout
        assert done.stderr.startswith("error E_NOT_PROVED: the environment is failed\n")
        (proof,) = answer(feature, "flows", "feature_x", code=3)
        (failed,) = [flow for flow in proof["flows"] if flow["verdict"] == "failed"]
        assert (failed["source"], failed["target"], failed["port"]) == ("backend1", "db1", 3306)
        assert (failed["declared"], failed["reach"]) == (True, "filtered")
        assert feature.data("show", "feature_x")["summary"]["status"] == "not proved"
    assert feature.data("flows", "feature_x")["verdict"] == "proved"
    assert feature.data("show", "feature_x")["summary"]["status"] == "ready"


def test_a_flow_that_nobody_declared_fails_the_proof_too(feature: Site) -> None:
    with a_rule_more("group.photos.feature-x.feed", "tcp dport 6379 accept"):
        (proof,) = answer(feature, "flows", "feature_x", code=3)
        failed = [flow for flow in proof["flows"] if flow["verdict"] == "failed"]
        assert {(flow["source"], flow["target"], flow["port"]) for flow in failed} == {
            ("db1", "feed1", 6379),
            ("outside", "feed1", 6379),
        }
        assert {(flow["declared"], flow["reach"]) for flow in failed} == {(False, "open")}
    assert feature.data("flows", "feature_x")["verdict"] == "proved"


def nft(*words: str) -> str:
    argv = ["ip", "netns", "exec", REGION, "nft", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@contextmanager
def a_rule_missing(chain: str, match: str) -> Iterator[None]:
    """The region's firewall without the one rule of a chain that has ``match`` in it."""
    listing = nft("-a", "list", "chain", "inet", "greenroom", chain)
    (rule,) = [line.strip() for line in listing.splitlines() if match in line]
    text, _, handle = rule.partition(" # handle ")
    nft("delete", "rule", "inet", "greenroom", chain, "handle", handle)
    try:
        yield
    finally:
        nft("add", "rule", "inet", "greenroom", chain, *text.split())


@contextmanager
def a_rule_more(chain: str, rule: str) -> Iterator[None]:
    """The region's firewall with one rule more in a chain."""
    added = nft("--echo", "--handle", "add", "rule", "inet", "greenroom", chain, *rule.split())
    handle = added.rpartition(" # handle ")[2].strip()
    try:
        yield
    finally:
        nft("delete", "rule", "inet", "greenroom", chain, "handle", handle)


def test_the_exit_code_4_is_a_refusal_that_protects_production(site: Site) -> None:
    site.ok("create", "--machines", "feed", "--branch", "master")
    try:
        for confirm in ([], ["--confirm", "feature-x"]):
            done = site.greenroom("destroy", "master", *confirm)
            assert (done.returncode, done.stdout) == (4, "")
            assert done.stderr == (
                "error E_PRODUCTION: photos/master is production: destroy needs its name typed "
                "once more\n→ greenroom destroy photos/master --confirm photos/master\n"
            )
        (summary,) = [e for e in site.data("list") if e["branch"] == "master"]
        assert (summary["production"], summary["verdict"]) == (True, "proved")
    finally:
        site.ok("destroy", "master", "--confirm", "master")
