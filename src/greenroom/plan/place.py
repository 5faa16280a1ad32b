"""Where machines find what the boot script names: buckets, the agent, their wait handle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from greenroom.blueprint.fields import AGENT_BUCKET
from greenroom.model.cloud import PRIVATE_ZONE_MARK, agent_key, recipe_key, wait_handle_mark
from greenroom.model.stack import Image, Machine
from greenroom.plan.recipe import recipe_bytes, sha256_of
from greenroom.plan.user_data import AwsBoot, ImageSource, NameRecord

REGION_URL = "http://169.254.169.252"
"""Buckets and wait handles, as a machine of the local region sees them."""

BOOT_S = 120
"""An instance's way from its creation to its agent: the kernel, cloud-init, the boot script."""


class Place(Protocol):
    """A provider as a boot script sees it."""

    def agent_url(self, sha256: str) -> str:
        """Where the agent of this hash lies."""

    def bucket_url(self, name: str) -> str:
        """The URL of the blueprint's bucket; keys are appended after a slash."""

    def signal_url(self, machine: str, token: str) -> str:
        """The URL that takes the machine's signal."""

    def health_url(self, token: str) -> str | None:
        """The URL that takes what a machine says of its health; None where nobody listens."""

    def deadline_s(self, machine: Machine) -> float:
        """How long the machine's agent may take until its signal."""

    def aws(self, machine: str, image: Image, *, data: bool, names: NamesAsked) -> AwsBoot | None:
        """What only AWS needs; None in a local region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesAsked:
    """The DNS names of a machine: ``private`` ones, and the ``public`` one of its endpoint."""

    private: tuple[str, ...]
    public: str | None


class LocalPlace:
    """The region of this host."""

    def agent_url(self, sha256: str) -> str:
        """See Place."""
        return f"{REGION_URL}/s3/{AGENT_BUCKET}/agent-{sha256}.pyz"

    def bucket_url(self, name: str) -> str:
        """See Place."""
        return f"{REGION_URL}/s3/{name}"

    def signal_url(self, machine: str, token: str) -> str:
        """See Place."""
        return f"{REGION_URL}/signal/{token}"

    def health_url(self, token: str) -> str:
        """See Place."""
        return f"{REGION_URL}/health/{token}"

    def deadline_s(self, machine: Machine) -> float:
        """See Place."""
        return machine.deadline_s

    def aws(self, machine: str, image: Image, *, data: bool, names: NamesAsked) -> None:
        """See Place."""
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudPlace:
    """An AWS region. ``buckets`` maps the blueprint's names to S3's; ``moving`` are the machines
    whose addresses change when AWS replaces them, so that they write their own DNS records in
    ``route53_url``. ``data_volumes``: machines with data have a volume of their own for it.
    ``timeouts_s`` maps machine types to their wait conditions' time."""

    region: str
    s3_url: str
    bucket: str
    buckets: Mapping[str, str]
    domain: str
    public_zone: str | None
    moving: frozenset[str]
    data_volumes: bool
    timeouts_s: Mapping[str, int]
    route53_url: str

    def agent_url(self, sha256: str) -> str:
        """See Place."""
        return f"{self.s3_url}/{self.bucket}/{agent_key(sha256)}"

    def bucket_url(self, name: str) -> str:
        """See Place."""
        return f"{self.s3_url}/{self.buckets[name]}"

    def signal_url(self, machine: str, token: str) -> str:
        """See Place. The template puts the handle's URL in the place of the mark."""
        return wait_handle_mark(machine)

    def health_url(self, token: str) -> None:
        """See Place. CloudWatch's alarms and status checks do that there."""
        return

    def deadline_s(self, machine: Machine) -> float:
        """See Place. What is late shall still be told before the wait condition's time is over,
        which begins before the machine does."""
        timeout_s = self.timeouts_s[machine.type]
        return float(timeout_s - min(BOOT_S, timeout_s // 4))

    def aws(self, machine: str, image: Image, *, data: bool, names: NamesAsked) -> AwsBoot:
        """See Place."""
        sha256 = sha256_of(recipe_bytes(image))
        return AwsBoot(
            region=self.region,
            image=ImageSource(
                digest=image.digest,
                url=f"{self.s3_url}/{self.bucket}/{recipe_key(sha256)}",
                sha256=sha256,
            ),
            domain=self.domain,
            data_volume=data and self.data_volumes,
            records=self._records(names) if machine in self.moving else (),
            route53_url=self.route53_url,
        )

    def _records(self, names: NamesAsked) -> tuple[NameRecord, ...]:
        private = [NameRecord(zone=PRIVATE_ZONE_MARK, name=n, public=False) for n in names.private]
        if names.public is None or self.public_zone is None:
            return tuple(private)
        return (*private, NameRecord(zone=self.public_zone, name=names.public, public=True))
