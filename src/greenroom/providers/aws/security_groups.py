"""The rules of security groups, as EC2 has them.

EC2 tells them twice, and neither telling has all: with the groups, by their tags and names but
without the rules' ids; and as rules, with ids, but for groups that are known already. The proof
compares what is allowed, so it takes the first; a rule by hand is named by its id, so the
comparison takes the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from greenroom.model.cloud_account import CloudRule
from greenroom.model.cloud_views import SeenRule, rule_words
from greenroom.model.names import EnvironmentName
from greenroom.providers.aws.seen import tag_filters
from greenroom.providers.aws.session import Account
from greenroom.providers.aws.tags import GROUP_TAG, tags_of

_FILTER_VALUES_MAX = 200
"""Values in one filter (EC2 API, Filter)."""


def environment_rules(account: Account, environment: EnvironmentName) -> tuple[CloudRule, ...]:
    """The rules of the environment's own groups, in and out; see CloudAccount."""
    pages = account.pages(
        "ec2",
        "DescribeSecurityGroups",
        about=f"groups of {environment}",
        Filters=tag_filters(str(environment)),
    )
    groups = [group for page in pages for group in page["SecurityGroups"]]
    names = {group["GroupId"]: _name(group) for group in groups}
    rules = (
        rule
        for group in groups
        for egress in (False, True)
        for rule in _permitted(group, names, egress=egress)
    )
    return tuple(sorted(set(rules), key=str))


def rules_of_groups(account: Account, groups: Sequence[str]) -> tuple[SeenRule, ...]:
    """The rules of these groups (ids), in and out; see CloudInventory."""
    return tuple(
        _seen(raw)
        for start in range(0, len(groups), _FILTER_VALUES_MAX)
        for page in account.pages(
            "ec2",
            "DescribeSecurityGroupRules",
            about=", ".join(groups[start : start + 3]),
            Filters=[_group_filter(groups[start : start + _FILTER_VALUES_MAX])],
        )
        for raw in page.get("SecurityGroupRules", [])
    )


def _group_filter(groups: Sequence[str]) -> Mapping[str, Any]:
    return {"Name": "group-id", "Values": list(groups)}


def _name(group: Mapping[str, Any]) -> str:
    return tags_of(group).get(GROUP_TAG) or str(group["GroupId"])


def _permitted(
    group: Mapping[str, Any], names: Mapping[str, str], *, egress: bool
) -> Iterator[CloudRule]:
    """A rule for each source: EC2 puts those of the same ports together."""
    for permission in group.get("IpPermissionsEgress" if egress else "IpPermissions", ()):
        first, last = _ports(permission)
        pairs = [pair["GroupId"] for pair in permission.get("UserIdGroupPairs", ())]
        sources = [names.get(pair, pair) for pair in pairs]
        sources += [each["CidrIp"] for each in permission.get("IpRanges", ())]
        sources += [each["CidrIpv6"] for each in permission.get("Ipv6Ranges", ())]
        sources += [each["PrefixListId"] for each in permission.get("PrefixListIds", ())]
        for source in sources:
            yield CloudRule(
                group=names[group["GroupId"]],
                protocol=permission["IpProtocol"],
                first=first,
                last=last,
                source=source,
                egress=egress,
            )


def _seen(raw: Mapping[str, Any]) -> SeenRule:
    source = (
        (raw.get("ReferencedGroupInfo") or {}).get("GroupId")
        or raw.get("PrefixListId")
        or raw.get("CidrIpv4")
        or raw.get("CidrIpv6")
        or "?"
    )
    egress = bool(raw.get("IsEgress"))
    words = rule_words(source, raw.get("IpProtocol", "-1"), *_ports(raw), egress=egress)
    return SeenRule(id=raw["SecurityGroupRuleId"], group=raw["GroupId"], words=words, egress=egress)


def _ports(raw: Mapping[str, Any]) -> tuple[int, int]:
    """The first and the last port; -1 where a protocol has none."""
    return raw.get("FromPort", -1), raw.get("ToPort", -1)
