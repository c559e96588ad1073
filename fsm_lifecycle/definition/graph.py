"""The graph of a table: what can be reached from where.

Must not know events' guards or effects; edges are (source, target) pairs of state values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def adjacency(edges: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Source → the targets one edge away."""
    result: dict[str, set[str]] = {}
    for source, target in edges:
        result.setdefault(source, set()).add(target)
    return result


def reachable(edges: Mapping[str, Iterable[str]], start: str) -> set[str]:
    """Everything at least one edge away from ``start``; ``start`` itself only where a way leads back."""
    seen: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        state = waiting.pop()
        if state not in seen:
            seen.add(state)
            waiting.extend(edges.get(state, ()))
    return seen
