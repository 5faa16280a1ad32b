"""Who is to be told of what: from changes of the inventory to notices (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from greenroom.model.inventory import Health, MachineKey, MachineRecord, PeerEvent, PeerNotice
from greenroom.model.names import SHARED_SLUG
from greenroom.model.stack import Subscription

Records = Mapping[MachineKey, MachineRecord]


def plan_notices(
    before: Records, after: Records, subscriptions: Mapping[MachineKey, Subscription], at: datetime
) -> tuple[PeerNotice, ...]:
    """What each subscriber is to be told, in the peers' order.

    One that runs only now is told of every peer that does; what happened while it was away is in
    its queue before that.
    """
    notices: list[PeerNotice] = []
    for key, subscription in sorted(subscriptions.items()):
        begins = _is_up(after, key) and not _is_up(before, key)
        for peer_key in sorted(before.keys() | after.keys()):
            peer = after.get(peer_key) or before[peer_key]
            if peer_key == key or not concerns(subscription, key, peer):
                continue
            event = _event(before.get(peer_key), after.get(peer_key))
            if event is None and begins and peer.is_up:
                event = PeerEvent.CAME
            if event is not None:
                notices.append(PeerNotice(to=key, event=event, peer=peer, at=at))
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
