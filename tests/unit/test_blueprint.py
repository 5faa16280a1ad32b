from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from tests.unit.blueprint_values import PHOTOS, blueprint_of, edited, faults_of

from greenroom.blueprint.fields import parse_port_range
from greenroom.blueprint.instance_types import DEFAULT_INSTANCE_TYPE, INSTANCE_TYPES
from greenroom.blueprint.json_schema import blueprint_json_schema
from greenroom.blueprint.nearest import suggestion
from greenroom.blueprint.parse import load_blueprint, parse_blueprint
from greenroom.blueprint.schema import BlueprintDocument
from greenroom.errors import InputError
from greenroom.model.stack import PortRange, Protocol

EXAMPLE = Path(__file__).parents[2] / "examples" / "photos" / "greenroom.yaml"


def test_the_example_loads_with_the_text_of_every_file_that_it_names() -> None:
    blueprint = load_blueprint(EXAMPLE)
    assert blueprint.path == EXAMPLE.resolve()
    sources = {source for image in blueprint.images.values() for source in image.files.values()}
    assert set(blueprint.contents) == sources
    assert "listen 80" in blueprint.contents["images/web/site.conf"]


def test_what_a_blueprint_leaves_out_has_its_default() -> None:
    blueprint = blueprint_of()
    backend, db = blueprint.machines["backend"], blueprint.machines["db"]
    assert blueprint.default_branch == "master"
    assert backend.instance_type == DEFAULT_INSTANCE_TYPE == "t3.small"
    assert (backend.count, backend.deadline_s, backend.shared) == (1, 120.0, False)
    assert blueprint.images["web"].suite == "bookworm"
    assert db.ingress[0].protocol is Protocol.TCP
    assert list(blueprint.images["web"].services) == ["php-fpm", "nginx"]


def test_a_date_is_text_and_an_anchor_may_be_reused() -> None:
    blueprint = edited(
        ('tags: {monitoring: "false"}', "tags: &t {since: 2026-01-01, answer: yes}"),
        ("machine_tags: {background_tasks", "tags: *t\n    machine_tags: {background_tasks"),
    )
    assert blueprint.groups["base"].tags == {"since": "2026-01-01", "answer": "yes"}
    assert blueprint.machines["backend"].tags == blueprint.groups["base"].tags


@pytest.mark.parametrize(
    ("value", "expected"),
    [(80, (80, 80)), ("80", (80, 80)), ("8000-8100", (8000, 8100)), (65535, (65535, 65535))],
)
def test_a_port_or_a_range_is_understood(value: object, expected: tuple[int, int]) -> None:
    assert parse_port_range(value) == PortRange(first=expected[0], last=expected[1])


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("bd", ["backend", "db"], "did you mean 'db'?"),
        ("Backend", ["backend", "db"], "did you mean 'backend'?"),
        ("zzz", ["backend", "db"], "known: backend, db"),
        ("zzz", [], "none is declared"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(
    name: str, known: list[str], expected: str
) -> None:
    assert suggestion(name, known) == expected


@pytest.mark.parametrize(
    ("name", "vcpu", "memory_mib"),
    [
        ("t3.micro", 2, 1024),
        ("t4g.small", 2, 2048),
        ("m5.large", 2, 8192),
        ("m7g.medium", 1, 4096),
        ("c6i.xlarge", 4, 8192),
        ("r5.large", 2, 16384),
        ("c3.large", 2, 3840),
        ("m3.medium", 1, 3840),
    ],
)
def test_an_instance_type_has_the_size_that_aws_gives_it(
    name: str, vcpu: int, memory_mib: int
) -> None:
    assert (INSTANCE_TYPES[name].vcpu, INSTANCE_TYPES[name].memory_mib) == (vcpu, memory_mib)


# Files


def with_file(source: str) -> str:
    return PHOTOS.replace("packages: [redis-server]", f"files: {{/etc/x: {source}}}")


def test_a_file_is_read_from_the_blueprints_folder_byte_by_byte(tmp_path: Path) -> None:
    (tmp_path / "conf").write_bytes(b"a\r\nb \xc3\xa9\n")
    blueprint = parse_blueprint(with_file("conf"), tmp_path / "greenroom.yaml")
    assert blueprint.contents == {"conf": "a\r\nb é\n"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("../secret", "'../secret' leaves the blueprint's folder"),
        ("a/../../secret", "'a/../../secret' leaves the blueprint's folder"),
        ("/etc/passwd", "'/etc/passwd' is absolute; expected a path beside this file"),
        ("link", "'link' is a symbolic link that leaves the blueprint's folder"),
        ("folder/deep", "'folder/deep' is a symbolic link that leaves the blueprint's folder"),
        ("loop", "'loop' "),
        ("nothing", "'nothing' does not exist; expected a text file in {folder}"),
        ("sub", "'sub' is not a file; expected a text file in {folder}"),
        ("pipe", "'pipe' is not a file; expected a text file in {folder}"),
        ("binary", "'binary' is not UTF-8 text"),
        ("large", "'large' is larger than 1048576 bytes"),
        ('"a\\u0000b"', r"'a\x00b' is not a path"),
        ('""', "'' is not a path"),
    ],
)
def test_a_file_that_leaves_the_folder_or_is_no_text_is_a_fault(
    tmp_path: Path, source: str, message: str
) -> None:
    folder = tmp_path / "stack"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("s")
    (tmp_path / "deep").write_text("s")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder").symlink_to(tmp_path)
    (folder / "loop").symlink_to("loop")
    (folder / "binary").write_bytes(b"\xff\xfe")
    (folder / "large").write_bytes(b"x" * ((1 << 20) + 1))
    os.mkfifo(folder / "pipe")
    (fault,) = faults_of(with_file(source), folder / "greenroom.yaml")
    assert fault.path == "images.redis.files./etc/x"
    assert fault.message.startswith(message.format(folder=folder.resolve()))


def test_a_bucket_outside_the_folder_is_a_fault_and_a_missing_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to("/")
    faults = faults_of(
        PHOTOS.replace("{path: artifacts}", "{path: ../artifacts}"), tmp_path / "greenroom.yaml"
    )
    assert [(f.path, f.message) for f in faults] == [
        ("buckets.code.path", "'../artifacts' leaves the blueprint's folder"),
        (
            "buckets.extracts.path",
            "'data' is a symbolic link that leaves the blueprint's folder",
        ),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the blueprint {path} cannot be read: No such file or directory"),
        (b"\xff", "the blueprint {path} is not UTF-8 text: byte 0 is not part of it"),
        (b"#" * ((1 << 20) + 1), "the blueprint {path} is larger than 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_blueprint_at_all_is_refused(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "greenroom.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        load_blueprint(path)
    assert raised.value.code == "E_BLUEPRINT"
    assert raised.value.message == message.format(path=path)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "greenroom.yaml"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            path = Path("/dev/zero")
    with pytest.raises(InputError) as raised:
        load_blueprint(path)
    assert raised.value.code == "E_BLUEPRINT"
    assert raised.value.message == f"the blueprint {path} cannot be read: it is not a regular file"


def test_the_refusal_counts_the_faults_and_orders_them_by_place() -> None:
    with pytest.raises(InputError) as raised:
        parse_blueprint("zone: Z\nstack: S\n", Path("greenroom.yaml"))
    assert raised.value.message == "the blueprint greenroom.yaml has 4 faults"
    assert [str(fault) for fault in raised.value.faults] == [
        "greenroom.yaml:1:1: images: the required key 'images' is missing",
        "greenroom.yaml:1:1: machines: the required key 'machines' is missing",
        "greenroom.yaml:1:7: zone: 'Z' is not a DNS name in lower case such as 'photos.internal'",
        "greenroom.yaml:2:8: stack: 'S' is not a DNS label "
        "(a-z, 0-9 and inner dashes, at most 24 characters)",
    ]


# The JSON Schema


def test_the_json_schema_describes_every_key_and_refuses_others() -> None:
    schema = blueprint_json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    parts = [schema, *schema["$defs"].values()]
    for part in (part for part in parts if "properties" in part):
        assert part["additionalProperties"] is False
        for key, rule in part["properties"].items():
            assert rule.get("description"), key
    assert schema["properties"]["machines"]["additionalProperties"] is False


def test_the_json_schema_completes_what_is_a_choice() -> None:
    definitions = blueprint_json_schema()["$defs"]
    assert "t3.small" in definitions["MachineTypeSpec"]["properties"]["instance_type"]["enum"]
    assert definitions["Protocol"]["enum"] == ["tcp", "udp"]
    assert "from" in definitions["IngressSpec"]["required"]
    assert len(definitions["CheckSpec"]["oneOf"]) == 3


def test_every_pattern_of_the_json_schema_is_anchored_and_valid() -> None:
    patterns = re.findall(r"'pattern': '(.*?)'[,}]", str(blueprint_json_schema()))
    assert patterns
    for pattern in patterns:
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        re.compile(pattern)


def test_the_reference_names_every_key() -> None:
    text = (EXAMPLE.parents[2] / "docs" / "blueprint.md").read_text()
    definitions = BlueprintDocument.model_json_schema()["$defs"]
    keys = {key for part in definitions.values() for key in part.get("properties", {})}
    keys |= set(BlueprintDocument.model_fields)
    assert sorted(key for key in keys if f"`{key}`" not in text) == []
