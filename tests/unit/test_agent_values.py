"""What the agent decides without touching anything."""

from __future__ import annotations

import json
import subprocess
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.agent_region import Region, boot_document, member

from greenroom.agent.config import HttpCheck, parse_boot
from greenroom.agent.deploy import no_artifact
from greenroom.agent.errors import AgentError
from greenroom.agent.facts import Facts, environment_lines, shell_quoted
from greenroom.agent.fetch import FetchError, Url, parse_url, quote
from greenroom.agent.manifest import Table, checksum_query, differences, parse_manifest, summary
from greenroom.agent.mariadb import _unescape, buffer_mib, client_error, grant_sql
from greenroom.agent.services import bounded_lines
from greenroom.agent.unpack import checked_name
from greenroom.agent.value import Value
from greenroom.agent.wait_handle import DATA_BYTES, Outcome, bounded_data

RESTORE = {
    "engine": "mariadb",
    "directory": "/data",
    "service": "mariadb",
    "database": "photos",
    "user": "photos",
    "mode": "clone",
    "source": "extract",
    "bucket_url": None,
    "manifest_key": None,
}


class Point(Value):
    x: int
    y: int = 2


def test_a_value_is_frozen_complete_and_compares_by_its_fields():
    assert Point(x=1) == Point(x=1, y=2) != Point(x=1, y=3)
    assert repr(Point(x=1)) == "Point(x=1, y=2)"
    with pytest.raises(AttributeError):
        Point(x=1).x = 3
    with pytest.raises(TypeError):
        Point(y=1)
    with pytest.raises(TypeError):
        Point(x=1, z=1)


def test_the_contracts_boot_document_is_understood():
    check = {"kind": "http", "path": "/health", "port": 80, "status": 200, "contains": ""}
    boot = parse_boot(
        boot_document(Region(), checks=[{**check, "deadline_s": 30}], restore=RESTORE)
    )
    assert boot.checks == (
        HttpCheck(path="/health", port=80, status=200, contains="", deadline_s=30.0),
    )
    assert boot.restore is not None and boot.restore.mode == "clone"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "boot.json: version is 2, this agent knows 1"),
        ({"machine": 7}, "boot.json: machine is 7, expected a string"),
        ({"drill": 1}, "boot.json: drill is 1, expected true or false"),
        ({"surprise": 1}, "boot.json: unknown key 'surprise'"),
        ({"services": ["a", 1]}, "boot.json: services is ['a', 1], expected a list of strings"),
        (
            {"restore": {**RESTORE, "mode": "warm"}},
            "boot.json: restore: mode is 'warm', expected clone, cold, empty",
        ),
        (
            {"restore": {**RESTORE, "mode": "cold"}},
            "boot.json: restore: mode cold needs bucket_url and manifest_key",
        ),
        (
            {"checks": [{"kind": "ping"}]},
            "boot.json: checks: kind is 'ping', expected http, tcp or command",
        ),
        ({"checks": [{"kind": "tcp"}]}, "boot.json: checks[0]: port is missing"),
    ],
)
def test_a_wrong_boot_document_is_refused_with_the_key_and_what_was_expected(change, message):
    with pytest.raises(AgentError) as caught:
        parse_boot(boot_document(Region(), **change))
    assert str(caught.value) == message


TABLE = Table(rows=2, checksum="0" * 16, columns=("id int(11) NOT NULL",))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"likes": TABLE}, []),
        ({}, ["table likes is missing"]),
        ({"likes": TABLE, "x": TABLE}, ["table x is not in the manifest"]),
        (
            {"likes": Table(rows=1, checksum="0" * 16, columns=TABLE.columns)},
            ["table likes: 1 rows, the manifest says 2"],
        ),
        (
            {"likes": Table(rows=2, checksum="1" * 16, columns=TABLE.columns)},
            [f"table likes: checksum is {'1' * 16}, the manifest says {'0' * 16}"],
        ),
        (
            {"likes": Table(rows=9, checksum="0" * 16, columns=("id bigint(20) NOT NULL",))},
            [
                "table likes: column 1 is 'id bigint(20) NOT NULL', "
                "the manifest says 'id int(11) NOT NULL'"
            ],
        ),
        (
            {"likes": Table(rows=2, checksum="0" * 16, columns=())},
            ["table likes: column 'id int(11) NOT NULL' is missing"],
        ),
        (
            {"likes": Table(rows=2, checksum="0" * 16, columns=(*TABLE.columns, "a int(11) NULL"))},
            ["table likes: column 'a int(11) NULL' is not in the manifest"],
        ),
    ],
)
def test_every_difference_from_the_manifest_is_named(found, expected):
    assert differences({"likes": TABLE}, found) == expected


def test_a_summary_shows_five_differences_and_counts_the_rest():
    assert summary(list("abcdefg")) == "a; b; c; d; e; and 2 more"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "m.json is not JSON: "),
        (b"[]", "m.json is not an object"),
        (b'{"format": 2}', "m.json: format is 2, this agent knows 1"),
        (
            b'{"format":1,"engine":"mariadb","database":"p","source":null,"taken_at":"","dump":null,'
            b'"tables":{"t":{"rows":1,"checksum":"XX","columns":[]}}}',
            "m.json: table t: checksum is 'XX', expected 16 hex digits",
        ),
        (
            b'{"format":1,"engine":"mariadb","database":"p","source":null,"taken_at":"","tables":{},'
            b'"dump":{"key":"k","sha256":"s"}}',
            "m.json: dump: bytes is missing",
        ),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_name_and_place(content, message):
    with pytest.raises(AgentError) as caught:
        parse_manifest(content, "m.json")
    assert str(caught.value).startswith(message)


def test_names_cannot_end_their_quotes_in_sql():
    assert checksum_query("d`b", "t", ["c`"]).endswith("FROM `d``b`.`t`;")
    assert "`a\\_b`.*" in grant_sql("a_b", "user")
    assert "CREATE USER IF NOT EXISTS `x``y`@'%'" in grant_sql("a", "x`y")


def test_the_clients_answers_are_read_back_as_they_were():
    assert _unescape("a\\tb\\nc\\\\nd\\0") == "a\tb\nc\\nd\0"
    said = "--------------\nSELECT 1\n--------------\n\nERROR 1146 (42S02) at line 1: no such\n"
    assert client_error(said) == "ERROR 1146 (42S02) at line 1: no such"


def test_the_quarantined_server_takes_a_third_of_the_memory_within_bounds(tmp_path):
    limits = tmp_path / "memory.max", tmp_path / "meminfo", tmp_path / "none"
    limits[0].write_text("max\n")
    limits[1].write_text("MemTotal:  900000 kB\n")
    assert buffer_mib([str(path) for path in limits]) == 292
    limits[0].write_text(f"{100 * 1024**2}\n")
    assert buffer_mib([str(path) for path in limits]) == 64
    assert buffer_mib([]) == 170


@given(st.text())
@settings(max_examples=15, deadline=None)
def test_a_quoted_value_is_one_line_and_one_word_for_a_shell(text):
    line = shell_quoted(text)
    assert "\n" not in line
    said = subprocess.run(["sh", "-c", f"printf %s {line}"], capture_output=True, check=True)
    assert said.stdout.decode() == "".join(c if c.isprintable() else " " for c in text)


def test_tags_become_variables_that_every_shell_accepts():
    boot = parse_boot(boot_document(Region()))
    facts = Facts(tags={"role": "it's", "a.b": "1", "a-b": "2", "naïve": "3"}, metadata={})
    assert environment_lines(facts, boot) == [
        "GREENROOM_MACHINE='backend1'",
        "GREENROOM_ENVIRONMENT='photos/feature-x'",
        "GREENROOM_BRANCH='feature_x'",
        "GREENROOM_ROLE='it'\\''s'",
        "GREENROOM_TAG_A_B='2'",
        "GREENROOM_TAG_NA_VE='3'",
        "GREENROOM_TAG_ROLE='it'\\''s'",
    ]


@given(
    st.lists(st.tuples(st.text(max_size=60), st.integers()), max_size=300),
    st.lists(st.text(max_size=900), max_size=12),
)
@settings(max_examples=40, deadline=None)
def test_the_signals_data_never_exceeds_its_bytes_and_says_what_was_cut(tables, notices):
    report = {"mode": "cold", "tables": [[name, rows, "0" * 16] for name, rows in tables]}
    outcome = Outcome(success=True, reason="", restore=report)
    text = bounded_data(outcome, [("facts", 0.01)], notices)
    data = json.loads(text)
    assert len(text.encode()) <= DATA_BYTES
    assert data["phases"] == [["facts", 0.01]]
    assert data["restore"]["table_count"] == len(tables)
    assert data["restore"]["row_count"] == sum(rows for _, rows in tables)
    whole = data["restore"]["tables"] == report["tables"] and data["notices"] == notices
    assert whole or data["notices"][-1].startswith("the report was too long: ")
    if data["notices"][: len(notices)] != notices:
        assert data["restore"]["tables"] == []


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (member("/etc/passwd"), "lies outside of the archive"),
        (member("../x"), "lies outside of the archive"),
        (member("a/../b"), "lies outside of the archive"),
        (member("a", tarfile.SYMTYPE, "/etc"), "leads outside, to '/etc'"),
        (member("a/b", tarfile.SYMTYPE, "../../c"), "leads outside"),
        (member("a", tarfile.LNKTYPE, "../c"), "leads outside"),
        (member("a", tarfile.CHRTYPE), "is neither file, directory nor link"),
        (member("a", tarfile.FIFOTYPE), "is neither file, directory nor link"),
    ],
)
def test_a_member_that_could_leave_the_archive_is_refused(info, words):
    with pytest.raises(AgentError) as caught:
        checked_name(info, "code.tar.gz")
    assert str(caught.value).startswith("code.tar.gz refused: ") and words in str(caught.value)


def test_ordinary_members_are_taken():
    assert checked_name(member("./a/b"), "k") == "a/b"
    assert checked_name(member("a/b", tarfile.SYMTYPE, "../c"), "k") == "a/b"


def test_the_reason_for_no_artifact_names_all_keys():
    assert no_artifact(("a", "b"), "code") == "no artifact: neither a nor b is in bucket 'code'"
    assert no_artifact(("a",), "code") == "no artifact: a is not in bucket 'code'"


def test_the_end_of_a_log_is_bounded_and_without_time_stamps():
    stamp = "@400000006b0343d61d367ba1"
    log = "\n".join(f"{stamp} line {number}" for number in range(40))
    assert bounded_lines(log).splitlines() == [f"line {n}" for n in range(25, 40)]
    assert len(bounded_lines("x" * 9000)) == 1800


@pytest.mark.parametrize("url", ["ftp://a/b", "http://", "http://a/b c", "http://a/\r\nX: y", "x"])
def test_a_url_that_could_alter_the_request_is_refused(url):
    with pytest.raises(FetchError):
        parse_url(url)


def test_urls_are_split_and_quoted():
    assert parse_url("http://a:81/b?c") == Url(host="a", port=81, target="/b?c")
    assert parse_url("http://a") == Url(host="a", port=80, target="/")
    assert quote("é/ü b", safe="/") == "%C3%A9/%C3%BC%20b"
