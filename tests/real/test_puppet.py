"""Real Puppet in a real machine: the stack of the talk, configured by its manifests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.site import REPOSITORY, Site, get, wait_until

PAGE = "api.feature-x.eyeem.localhost"
CREATE = "create --machines backend db feed --restore db=none --branch feature_x"


@pytest.fixture(scope="module")
def eyeem(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The example without port 22, on which nothing of its images listens."""
    folder = tmp_path_factory.mktemp("puppet") / "eyeem"
    shutil.copytree(REPOSITORY / "examples" / "eyeem", folder)
    (folder / "artifacts").mkdir()
    made = Site(folder)
    blueprint = (folder / "greenroom.yaml").read_text()
    closed = blueprint.replace("      - {port: 22, from: anywhere}\n", "")
    (folder / "greenroom.yaml").write_text(closed)
    put_code(made, "feature_x", "one")
    put_manifests(made)
    yield made
    for environment in made.data("list"):
        if environment["name"].startswith("eyeem/"):
            made.ok("destroy", environment["name"], "--confirm", environment["name"])


def put_code(site: Site, branch: str, page: str) -> None:
    source = site.folder / "src" / "public"
    source.mkdir(parents=True, exist_ok=True)
    (source / "index.php").write_text(f"<?php echo '{page} of {branch}';\n")
    pack(site.folder / "artifacts" / f"backend-{branch}.tar.gz", site.folder / "src")


def put_manifests(site: Site) -> None:
    pack(site.folder / "artifacts" / "puppet-master.tar.gz", site.folder / "puppet")


def pack(archive: Path, folder: Path) -> None:
    subprocess.run([REPOSITORY / "examples" / "pack", archive, folder], check=True)


@pytest.fixture
def feature(eyeem: Site) -> Site:
    if not any(environment["name"] == "eyeem/feature-x" for environment in eyeem.data("list")):
        eyeem.ok(CREATE)
    return eyeem


def test_puppet_makes_of_a_bare_image_the_role_that_its_tag_names(feature: Site) -> None:
    assert get(PAGE) == (200, "one of feature_x")
    _, site_conf = feature.inside("feature_x", "backend1", "cat /etc/nginx/sites-available/default")
    source = feature.folder / "puppet/modules/webserver/files/site.conf"
    assert site_conf == source.read_text()
    role = "puppet apply -e 'notice($facts[role], $facts[tags][puppetbranch])'"
    assert "backend master" in feature.inside("feature_x", "backend1", role)[1]
    assert feature.inside("feature_x", "redis1", "redis-cli ping") == (0, "PONG\n")


def test_applying_again_changes_nothing(feature: Site) -> None:
    words = "puppet apply --detailed-exitcodes --modulepath={0}/puppet/current/modules:{0}/modules"
    manifest = "/var/lib/greenroom/puppet/current/manifests/site.pp"
    again = f"{words.format('/var/lib/greenroom')} {manifest}"
    assert feature.inside("feature_x", "backend1", again)[0] == 0


def test_a_deploy_applies_the_manifests_as_they_are_now(feature: Site) -> None:
    put_code(feature, "feature_x", "two")
    manifest = feature.folder / "puppet/modules/role/manifests/backend.pp"
    code = manifest.read_text()
    line = "  file { '/etc/motd': content => \"by Puppet\\n\" }\n}\n"
    manifest.write_text(code.rstrip().removesuffix("}") + line)
    put_manifests(feature)

    feature.ok("deploy", "feature_x")

    assert get(PAGE) == (200, "two of feature_x")
    assert feature.inside("feature_x", "backend1", "cat /etc/motd") == (0, "by Puppet\n")
    shown = feature.data("show", "feature_x")
    backend = next(m for m in shown["machines"] if m["name"] == "backend1")
    assert backend["artifact"]["key"] == "backend-feature_x.tar.gz"


def test_a_manifest_that_cannot_be_applied_is_told_in_puppets_words(feature: Site) -> None:
    broken = feature.folder / "puppet/manifests/site.pp"
    whole = broken.read_text()
    broken.write_text("node default { include role::nobody }\n")
    put_manifests(feature)
    try:
        done = feature.greenroom("deploy", "feature_x")
    finally:
        broken.write_text(whole)
        put_manifests(feature)
    assert done.returncode == 1
    assert "E_MACHINE_FAILED: backend1: puppet: Evaluation Error" in done.stderr
    assert "Could not find class ::role::nobody" in done.stderr
    # What it runs is what it ran before.
    assert get(PAGE)[0] == 200


def test_mounted_code_is_not_deployed_by_puppet(eyeem: Site) -> None:
    put_code(eyeem, "mounted", "mine")
    words = "create --machines backend db feed --restore db=none --branch mounted"
    done = eyeem.greenroom(*words.split(), "--mount", f"backend={eyeem.folder / 'src'}")
    assert done.returncode == 0, done.stderr
    notice = "the code is mounted at /var/www/backend/current: skipping deploy_codebase"
    assert notice in done.stderr
    host = "api.mounted.eyeem.localhost"
    assert get(host) == (200, "mine of mounted")
    (eyeem.folder / "src/public/index.php").write_text("<?php echo 'edited';\n")
    # PHP looks at a file anew every two seconds.
    wait_until(lambda: get(host) == (200, "edited"))
    eyeem.ok("destroy", "mounted")
