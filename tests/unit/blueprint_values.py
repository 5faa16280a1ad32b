"""The photo feed's blueprint as a value, for tests; it needs no file but those it names."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from greenroom.blueprint.parse import parse_blueprint
from greenroom.blueprint.schema import Blueprint
from greenroom.errors import Fault, InputError
from greenroom.model.requests import CreateRequest
from greenroom.model.stack import Stack
from greenroom.plan.allocation import Allocation
from greenroom.plan.plan import plan

PHOTOS = """\
stack: photos
zone: photos.internal
buckets:
  code: {path: artifacts}
  extracts: {path: data}
images:
  web:
    packages: [nginx-light, curl]
    services:
      php-fpm: {command: exec php-fpm}
      nginx: {command: exec nginx}
  mariadb: {services: {mariadb: {command: exec mariadbd}}}
  redis: {packages: [redis-server], services: {redis: {command: exec redis-server}}}
groups:
  base: {description: every machine, tags: {monitoring: "false"}}
  admin: {ingress: [{port: 22, from: 10.9.0.0/16}]}
machines:
  backend:
    image: web
    groups: [base]
    machine_tags: {background_tasks: "false"}
    needs: [db, feed]
    ingress: [{port: 80, from: anywhere}, {port: 8125, protocol: udp, from: metrics}]
    endpoint: {name: api, port: 80}
    deploy:
      bucket: code
      artifact: backend-{branch}.tar.gz
      directory: /var/www/backend
      restart: [php-fpm]
    check: [{http: /health}]
  db:
    image: mariadb
    groups: [base]
    ingress: [{port: 3306, from: backend}, {port: 3306, from: admin}]
    data:
      engine: mariadb
      database: photos
      user: app
      directory: /data
      service: mariadb
      default: extract
      restore:
        extract: {bucket: extracts, manifest: extract/manifest.json}
        backup: {bucket: extracts, manifest: backup/manifest.json}
  feed:
    image: redis
    instance_type: t3.micro
    ingress: [{port: 6379, from: backend}, {port: 6379, from: base}]
    check: [{tcp: 6379, deadline_s: 5}]
  metrics: {image: redis, shared: true}
"""

FOLDER = Path("/srv/photos")


@cache
def blueprint_of(text: str = PHOTOS) -> Blueprint:
    """``text`` as a blueprint of a folder that need not exist. Nobody can change it, so the same
    text is read once."""
    return parse_blueprint(text, FOLDER / "greenroom.yaml")


def edited(*changes: tuple[str, str]) -> Blueprint:
    """The photo feed with each first text, which must occur once, replaced by the second."""
    text = PHOTOS
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return blueprint_of(text)


def faults_of(text: str, path: Path = FOLDER / "greenroom.yaml") -> list[Fault]:
    """The faults that refuse ``text``."""
    with pytest.raises(InputError) as raised:
        parse_blueprint(text, path)
    assert raised.value.code == "E_BLUEPRINT"
    return list(raised.value.faults)


def allocation(index: int = 0, **taken: str) -> Allocation:
    """A part of the default region."""
    return Allocation(index=index, secret="s3cret", taken=taken, agent_sha256="ab" * 32)


def request(
    *machines: str,
    branch: str | None = "feature_x",
    restore: dict[str, str] | None = None,
    mounts: tuple[tuple[str, str], ...] = (),
) -> CreateRequest:
    """A create of the photo feed."""
    return CreateRequest(
        blueprint=FOLDER / "greenroom.yaml",
        machines=machines,
        branch=branch,
        restore=tuple((restore or {}).items()),
        mounts=mounts,
    )


def stack_of(*machines: str, **options: object) -> Stack:
    """The photo feed's Stack for a request."""
    return plan(blueprint_of(), request(*machines, **options), allocation())
