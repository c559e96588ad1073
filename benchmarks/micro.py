"""The small costs: asking what may happen, and loading records.

Must not know how a transition is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections, models
from django.test.utils import CaptureQueriesContext
from django_fsm import can_proceed

from benchmarks.databases import LABELS
from benchmarks.models import Invoice
from benchmarks.peer_models import Fsm2Invoice
from benchmarks.plain_models import PlainInvoice
from benchmarks.report import Section, Verdict, microseconds
from benchmarks.settings import CurrentDatabase, bound_to, on_database
from benchmarks.subjects import make
from benchmarks.timing import Task, interleave

#: The most that asking may cost, in microseconds.
CAN_FIRE_TARGET = 2.0
AVAILABLE_EVENTS_TARGET = 5.0
#: The most that loading a lifecycle model may cost, as a multiple of a plain one.
LOADING_TARGET = 1.1

CAN_FIRE = "can_fire()"
CAN_PROCEED = "django-fsm-2: can_proceed()"
AVAILABLE_EVENTS = "available_events()"
AVAILABLE_TRANSITIONS = "django-fsm-2: get_available_state_transitions()"


class AsksTheDatabase(AssertionError):
    """A question that must be answered from memory sent a statement."""


def measure_questions(alias: str, rounds: int, calls: int) -> Section:
    """`can_fire` and `available_events` beside django-fsm-2's, on a loaded draft with a guard."""
    with on_database(alias):
        ours, theirs = _newest(Invoice), _newest(Fsm2Invoice)
    event = Invoice.Lifecycle.send_invoice
    questions: dict[str, Callable[[], Any]] = {
        CAN_FIRE: lambda: ours.can_fire(event),
        CAN_PROCEED: lambda: can_proceed(theirs.send_invoice),
        AVAILABLE_EVENTS: lambda: ours.available_events(),
        AVAILABLE_TRANSITIONS: lambda: list(theirs.get_available_state_transitions()),
    }
    beside = {CAN_FIRE: CAN_PROCEED, AVAILABLE_EVENTS: AVAILABLE_TRANSITIONS}
    for name, question in questions.items():
        with CaptureQueriesContext(connections[alias]) as captured:
            answer = question()
        if len(captured):
            raise AsksTheDatabase(f"{name} sent {len(captured)} statements; it has to answer from memory.")
        if not answer:
            raise AssertionError(f"{name} said no to a draft that may be sent.")
    samples = interleave({name: _repeat(question, calls) for name, question in questions.items()}, rounds)
    spread = {name: found.wall_spread().times(1e6) for name, found in samples.items()}
    return Section(
        title="Asking what may happen",
        about=(
            "In memory, on a loaded draft: one event with a guard, and all five events of the table, two of "
            "which a draft allows. Nothing is asked of the database."
        ),
        columns=["question", "µs", "× django-fsm-2"],  # noqa: RUF001
        rows=[
            [name, str(found), str(samples[name].ratio_to(samples[beside.get(name, name)]))]
            for name, found in spread.items()
        ],
        verdicts=[
            Verdict(target=name, where="in memory", limit=limit, measured=spread[name], unit="µs")
            for name, limit in (
                (CAN_FIRE, CAN_FIRE_TARGET),
                (AVAILABLE_EVENTS, AVAILABLE_EVENTS_TARGET),
            )
        ],
    )


def measure_loading(aliases: Sequence[str], rounds: int, rows: int) -> Section:
    """Loading a lifecycle model beside a plain model with the same columns."""
    _same_columns(Invoice, PlainInvoice)
    ways: dict[str, Callable[[models.QuerySet[Any]], models.QuerySet[Any]]] = {
        "all columns": lambda queryset: queryset,
        "only(amount, client_name)": lambda queryset: queryset.only("amount", "client_name"),
        "defer(client_name)": lambda queryset: queryset.defer("client_name"),
    }
    tasks: dict[str, Task] = {}
    for alias in aliases:
        for model in (Invoice, PlainInvoice):
            with on_database(alias):
                make(model, rows)
            for way, narrowed in ways.items():
                queryset = narrowed(model._default_manager.order_by("-pk"))
                tasks[f"{alias} {way} {model.__name__}"] = bound_to(alias, _load(queryset, rows))
    samples = interleave(tasks, rounds)
    table, verdicts = [], []
    for alias in aliases:
        for way in ways:
            ours = samples[f"{alias} {way} Invoice"]
            plain = samples[f"{alias} {way} PlainInvoice"]
            ratio = ours.ratio_to(plain)
            figures = [microseconds(found.wall_spread().median) for found in (ours, plain)]
            table.append([f"{LABELS[alias]}, {way}", *figures, str(ratio)])
            verdicts.append(
                Verdict(target=f"loading, {way}", where=LABELS[alias], limit=LOADING_TARGET, measured=ratio)
            )
    return Section(
        title="Loading",
        about=f"A list of {rows} records, per record, beside a plain model with the same columns.",
        columns=["what", "ours, µs", "plain, µs", "× plain"],  # noqa: RUF001
        rows=table,
        verdicts=verdicts,
    )


def _newest(model: Any) -> Any:
    make(model, 1)
    return model._default_manager.using(CurrentDatabase.alias).latest("pk")


def _repeat(question: Callable[[], object], calls: int) -> Task:
    def ask() -> int:
        for _ in range(calls):
            question()
        return calls

    return ask


def _load(queryset: models.QuerySet[Any], rows: int) -> Task:
    def load() -> int:
        return len(list(queryset.all()[:rows]))

    return load


def _same_columns(first: type[models.Model], second: type[models.Model]) -> None:
    kinds = [
        sorted(
            field.db_type(connections[CurrentDatabase.alias]) or "" for field in model._meta.concrete_fields
        )
        for model in (first, second)
    ]
    if kinds[0] != kinds[1]:
        raise AssertionError(
            f"{first.__name__} has the columns {kinds[0]}, {second.__name__} {kinds[1]}: "
            "give the plain model the same ones, or loading is not compared fairly."
        )
