"""Owns the replay: each case becomes a ticket, each recorded event is fired by its person, at its time.

Must not know how the outcome is shown. Cases are loaded in batches, each in one transaction, so a run that is
stopped leaves whole tickets behind, and the next run goes on with the first ticket that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import Any

from django.core.management.color import no_style
from django.db import connections, transaction

from fsm_lifecycle import acting_as
from fsm_lifecycle.exceptions import InvalidArguments, InvalidTransition
from sample_project.helpdesk.log import Case
from sample_project.helpdesk.models import Ticket
from sample_project.helpdesk.people import IMPORT, users_by_number

CASES_PER_TRANSACTION = 100


@dataclass(slots=True)
class Outcome:
    """What a run did."""

    loaded: int = 0
    """Tickets made."""
    known: int = 0
    """Cases whose ticket was there before."""
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0

    @property
    def tried(self) -> int:
        """Events fired, accepted or not."""
        return self.accepted + self.refused

    @property
    def entries(self) -> int:
        """Log entries written: one for each ticket made, one for each event accepted."""
        return self.loaded + self.accepted

    def add(self, batch: Outcome) -> None:
        """Count in what a committed batch did."""
        self.loaded += batch.loaded
        self.accepted += batch.accepted
        self.refused += batch.refused


def load(cases: Iterable[Case], outcome: Outcome, *, using: str, progress: Callable[[int], object]) -> None:
    """Load the cases that have no ticket yet and count what happens in ``outcome``, batch by committed batch.

    ``progress`` is called with the number of cases done since its last call. An event that the table, a guard or
    a form refuses is counted; anything else that goes wrong ends the run.
    """
    started = perf_counter()
    people = users_by_number(using)
    known = set(Ticket.objects.using(using).values_list("number", flat=True))
    remaining = iter(cases)
    try:
        while batch := list(islice(remaining, CASES_PER_TRANSACTION)):
            missing = [case for case in batch if case.number not in known]
            outcome.known += len(batch) - len(missing)
            if missing:
                outcome.add(_load_batch(missing, people, using))
            progress(len(batch))
    finally:
        _count_on_from_the_last(using)
        outcome.seconds += perf_counter() - started


def _count_on_from_the_last(using: str) -> None:
    """Keys were given, which PostgreSQL's sequence does not notice: a ticket made by hand must find a new one."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [Ticket]):
            cursor.execute(statement)


def _load_batch(cases: list[Case], people: dict[int, Any], using: str) -> Outcome:
    outcome = Outcome()
    with transaction.atomic(using=using):
        for case in cases:
            _load_case(case, people, using, outcome)
    return outcome


def _load_case(case: Case, people: dict[int, Any], using: str, outcome: Outcome) -> None:
    with acting_as(IMPORT):
        # Its number is its key as well, so that the log names a ticket as its people do.
        ticket = Ticket.objects.using(using).create(pk=case.number, number=case.number, **case.fields)
    outcome.loaded += 1
    for event in case.events:
        try:
            ticket.fire(
                event.name, actor=people[event.person], arguments=event.arguments, occurred_at=event.at
            )
        except (InvalidTransition, InvalidArguments):
            # fire() has put down who wanted what and why not, as a RefusedAttempt.
            outcome.refused += 1
        else:
            outcome.accepted += 1
