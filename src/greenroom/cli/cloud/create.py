"""``greenroom create --provider aws``."""

from __future__ import annotations

import sys
import time

from greenroom.app.cloud.create import Booted, create
from greenroom.app.cloud.verdict import not_proved
from greenroom.cli.cloud.asked import AwsAsked, order_of
from greenroom.cli.cloud.booted import booted_json, booted_lines
from greenroom.cli.cloud.stage import perform
from greenroom.cli.request import Wanted
from greenroom.cli.terminal import Paint, say, say_json


def create_on_aws(wanted: Wanted, asked: AwsAsked, *, as_json: bool) -> None:
    """Boot the branch on AWS, and say what stands there."""
    started_s = time.monotonic()
    order = order_of(wanted, asked)
    booted = perform(order.access, lambda ports: create(ports, order.wish()), as_json=as_json)
    tell_booted(booted, time.monotonic() - started_s, as_json=as_json)


def tell_booted(booted: Booted, seconds: float, *, as_json: bool, done: str = "") -> None:
    """The answer of create and of update, which says what was ``done``; raises NotProvedError
    where the proof does not hold."""
    if as_json:
        say_json({"environment": booted_json(booted)})
    else:
        for line in booted_lines(booted, seconds, Paint(sys.stdout), done):
            say(line)
    error = not_proved(booted.draft.environment, booted.proof)
    if error is not None:
        raise error
