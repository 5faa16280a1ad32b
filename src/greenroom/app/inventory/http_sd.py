"""The inventory as Prometheus reads it («HTTP SD»); pure, and quick for a hundred thousand."""

from __future__ import annotations

import json
from collections.abc import Iterable

from greenroom.model.inventory import Health, MachineRecord


def render_http_sd(records: Iterable[MachineRecord], port: int) -> str:
    """A target group for each machine that should run, so that each has its name as a label.

    The labels of machines of one type in one environment are the same text but for the name,
    which is a DNS label and needs no escapes; each such text is made once.
    """
    labels: dict[tuple[str, str, str], str] = {}
    groups: list[str] = []
    for each in records:
        if each.health is Health.STOPPED:
            continue
        place = (each.environment, each.type, each.role)
        text = labels.get(place)
        if text is None:
            text = labels[place] = _labels(each)
        groups.append(
            f'{{"targets":["{each.address}:{port}"],"labels":{{"machine":"{each.name}",{text}}}}}'
        )
    return "[" + ",\n".join(groups) + "]\n"


def _labels(record: MachineRecord) -> str:
    values = {
        "stack": record.stack,
        "environment": record.environment,
        "branch": record.branch,
        "type": record.type,
        "role": record.role,
    }
    return json.dumps(values)[1:-1]
