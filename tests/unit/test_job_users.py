"""The user ids of executions: each its own, and none that a machine has."""

from __future__ import annotations

import pytest

from greenroom.plan.addresses import DRILLS_MAX, INDEX_MAX, UIDS_PER_MACHINE, drill_uid_base
from greenroom.providers.local import job_users
from greenroom.providers.local.job_users import FIRST_JOB_UID, JOB_UIDS, JobUids


def test_no_machine_has_a_jobs_user_id() -> None:
    last = drill_uid_base(INDEX_MAX, DRILLS_MAX - 1) + UIDS_PER_MACHINE - 1
    assert last < FIRST_JOB_UID
    assert FIRST_JOB_UID + JOB_UIDS <= 2**31


def test_an_id_is_lent_once_until_it_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([5, 5, 5, 6, 5])
    monkeypatch.setattr(job_users.secrets, "randbelow", lambda _: next(drawn))
    uids = JobUids()

    assert (uids.lend(), uids.lend()) == (FIRST_JOB_UID + 5, FIRST_JOB_UID + 6)
    uids.give_back(FIRST_JOB_UID + 5)
    assert uids.lend() == FIRST_JOB_UID + 5
