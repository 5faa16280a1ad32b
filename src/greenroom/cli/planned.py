"""A Stack as ``greenroom plan`` prints it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from greenroom.cli.terminal import Paint
from greenroom.cli.text import clean, table
from greenroom.model.durations import duration_words

if TYPE_CHECKING:
    from greenroom.model.lifetimes import Lifetime
    from greenroom.model.stack import Stack

_MACHINES = ("MACHINE", "ROLE", "ADDRESS", "INSTANCE", "MEMORY", "IMAGE", "NEEDS", "NAMES")
_TAGS = ("MACHINE", "GROUPS", "TAGS")
_RULES = ("GROUP", "PORT", "FROM")
VOLUMES = ("DATA", "ENGINE", "RESTORE", "FROM", "DIRECTORY")
CODE = ("CODE", "TRIED IN ORDER", "DIRECTORY", "RESTARTED")
_URLS = ("URL", "MACHINE", "PORT", "INSIDE")


def plan_lines(stack: Stack, proxy_port: int, paint: Paint) -> Iterator[str]:
    """The whole page: what would run, who may reach whom, what is restored and deployed."""
    protected = " (production)" if stack.production else ""
    yield f"{paint('strong', str(stack.environment))}{protected}"
    if stack.shared:
        yield f"  shared   by every environment of {stack.environment.stack}"
    else:
        yield f"  branch   {clean(stack.branch)}"
    if stack.lifetime is not None:
        yield from _lifetime_lines(stack.lifetime)
    yield f"  network  {stack.subnet}, names end in .{stack.domain}"
    for head, rows in (
        (_MACHINES, _machine_rows(stack)),
        (_TAGS, _tag_rows(stack)),
        (_RULES, _rule_rows(stack)),
        (VOLUMES, volume_rows(stack)),
        (CODE, code_rows(stack)),
        (_URLS, _url_rows(stack, proxy_port)),
    ):
        yield from _section(head, rows, paint)
    yield ""
    yield paint("dim", "nothing was touched; greenroom create with the same words boots it")


def _lifetime_lines(lifetime: Lifetime) -> Iterator[str]:
    if lifetime.ttl_s is not None:
        ttl, warned = duration_words(lifetime.ttl_s), duration_words(lifetime.warn_before_s)
        yield f"  expires  {ttl} after its create, warned of {warned} before"
    if lifetime.working_hours is not None:
        yield f"  runs     {lifetime.working_hours}, stopped outside of these hours"


def _section(head: Sequence[str], rows: list[tuple[str, ...]], paint: Paint) -> Iterator[str]:
    if rows:
        first, *lines = table(head, rows)
        yield from ("", paint("dim", first), *lines)


def _machine_rows(stack: Stack) -> list[tuple[str, ...]]:
    return [
        (
            machine.name,
            machine.role,
            str(machine.address),
            machine.instance_type,
            f"{machine.memory_mib} MiB",
            machine.image,
            ", ".join(machine.needs) or "-",
            ", ".join(name.removesuffix(f".{stack.domain}") for name in machine.dns_names),
        )
        for machine in stack.machines
    ]


def _tag_rows(stack: Stack) -> list[tuple[str, ...]]:
    return [
        (
            machine.name,
            ", ".join(machine.groups),
            " ".join(f"{key}={value}" for key, value in machine.tags),
        )
        for machine in stack.machines
    ]


def _rule_rows(stack: Stack) -> list[tuple[str, ...]]:
    return [
        (group.name, f"{rule.ports}/{rule.protocol}", rule.source)
        for group in stack.groups
        for rule in group.ingress
    ]


def volume_rows(stack: Stack) -> list[tuple[str, ...]]:
    """Rows below VOLUMES: what each machine with data holds, and where it comes from."""
    return [
        (machine.name, volume.engine, volume.mode, volume.source or "-", volume.directory)
        for machine in stack.machines
        if (volume := machine.volume) is not None
    ]


def code_rows(stack: Stack) -> list[tuple[str, ...]]:
    """Rows below CODE: what each machine deploys, by the blueprint's names of buckets."""
    rows: list[tuple[str, ...]] = []
    for machine in stack.machines:
        deploy = machine.deploy
        if deploy is None:
            continue
        keys = ", ".join(f"{deploy.bucket}/{key}" for key in deploy.keys)
        source = keys if machine.mount is None else f"mounted from {machine.mount}"
        rows.append((machine.name, source, deploy.directory, ", ".join(deploy.restart) or "-"))
    return rows


def _url_rows(stack: Stack, proxy_port: int) -> list[tuple[str, ...]]:
    return [
        (
            f"http://{endpoint.local_host}:{proxy_port}",
            machine.name,
            str(endpoint.port),
            endpoint.internal_host,
        )
        for machine in stack.machines
        if (endpoint := machine.endpoint) is not None
    ]
