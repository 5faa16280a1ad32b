"""What a Stack declares about who may reach whom: pure, and independent of any firewall."""

from __future__ import annotations

from ipaddress import IPv4Address

from greenroom.model.proof import Reach, Verdict
from greenroom.model.stack import IngressRule, Machine, Protocol, Stack


def declares(
    stack: Stack,
    source: Machine | IPv4Address,
    target: Machine,
    protocol: Protocol,
    port: int,
    *,
    origin: Stack | None = None,
) -> bool:
    """Whether ``stack`` lets ``source`` reach ``target``, one of its machines, on that port.

    ``source`` is a machine of ``origin`` (None: of ``stack`` itself) or an address outside the
    region. A machine of another environment is admitted only by a rule for a group of every
    environment of the stack: to a shared machine, or from one.
    """
    home = stack if origin is None else origin
    for group in stack.groups:
        if group.name not in target.groups:
            continue
        for rule in group.ingress:
            ports = rule.ports.first <= port <= rule.ports.last
            if ports and rule.protocol is protocol and _admits(rule, source, stack, home):
                return True
    return False


def declared_ports(stack: Stack, target: Machine) -> frozenset[tuple[Protocol, int]]:
    """The ports that the target's groups name; of a range its first and last."""
    found = set()
    for group in stack.groups:
        if group.name in target.groups:
            for rule in group.ingress:
                found.add((rule.protocol, rule.ports.first))
                found.add((rule.protocol, rule.ports.last))
    return frozenset(found)


def promises(stack: Stack, target: Machine, protocol: Protocol, port: int) -> bool:
    """Whether a rule names exactly this port: then somebody must listen there.

    A range only says where services may be, not that each of its ports has one.
    """
    return any(
        rule.protocol is protocol and rule.ports.first == rule.ports.last == port
        for group in stack.groups
        if group.name in target.groups
        for rule in group.ingress
    )


def judge(reach: Reach, *, declared: bool, promised: bool) -> Verdict:
    """What a probe's answer says about the declaration.

    A refusal comes from the target itself, so the packet passed, but nobody listens: a breach of
    what is not declared, and of what is promised. Silence is no evidence of anything.
    """
    if reach is Reach.SILENT:
        return Verdict.NOT_VERIFIED
    if reach is Reach.REFUSED and declared and promised:
        return Verdict.FAILED
    passed = reach is not Reach.FILTERED
    return Verdict.PROVED if passed == declared else Verdict.FAILED


def _admits(rule: IngressRule, source: Machine | IPv4Address, stack: Stack, origin: Stack) -> bool:
    if isinstance(source, IPv4Address):
        return rule.network is not None and source in rule.network
    own = origin.environment == stack.environment
    if rule.group is not None:
        # The same name in another stack's blueprint is another group.
        relative = rule.everywhere and origin.environment.stack == stack.environment.stack
        return rule.group in source.groups and (own or relative)
    return own and rule.network is not None and source.address in rule.network
