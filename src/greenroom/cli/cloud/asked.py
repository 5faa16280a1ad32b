"""The options of create, plan and update on AWS, checked, as the use cases take them."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass

from greenroom.app.cloud.draft import Wish, parse_usd
from greenroom.app.cloud.words import words_of
from greenroom.blueprint.parse import load_blueprint
from greenroom.blueprint.schema import Blueprint
from greenroom.cli.request import Wanted
from greenroom.cloud import access_of
from greenroom.errors import InputError, UsageError
from greenroom.model.requests import CreateRequest
from greenroom.providers.aws.session import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsAsked:
    """What was said on the command line for AWS alone."""

    region: str | None = None
    profile: str | None = None
    role: str | None = None
    keep_failed: bool = False
    max_cost_usd_per_day: str | None = None
    confirm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Blueprint, request and access, ready for a use case."""

    blueprint: Blueprint
    request: CreateRequest
    access: Access
    asked: AwsAsked
    said: tuple[str, ...] = ()

    def wish(self, request: CreateRequest | None = None) -> Wish:
        """As the use cases take it; ``request`` instead of the one of the command line."""
        meant = request or self.request
        limit = self.asked.max_cost_usd_per_day
        return Wish(
            blueprint=self.blueprint,
            request=meant,
            words=words_of(meant),
            role=_role(self.asked.role or os.environ.get("GREENROOM_AWS_ROLE") or None),
            keep_failed=self.asked.keep_failed,
            max_usd_per_day=None if limit is None else parse_usd(limit),
            confirm=self.asked.confirm,
            said=self.said,
        )


def said_of(wanted: Wanted, asked: AwsAsked) -> tuple[str, ...]:
    """The words of an update but for its environment and ``--confirm``, quoted for a shell."""
    words: list[str] = ["--machines", *wanted.machines] if wanted.machines else []
    for name, source in wanted.restore.items():
        words += ["--restore", f"{name}={source}"]
    for option, value in (
        ("--file", wanted.file),
        ("--region", asked.region),
        ("--profile", asked.profile),
        ("--role", asked.role),
        ("--max-cost-usd-per-day", asked.max_cost_usd_per_day),
    ):
        words += [] if value is None else [option, value]
    return tuple(map(shlex.quote, [*words, *(["--keep-failed"] if asked.keep_failed else [])]))


def _role(text: str | None) -> str | None:
    if text is None or _ROLE.fullmatch(text):
        return text
    raise UsageError(
        "E_USAGE",
        f"--role {text!r} is not the ARN of a role (GREENROOM_AWS_ROLE is its default)",
        hint="for example --role arn:aws:iam::123456789012:role/cloudformation",
    )


_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/\S+")


def order_of(wanted: Wanted, asked: AwsAsked) -> Order:
    """Parse what was asked; raises InputError before AWS is."""
    blueprint = load_blueprint(wanted.blueprint)
    if blueprint.aws is None:
        raise InputError(
            "E_AWS_SECTION",
            f"the blueprint of {blueprint.stack} does not say where it stands on AWS",
            hint="give it a section 'aws' with region and bucket (docs/aws.md)",
        )
    return Order(
        blueprint=blueprint,
        request=wanted.create_request(),
        access=access_of(asked.region, asked.profile, blueprint.aws.region),
        asked=asked,
        said=said_of(wanted, asked),
    )
