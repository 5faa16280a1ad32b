"""Amounts of money as a person reads them, in a terminal or on a page.

Rounded half up, an hour to a hundredth of a cent, everything else to the cent; what is more than
nothing is never shown as $0.00.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from greenroom.model.costs import Amount

CENT = Decimal("0.01")
HUNDREDTH_OF_A_CENT = Decimal("0.0001")


def amount_words(amount: Amount, unit: Decimal = CENT) -> str:
    """``$0.53``, ``under $0.01``, ``at least $0.53`` or ``unknown``."""
    if amount.unknown:
        return f"at least {dollars(amount.usd, unit)}" if amount.usd else "unknown"
    return dollars(amount.usd, unit)


def dollars(usd: Decimal, unit: Decimal = CENT) -> str:
    """``$0.53``, to the ``unit``."""
    rounded = usd.quantize(unit, ROUND_HALF_UP)
    return f"under ${unit}" if usd > 0 and rounded == 0 else f"${rounded}"
