"""DNS records that a machine writes itself, because AWS gives its successor another address.

Amazon Route 53 API Reference, ChangeResourceRecordSets. Every record is a multivalue answer under
the machine's own name, so machines that share a name keep out of each other's way, and a successor
replaces what its predecessor wrote.
"""

from __future__ import annotations

import time

from .backoff import tries
from .bucket import error_code
from .errors import AgentError
from .fetch import FetchError, request
from .value import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .account import Account
    from .aws_config import Aws, NameRecord
    from .facts import Facts
    from .metadata import Metadata

TTL_S = 30
PATIENCE_S = 90.0
"""Route53 takes five requests a second from a whole account, and says so to the others."""
NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
PASSING = ("Throttling", "ThrottlingException", "PriorRequestNotComplete")


def write_records(
    aws: Aws, machine: str, account: Account, facts: Facts, metadata: Metadata
) -> None:
    """Let every name lead to this machine; raises AgentError."""
    for zone in dict.fromkeys(record.zone for record in aws.records):
        addressed = [
            (record.name, _address(record, facts, metadata))
            for record in aws.records
            if record.zone == zone
        ]
        _change(aws, zone, addressed, machine, account)


def _address(record: NameRecord, facts: Facts, metadata: Metadata) -> str:
    if not record.public:
        return facts.address
    address = metadata.get("meta-data/public-ipv4")
    if not address:
        raise AgentError(
            f"{record.name} shall lead to this machine's public address, but it has none"
        )
    return address.strip()


def _change(
    aws: Aws, zone: str, addressed: Sequence[tuple[str, str]], machine: str, account: Account
) -> None:
    url = f"{aws.route53_url}/2013-04-01/hostedzone/{zone}/rrset/"
    body = change_batch(addressed, machine)
    region = signing_region(aws.region)
    names = ", ".join(name for name, _ in addressed)
    problem = ""
    for _ in tries(time.monotonic() + PATIENCE_S, first_s=0.3, longest_s=5.0):
        try:
            headers = account.headers("route53", "POST", url, body, region=region)
            answer = request(
                "POST", url, headers={**headers, "Content-Type": "text/xml"}, body=body
            )
        except FetchError as error:
            problem = str(error)
            continue
        if answer.status == 200:
            return
        code = error_code(answer.body)
        problem = f"it answered {answer.status} {code}".rstrip()
        if answer.status == 403:
            problem += ": does the machine's role allow route53:ChangeResourceRecordSets?"
        if answer.status < 500 and code not in PASSING:
            break
    raise AgentError(f"Route53 does not take {names} in the zone {zone}: {problem}")


def signing_region(region: str) -> str:
    """The one region that Route53's requests are signed for in a partition (pure; AWS General
    Reference, Amazon Route 53 endpoints)."""
    if region.startswith("cn-"):
        return "cn-northwest-1"
    return "us-gov-west-1" if region.startswith("us-gov-") else "us-east-1"


def change_batch(addressed: Sequence[tuple[str, str]], machine: str) -> bytes:
    """The request's body for names and their addresses (pure)."""
    changes = "".join(
        "<Change><Action>UPSERT</Action><ResourceRecordSet>"
        f"<Name>{_escaped(name)}.</Name><Type>A</Type>"
        f"<SetIdentifier>{_escaped(machine)}</SetIdentifier>"
        f"<MultiValueAnswer>true</MultiValueAnswer><TTL>{TTL_S}</TTL>"
        f"<ResourceRecords><ResourceRecord><Value>{_escaped(address)}</Value></ResourceRecord>"
        "</ResourceRecords></ResourceRecordSet></Change>"
        for name, address in addressed
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<ChangeResourceRecordSetsRequest xmlns="{NAMESPACE}">'
        f"<ChangeBatch><Changes>{changes}</Changes></ChangeBatch>"
        "</ChangeResourceRecordSetsRequest>"
    ).encode()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
