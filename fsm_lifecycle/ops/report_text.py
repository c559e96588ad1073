"""Owns the report as text: one period alone, or two side by side. Must not know how figures are made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from fsm_lifecycle.ledger.stays import Stays
from fsm_lifecycle.ops.figures import ACTOR_KINDS, Figures
from fsm_lifecycle.ops.report import Checked, Report
from fsm_lifecycle.ops.wording import aligned, difference, in_words, share, wrapped

_ACTORS = {"user": "by people", "agent": "by agents", "system": "by programs", "unknown": "by nobody named"}


def text(report: Report, names: Sequence[str] = ()) -> Iterator[str]:
    """The whole report, line by line. ``names``: what the asker called each of two periods."""
    periods = report.periods
    if len(periods) == 1:
        yield f"The log of database “{report.database}”, {periods[0].period} (UTC)"
    else:
        yield f"The log of database “{report.database}” (UTC)"
        rows = [[name, str(found.period)] for name, found in zip(names, periods, strict=True)]
        yield from aligned(rows, "<<")
    heads = ["Entries"] if len(periods) == 1 else list(names)
    yield from ("", *_totals(periods, heads))
    yield from ("", *_events(periods, heads))
    yield from ("", *_refusals(periods, heads))
    yield from ("", *_stays(periods, names))
    yield from ("", *_verification(report.verification))


def _numbers(counts: Sequence[int]) -> list[str]:
    """The counts of one row, and how they differ."""
    cells = [f"{count:,}" for count in counts]
    return cells if len(cells) == 1 else [*cells, difference(*counts)]


def _head(heads: Sequence[str], *before: str) -> list[str]:
    return [*before, *heads, "Change"] if len(heads) == 2 else [*before, *heads]


def _totals(periods: Sequence[Figures], heads: Sequence[str]) -> Iterator[str]:
    kinds = [*ACTOR_KINDS, *sorted({kind for found in periods for kind in found.actors} - set(ACTOR_KINDS))]
    wholes = [found.entries for found in periods]
    alone = len(periods) == 1
    rows = [["Entries", *_numbers(wholes), *([""] if alone else [])]]
    for kind in kinds:
        counts = [found.actors.get(kind, 0) for found in periods]
        shares = [share(counts[0], wholes[0])] if alone else []
        rows.append([f"  {_ACTORS.get(kind, kind)}", *_numbers(counts), *shares])
    rows.append(
        ["Refused attempts", *_numbers([found.refused for found in periods]), *([""] if alone else [])]
    )
    if not alone:
        rows.insert(0, _head(heads, ""))
    yield from aligned(rows, "<" + ">" * (len(rows[0]) - 1), indent=0)


def _events(periods: Sequence[Figures], heads: Sequence[str]) -> Iterator[str]:
    yield "What happened"
    counts = _side_by_side(
        [
            {(one.model, one.event or f"({one.kind})"): one.entries for one in found.events}
            for found in periods
        ]
    )
    if not counts:
        yield "  Nothing was recorded."
        return
    rows = [_head(heads, "Model", "Event"), *([*key, *_numbers(row)] for key, row in counts)]
    yield from aligned(rows, "<<" + ">" * (len(rows[0]) - 2))


def _refusals(periods: Sequence[Figures], heads: Sequence[str]) -> Iterator[str]:
    yield "What was refused"
    counts = _side_by_side(
        [{(one.model, one.event, one.code): one.attempts for one in found.refusals} for found in periods]
    )
    if not counts:
        yield "  Nothing was refused."
        return
    heads = ["Attempts"] if len(periods) == 1 else heads
    rows = [_head(heads, "Model", "Event", "Why"), *([*key, *_numbers(row)] for key, row in counts)]
    yield from aligned(rows, "<<<" + ">" * (len(rows[0]) - 3))


def _side_by_side(counts: Sequence[dict[Any, int]]) -> list[tuple[Any, list[int]]]:
    """Every key with its count in each period; within a model the most frequent first."""
    keys = {key for found in counts for key in found}
    rows = [(key, [found.get(key, 0) for found in counts]) for key in keys]
    return sorted(rows, key=lambda row: (row[0][0], -sum(row[1]), row[0]))


def _stays(periods: Sequence[Figures], names: Sequence[str]) -> Iterator[str]:
    yield "How long records stayed, of the stays that ended then"
    by_state: list[dict[tuple[str, str], Stays]] = [
        {(one.model, one.state): one for one in found.stays} for found in periods
    ]
    keys = sorted({key for found in by_state for key in found})
    if not keys:
        yield "  No record left a state."
        return
    head = (
        ["Stays", "Median"]
        if len(periods) == 1
        else [f"{n}{what}" for n in names for what in ("", ", median")]
    )
    rows = [["Model", "State", *head]]
    for key in keys:
        found = [states.get(key) for states in by_state]
        rows.append([*key, *(cell for one in found for cell in _stay(one))])
    yield from aligned(rows, "<<" + ">" * len(head))
    left_out = sum(one.left_out for states in by_state for one in states.values())
    if left_out:
        yield from wrapped(
            f"{left_out:,} more could not be measured: their beginning is not in the log, or lies behind their end."
        )


def _stay(one: Stays | None) -> tuple[str, str]:
    median: timedelta | None = None if one is None else one.median
    return f"{0 if one is None else one.ended:,}", in_words(median)


def _verification(verification: Checked | None) -> Iterator[str]:
    yield "Is the ledger whole"
    if verification is None:
        yield "  It was not checked."
        return
    if verification.whole:
        yield "  What was checked is whole."
    else:
        yield "  It is broken. Run lifecycle_verify to see where."
        yield from aligned(
            [[code, f"{count:,}"] for code, count in verification.found.items()], "<>", indent=4
        )
    done = ", ".join(f"{count:,} {what}" for what, count in verification.checked.items())
    yield from wrapped(f"Checked: {done or 'nothing'}.")
    for what in verification.not_checked:
        yield from wrapped(f"Not checked: {what}")
