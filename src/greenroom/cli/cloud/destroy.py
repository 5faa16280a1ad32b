"""``destroy`` on AWS: the delete followed, then the receipt."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from greenroom.app.cloud.choose import identity_of
from greenroom.app.cloud.draft import CloudPorts
from greenroom.app.cloud.remove import DestroyAsk, Destroyer, destroy, wanted_stack
from greenroom.cli.cloud.costs import amount_json
from greenroom.cli.cloud.environments import so_far_words
from greenroom.cli.cloud.here import access_here
from greenroom.cli.cloud.stage import perform
from greenroom.cli.confirm import typed_name
from greenroom.cli.request import stack_here
from greenroom.cli.terminal import Paint, interactive, say, say_json
from greenroom.cli.text import clean, count, duration
from greenroom.cloud import cloud_inventory
from greenroom.model.cloud_account import FoundStack
from greenroom.model.cloud_views import CloudReceipt, Reason

_RECEIPT = TypeAdapter(CloudReceipt)


def destroy_on_aws(
    region: str | None,
    profile: str | None,
    environment: str,
    *,
    confirm: str | None,
    retain: tuple[str, ...],
    as_json: bool,
) -> None:
    """Remove an environment on AWS and print the receipt; raises GreenroomError."""
    access = access_here(region, profile)
    ask = DestroyAsk(environment=environment, here=stack_here(), confirm=confirm, retain=retain)
    inventory = cloud_inventory(access)
    stack = wanted_stack(inventory, ask)
    if confirm is None and not as_json and interactive() and _is_protected(stack):
        ask = DestroyAsk(
            environment=environment, here=ask.here, confirm=_typed(stack), retain=retain
        )
    kept: list[CloudReceipt] = []

    def work(ports: CloudPorts) -> None:
        name = identity_of(stack).environment
        again = f"greenroom destroy --provider aws {name}"

        def begins() -> None:
            # What was asked to go does not come back: Ctrl-C only stops the following from here.
            ports.attention.check()
            ports.attention.obey(f"AWS goes on deleting {name}", f"{again} picks it up")

        if stack.status == "DELETE_IN_PROGRESS":
            begins()
        else:
            ports.attention.obey(f"nothing of {name} was deleted", f"{again} begins anew")
        destroyer = Destroyer(
            begins=begins,
            inventory=cloud_inventory(access, wait=ports.attention.wait, tell=ports.telling.notice),
            telling=ports.telling,
            pause=ports.attention.wait,
            clock_s=ports.clock.monotonic_s,
            now=ports.clock.now,
        )
        receipt, error = destroy(destroyer, stack, ask)
        kept.append(receipt)
        if error is not None:
            raise error

    try:
        perform(access, work, as_json=as_json)
    finally:
        for receipt in kept:
            _say_receipt(receipt, as_json=as_json)


def receipt_json(receipt: CloudReceipt) -> dict[str, Any]:
    """The receipt for a program; money as the other commands give it."""
    document: dict[str, Any] = _RECEIPT.dump_python(receipt, mode="json")
    cost = receipt.cost_usd
    document["cost_usd"] = None if cost is None else amount_json(cost)
    return document


def receipt_lines(receipt: CloudReceipt, paint: Paint) -> Iterator[str]:
    """What was removed, what is kept, what is left over, what it cost."""
    left = receipt.because(Reason.LEFT_OVER)
    going = receipt.because(Reason.GOING)
    name = paint("strong", clean(receipt.environment))
    gone = not left and not going
    seen = " as far as anybody may look" if receipt.unseen else ""
    took = f"{name} is gone{seen} in {duration(receipt.seconds)}"
    yield took if gone else f"{name} is not wholly gone"
    removed = count(len(receipt.removed), "resource")
    yield f"  removed    {removed}" if receipt.removed else "  removed    nothing"
    for why, style in ((Reason.KEPT, "open"), (Reason.GOING, "open"), (Reason.LEFT_OVER, "bad")):
        things = receipt.because(why)
        if things or why is Reason.LEFT_OVER:
            title = paint(style if things else "good", f"{len(things)} {why.value}")
            yield f"  {why.value:<10} {title}"
        for each in things:
            note = f" ({clean(each.note)})" if each.note else ""
            yield f"    {clean(each.kind)} {clean(each.id)}{note}"
    for kind in receipt.unseen:
        yield f"  {paint('open', 'not verified')}: {clean(kind)}"
    cost = receipt.cost_usd
    yield f"  cost       {'not known' if cost is None else so_far_words(cost)}"


def _say_receipt(receipt: CloudReceipt, *, as_json: bool) -> None:
    if as_json:
        say_json({"receipt": receipt_json(receipt)})
        return
    for line in receipt_lines(receipt, Paint(sys.stdout)):
        say(line)


def _is_protected(stack: FoundStack) -> bool:
    return identity_of(stack).production or stack.protected


def _typed(stack: FoundStack) -> str:
    what = "production" if identity_of(stack).production else "protected"
    return typed_name(str(identity_of(stack).environment), what)
