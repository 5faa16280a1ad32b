"""The nftables table of an empty region: what holds for every machine, before there is one (pure).

Every line is written as nft lists it: the audit compares the two word for word. What environments
add to it is in ``firewall``.
"""

from __future__ import annotations

from greenroom.providers.local.layout import DNS_ADDRESS, METADATA_ADDRESS, SERVICE_ADDRESS

TABLE = "inet greenroom"

PACED = ("callers", "askers")
"""Sets whose elements stay until they are deleted; a counting set forgets by itself."""
_COUNTED = ("clients", *PACED, "resolvers")
"""Sets that the packets of the machines fill themselves."""

_CONNECTIONS = 64
"""What one machine may have open to the region's services at a time; a boot needs three."""
_TOO_MANY = f"ip saddr ct count over {_CONNECTIONS}"
_NEW_TOO_OFTEN = "ip saddr limit rate over 100/second burst 400 packets"
"""Beyond that a connection waits for its turn: TCP asks again after a second."""
_ASKS_TOO_OFTEN = "ip saddr limit rate over 500/second burst 1000 packets"
"""Names are answered by one process for the whole region."""
_REFUSED = "reject with icmp port-unreachable"
_TOO_MANY_NAMES = "ip saddr ct count over 4"
"""dnsmasq has 20 processes for questions over TCP (its MAX_PROCS)."""
_TO_WEB = f"ip daddr {{ {SERVICE_ADDRESS}, {METADATA_ADDRESS} }} ip saddr @inside tcp dport 80"
_TO_NAMES = f"ip daddr {DNS_ADDRESS} ip saddr @inside tcp dport 53"
"""Counted is only what would be let in: the kernel counts a connection also while it rejects it,
and for two ticks of its clock after that. Attempts on addresses where the port is closed, as two
proofs at once make them, would use up the four, and then names refuse an honest question."""

_NOT_ALLOWED = "meta nfproto ipv4 counter reject with icmp admin-prohibited"


def render_region(cidr: str) -> str:
    """The ruleset of an empty region. ``cidr`` is its /16; its last /24 is the host's link."""
    blocks = (*_members(cidr), *map(_counted, _COUNTED), _MACHINES, _SPOOFED, *_UNTRACKED)
    return f"\ntable {TABLE} {{\n{''.join((*blocks, _FORWARD, _INPUT))}}}\n"


def _block(head: str, *lines: str) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"  {head} {{\n{body}  }}\n"


def _members(cidr: str) -> tuple[str, str]:
    """Which addresses are machines', and which link belongs to which of them."""
    prefix = cidr.rsplit(".", 2)[0]
    inside = f"elements = {{ {prefix}.0.0-{prefix}.254.255 }}"
    return (
        _block("set inside", "type ipv4_addr", "flags interval", inside),
        _block("set bindings", "typeof iifname . ip saddr"),
    )


def _counted(name: str) -> str:
    return _block(f"set {name}", "type ipv4_addr", "size 65535", "flags dynamic")


_MACHINES = _block("map machines", "type ipv4_addr : verdict")

_SPOOFED = _block(
    "chain spoofed",
    "type filter hook prerouting priority mangle; policy accept;",
    'iifname "m*" meta nfproto ipv6 counter drop',
    'iifname "m*" iifname . ip saddr != @bindings counter drop',
    'iifname != "m*" ip saddr @inside counter drop',
)
"""What comes over a link that is not its sender's goes before anything else looks at it."""

_UNTRACKED = (
    _block(
        "chain untracked",
        "type filter hook prerouting priority raw; policy accept;",
        f"ip daddr {DNS_ADDRESS} udp dport 53 notrack",
    ),
    _block(
        "chain untracked-answers",
        "type filter hook output priority raw; policy accept;",
        f"ip saddr {DNS_ADDRESS} udp sport 53 notrack",
    ),
)
"""Questions for names and their answers, which are not remembered as connections."""

_FORWARD = _block(
    "chain forward",
    "type filter hook forward priority filter; policy drop;",
    "ct state established,related accept",
    "ct state invalid counter drop",
    "ip daddr vmap @machines",
    _NOT_ALLOWED,
)
"""To a machine: its own chain decides, which the map leads to."""

_INPUT = _block(
    "chain input",
    "type filter hook input priority filter; policy drop;",
    'iifname "lo" accept',
    "ct state established,related accept",
    f"ct state new tcp dport {{ 53, 80 }} update @callers {{ {_NEW_TOO_OFTEN} }} counter drop",
    f"udp dport 53 update @askers {{ {_ASKS_TOO_OFTEN} }} counter drop",
    f"{_TO_WEB} ct state new add @clients {{ {_TOO_MANY} }} {_REFUSED}",
    f"{_TO_WEB} accept",
    f"ip daddr {DNS_ADDRESS} ip saddr @inside udp dport 53 accept",
    f"{_TO_NAMES} ct state new add @resolvers {{ {_TOO_MANY_NAMES} }} {_REFUSED}",
    f"{_TO_NAMES} accept",
    _NOT_ALLOWED,
)
"""To the region's own services, as often and as many at a time as they can bear."""
