"""What every unit test starts from."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_region_of_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs the tests may work in a region of their own."""
    for name in ("REGION", "CIDR", "PORT", "WEB_PORT", "WEB_HOSTS"):
        monkeypatch.delenv(f"GREENROOM_{name}", raising=False)
