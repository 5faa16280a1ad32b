"""Wait conditions of the fake: they wait for a PUT, and tell what it said."""

from __future__ import annotations

import json
from urllib.error import HTTPError

import pytest

from tests.cloud.fake.account import Account
from tests.cloud.stacks import WAIT, begin, handle_url, signal, template

OUTPUTS = {"Report": {"Value": {"Fn::GetAtt": ["w", "Data"]}}}


def test_a_stack_waits_for_its_signal_and_gives_its_data(account: Account) -> None:
    begin(account, template(WAIT, Outputs=OUTPUTS))
    url = handle_url(account)
    assert account.stack("s").status == "CREATE_IN_PROGRESS"
    assert signal(url, UniqueId="db1", Data="3 rows") == 200
    stack = account.wait_for("s", "CREATE_COMPLETE")
    assert json.loads(stack.outputs[0]["OutputValue"]) == {"db1": "3 rows"}


def test_a_failure_signal_fails_the_stack_with_its_reason(account: Account) -> None:
    begin(account, template(WAIT))
    signal(handle_url(account), Status="FAILURE", UniqueId="db1", Reason="no space left")
    stack = account.wait_for("s", "ROLLBACK_COMPLETE")
    reasons = [event.reason for event in stack.events if event.status == "CREATE_FAILED"]
    assert reasons == ["WaitCondition received failed message: 'no space left' for uniqueId: db1"]


def test_a_condition_times_out(account: Account) -> None:
    begin(account, template(WAIT))
    handle_url(account)
    account.wait_for_start("s", "w")
    account.clock.advance(1801)
    stack = account.wait_for("s", "ROLLBACK_COMPLETE")
    reasons = [event.reason for event in stack.events if event.status == "CREATE_FAILED"]
    assert reasons == ["WaitCondition timed out. Received 0 conditions when expecting 1"]


def test_a_signal_with_a_content_type_is_refused_as_s3_does(account: Account) -> None:
    begin(account, template(WAIT))
    with pytest.raises(HTTPError, match="403"):
        signal(handle_url(account), content_type="application/json")
