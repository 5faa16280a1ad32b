"""The client's view of the daemon's JSON, held against the model that the daemon serialises."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from greenroom.cli import shapes
from greenroom.cli.verdict import verdict_of
from greenroom.errors import Fault
from greenroom.model import (
    events,
    incidents,
    jobs,
    lifetimes,
    orphans,
    proof,
    receipt,
    timings,
    views,
    visits,
)

PAIRS: list[tuple[Any, Any]] = [
    (shapes.FaultReply, Fault),
    (shapes.EventReply, events.Event),
    (shapes.ResourceReply, receipt.Resource),
    (shapes.ReceiptReply, receipt.Receipt),
    (shapes.OperationReply, views.OperationView),
    (shapes.ArtifactReply, views.Artifact),
    (shapes.PhaseTimeReply, views.PhaseTime),
    (shapes.EnvironmentReply, views.EnvironmentView),
    (shapes.MachineReply, views.MachineView),
    (shapes.TableReply, proof.TableReport),
    (shapes.RestoreReply, proof.RestoreReport),
    (shapes.FlowReply, proof.Flow),
    (shapes.ClaimReply, proof.Claim),
    (shapes.ProofReply, proof.Proof),
    (shapes.IncidentReply, incidents.Incident),
    (shapes.DependenceReply, jobs.Dependence),
    (shapes.JobOptionReply, jobs.JobOption),
    (shapes.WhoReply, jobs.Who),
    (shapes.ApprovalReply, jobs.Approval),
    (shapes.ConcurrencyReply, jobs.Concurrency),
    (shapes.RetriesReply, jobs.Retries),
    (shapes.ScheduleReply, jobs.ScheduleView),
    (shapes.ExecutionReply, jobs.ExecutionView),
    (shapes.JobReply, jobs.JobView),
    (shapes.DetailReply, views.EnvironmentDetail),
    (shapes.OrphanReply, orphans.Orphan),
    (shapes.ExtensionReply, lifetimes.Extension),
    (shapes.SeenReply, visits.Seen),
    (shapes.TimingReply, timings.Timing),
]


@pytest.mark.parametrize(("shape", "model"), PAIRS)
def test_every_reply_has_the_fields_of_its_model(shape: Any, model: Any) -> None:
    names = {field.name for field in fields(model)} if is_dataclass(model) else set(model._fields)
    assert set(shape.__annotations__) == names


@pytest.mark.parametrize("claims", [[], ["proved"], ["proved", "not verified"], ["failed"]])
@pytest.mark.parametrize("flows", [[], ["proved"], ["not verified", "failed"]])
def test_the_client_judges_a_proof_as_the_model_does(claims: list[str], flows: list[str]) -> None:
    from tests.unit.cli_values import NOW, dumped, flow

    judged = proof.Proof(
        at=NOW,
        claims=tuple(
            proof.Claim(subject="s", claim="c", verdict=proof.Verdict(each), evidence="")
            for each in claims
        ),
        flows=tuple(
            flow("a", "b", 1, proof.Reach.OPEN, verdict=proof.Verdict(each)) for each in flows
        ),
    )
    assert verdict_of(dumped(judged)) == judged.verdict
