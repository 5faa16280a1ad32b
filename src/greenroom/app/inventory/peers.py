"""Who is to be told of what: from changes of the inventory to notices (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from greenroom.model.inventory import Health, MachineKey, MachineRecord, PeerEvent, PeerNotice
from greenroom.model.names import SHARED_SLUG
from greenroom.model.stack import Subscription

Records = Mapping[MachineKey, MachineRecord]
_Word = tuple[PeerEvent, MachineRecord]
_Place = tuple[str, str, str]
"""A stack, a role, and an environment's slug, or nothing for all of them."""


def plan_notices(
    before: Records, after: Records, subscriptions: Mapping[MachineKey, Subscription], at: datetime
) -> tuple[PeerNotice, ...]:
    """What each subscriber is to be told, in the peers' order.

    One that runs only now is told of every peer that does; what happened while it was away is in
    its queue before that. Looked at are, besides who changed, the peers of those who begin.
    """
    changed = _by_place(_events(before, after))
    begun = {k for k in subscriptions if _is_up(after, k) and not _is_up(before, k)}
    running = _by_place(_running(after)) if begun else {}
    notices: list[PeerNotice] = []
    for key, subscription in sorted(subscriptions.items()):
        heard = _heard(running, key, subscription) if key in begun else {}
        heard |= _heard(changed, key, subscription)
        notices += [
            PeerNotice(to=key, event=event, peer=peer, at=at)
            for _, (event, peer) in sorted(heard.items())
        ]
    return tuple(notices)


def concerns(subscription: Subscription, subscriber: MachineKey, peer: MachineRecord) -> bool:
    """Whether the subscriber hears of the peer: it has a role that is subscribed to and is in the
    same environment, or one of the two serves all environments of their stack."""
    stack, _, slug = subscriber[0].partition("/")
    return (
        peer.role in subscription.roles
        and peer.stack == stack
        and (peer.slug == slug or SHARED_SLUG in (peer.slug, slug))
    )


def _events(before: Records, after: Records) -> Iterator[_Word]:
    for key in before.keys() | after.keys():
        was, is_ = before.get(key), after.get(key)
        peer = is_ or was
        event = _event(was, is_)
        if event is not None and peer is not None:
            yield event, peer


def _running(records: Records) -> Iterator[_Word]:
    return ((PeerEvent.CAME, record) for record in records.values() if record.is_up)


def _by_place(words: Iterable[_Word]) -> dict[_Place, list[_Word]]:
    found: dict[_Place, list[_Word]] = {}
    for event, peer in words:
        for slug in (peer.slug, ""):
            found.setdefault((peer.stack, peer.role, slug), []).append((event, peer))
    return found


def _heard(
    words: Mapping[_Place, Sequence[_Word]], key: MachineKey, subscription: Subscription
) -> dict[MachineKey, _Word]:
    stack, _, slug = key[0].partition("/")
    slugs = ("",) if slug == SHARED_SLUG else (slug, SHARED_SLUG)
    return {
        peer.key: (event, peer)
        for role in subscription.roles
        for each in slugs
        for event, peer in words.get((stack, role, each), ())
        if peer.key != key and concerns(subscription, key, peer)
    }


def _event(before: MachineRecord | None, after: MachineRecord | None) -> PeerEvent | None:
    was_up, is_up = (each is not None and each.is_up for each in (before, after))
    if was_up != is_up:
        return PeerEvent.CAME if is_up else PeerEvent.GONE
    if before is None or after is None or not is_up or before.health is after.health:
        return None
    return PeerEvent.HEALTHY if after.health is Health.HEALTHY else PeerEvent.UNHEALTHY


def _is_up(records: Records, key: MachineKey) -> bool:
    record = records.get(key)
    return record is not None and record.is_up
