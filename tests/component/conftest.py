"""What every component test starts from."""

from __future__ import annotations

from tests.component.cli_stage import daemon, region, run
from tests.unit.conftest import no_region_of_the_callers

__all__ = ["daemon", "no_region_of_the_callers", "region", "run"]
