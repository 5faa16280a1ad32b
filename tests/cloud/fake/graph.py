"""Works through resources in the order of their dependencies, independent ones side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait


def run_graph(
    needs: Mapping[str, frozenset[str]],
    work: Callable[[str], bool],
    *,
    stop_on_failure: Callable[[], None] | None,
) -> list[str]:
    """The names whose ``work`` returned False, in the order of their ends.

    ``needs`` names what must be done before each; names outside of it count as done. A failure
    calls ``stop_on_failure`` and nothing new is begun; if that is None, only what needs the failed
    one is left alone. An exception of ``work`` is raised once all that run have ended.
    """
    left = {name: set(before) & set(needs) for name, before in needs.items()}
    failed: list[str] = []
    running: dict[Future[bool], str] = {}
    with ThreadPoolExecutor(max_workers=max(1, len(needs))) as pool:
        while True:
            if not (failed and stop_on_failure):
                for name in [name for name, before in left.items() if not before]:
                    del left[name]
                    running[pool.submit(work, name)] = name
            if not running:
                return failed
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                name = running.pop(future)
                if future.result():
                    for before in left.values():
                        before.discard(name)
                    continue
                failed.append(name)
                if stop_on_failure:
                    stop_on_failure()


def reverse(needs: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Who must be gone before each may go."""
    return {
        name: frozenset(other for other, before in needs.items() if name in before)
        for name in needs
    }
