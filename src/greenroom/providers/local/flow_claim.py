"""What is claimed of an environment's flows, and of how much of what there is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from greenroom.model.proof import Claim, Flow, Reach, Verdict
from greenroom.providers.local.questions import (
    Depth,
    Listening,
    Place,
    Question,
    heard_limit,
    undeclared,
)

_WORST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much was asked. ``pairs`` are those of a machine of the environment and one of another
    environment; ``chosen`` of them were asked, ``answered`` answered. ``samples`` and ``unsent``
    are sentences: whose listeners were too many, and from where probes could not be sent."""

    environments: int
    pairs: int
    chosen: int
    answered: int
    samples: Sequence[str] = ()
    unsent: Sequence[str] = ()


def flow_claim(flows: Sequence[Flow], coverage: Coverage) -> Claim:
    """The one claim on all flows."""
    bad = [flow for flow in flows if flow.verdict is Verdict.FAILED]
    unknown = [flow for flow in flows if flow.verdict is Verdict.NOT_VERIFIED]
    if bad:
        verdict, evidence = Verdict.FAILED, _sentences(bad)
    elif unknown or not flows:
        verdict = Verdict.NOT_VERIFIED
        evidence = "; ".join((_sentences(unknown) or "no port to probe", *_few(coverage.unsent)))
    else:
        verdict, evidence = Verdict.PROVED, _summary(flows, coverage)
    return Claim(subject="flows", claim="exactly as declared", verdict=verdict, evidence=evidence)


def answered_pairs(asked: Iterable[tuple[Question, Reach | None]]) -> int:
    """The pairs of machines of different environments of which a probe told anything."""
    return len(
        {
            (question.source.label, question.target.label)
            for question, reach in asked
            if reach not in (None, Reach.SILENT) and _is_between(question)
        }
    )


def samples_of_listeners(
    questions: Iterable[Question], own: Sequence[Place], listening: Listening, depth: Depth
) -> Iterator[str]:
    """A sentence for each target that listens on more ports than were asked."""
    owners = {id(place) for place in own}
    targets = {id(question.target): question.target for question in questions}
    for key, target in targets.items():
        limit = heard_limit(depth, own=key in owners)
        heard = undeclared(target, listening(target)) if target.machine is not None else ()
        if len(heard) > limit:
            yield (
                f"of {len(heard)} other ports on which {target.label} listens "
                f"{limit} were asked, a sample"
            )


def _is_between(question: Question) -> bool:
    source, target = question.source.stack, question.target.stack
    return source is not None and target is not None and source is not target


def _summary(flows: Sequence[Flow], coverage: Coverage) -> str:
    opened = sum(flow.declared for flow in flows)
    said = [f"{opened} declared flows are open, {len(flows) - opened} others closed"]
    if coverage.environments:
        said.append(_of_pairs(coverage))
    return "; ".join((*said, *_few(coverage.samples)))


def _of_pairs(coverage: Coverage) -> str:
    several = "s" if coverage.environments != 1 else ""
    machines = f"machines of {coverage.environments} other environment{several}"
    if coverage.answered == coverage.pairs:
        return f"all {coverage.pairs} pairs with {machines} probed"
    text = f"of {coverage.pairs} pairs with {machines} {coverage.answered} were probed"
    if coverage.chosen < coverage.pairs:
        text += ", a sample"
    if coverage.answered < coverage.chosen:
        text += f", {coverage.chosen - coverage.answered} could not be: their machine was gone"
    return text


def _sentences(flows: Sequence[Flow]) -> str:
    return "; ".join(_few([_sentence(flow) for flow in flows]))


def _few(sentences: Sequence[str]) -> list[str]:
    more = len(sentences) - _WORST_NAMED
    return [*sentences[:_WORST_NAMED], *([f"and {more} more"] if more > 0 else [])]


def _sentence(flow: Flow) -> str:
    wish = "declared" if flow.declared else "not declared"
    return f"{flow.source} → {flow.target}:{flow.port}/{flow.protocol} is {flow.reach}, {wish}"
