"""Owns what is said after a replay: what was accepted, what was refused, where tickets are, how long they stayed.

Must not know how tickets were loaded. Stays are measured by when things happened (``occurred_at``), not by when they
were written down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from statistics import median

from django.db.models import Count, Max

from fsm_lifecycle.models import RefusedAttempt, TransitionLog
from sample_project.helpdesk.loading import Outcome
from sample_project.helpdesk.models import Ticket

# What the two commonest codes mean, in fewer words than the recorded reason, which lists what would be allowed.
_WHY = {"wrong_state": "not from this state", "terminal_state": "this state is final"}


@dataclass(frozen=True, slots=True)
class StateFigures:
    """One state of the tickets in the database."""

    label: str
    tickets: int
    """How many are in it now."""
    left: int
    """How many times one has left it."""
    median_stay: timedelta | None
    """Half of the stays that ended were shorter; ``None`` when none has ended."""


def state_figures(using: str) -> list[StateFigures]:
    """Figures of each state, in the order of the table."""
    tickets = dict(Ticket.objects.using(using).order_by().values_list("state").annotate(number=Count("pk")))
    stays: dict[str, list[timedelta]] = {}
    for state, stay in _stays(using):
        stays.setdefault(state, []).append(stay)
    return [
        StateFigures(
            label=str(state.label),
            tickets=tickets.get(str(state), 0),
            left=len(stays.get(str(state), ())),
            median_stay=median_of(stays.get(str(state), ())),
        )
        for state in Ticket.lifecycle.states.values()
    ]


def _stays(using: str) -> Iterator[tuple[str, timedelta]]:
    """Each stay that has ended: the state and how long. Events that lead back to their state do not end one."""
    opened = {str(pk): at for pk, at in Ticket.objects.using(using).order_by().values_list("pk", "opened_at")}
    entries = (
        TransitionLog.objects.using(using)
        .for_model(Ticket)
        .filter(kind="transition")
        .order_by("object_pk", "sequence")
        .values_list("object_pk", "from_state", "to_state", "occurred_at", "recorded_at")
    )
    for pk, steps in groupby(entries.iterator(), key=lambda entry: entry[0]):
        since: datetime | None = opened.get(pk)
        for _, source, target, occurred_at, recorded_at in steps:
            if source == target:
                continue
            at = occurred_at or recorded_at
            if since is not None and source is not None:
                yield source, at - since
            since = at


@dataclass(frozen=True, slots=True)
class Refusal:
    """A pair of state and event that was refused for one kind of reason."""

    state: str
    event: str
    why: str
    times: int


def refusals(using: str) -> list[Refusal]:
    """Every refused pair on record, the most frequent first."""
    # What was refused under an older table keeps the name it had.
    states = {str(state): str(state.label) for state in Ticket.lifecycle.states.values()}
    events = {event.name: str(event.label) for event in Ticket.lifecycle.events.values()}
    found = (
        RefusedAttempt.objects.using(using)
        .filter(model_label=Ticket._meta.label_lower)
        .values("state", "event", "code")
        .annotate(times=Count("pk"), reason=Max("reason"))
        .order_by("-times", "state", "event", "code")
    )
    return [
        Refusal(
            state=states.get(row["state"], row["state"]),
            event=events.get(row["event"], row["event"]),
            why=_WHY.get(row["code"], row["reason"]),
            times=row["times"],
        )
        for row in found
    ]


def median_of(stays: Sequence[timedelta]) -> timedelta | None:
    """The median, ``None`` of nothing."""
    return timedelta(seconds=median(stay.total_seconds() for stay in stays)) if stays else None


def in_words(stay: timedelta | None) -> str:
    """A duration as people say it, in at most two units."""
    if stay is None:
        return "-"
    minutes = int(stay.total_seconds() // 60)
    if minutes < 1:
        return "under a minute"
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(days, "day" if days == 1 else "days"), (hours, "h"), (minutes, "min")]
    while parts[0][0] == 0:
        parts.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number)


def text(outcome: Outcome, *, using: str) -> str:
    """The whole report."""
    parts = [_run(outcome), _refusals(refusals(using)), _states(state_figures(using))]
    return "\n\n".join(part for part in parts if part)


def _run(outcome: Outcome) -> str:
    if not outcome.tried:
        return f"Nothing to do: all {outcome.known:,} tickets were loaded before."
    share = 100 / outcome.tried
    rate = outcome.entries / outcome.seconds
    rows = [
        [
            "Tickets loaded",
            f"{outcome.loaded:,}",
            f"{outcome.known:,} were there before" if outcome.known else "",
        ],
        ["Events tried", f"{outcome.tried:,}", ""],
        ["  accepted", f"{outcome.accepted:,}", f"{outcome.accepted * share:4.1f} %"],
        ["  refused", f"{outcome.refused:,}", f"{outcome.refused * share:4.1f} %"],
        [
            "Log entries written",
            f"{outcome.entries:,}",
            f"in {outcome.seconds:.1f} s, {rate:,.0f} per second",
        ],
    ]
    return "\n".join(aligned(rows, "<><"))


def _refusals(found: list[Refusal]) -> str:
    if not found:
        return ""
    rows = [
        ["State", "Event", "Times", "Why"],
        *([refusal.state, refusal.event, f"{refusal.times:,}", refusal.why] for refusal in found),
    ]
    title = f"All {sum(refusal.times for refusal in found):,} refusals so far, by the ticket's state and the event"
    return f"{title}\n\n" + "\n".join(aligned(rows, "<<><", indent=2))


def _states(figures: list[StateFigures]) -> str:
    rows = [
        ["State", "Tickets now", "Times left", "Median stay"],
        *(
            [state.label, f"{state.tickets:,}", f"{state.left:,}", in_words(state.median_stay)]
            for state in figures
        ),
    ]
    return "Where the tickets are, and how long they stayed\n\n" + "\n".join(aligned(rows, "<>><", indent=2))


def aligned(rows: Sequence[Sequence[str]], sides: str, *, indent: int = 0) -> list[str]:
    """Rows as lines of columns; ``sides`` has ``<`` or ``>`` for each column."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        " " * indent
        + "  ".join(
            f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
