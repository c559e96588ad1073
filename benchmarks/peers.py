"""Other packages, each driven the careful way: locked row, its own check, saved fields, a log row.

Must not know our package.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from benchmarks.peer_models import (
    Fsm2Invoice,
    Fsm2LoggedInvoice,
    InvoiceFlow,
    MachineInvoice,
    ViewflowInvoice,
)
from benchmarks.plain_models import PlainLog
from benchmarks.settings import CurrentDatabase
from benchmarks.subjects import Subject

FSM2 = "django-fsm-2, log by hand"
FSM2_LOGGED = "django-fsm-2 + django-fsm-log"
VIEWFLOW = "viewflow.fsm, log by hand"
MACHINE = "python-statemachine, log by hand"


def _log(record: Any, user: Any, event: str, source: str) -> None:
    PlainLog.objects.create(
        table=record._meta.model_name,
        object_id=record.pk,
        event=event,
        from_state=source,
        to_state=record.state,
        by=user,
        at=record.state_since,
    )


def fsm2_move(record: Any, user: Any, event: str) -> None:
    """Lock and read, call the transition, save, log by hand."""
    with transaction.atomic(using=CurrentDatabase.alias):
        fresh = Fsm2Invoice.objects.select_for_update().get(pk=record.pk)
        source = fresh.state
        getattr(fresh, event)()
        fresh.state_since = timezone.now()
        fresh.save(update_fields=["state", "state_since"])
        _log(fresh, user, event, source)


def fsm2_logged_move(record: Any, user: Any, event: str) -> None:
    """Lock and read, call the transition (django-fsm-log writes its row then), save."""
    with transaction.atomic(using=CurrentDatabase.alias):
        fresh = Fsm2LoggedInvoice.objects.select_for_update().get(pk=record.pk)
        getattr(fresh, event)(by=user)
        fresh.state_since = timezone.now()
        fresh.save(update_fields=["state", "state_since"])


def viewflow_move(record: Any, user: Any, event: str) -> None:
    """Lock and read, wrap the record in its flow, call the transition, which saves and logs on success."""
    with transaction.atomic(using=CurrentDatabase.alias):
        fresh = ViewflowInvoice.objects.select_for_update().get(pk=record.pk)
        fresh.state_since = timezone.now()
        getattr(InvoiceFlow(fresh, by=user), event)()


def machine_move(record: Any, user: Any, event: str) -> None:
    """Lock and read (the mixin makes a machine for the loaded record), send the event, save, log by hand."""
    with transaction.atomic(using=CurrentDatabase.alias):
        fresh = MachineInvoice.objects.select_for_update().get(pk=record.pk)
        source = fresh.state
        fresh.statemachine.send(event)
        fresh.state_since = timezone.now()
        fresh.save(update_fields=["state", "state_since"])
        _log(fresh, user, event, source)


def _subject(name: str, model: Any, move: Any) -> Subject:
    return Subject(
        name=name,
        model=model,
        send=lambda record, user: move(record, user, "send_invoice"),
        recall=lambda record, user: move(record, user, "recall"),
    )


SUBJECTS = [
    _subject(FSM2, Fsm2Invoice, fsm2_move),
    _subject(FSM2_LOGGED, Fsm2LoggedInvoice, fsm2_logged_move),
    _subject(VIEWFLOW, ViewflowInvoice, viewflow_move),
    _subject(MACHINE, MachineInvoice, machine_move),
]
