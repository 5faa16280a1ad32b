"""An environment's flows as a page draws them: a picture, and the same in a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from pydantic import TypeAdapter

from greenroom.drawing.flows import dot_source, drawing_of, finished, laid_out
from greenroom.errors import GreenroomError
from greenroom.model.proof import Flow, Verdict
from greenroom.model.views import EnvironmentDetail


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPicture:
    """``svg`` is None where nothing can draw it; then ``notice`` says why. ``shown`` are the
    declared flows and those at fault, ``closed`` counts those that nobody declares and that are
    closed."""

    svg: str | None
    notice: str
    shown: tuple[Flow, ...]
    closed: int


def flow_picture(detail: EnvironmentDetail) -> FlowPicture:
    """The flows of the last proof."""
    assert detail.proof is not None
    flows = detail.proof.flows
    shown = tuple(flow for flow in flows if flow.declared or flow.verdict is not Verdict.PROVED)
    svg, notice = _drawn(detail)
    return FlowPicture(svg=svg, notice=notice, shown=shown, closed=len(flows) - len(shown))


def _drawn(detail: EnvironmentDetail) -> tuple[str | None, str]:
    document: Any = _details().dump_python(detail, mode="json")
    drawing = drawing_of(document, document["proof"], detail.summary.verdict)
    try:
        return finished(_laid_out(dot_source(drawing)), drawing, of_page=True), ""
    except GreenroomError as error:
        return None, f"{error.message}; {error.hint}" if error.hint else error.message


# A layout takes 50 ms, and the same flows are looked at again and again.
_laid_out = lru_cache(maxsize=256)(laid_out)


@cache
def _details() -> TypeAdapter[EnvironmentDetail]:
    return TypeAdapter(EnvironmentDetail)
