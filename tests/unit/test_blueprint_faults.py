"""Bad blueprints, each with the exact place and message that it gets."""
# ruff: noqa: E501 - a case is one line, so that the table can be read as one.

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.blueprint_values import PHOTOS, faults_of

from greenroom.blueprint.parse import parse_blueprint
from greenroom.blueprint.yaml_tree import VALUES_MAX
from greenroom.errors import InputError

LABEL_32 = "a DNS label (a-z, 0-9 and inner dashes, at most 32 characters)"
LABEL_63 = LABEL_32.replace("32", "63")
ABSOLUTE = "an absolute path such as '/var/www/backend' (of A-Z a-z 0-9 . _ @ + -)"
URL_PATH = "a URL path (starts with '/', printable ASCII, no spaces)"
TAG_KEY = "a tag key (1 to 127 of A-Z a-z 0-9 + = . , _ : @ -, not starting with 'aws:')"
SERVICE = "a service name (a-z, 0-9, '.', '_' and '-', at most 32)"

# Replaced text, replacement, and the one fault: path and message.
CASES = [
    # Names
    ("stack: photos", "stack: a.b", "stack", "'a.b' is not " + LABEL_32.replace("32", "24")),
    ("stack: photos", "stack: " + "x" * 25, "stack", f"'{'x' * 25}' is not " + LABEL_32.replace("32", "24")),
    ("stack: photos", "stack:", "stack", "an empty value is not text"),
    ("stack: photos", "stack: [a]", "stack", "a list is not text"),
    ("stack: photos", "stack: 7", "stack", "7 is not text; put it in quotes"),
    ("zone: photos.internal", "zone: -a.b", "zone", "'-a.b' is not a DNS name in lower case such as 'photos.internal'"),
    ("  feed:", "  Feed:", "machines.Feed", f"'Feed' is not {LABEL_32}"),
    ("  feed:", '  "a; b":', "machines.a; b", f"'a; b' is not {LABEL_32}"),
    ("  admin:", "  ad_min:", "groups.ad_min", f"'ad_min' is not {LABEL_32}"),
    ("  admin:", "  anywhere:", "groups.anywhere", "'anywhere' means every address in an ingress rule; choose another name"),
    ("  admin:", "  feed:", "groups.feed", "'feed' is a machine type, which has a group of that name already"),
    ("  metrics:", "  db2:", "machines.db2", "'db2' is also the name of a machine of type 'db'; rename one"),
    ("  metrics:", "  db-drill:", "machines.db-drill", "'db-drill' is also the name of a machine of type 'db'; rename one"),
    ("zone:", "default_branch: ''\nzone:", "default_branch", "'' has 0 characters; expected 1 to 255"),
    ("  code: {path: artifacts}", "  code: {path: artifacts}\n  greenroom-agent: {path: x}", "buckets.greenroom-agent", "the bucket 'greenroom-agent' is greenroom's own; choose another name"),
    ("      nginx: {", "      user-data: {", "images.web.services.user-data", "the service 'user-data' is greenroom's own; choose another name"),
    ("      nginx: {", "      ../nginx: {", "images.web.services.../nginx", f"'../nginx' is not {SERVICE}"),
    ("database: photos", 'database: "a`b"', "machines.db.data.database", "'a`b' is not a name of 1 to 32 letters, digits and underscores"),
    ("user: app", "user: a-b", "machines.db.data.user", "'a-b' is not a name of 1 to 32 letters, digits and underscores"),
    ("name: api,", "name: a_b,", "machines.backend.endpoint.name", f"'a_b' is not {LABEL_63}"),
    ("name: api,", "name: feed,", "machines.backend.endpoint.name", "'feed' is also the name of a machine type; rename one"),
    ("name: api,", "name: feed1,", "machines.backend.endpoint.name", "'feed1' is also the name of a machine of type 'feed'; rename one"),
    # Unknown keys and references
    ("  feed:\n", "  feed:\n    imge: x\n", "machines.feed.imge", "unknown key 'imge'; did you mean 'image'?"),
    ("port: 22, from", "prt: 1, port: 22, from", "groups.admin.ingress[0].prt", "unknown key 'prt'; did you mean 'port'?"),
    ("buckets:", "machnes: {}\nbuckets:", "machnes", "unknown key 'machnes'; did you mean 'machines'?"),
    ("image: mariadb", "image: maria", "machines.db.image", "unknown image 'maria'; did you mean 'mariadb'?"),
    ("t3.micro", "t3.mikro", "machines.feed.instance_type", "unknown instance type 't3.mikro'; did you mean 't3.micro'?"),
    ("needs: [db, feed]", "needs: [db, fed]", "machines.backend.needs[1]", "unknown machine type 'fed'; did you mean 'feed'?"),
    ("port: 80, from: anywhere", "port: 80, from: anywere", "machines.backend.ingress[0].from", "unknown machine type or group 'anywere'; did you mean 'anywhere'?"),
    ("from: admin", "from: admn", "machines.db.ingress[1].from", "unknown machine type or group 'admn'; did you mean 'admin'?"),
    ("bucket: code", "bucket: cod", "machines.backend.deploy.bucket", "unknown bucket 'cod'; did you mean 'code'?"),
    ("restart: [php-fpm]", "restart: [php]", "machines.backend.deploy.restart[0]", "unknown service 'php' in image 'web'; did you mean 'php-fpm'?"),
    ("service: mariadb", "service: mysql", "machines.db.data.service", "unknown service 'mysql' in image 'mariadb'; known: mariadb"),
    ("default: extract", "default: extrct", "machines.db.data.default", "unknown restore source 'extrct'; did you mean 'extract'?"),
    ("backup: {", "none: {", "machines.db.data.restore.none", "'none' means an empty database; choose another name"),
    ("{image: redis, shared", "{image: redis, instance_profile: p, shared", "machines.metrics.instance_profile", "unknown instance profile 'p'; none is declared"),
    ("{image: redis, shared", "{image: redis, groups: [bas], shared", "machines.metrics.groups[0]", "unknown group 'bas'; did you mean 'base'?"),
    ("zone:", "instance_profiles: {p: {read: [cde]}}\nzone:", "instance_profiles.p.read[0]", "unknown bucket 'cde'; did you mean 'code'?"),
    # Values
    ("port: 22", "port: 0", "groups.admin.ingress[0].port", "0 is out of range; expected 1 to 65535, low to high"),
    ("port: 22", "port: 65536", "groups.admin.ingress[0].port", "65536 is out of range; expected 1 to 65535, low to high"),
    ("port: 22", "port: 30-20", "groups.admin.ingress[0].port", "'30-20' is out of range; expected 1 to 65535, low to high"),
    ("port: 22", "port: ssh", "groups.admin.ingress[0].port", "'ssh' is not a port; expected 80 or \"8000-8100\""),
    ("port: 22", "port: true", "groups.admin.ingress[0].port", "true is not a port; expected 80 or \"8000-8100\""),
    ("port: 22, from", "from", "groups.admin.ingress[0].port", "the required key 'port' is missing"),
    ("10.9.0.0/16", "10.9.0.1/16", "groups.admin.ingress[0].from", "'10.9.0.1/16' has host bits set; did you mean '10.9.0.0/16'?"),
    ("10.9.0.0/16", "10.9.0.0/99", "groups.admin.ingress[0].from", "'10.9.0.0/99' is not an IPv4 network; expected a CIDR such as 10.0.0.0/8"),
    ("10.9.0.0/16", '"::/0"', "groups.admin.ingress[0].from", "'::/0' is not an IPv4 network; expected a CIDR such as 10.0.0.0/8"),
    ("protocol: udp", "protocol: icmp", "machines.backend.ingress[1].protocol", "'icmp' is not known; expected 'tcp' or 'udp'"),
    ("name: api, port: 80", "name: api, port: 81", "machines.backend.endpoint.port", "no ingress opens port 81 to anywhere or to a network; expected one such as {port: 81, from: anywhere}"),
    ("name: api, port: 80", "name: api, port: 8125", "machines.backend.endpoint.port", "no ingress opens port 8125 to anywhere or to a network; expected one such as {port: 8125, from: anywhere}"),
    ("name: api, port: 80", "name: api, port: 70000", "machines.backend.endpoint.port", "70000 is out of range; expected at most 65535"),
    ("engine: mariadb", "engine: mysql", "machines.db.data.engine", "'mysql' is not known; expected 'mariadb'"),
    ("directory: /data", "directory: data", "machines.db.data.directory", f"'data' is not {ABSOLUTE}"),
    ("directory: /data", "directory: /", "machines.db.data.directory", f"'/' is not {ABSOLUTE}"),
    ("directory: /data", "directory: /a/../b", "machines.db.data.directory", "'/a/../b' has a '.' or '..' in it; expected a path without them"),
    ("directory: /data", "directory: /a b", "machines.db.data.directory", f"'/a b' is not {ABSOLUTE}"),
    ("extract/manifest.json", "../manifest.json", "machines.db.data.restore.extract.manifest", "'../manifest.json' has a '.' or '..' in it; expected a path without them"),
    ("extract/manifest.json", "/manifest.json", "machines.db.data.restore.extract.manifest", "'/manifest.json' is not an object's key such as 'extract/manifest.json'"),
    ("extract/manifest.json", '"{branch}.json"', "machines.db.data.restore.extract.manifest", "'{branch}.json' is not an object's key such as 'extract/manifest.json'"),
    ("backend-{branch}.tar.gz", "backend-{brunch}.tar.gz", "machines.backend.deploy.artifact", "'backend-{brunch}.tar.gz' has a placeholder other than {branch}"),
    ("backend-{branch}.tar.gz", "../{branch}.tar.gz", "machines.backend.deploy.artifact", "'../{branch}.tar.gz' has a '.' or '..' in it; expected a path without them"),
    ("{http: /health}", "{http: health}", "machines.backend.check[0].http", f"'health' is not {URL_PATH}"),
    ("{http: /health}", '{http: "/a b"}', "machines.backend.check[0].http", f"'/a b' is not {URL_PATH}"),
    ("{http: /health}", '{http: "/a\\r\\nX: y"}', "machines.backend.check[0].http", rf"'/a\r\nX: y' is not {URL_PATH}"),
    ("{http: /health}", "{http: /, tcp: 80}", "machines.backend.check[0]", "a check has exactly one of http, tcp and command, here http and tcp"),
    ("{http: /health}", "{deadline_s: 3}", "machines.backend.check[0]", "a check has exactly one of http, tcp and command, here none of them"),
    ("{http: /health}", "{tcp: 80, status: 200}", "machines.backend.check[0]", "'status' belongs to an http check; this is a tcp check"),
    ("{http: /health}", "{command: []}", "machines.backend.check[0].command", "is empty; expected at least one entry"),
    ("{http: /health}", "{command: ls -l}", "machines.backend.check[0].command", "'ls -l' is not a list"),
    ("deadline_s: 5", "deadline_s: 0", "machines.feed.check[0].deadline_s", "0 is out of range; expected more than 0"),
    ("deadline_s: 5", "deadline_s: .nan", "machines.feed.check[0].deadline_s", "nan is not a finite number"),
    ("deadline_s: 5", "deadline_s: soon", "machines.feed.check[0].deadline_s", "'soon' is not a number"),
    ("shared: true", "shared: sure", "machines.metrics.shared", "'sure' is not true or false"),
    ("shared: true", "shared: true, count: 51", "machines.metrics.count", "51 is out of range; expected at most 50"),
    ("shared: true", "shared: true, count: 1.5", "machines.metrics.count", "1.5 is not a whole number"),
    ("shared: true", "shared: true, needs: db", "machines.metrics.needs", "'db' is not a list"),
    ("shared: true", "shared: true, needs: [db, db]", "machines.metrics.needs", "'db' is listed twice"),
    ('monitoring: "false"', "monitoring: false", "groups.base.tags.monitoring", "false is not text; put it in quotes"),
    ('monitoring: "false"', 'monitoring: "a\\nb"', "groups.base.tags.monitoring", r"'a\nb' holds control characters; expected printable text"),
    ('monitoring: "false"', '"a/b": x', "groups.base.tags.a/b", f"'a/b' is not {TAG_KEY}"),
    ('monitoring: "false"', '"aws:x": x', "groups.base.tags.aws:x", f"'aws:x' is not {TAG_KEY}"),
    ('monitoring: "false"', "branch: x", "groups.base.tags.branch", "the tag 'branch' is set by greenroom itself; leave it out"),
    ('monitoring: "false"', "_index: x", "groups.base.tags._index", "the tag '_index' cannot be read from instance metadata; rename it"),
    ("packages: [redis-server]", "packages: ['x; rm -rf /']", "images.redis.packages[0]", "'x; rm -rf /' is not the name of a Debian package"),
    ("packages: [redis-server]", "packages: ['-o=x']", "images.redis.packages[0]", "'-o=x' is not the name of a Debian package"),
    ("packages: [redis-server]", "suite: ../x", "images.redis.suite", "'../x' is not a Debian suite such as 'bookworm'"),
    ("packages: [redis-server]", 'commands: ["a\\0b"]', "images.redis.commands[0]", r"'a\x00b' holds control characters; expected printable text"),
    ("restart: [php-fpm]", "keep: {../uploads: www-data}", "machines.backend.deploy.keep.../uploads", "'../uploads' has a '.' or '..' in it; expected a path without them"),
    ("restart: [php-fpm]", "keep: {/uploads: www-data}", "machines.backend.deploy.keep./uploads", "'/uploads' is not a path below the code such as 'public/uploads'"),
    ("restart: [php-fpm]", "keep: {uploads: WWW}", "machines.backend.deploy.keep.uploads", "'WWW' is not the name of a user such as 'www-data'"),
    ("restart: [php-fpm]", "keep: {a/b: x, a: x}", "machines.backend.deploy.keep.a/b", "'a/b' lies in 'a', which is kept as a whole; leave it out"),
    # Aliases
    ("shared: true", "shared: true, aliases: [db]", "machines.metrics.aliases[0]", "'db' is the name of a machine type; choose another alias"),
    ("shared: true", "shared: true, aliases: [statsd, statsd]", "machines.metrics.aliases[1]", "'statsd' is an alias of 'metrics' already; leave it out"),
    ("shared: true", "shared: true, aliases: [Stats]", "machines.metrics.aliases[0]", f"'Stats' is not {LABEL_32}"),
    ("shared: true", "shared: true, aliases: statsd", "machines.metrics.aliases", "'statsd' is not a list"),
    # AWS
    ("buckets:", "aws: {region: eu-west-1, bucket: own, buckets: {cod: photos-code}}\nbuckets:", "aws.buckets.cod", "unknown bucket 'cod'; did you mean 'code'?"),
    ("buckets:", "aws: {region: eu-west-1, bucket: Own}\nbuckets:", "aws.bucket", "'Own' is not the name of an S3 bucket (3 to 63 of a-z 0-9 . -)"),
    ("buckets:", "aws: {region: Ireland, bucket: own}\nbuckets:", "aws.region", "'Ireland' is not an AWS region such as 'eu-west-1'"),
    ("admin: {", "admin: {existing: sg-0123456789abcdef0, ", "groups.admin.ingress", "the group 'admin' is there already on AWS, where its rules are its owner's; leave ingress or existing out"),
    ("image: mariadb\n", "image: mariadb\n    aws: {auto_scaling: true}\n", "machines.db.aws.auto_scaling", "machines of type 'db' hold data and cannot stand in an Auto Scaling group, which would replace them without it; leave auto_scaling out"),
    ("image: mariadb\n", "image: mariadb\n    aws: {snapshots: {backp: snap-01234567}}\n", "machines.db.aws.snapshots.backp", "unknown restore source 'backp' of 'db'; did you mean 'backup'?"),
    ("image: mariadb\n", "image: mariadb\n    aws: {snapshots: {backup: vol-01234567}}\n", "machines.db.aws.snapshots.backup", "'vol-01234567' is not the id of an EBS snapshot ('snap-' and hex digits)"),
    ("image: mariadb\n", "image: mariadb\n    aws: {initialization_mibps: 200}\n", "machines.db.aws.initialization_mibps", "a volume is filled at a rate from a snapshot only; name snapshots, or leave it out"),
    ("image: mariadb\n", "image: mariadb\n    aws: {repeated_tags: [branch, role, monitorin]}\n", "machines.db.aws.repeated_tags[2]", "unknown tag 'monitorin' that 'db' inherits; did you mean 'monitoring'?"),
    ("shared: true", "shared: true, aws: {data_gib: 5}", "machines.metrics.aws.data_gib", "machines of type 'metrics' hold no data; leave data_gib out"),
    ("shared: true", "shared: true, aws: {snapshots: {extract: snap-01234567}}", "machines.metrics.aws.snapshots.extract", "unknown restore source 'extract' of 'metrics'; none is declared"),
    # Shape
    ("shared: true", "shared: true, deploy: code", "machines.metrics.deploy", "'code' is not a mapping"),
    ("shared: true", "shared: true, shared: false", "machines.metrics.shared", "the key 'shared' appears twice, first on line 50"),
    ("shared: true", "80: x", "machines.metrics.80", 'the key 80 is not text; write "80"'),
    ("shared: true", "? [a] : x", "machines.metrics.?", "a key must be text, not a list or a mapping"),
    ("shared: true", "<<: {shared: true}", "machines.metrics.<<", "the merge key '<<' is not supported; write the keys out"),
    ("shared: true", "shared: !!python/name:os.system x", "machines.metrics.shared", "the YAML tag tag:yaml.org,2002:python/name:os.system is not supported"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "message"), CASES)
def test_a_faulty_value_is_named_with_what_was_expected(
    old: str, new: str, path: str, message: str
) -> None:
    assert PHOTOS.count(old) == 1, old
    told = [(fault.path, fault.message) for fault in faults_of(PHOTOS.replace(old, new))]
    assert (path, message) in told


def test_an_added_line_is_the_only_fault_of_an_otherwise_good_file() -> None:
    text = PHOTOS.replace("t3.micro", "t3.mikro")
    (fault,) = faults_of(text)
    line = next(i for i, row in enumerate(text.splitlines(), 1) if "t3.mikro" in row)
    assert (fault.line, fault.column) == (line, 20)
    assert fault.file == "/srv/photos/greenroom.yaml"


def test_all_faults_are_told_at_once_each_at_its_place() -> None:
    text = """\
stack: photos
zone: photos.internal
images:
  web: {pakages: [nginx]}
machines:
  backend:
    image: wbe
    needs: [db]
    ingress:
      - {port: 80-70, from: db}
  db:
    image: web
    needs: [backend]
    instance_type: t9.huge
"""
    told = [(f.line, f.column, f.path, f.message) for f in faults_of(text)]
    assert told[0] == (
        4,
        9,
        "images.web.pakages",
        "unknown key 'pakages'; did you mean 'packages'?",
    )
    assert told[1] == (7, 12, "machines.backend.image", "unknown image 'wbe'; did you mean 'web'?")
    assert told[2] == (
        8,
        13,
        "machines.backend.needs[0]",
        "needs form a cycle: backend → db → backend",
    )
    assert told[3][:3] == (10, 16, "machines.backend.ingress[0].port")
    assert told[4][:3] == (14, 20, "machines.db.instance_type")
    assert len(told) == 5


@pytest.mark.parametrize(
    ("needs", "cycles"),
    [
        ({"a": "a"}, ["a → a"]),
        ({"a": "b", "b": "c", "c": "a"}, ["a → b → c → a"]),
        ({"a": "c", "b": "c", "c": "b"}, ["b → c → b"]),
        ({"a": "b", "b": "a", "c": "d", "d": "c"}, ["a → b → a", "c → d → c"]),
        ({"a": "b", "b": "c", "c": ""}, []),
    ],
)
def test_every_cycle_of_needs_is_printed(needs: dict[str, str], cycles: list[str]) -> None:
    machines = "".join(f"  {n}: {{image: i, needs: [{need}]}}\n" for n, need in needs.items())
    text = f"stack: s\nzone: z\nimages: {{i: {{}}}}\nmachines:\n{machines}"
    told = [] if not cycles else [f.message for f in faults_of(text)]
    assert told == [f"needs form a cycle: {cycle}" for cycle in cycles]


def test_an_instance_profile_must_let_a_machine_read_what_it_deploys() -> None:
    text = PHOTOS.replace("    needs: [db, feed]", "    instance_profile: p\n    needs: [db, feed]")
    (fault,) = faults_of(f"{text}instance_profiles: {{p: {{read: [extracts]}}}}\n")
    assert fault.path == "machines.backend.instance_profile"
    assert fault.message == (
        "the instance profile 'p' may not read the bucket 'code', which deploy needs; "
        "add it to the profile's read list"
    )


def test_an_endpoint_belongs_to_one_machine_type() -> None:
    text = PHOTOS.replace(
        "    instance_type: t3.micro\n",
        "    endpoint: {name: api, port: 1}\n    groups: [admin]\n",
    ).replace("port: 22,", 'port: "1-22",')
    (fault,) = faults_of(text)
    assert fault.path == "machines.feed.endpoint.name"
    assert fault.message == "'api' is also the endpoint of 'backend'; rename one"


def test_what_is_wrong_for_aws_is_told_at_its_line_and_column() -> None:
    text = PHOTOS.replace(
        "    image: mariadb\n", "    image: mariadb\n    aws: {auto_scaling: true}\n"
    )
    text += "aws:\n  region: eu-west-1\n  bucket: own\n  buckets: {code: photos-code, dumps: x-y}\n"
    rows = text.splitlines()
    scaled = next(i for i, row in enumerate(rows, 1) if "auto_scaling" in row)
    told = [(f.line, f.column, f.path) for f in faults_of(text)]
    assert told == [
        (scaled, 25, "machines.db.aws.auto_scaling"),
        (len(rows), 32, "aws.buckets.dumps"),
    ]


def test_an_alias_belongs_to_one_machine_type() -> None:
    text = PHOTOS.replace("shared: true", "shared: true, aliases: [cache]").replace(
        "    instance_type: t3.micro\n", "    instance_type: t3.micro\n    aliases: [cache]\n"
    )
    (fault,) = faults_of(text)
    assert fault.path == "machines.metrics.aliases[0]"
    assert fault.message == "'cache' is an alias of 'feed' already; leave it out"


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "expected a mapping with the keys stack, zone and machines"),
        ("- a", 1, 1, "expected a mapping with the keys stack, zone and machines"),
        ("a: [1\nb: 2", 2, 2, "not valid YAML: while parsing a flow sequence expected ',' or ']', but got ':'"),
        ("a: 1\n\tb: 2", 2, 1, "not valid YAML: while scanning for the next token found character '\\t' that cannot start any token"),
        ("a: *b", 1, 4, "not valid YAML: found undefined alias 'b'"),
        ("a: 'x", 1, 6, "not valid YAML: while scanning a quoted scalar found unexpected end of stream"),
        ("a: 1\nb: \x01", 2, 4, "not valid YAML: the character '\\x01' is not allowed"),
        ("[" * 100_000, 1, 1, "the YAML is nested more than 40 deep"),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_told_with_its_place(
    text: str, line: int, column: int, message: str
) -> None:
    (fault,) = faults_of(text)
    assert (fault.line, fault.column, fault.message) == (line, column, message)


def test_aliases_neither_recurse_nor_expand_without_end() -> None:
    messages = [f.message for f in faults_of("machines: &a {b: *a}")]
    assert "an alias refers to the value that contains it" in messages
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 7)]
    messages = [f.message for f in faults_of("\n".join(rows))]
    assert messages.count(f"the file expands to more than {VALUES_MAX} values") == 1
    rows = ["a0: &a0 x"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60)]
    messages = [f.message for f in faults_of("\n".join(rows))]
    assert "the YAML is nested more than 40 deep" in messages


lines = st.sampled_from(PHOTOS.splitlines())
scraps = st.sampled_from(
    ["[", "{}", "null", "- x", "&a *a", ": ", "true", "9", "? {a: b}", '"', "\t"]
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_blueprint_is_refused_with_places_and_never_crashes(data: st.DataObject) -> None:
    rows = PHOTOS.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(rows) - 1))
        row = rows[at]
        cut = data.draw(st.integers(0, len(row)))
        rows[at] = (
            row[:cut]
            + data.draw(scraps | lines.map(str.strip))
            + data.draw(st.sampled_from(["", row[cut:]]))
        )
    try:
        blueprint = parse_blueprint("\n".join(rows), Path("/srv/g.yaml"))
    except InputError as refusal:
        assert refusal.faults
        assert all(f.line >= 1 and f.column >= 1 and f.message for f in refusal.faults)
    else:
        assert blueprint.machines
