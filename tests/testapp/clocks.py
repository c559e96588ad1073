"""Models whose events fire by themselves."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

from django import forms
from django.db import models

from fsm_lifecycle import BusinessHours, Event, Firing, State, guard
from fsm_lifecycle.models import LifecycleModel

#: What the effect of ``close`` did, for tests to look at. A test clears it.
CLOSED: list[tuple[Any, ...]] = []

HOURS = BusinessHours(
    "Asia/Singapore", days="mon-fri", start="09:00", end="17:00", holidays=[date(2026, 12, 25)]
)


@guard("Somebody still waits for an answer.")
def nobody_waits(case: Case) -> bool:
    return not case.blocked


def note_closing(case: Case, firing: Firing) -> None:
    if case.blocked:
        raise RuntimeError("a secret of the effect")
    CLOSED.append((case.pk, str(firing.actor)))


class RemarkForm(forms.Form):
    remark = forms.CharField(required=False)


class Case(LifecycleModel):
    """``after``, with and without guards and effects, and a way back."""

    title = models.CharField(max_length=40, default="")
    blocked = models.BooleanField(default=False)

    class Lifecycle:
        open = State("open", initial=True)
        resolved = State("resolved")
        shelved = State("shelved")
        closed = State("closed", terminal=True)

        resolve = Event(open, to=resolved)
        comment = Event(resolved, to=resolved)
        resume = Event(resolved, shelved, to=open)
        shelve = Event(open, to=shelved)
        expire = Event(resolved, to=closed, after=timedelta(days=5), arguments=RemarkForm)
        close = Event(shelved, to=closed, after=timedelta(days=2), effects=[note_closing])
        chase = Event(open, to=resolved, after=timedelta(days=30), guards=[nobody_waits])


class Bill(LifecycleModel):
    """``at``, with a date, and a key of its own."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    due_date = models.DateField(null=True)
    note = models.CharField(max_length=40, default="")

    class Lifecycle:
        draft = State("draft", initial=True)
        sent = State("sent")
        overdue = State("overdue")
        paid = State("paid", terminal=True)

        send = Event(draft, to=sent)
        withdraw = Event(sent, overdue, to=draft)
        lapse = Event(sent, to=overdue, at="due_date")
        pay = Event(sent, overdue, to=paid)


class Question(LifecycleModel):
    """Waits for business hours."""

    class Lifecycle:
        asked = State("asked", initial=True)
        answered = State("answered", terminal=True)

        answer = Event(asked, to=answered, guards=[HOURS], after=timedelta(hours=2))


class Reminder(LifecycleModel):
    """Events that leave the record where it is."""

    remind_at = models.DateTimeField(null=True)

    class Lifecycle:
        waiting = State("waiting", initial=True)
        done = State("done", terminal=True)

        nag = Event(waiting, to=waiting, after=timedelta(days=1))
        ring = Event(waiting, to=waiting, at="remind_at")
        finish = Event(waiting, to=done)


class Loan(LifecycleModel):
    """The parent of a child with a table and timers of its own."""

    class Lifecycle:
        out = State("out", initial=True)
        late = State("late")
        back = State("back", terminal=True)

        miss = Event(out, to=late, after=timedelta(days=14))
        give_back = Event(out, late, to=back)


class LongLoan(Loan):
    until = models.DateField(null=True)

    class Lifecycle(Loan.Lifecycle):
        miss = Loan.Lifecycle.miss.extend(at="until")
