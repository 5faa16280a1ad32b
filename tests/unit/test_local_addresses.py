"""Which addresses the host uses already, read from its routes; and which range is free."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from greenroom.errors import UsageError
from greenroom.providers.local.network import free_range, used_networks
from greenroom.region import Region

ROUTES = """\
default via 192.0.2.1 dev eth0
0.0.0.0/1 via 10.8.0.1 dev tun0
unreachable default metric 4278198272
10.8.0.0/13 via 10.8.0.1 dev tun0
10.213.0.0/16 via 10.213.255.2 dev greenroom0 proto static
blackhole 10.219.5.0/24
172.20.0.0/16 proto static
\tnexthop via 192.0.2.3 dev eth0 weight 1
local 192.0.2.2 dev eth0 table local proto kernel scope host src 192.0.2.2
"""


def test_every_kind_of_route_uses_its_addresses_but_a_default_and_the_regions_own() -> None:
    used = used_networks(ROUTES, "greenroom0")
    assert [str(network) for network, _ in used] == [
        "10.8.0.0/13",
        "10.219.5.0/24",
        "172.20.0.0/16",
        "192.0.2.2/32",
    ]
    assert used[1][1] == "blackhole 10.219.5.0/24"


@pytest.mark.parametrize(
    ("used", "free"),
    [
        ([], "10.213.0.0/16"),
        (["10.213.7.0/24"], "10.214.0.0/16"),
        (["10.208.0.0/12"], "10.224.0.0/16"),
        (["10.0.0.0/8"], "172.31.0.0/16"),
        (["10.0.0.0/8", "172.16.0.0/12"], "192.168.0.0/16"),
    ],
)
def test_a_range_is_offered_that_nothing_uses(used: list[str], free: str) -> None:
    assert str(free_range(map(IPv4Network, used))) == free


@pytest.mark.parametrize("cidr", ["10.0.0.0/16", "172.16.0.0/16", "172.31.0.0/16"])
def test_a_private_16_is_a_range(cidr: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_CIDR", cidr)
    assert Region.from_environment().cidr == cidr


@pytest.mark.parametrize(
    "cidr",
    [
        *("10.999.0.0/16", "10.0.0.0/8", "10.1.2.0/16", "0.0.0.0/16", "127.0.0.0/16"),
        *("169.254.0.0/16", "172.32.0.0/16", "192.169.0.0/16", "224.0.0.0/16", "10.٣.0.0/16"),
    ],
)
def test_what_is_no_private_16_is_refused(cidr: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_CIDR", cidr)
    with pytest.raises(UsageError) as refused:
        Region.from_environment()
    assert refused.value.message == (
        f"GREENROOM_CIDR is {cidr!r}: expected a private /16 such as 10.213.0.0/16"
    )
