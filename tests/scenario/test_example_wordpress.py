"""examples/wordpress, brought up by its README's one command: Debian's WordPress as a stack."""

from __future__ import annotations

import gzip
import json
import re
import struct
import subprocess
import zlib
from collections.abc import Iterator

import pytest

from tests.real.reboot import kill_and_wait, machine_pids
from tests.real.site import Site, bring_up, wait_until
from tests.real.visitor import Visitor

FEATURE, MASTER = "www.feature-x.wordpress.localhost", "www.master.wordpress.localhost"
PASSWORD = "greenroom"
POSTS = {"Beans before the frost is over", "A barrel for every roof", "What the compost taught us"}


@pytest.fixture(scope="module")
def wordpress(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The example; the region and its end are those of ``site``."""
    made = bring_up("wordpress", tmp_path_factory.mktemp("wordpress"))
    yield made
    made.ok("destroy", "feature_x")
    made.ok("destroy", "master", "--confirm", "master")


def signed_in(host: str) -> Visitor:
    """The editor, by the form that a person fills in."""
    visitor = Visitor(host)
    visitor.get("/wp-login.php")
    fields = {"log": "editor", "pwd": PASSWORD, "wp-submit": "Log In", "testcookie": "1"}
    page = visitor.post_form(
        "/wp-login.php", {**fields, "redirect_to": f"{visitor.base}/wp-admin/"}
    )
    assert (page.status, page.url) == (200, f"{visitor.base}/wp-admin/"), page.text[:2000]
    assert "Howdy, <span" in page.text and "editor" in page.text
    return visitor


def upload(visitor: Visitor, name: str, content: bytes) -> str:
    """Put a picture into the media library by WordPress' own API; where it is served."""
    nonce = visitor.get("/wp-admin/admin-ajax.php?action=rest-nonce").text
    headers = {
        "X-WP-Nonce": nonce,
        "Content-Type": "image/png",
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    page = visitor.post("/wp-json/wp/v2/media", content, headers)
    assert page.status == 201, page.text
    url: str = json.loads(page.text)["source_url"]
    return url


def picture(colour: bytes) -> bytes:
    """A real PNG, large enough for WordPress to make a thumbnail of it."""
    size = 400
    rows = b"".join(b"\0" + colour * size for _ in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def keys_in_redis(site: Site) -> int:
    code, number = site.inside("feature_x", "cache1", "redis-cli --raw dbsize")
    assert code == 0
    return int(number)


def hits_in_redis(site: Site) -> int:
    code, stats = site.inside("feature_x", "cache1", "redis-cli info stats")
    assert code == 0
    return int(re.findall(r"keyspace_hits:(\d+)", stats)[0])


def test_the_one_command_restores_production_into_a_branch(wordpress: Site) -> None:
    detail = wordpress.data("show", "feature_x")
    assert detail["summary"]["verdict"] == "proved"
    (restore,) = detail["restores"]
    assert (restore["mode"], restore["source"]) == ("clone", "extract")
    manifest = json.loads((wordpress.folder / "data/extract/manifest.json").read_text())
    assert {t["name"] for t in restore["tables"]} == set(manifest["tables"])
    assert manifest["tables"]["wp_posts"]["rows"] >= len(POSTS)
    for host in (FEATURE, MASTER):
        front = Visitor(host).get("/")
        assert front.status == 200
        assert all(title in front.text for title in POSTS)
    assert Visitor(FEATURE).get("/a-barrel-for-every-roof/").status == 200


def test_the_branch_has_its_own_look_and_leads_nowhere_else(wordpress: Site) -> None:
    feature, master = (Visitor(host).get("/").text for host in (FEATURE, MASTER))
    assert "#102234" in feature and "#102234" not in master
    assert MASTER not in feature
    style = re.findall(rf"http://{FEATURE}:\d+/wp-[^\"' ]+\.css[^\"' ]*", feature)
    assert style
    assert all(Visitor(FEATURE).get(url).status == 200 for url in style)


def test_the_extract_holds_nobodys_address_session_or_secret(wordpress: Site) -> None:
    production = wordpress.inside("master", "db1", "mariadb-dump --compact wordpress")[1]
    assert "ada@greenjournal.example" in production and "198.51.100.7" in production
    dump = (wordpress.folder / "data/extract/wordpress.sql.gz").read_bytes()
    extract = gzip.decompress(dump).decode()
    assert "A barrel for every roof" in extract
    for secret in ("greenjournal.example", "neighbours.example", "198.51.100.7", "session_tokens"):
        assert secret not in extract
    assert not re.search(r"'(auth|logged_in|nonce|secure_auth)_(key|salt)'", extract)


def test_login_works_through_the_proxy_and_a_wrong_password_does_not(wordpress: Site) -> None:
    visitor = signed_in(FEATURE)
    assert "A barrel for every roof" in visitor.get("/wp-admin/edit.php").text
    stranger = Visitor(FEATURE)
    page = stranger.post_form("/wp-login.php", {"log": "editor", "pwd": "wrong"})
    assert page.status == 200 and "wp-submit" in page.text
    assert stranger.get("/wp-admin/").url.startswith(f"{stranger.base}/wp-login.php")


def test_an_upload_survives_a_deploy_and_one_that_is_taken_back(wordpress: Site) -> None:
    visitor = signed_in(FEATURE)
    content = picture(b"\x30\x70\x20")
    url = upload(visitor, "leaf.png", content)
    assert visitor.get(url).content == content
    before = artifact(wordpress)
    wordpress.edit("branches/feature_x/wp-content/themes/journal/theme.json", "#102234", "#331a2e")
    pack(wordpress)
    wordpress.ok("deploy", "feature_x")
    assert artifact(wordpress) != before
    assert "#331a2e" in Visitor(FEATURE).get("/").text
    assert Visitor(FEATURE).get(url).content == content
    # The other way round: what was written after the deploy is there when it is taken back.
    later = upload(visitor, "later.png", picture(b"\x70\x30\x20"))
    plugin, good, bad = "app/wp-content/mu-plugins/package-themes.php", "directory(", "directory(("
    wordpress.edit(plugin, good, bad)
    pack(wordpress)
    try:
        done = wordpress.greenroom("deploy", "feature_x")
        assert done.returncode == 1
        assert "is back in place" in done.stderr, done.stderr
        assert "syntax error" in done.stderr
    finally:
        wordpress.edit(plugin, bad, good)
        pack(wordpress)
    assert Visitor(FEATURE).get(url).content == content
    assert Visitor(FEATURE).get(later).status == 200


def test_an_upload_survives_a_machine_that_dies(wordpress: Site) -> None:
    content = picture(b"\x20\x30\x70")
    url = upload(signed_in(FEATURE), "sky.png", content)
    kill_and_wait(list(machine_pids("wordpress.feature-x", "web1")))

    def runs_again() -> bool:
        incidents = wordpress.data("show", "feature_x")["incidents"]
        return any("runs again from its own disks, proved" in i["message"] for i in incidents)

    wait_until(runs_again, timeout_s=120)
    assert Visitor(FEATURE).get(url).content == content


def test_stateless_machines_are_replaced_and_the_uploads_stay(wordpress: Site) -> None:
    content = picture(b"\x60\x60\x20")
    url = upload(signed_in(FEATURE), "moss.png", content)
    assert wordpress.inside("feature_x", "web1", "touch /root/by-hand") == (0, "")
    front = Visitor(FEATURE).get("/").text

    last = wordpress.ok("replace", "feature_x", "--stateless", "--json").splitlines()[-1]

    assert json.loads(last)["environment"]["summary"]["verdict"] == "proved"
    rows = {row["machine"]: row["verdict"] for row in json.loads(last)["timings"]}
    assert rows == {"web1": "proved", "cache1": "proved"}
    assert wordpress.inside("feature_x", "web1", "test -e /root/by-hand")[0] == 1
    assert Visitor(FEATURE).get(url).content == content
    assert Visitor(FEATURE).get("/").text == front
    signed_in(FEATURE)


def test_a_drill_counts_what_a_reader_of_the_site_met(wordpress: Site) -> None:
    last = wordpress.ok("drill", "feature_x", "--throw-away", "--json").splitlines()[-1]
    told = json.loads(last)
    assert told["environment"]["summary"]["verdict"] == "proved"
    assert {row["machine"] for row in told["timings"]} == {"web1", "cache1"}
    for row in told["timings"]:
        seen = row["seen"]
        assert row["kind"] == "drill" and seen["whole"]
        assert seen["requests"] > sum(count for _, count in seen["errors"])
        assert seen["longest_gap_s"] > 0
    assert Visitor(FEATURE).get("/").status == 200


def test_an_upload_is_never_run(wordpress: Site) -> None:
    kept = "/srv/wordpress/kept/wp-content/uploads"
    script = f"echo '<?php echo 6*7;' > {kept}/evil.php; stat -c %U {kept}"
    assert wordpress.inside("feature_x", "web1", script) == (0, "www-data\n")
    assert Visitor(FEATURE).get("/wp-content/uploads/evil.php").status == 404


def test_redis_holds_what_wordpress_has_looked_up(wordpress: Site) -> None:
    Visitor(FEATURE).get("/")
    keys, hits = keys_in_redis(wordpress), hits_in_redis(wordpress)
    assert keys > 20
    Visitor(FEATURE).get("/")
    assert hits_in_redis(wordpress) > hits + 10
    assert keys_in_redis(wordpress) >= keys
    # Without it the site goes on, and finds it again.
    service = "/etc/greenroom/service/redis"
    assert wordpress.inside("feature_x", "cache1", f"s6-svc -d -wd {service}")[0] == 0
    try:
        assert "A barrel for every roof" in Visitor(FEATURE).get("/").text
    finally:
        assert wordpress.inside("feature_x", "cache1", f"s6-svc -u -wu {service}")[0] == 0
    # It is up before it listens.
    ping = ("feature_x", "cache1", "redis-cli ping")
    wait_until(lambda: wordpress.inside(*ping) == (0, "PONG\n"))
    wordpress.ok("flows", "feature_x")
    Visitor(FEATURE).get("/")
    assert keys_in_redis(wordpress) > 20


def artifact(site: Site) -> str:
    """The checksum of what the branch's web server runs."""
    machines = site.data("show", "feature_x")["machines"]
    sha256: str = next(m for m in machines if m["name"] == "web1")["artifact"]["sha256"]
    return sha256


def pack(site: Site) -> None:
    """Build the branch's artifact, as the README says."""
    argv = ["../pack", "artifacts/site-feature_x.tar.gz", "app", "branches/feature_x"]
    subprocess.run(argv, cwd=site.folder, check=True, timeout=60)
