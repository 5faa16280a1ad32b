"""The account: one server per process, emptied and seeded anew for each test.

Seeded are what the examples need: the region's default VPC, named "staging", with its subnets; the
AMIs behind SSM's public parameters; a public hosted zone; the buckets, with the photo feed's
artifacts and manifests as far as whoever looks for them sees: nobody here reads their content.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config
from moto.moto_api._internal import moto_api_backend
from moto.ssm.models import Parameter, ssm_backends

from tests.cloud.fake import kinds_account, kinds_ec2, kinds_groups, kinds_iam, natives
from tests.cloud.fake.actions import Actions
from tests.cloud.fake.calls import OWN_KEY, CallLog
from tests.cloud.fake.clock import Clock
from tests.cloud.fake.engine import Engine
from tests.cloud.fake.faults import Faults
from tests.cloud.fake.handles import Handles
from tests.cloud.fake.kinds import Kind, Launch
from tests.cloud.fake.records import ACCOUNT_ID, Stack
from tests.cloud.fake.server import Server, Site

REGION = "eu-west-1"
USER_KEY = "AKIAUSER000000000000"
VPC_NAME = "staging"
PUBLIC_ZONE = "example.com"
BUCKETS = ("photos-greenroom", "photos-code", "photos-extracts")
ARTIFACTS = ("backend-master.tar.gz", "backend-feature_x.tar.gz")
OBJECTS = {
    "photos-code": (*ARTIFACTS, *(f"{key}.sha256" for key in ARTIFACTS)),
    "photos-extracts": ("extract/manifest.json", "backup/manifest.json"),
}
DEBIAN_AMI = "/aws/service/debian/release/{release}/latest/{architecture}"
DEBIAN = "136693071363"
"""The account that publishes Debian's images."""
SERVICE_ROLE = "greenroom-cloudformation"
"""A role that CloudFormation may take, and no other."""

KINDS: Mapping[str, Kind] = {
    **kinds_groups.KINDS,
    **kinds_ec2.KINDS,
    **kinds_iam.KINDS,
    **kinds_account.KINDS,
    **natives.KINDS,
}


class Account:
    """What a test holds: the endpoint, the faults, the clock, the logs, and clients.

    ``environment`` are the variables that point boto3, also in another process, here.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.log = CallLog()
        self.site = Site(log=self.log)
        self.server = Server(self.site, host)
        self._clients: dict[tuple[str, str, str], Any] = {}
        self.clock = Clock()
        self.engine: Engine
        self.faults: Faults

    @property
    def url(self) -> str:
        """The endpoint of every service."""
        return self.server.url

    @property
    def environment(self) -> dict[str, str]:
        """For the process under test. Each variable that boto3 might find elsewhere is set."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": USER_KEY,
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_SESSION_TOKEN": "none",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def reset(self, *, pace: float = 1.0, handles_url: str | None = None) -> None:
        """An account with nothing but the seed in it, no faults, no calls, the time running at
        ``pace``. ``handles_url`` is where whoever signals finds the wait handles, if that is not
        here."""
        self.close_engine()
        moto_api_backend.reset()
        self.clock = Clock(pace)
        self.faults = Faults(self.clock)
        handles = Handles(self.clock, handles_url or self.url)
        self.engine = Engine(
            clock=self.clock,
            faults=self.faults,
            handles=handles,
            kinds=KINDS,
            client=lambda service, region: self._client(service, region, OWN_KEY),
        )
        self.site.handles = handles
        self.site.engine = self.engine
        self.site.faults = self.faults
        self.site.actions = Actions(self.engine)
        self._seed()
        self.log.clear()

    def close_engine(self) -> None:
        """End what still runs."""
        if hasattr(self, "engine"):
            self.engine.close()

    def close(self) -> None:
        """Stop everything."""
        self.close_engine()
        self.server.close()

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client of the user's, which answers at once: no retries."""
        return self._client(service, region, USER_KEY)

    def on_instance(self, hook: Callable[[Launch], None]) -> None:
        """Call ``hook`` for each launch, in the thread of the resource, before it is complete."""
        self.engine.on_instance.append(hook)

    def stack(self, name: str, region: str = REGION) -> Stack:
        """A stack as the fake holds it; raises KeyError."""
        found = self.engine.find(region, name)
        if found is None:
            raise KeyError(name)
        return found

    def wait_for(self, name: str, *statuses: str, timeout_s: float = 60.0) -> Stack:
        """The stack once it is in one of ``statuses`` (none: once it is at rest); raises
        AssertionError after ``timeout_s`` of real time with its history."""
        stack = self.stack(name)
        pace_s = timeout_s * self.clock.pace

        def there() -> bool:
            return stack.status in statuses if statuses else not stack.busy

        if not self.clock.wait(pace_s, there):
            history = [(e.logical_id, e.status, e.reason) for e in stack.events]
            raise AssertionError(f"{name} is {stack.status}, not {statuses}: {history}")
        return stack

    def wait_for_start(self, name: str, logical_id: str) -> None:
        """Until a resource's creation is initiated: from then on its time runs."""
        stack = self.stack(name)

        def begun() -> bool:
            return any(
                event.logical_id == logical_id and event.reason == "Resource creation Initiated"
                for event in stack.events
            )

        assert self.clock.wait(60.0 * self.clock.pace, begun), f"{logical_id} does not begin"

    def _client(self, service: str, region: str, key: str) -> Any:
        """Making one costs some 50 ms, hence kept. The lock of boto3's loader is not ours."""
        known = self._clients.get((service, region, key))
        if known is None:
            known = boto3.session.Session().client(
                service,
                region_name=region,
                endpoint_url=self.url,
                aws_access_key_id=key,
                aws_secret_access_key="none",
                config=Config(
                    retries={"total_max_attempts": 1},
                    max_pool_connections=50,
                    s3={"addressing_style": "path"},
                ),
            )
            self._clients[service, region, key] = known
        return known

    def _seed(self) -> None:
        ec2 = self._client("ec2", REGION, OWN_KEY)
        vpc_id = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        ec2.create_tags(Resources=[vpc_id], Tags=[{"Key": "Name", "Value": VPC_NAME}])
        s3 = self._client("s3", REGION, OWN_KEY)
        for bucket in BUCKETS:
            s3.create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
            )
        for bucket, keys in OBJECTS.items():
            for key in keys:
                s3.put_object(Bucket=bucket, Key=key, Body=b"seed")
        self._client("route53", REGION, OWN_KEY).create_hosted_zone(
            Name=PUBLIC_ZONE, CallerReference="seed"
        )
        self._client("iam", REGION, OWN_KEY).create_role(
            RoleName=SERVICE_ROLE, AssumeRolePolicyDocument=_TRUST
        )
        for image in ec2.describe_images(Owners=[DEBIAN])["Images"]:
            _, release, architecture = image["Name"].split("-")
            name = DEBIAN_AMI.format(release=release, architecture=architecture)
            put_public_parameter(name, image["ImageId"])


_TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
    '"Principal":{"Service":"cloudformation.amazonaws.com"}}]}'
)


def put_public_parameter(name: str, value: str, region: str = REGION) -> None:
    """A parameter below /aws/, which the API lets nobody write: hence by moto's own store."""
    ssm_backends[ACCOUNT_ID][region]._parameters[name].append(
        Parameter(
            account_id=ACCOUNT_ID,
            name=name,
            value=value,
            parameter_type="String",
            description="",
            allowed_pattern=None,
            keyid=None,
            last_modified_date=datetime.now(UTC),
            version=1,
            data_type="aws:ec2:image",
            labels=[],
            source_result=None,
            tier="Standard",
            policies=None,
        )
    )
