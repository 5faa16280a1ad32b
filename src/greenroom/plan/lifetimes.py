"""How long the environment of a request lives: blueprint and request to a Lifetime."""

from __future__ import annotations

from datetime import time

from greenroom.blueprint.lifetime import LifetimeSpec, WorkingHoursSpec
from greenroom.blueprint.schema import Blueprint
from greenroom.errors import InputError
from greenroom.model.durations import duration_words, parse_duration_s
from greenroom.model.lifetimes import (
    TTL_S_MIN,
    Lifetime,
    WorkingHours,
    parse_days,
)
from greenroom.model.requests import CreateRequest


def lifetime_of(blueprint: Blueprint, request: CreateRequest, *, lasting: bool) -> Lifetime | None:
    """The rules for the environment; None if it never expires and always runs.

    ``lasting``: it is production or shared. Raises InputError E_TTL for a TTL that it cannot have.
    """
    if lasting:
        if request.ttl_s is not None:
            raise InputError(
                "E_TTL",
                f"--ttl {duration_words(request.ttl_s)}: production and shared environments of "
                f"{blueprint.stack} never expire",
                hint="leave --ttl out, or create a branch",
            )
        return None
    spec = blueprint.lifetime
    if spec is None and request.ttl_s is None:
        return None
    spec = spec or LifetimeSpec()
    ttl_s = request.ttl_s
    if ttl_s is None and spec.ttl is not None:
        ttl_s = parse_duration_s(spec.ttl)
    max_s = parse_duration_s(spec.max)
    if ttl_s is not None:
        refuse_ttl(f"--ttl of {blueprint.stack}", ttl_s, max_s)
    return Lifetime(
        ttl_s=ttl_s,
        max_s=max_s,
        warn_before_s=0.0 if ttl_s is None else spec.warn_before_s(ttl_s),
        working_hours=_hours(spec.working_hours),
        notify=spec.notify,
    )


def refuse_ttl(what: str, asked_s: float, max_s: float) -> None:
    """Refuse a duration that is out of range; raises InputError E_TTL."""
    if TTL_S_MIN <= asked_s <= max_s:
        return
    least, most = duration_words(TTL_S_MIN), duration_words(max_s)
    raise InputError(
        "E_TTL",
        f"{what}: {duration_words(asked_s)} is out of range; expected {least} to {most}",
        hint="the blueprint's lifetime.max sets the most",
    )


def _hours(spec: WorkingHoursSpec | None) -> WorkingHours | None:
    if spec is None:
        return None
    return WorkingHours(
        days=parse_days(spec.days),
        start=time.fromisoformat(spec.start),
        end=time.fromisoformat(spec.end),
        time_zone=spec.time_zone,
    )
