"""Models whose guards and effects do what the test tells them to, by the text in ``mode``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.db import DatabaseError, models
from django.db.models.functions import Floor, Random
from django.utils.translation import gettext_lazy

from fsm_lifecycle import Branch, Event, Firing, Snapshot, State, effect, fires, guard, on_commit
from fsm_lifecycle.models import LifecycleModel

#: What the effect of ``obey``, and the guard of ``unlock`` in mode ``obey``, do: put there by a test. Cleared by the
#: ``seen`` fixture.
ORDERS: list[Callable[[Gate, Any], object]] = []

#: What guards and effects saw, for tests to look at. Cleared by the ``seen`` fixture.
SEEN: list[tuple[Any, ...]] = []


@guard("The gate is locked.", label="Is unlocked")
def is_unlocked(gate: Gate) -> Any:
    """Answers what ``mode`` names."""
    SEEN.append(("guard", gate))
    if gate.mode == "raise":
        raise RuntimeError("a secret of the guard")
    if gate.mode in ("fail", "fail and go on"):
        try:
            Gate.objects.raw("SELECT nothing FROM nowhere")[0]
        except DatabaseError:
            if gate.mode == "fail":
                raise
        return True
    if gate.mode == "obey":
        for order in ORDERS:
            order(gate, None)
        return True
    lazy = gettext_lazy("Come back tomorrow.")
    return {
        "": True,
        "one": 1,
        "false": False,
        "none": None,
        "zero": 0,
        "text": "Not before noon.",
        "empty": "",
        "lazy": lazy,
    }.get(gate.mode, gate.mode)


@guard("Only small loads.")
def is_small(gate: Gate, firing: Firing) -> bool:
    SEEN.append(("firing guard", firing))
    return bool(firing.arguments.get("load", 0) <= 10)


@effect("Writes down what it is told")
def write_down(gate: Gate, firing: Firing) -> None:
    SEEN.append(("effect", gate, gate.state, gate.lifecycle_sequence, firing))


def break_down(gate: Gate, firing: Firing) -> None:
    raise RuntimeError("a secret of the effect")


def change_and_break_down(gate: Gate, firing: Firing) -> None:
    gate.note = "half done"
    gate.extra["half"] = "done"
    gate.save(update_fields=["note", "extra"])
    raise RuntimeError("a secret of the effect")


def change_by_mode(gate: Gate, firing: Firing) -> None:
    if gate.mode == "save":
        gate.note = "by effect"
        gate.save()
    if gate.mode == "edit":
        gate.note = "by effect"
    if gate.mode == "delete":
        gate.delete()
    if gate.mode == "refire":
        gate.fire("close", actor=firing.actor)
    if gate.mode == "again":
        gate.fire("pass_by", actor=firing.actor)


def do_as_told(gate: Gate, firing: Firing) -> None:
    for order in ORDERS:
        order(gate, firing)


def log_after(gate: Gate, firing: Firing) -> None:
    SEEN.append(("after", gate, gate.state, firing))


def break_after(gate: Gate, firing: Firing) -> None:
    SEEN.append(("broke", gate))
    raise RuntimeError("a secret of the effect after commit")


def keep_a_promise(gate: Gate, firing: Firing) -> None:
    """Does as a test says, until it succeeds"""
    SEEN.append(("promise", gate, firing))
    for order in ORDERS:
        order(gate, firing)


def fire_after(gate: Gate, firing: Firing) -> None:
    gate.fire("close", actor=firing.actor)


class LoadForm(forms.Form):
    load = forms.IntegerField(min_value=0)
    note = forms.CharField(required=False, max_length=20)
    partner: forms.ModelChoiceField[Any] = forms.ModelChoiceField(queryset=None, required=False)
    details = forms.JSONField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["partner"].queryset = Gate.objects.all()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("note") == "whole":
            raise forms.ValidationError("The form as a whole is wrong.")
        return cleaned


class BookingForm(forms.Form):
    """Fields whose values come from Python as often as from a browser."""

    when = forms.SplitDateTimeField()
    who: forms.ModelMultipleChoiceField[Any] = forms.ModelMultipleChoiceField(queryset=None, required=False)
    sure = forms.BooleanField(required=False)
    span = forms.DurationField(required=False)
    price = forms.DecimalField(required=False)
    details = forms.JSONField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["who"].queryset = Gate.objects.all()  # type: ignore[attr-defined]


@guard("Never after a change.")
def changes_the_arguments(gate: Gate, firing: Firing) -> bool:
    firing.arguments["load"] = 99  # type: ignore[index]
    return True


@guard("Heavy.")
def is_heavy(gate: Gate, firing: Firing) -> Any:
    if gate.mode == "raise":
        raise RuntimeError("a secret of the branch")
    return firing.arguments["load"] > 5


@guard("Cannot be told.")
def is_noted(gate: Gate) -> bool:
    return gate.note != ""


class Gate(LifecycleModel):
    """One event for each way in which a rule or an effect can go."""

    mode = models.CharField(max_length=20, default="", blank=True)
    note = models.CharField(max_length=20, default="", blank=True)
    load = models.IntegerField(default=0)
    partner = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL)
    extra = models.JSONField(default=dict, blank=True)

    class Lifecycle:
        shut = State("shut", initial=True)
        open = State("open", stuck_after=timedelta(hours=1))
        wide = State("wide", stuck_after=None)
        gone = State("gone", terminal=True)

        unlock = Event(shut, to=open, guards=[is_unlocked])
        push = Event(shut, to=open, guards=[is_unlocked, is_small, is_noted], arguments=LoadForm)
        carry = Event(shut, to=open, arguments=LoadForm, stores=["load", "partner"], effects=[write_down])
        cheat = Event(shut, to=open, arguments=LoadForm, stores=["load"], guards=[changes_the_arguments])
        book = Event(shut, to=open, arguments=BookingForm, effects=[on_commit(keep_a_promise, retry=True)])
        swing = Event(shut, to=open, effects=[write_down, change_by_mode])
        break_open = Event(shut, to=open, effects=[write_down, break_down])
        break_late = Event(shut, to=open, effects=[change_and_break_down])
        obey = Event(shut, to=open, effects=[do_as_told])
        announce = Event(shut, to=open, effects=[on_commit(break_after), on_commit(log_after)])
        promise = Event(
            shut,
            to=open,
            arguments=LoadForm,
            effects=[on_commit(log_after), on_commit(keep_a_promise, retry=True)],
        )
        pass_on = Event(
            shut,
            to=open,
            effects=[fires(lambda gate: gate.partner, "unlock", on_failure="retry", model="testapp.Gate")],
        )
        open_and_shut = Event(shut, to=open, effects=[on_commit(fire_after)])
        choose = Event(
            shut, to=Branch((is_heavy, wide), (is_noted, gone), otherwise=open), arguments=LoadForm
        )
        pass_by = Event(open, to=open, effects=[change_by_mode])
        close = Event(open, wide, to=shut)
        remove = Event(shut, open, wide, to=gone)
        bring_back = Event(gone, to=shut, compensating=True)


class Meter(LifecycleModel):
    """A snapshot when the last one is an hour old."""

    value = models.IntegerField(default=0)

    class Lifecycle:
        a = State("a", initial=True)
        b = State("b")
        there = Event(a, to=b)
        back = Event(b, to=a)
        snapshot = Snapshot.interval(timedelta(hours=1), "value")


class WeighingForm(forms.Form):
    weight = forms.DecimalField()
    label = forms.IntegerField(required=False)


class Weighing(LifecycleModel):
    """The database has the last word on what is stored: it rounds, and works fields out."""

    weight = models.DecimalField(max_digits=9, decimal_places=2, default=Decimal(0))
    label = models.CharField(max_length=20, default="", null=True)
    doubled = models.GeneratedField(
        expression=models.F("weight") * 2,
        output_field=models.DecimalField(max_digits=9, decimal_places=2),
        db_persist=True,
    )
    is_done = models.GeneratedField(
        expression=models.Case(models.When(state="weighed", then=1), default=0),
        output_field=models.IntegerField(),
        db_persist=True,
    )

    class Lifecycle:
        waiting = State("waiting", initial=True)
        weighed = State("weighed")
        weigh = Event(waiting, to=weighed, arguments=WeighingForm, stores=["weight", "label"])
        correct = Event(weighed, to=weighed, arguments=WeighingForm, stores=["weight", "label"])
        reset = Event(weighed, to=waiting)
        snapshot = Snapshot.every()


class Numbered(LifecycleModel):
    """The database makes its keys."""

    number = models.IntegerField(primary_key=True, db_default=Floor(Random() * 1_000_000_000))
    name = models.CharField(max_length=20, db_default="nobody")

    class Lifecycle:
        a = State("a", initial=True)
        b = State("b", terminal=True)
        there = Event(a, to=b)


class Sketch(LifecycleModel):
    """Snapshots only where somebody asks."""

    value = models.IntegerField(default=0)

    class Lifecycle:
        a = State("a", initial=True)
        b = State("b")
        there = Event(a, to=b)
        back = Event(b, to=a)
        snapshot = Snapshot.manual("value")
