"""Route53 inside the region: machines change records as far as their roles allow it.

What is allowed is handed on to the account, which answers. Source: Amazon Route 53 API reference,
ChangeResourceRecordSets; Route 53 guide, «Using IAM policy conditions for fine-grained access
control».
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

from tests.scenario.rehearsal.policy import Context, is_allowed
from tests.scenario.rehearsal.signatures import Asked, Caller, RefusedError, Service, caller_of
from tests.scenario.rehearsal.storage import Answer, refusal

PREFIX = "/2013-04-01/"
_CHANGE = re.compile(r"/2013-04-01/hostedzone/(?P<zone>[A-Z0-9]+)/rrset/?")
_SERVICE = Service(name="route53", region="us-east-1")
_OF_A_SESSION = "AWS4-HMAC-SHA256 Credential=ASIA"
_ACTION = "route53:ChangeResourceRecordSets"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """One change of a batch; ``name`` in lower case without the final dot."""

    action: str
    name: str
    type: str
    identifier: str
    values: tuple[str, ...]


class Names:
    """The hosted zones. ``hand_on`` passes a request to the account. Thread-safe."""

    def __init__(
        self, caller_with: Callable[[str], Caller | None], hand_on: Callable[[Asked], Answer]
    ) -> None:
        self._caller_with = caller_with
        self._hand_on = hand_on
        self._lock = threading.Lock()
        self._written: dict[tuple[str, str, str], tuple[str, ...]] = {}

    def answer(self, asked: Asked) -> Answer:
        """One request to its answer. The operator's are the account's own affair: boto3 signs
        them for another region as soon as it calls something else than AWS."""
        if not asked.headers.get("authorization", "").startswith(_OF_A_SESSION):
            return self._hand_on(asked)
        try:
            caller = caller_of(
                asked,
                service=_SERVICE,
                caller_with=self._caller_with,
                now=datetime.now(UTC),
            )
            return self._change(asked, caller)
        except RefusedError as error:
            return refusal(error, asked.target, asked.method)

    def written(self, zones: Iterable[str]) -> Mapping[str, set[str]]:
        """The addresses that machines wrote into these zones, by name."""
        found: dict[str, set[str]] = defaultdict(set)
        wanted = set(zones)
        with self._lock:
            for (zone, name, _), values in self._written.items():
                if zone in wanted:
                    found[name] |= set(values)
        return dict(found)

    def _change(self, asked: Asked, caller: Caller) -> Answer:
        found = _CHANGE.fullmatch(asked.target)
        if found is None or asked.method != "POST":
            raise RefusedError(403, "AccessDenied", f"{caller.name}: {asked.method}")
        changes = _changes(asked.body)
        zone = found["zone"]
        resource = f"arn:aws:route53:::hostedzone/{zone}"
        if not is_allowed(caller.policies or (), _ACTION, resource, _context(changes)):
            raise RefusedError(403, "AccessDenied", f"{caller.name} may not {_ACTION}")
        answer = self._hand_on(asked)
        if answer.status == 200:
            with self._lock:
                for change in changes:
                    self._written[zone, change.name, change.identifier] = change.values
        return answer


def _changes(body: bytes) -> list[_Change]:
    root = ElementTree.fromstring(body)
    space = root.tag.partition("}")[0] + "}"

    def text(element: ElementTree.Element, path: str) -> str:
        return element.findtext("/".join(f"{space}{part}" for part in path.split("/"))) or ""

    return [
        _Change(
            action=text(change, "Action"),
            name=text(change, "ResourceRecordSet/Name").lower().removesuffix("."),
            type=text(change, "ResourceRecordSet/Type"),
            identifier=text(change, "ResourceRecordSet/SetIdentifier"),
            values=tuple(value.text or "" for value in change.iter(f"{space}Value")),
        )
        for change in root.iter(f"{space}Change")
    ]


def _context(changes: Iterable[_Change]) -> Context:
    made = list(changes)
    return {
        "route53:changeresourcerecordsetsnormalizedrecordnames": [c.name for c in made],
        "route53:changeresourcerecordsetsrecordtypes": [c.type for c in made],
        "route53:changeresourcerecordsetsactions": [c.action for c in made],
    }
