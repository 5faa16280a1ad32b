"""The inventory as Prometheus reads it («HTTP SD»); pure, and quick for a hundred thousand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache

from greenroom.store.inventory import Target


def render_http_sd(targets: Iterable[Target], port: int) -> str:
    """A target group for each machine, so that each has its name as a label.

    The labels of machines of one type in one environment are the same text but for the name,
    which is a DNS label and needs no escapes; each such text is made once.
    """

    @cache
    def labels(stack: str, slug: str, branch: str, type_: str, role: str) -> str:
        values = {
            "stack": stack,
            "environment": f"{stack}/{slug}",
            "branch": branch,
            "type": type_,
            "role": role,
        }
        return json.dumps(values)[1:-1]

    groups = (
        f'{{"targets":["{address}:{port}"],"labels":'
        f'{{"machine":"{name}",{labels(stack, slug, branch, type_, role)}}}}}'
        for name, stack, slug, branch, type_, role, address in targets
    )
    return "[" + ",\n".join(groups) + "]\n"
