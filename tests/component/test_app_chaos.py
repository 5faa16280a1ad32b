"""Whatever goes wrong, and however often the daemon dies: host and ledger agree in the end."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.component.app_stage import Stage

from greenroom.model.proof import Verdict
from greenroom.model.views import EnvironmentStatus

PHASES = ("images", "network", "volumes", "machines", "proof", "publish")
STEPS = ("images", "ground", "machines", "proof", "publish", "compensate")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    crashes=st.lists(st.sampled_from(STEPS), max_size=3),
    fail_at=st.none() | st.sampled_from(PHASES),
    verdict=st.sampled_from(Verdict),
    cancelled=st.booleans(),
    golden=st.booleans(),
)
def test_the_host_ends_up_with_exactly_what_the_ledger_says(
    crashes: list[str], fail_at: str | None, verdict: Verdict, cancelled: bool, golden: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        stage.world.faults.fail_at = fail_at
        stage.world.faults.verdict = verdict
        if golden:
            stage.world.goldens.add("mariadb/manifest.json")
        stage.control.close()
        stage.rise(crash_after=crashes[0] if crashes else None)
        operation = stage.create().id
        for crash in [*crashes[1:], None]:
            stage.control.close()
            if cancelled:
                stage.control.cancel(operation)
            stage.rise(crash_after=crash)
        ended, _ = stage.finish(operation)

        assert ended.status.final
        assert stage.observe() == stage.intents()
        statuses = [environment.status for environment in stage.control.environments()]
        if statuses:
            assert stage.observe()
            proved = verdict is Verdict.PROVED
            assert statuses == [EnvironmentStatus.READY if proved else EnvironmentStatus.NOT_PROVED]
        else:
            assert stage.observe() == ()
        stage.close()
