"""What every page is made from."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from greenroom.app.access import Access
from greenroom.app.control_plane import ControlPlane
from greenroom.app.history import History
from greenroom.app.inventory.service import Inventory
from greenroom.app.jobs.service import Jobs
from greenroom.app.lifetimes import Lifetimes
from greenroom.app.sessions import Sessions
from greenroom.app.timings import Timings
from greenroom.model.costs import PriceTable
from greenroom.model.stack import Stack
from greenroom.web.page.log_stream import Reader

_LOOK_AT_SESSION_S = 10.0

LogSource = Callable[[Stack, str | None], Sequence[Reader]]
"""The logs of a Stack's machines, or of the one that is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The services that pages ask."""

    control: ControlPlane
    access: Access
    sessions: Sessions
    history: History
    timings: Timings
    lifetimes: Lifetimes
    jobs: Jobs
    inventory: Inventory
    logs: LogSource
    prices: Callable[[], PriceTable]

    def still_open(self, key: str | None) -> Callable[[], bool]:
        """Whether the login of a stream that goes on for hours still holds; it is looked up now
        and then only."""
        looked_at, holds = time.monotonic(), True

        def still() -> bool:
            nonlocal looked_at, holds
            if holds and time.monotonic() - looked_at > _LOOK_AT_SESSION_S:
                looked_at = time.monotonic()
                holds = key is not None and self.sessions.find(key) is not None
            return holds

        return still
