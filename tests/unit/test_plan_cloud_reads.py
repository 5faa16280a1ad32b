"""What a machine on AWS may read, and where it finds AWS."""

from __future__ import annotations

import pytest
from tests.cloud_stacks import AWS, blueprint, machine, stack_of
from tests.unit.cost_values import cloud_of

from greenroom.errors import InputError


def test_a_machine_may_read_its_artifact_and_the_checksum_beside_it() -> None:
    cloud = cloud_of("backend", "db", "feed")
    code = [read.prefix for read in cloud.machine("backend1").reads if read.bucket == "acme-code"]
    assert code == [
        "backend-feature_x.tar.gz",
        "backend-feature_x.tar.gz.sha256",
        "backend-master.tar.gz",
        "backend-master.tar.gz.sha256",
    ]


def test_only_a_machine_that_restores_may_read_extracts() -> None:
    cloud = cloud_of("backend", "db", "feed")
    readers = {m.name for m in cloud.machines if any(r.bucket == "x-1" for r in m.reads)}
    assert readers == {"db1"}


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("eu-west-1", "https://route53.amazonaws.com"),
        ("us-gov-west-1", "https://route53.us-gov.amazonaws.com"),
        ("cn-north-1", "https://route53.amazonaws.com.cn"),
    ],
)
def test_route53_has_an_address_in_each_partition(region: str, url: str) -> None:
    cloud = stack_of(blueprint({"web": machine()}, aws={**AWS, "region": region}))
    assert f'"route53_url":"{url}"' in cloud.stack.machines[0].user_data


@pytest.mark.parametrize("region", ["us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1"])
def test_a_partition_that_nobody_here_knows_is_refused(region: str) -> None:
    with pytest.raises(InputError) as raised:
        stack_of(blueprint({"web": machine()}, aws={**AWS, "region": region}))
    assert (raised.value.code, raised.value.message) == (
        "E_AWS_REGION",
        f"the region {region!r} is in a partition of AWS that greenroom does not know",
    )
