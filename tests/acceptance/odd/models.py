"""Models whose every label is somebody else's markup, whose keys are awkward, and whose tables are long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.db import models

from fsm_lifecycle import CRUD, Event, Firing, Retention, Role, Snapshot, State, effect, guard, on_commit
from fsm_lifecycle.models import LifecycleModel

MARKUP = '<script>alert("x")</script>'
#: What a label must survive: markup, quotes, turned writing, an emoji, template and format signs, and length.
ODD = f"{MARKUP}' & \u202eturned\u202c 😀 </textarea></title>{{{{ 7*7 }}}} %s %(x)d {'W' * 120}"
SECRET = "a value that this admin has not opened"


@guard(f"Refused, {ODD}", label=f"Rule {ODD}")
def never(odd: Odd) -> bool:
    return False


@guard(f"Typed, {ODD}")
def is_not_no(odd: Odd, firing: Firing) -> bool:
    return bool(firing.arguments.get("reason") != "no")


@effect(f"Effect {ODD}")
def nothing(odd: Odd, firing: Firing) -> None:
    pass


@effect(f"Outside {ODD}", outside=True)
def nothing_outside(odd: Odd, firing: Firing) -> None:
    pass


class OddForm(forms.Form):
    """Every kind of input, so that what was typed comes back from every kind."""

    reason = forms.CharField(label=f"Reason {ODD}", help_text=f"Help {ODD}", max_length=500)
    hidden = forms.CharField(required=False)
    one = forms.ChoiceField(choices=[("a", f"A {ODD}"), ("b<", "B")], required=False)
    several = forms.MultipleChoiceField(choices=[("a", f"A {ODD}"), ("b<", "B")], required=False)
    grouped = forms.ChoiceField(choices=[("Group", [("a", "A"), ("b", "B")])], required=False)
    ticked = forms.MultipleChoiceField(
        choices=[("a", "A")], required=False, widget=forms.CheckboxSelectMultiple
    )
    moment = forms.SplitDateTimeField(required=False)
    day = forms.DateField(required=False, widget=forms.SelectDateWidget)
    sure = forms.BooleanField(required=False)
    number = forms.IntegerField(required=False)
    details = forms.JSONField(required=False)


class Odd(LifecycleModel):
    text = models.TextField(default="", blank=True)
    hidden = models.CharField(max_length=500, default="", blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)

    class Meta:
        verbose_name = f"odd {MARKUP}'"
        verbose_name_plural = f"odds {MARKUP}'"

    def __str__(self) -> str:
        return f"Odd {ODD}"

    class Lifecycle:
        begun = State(
            "begun",
            initial=True,
            label=f"Begun {ODD}",
            description=f"About {ODD}",
            stuck_after=timedelta(0),
        )
        marked = State("<b>marked</b>\"'&", label=f"Marked {MARKUP}")
        sums = State("=1+1", label="=1+1")
        end = State("end", terminal=True)

        go = Event(
            begun,
            to=marked,
            label=f"Go {ODD}",
            description=f"About {ODD}",
            arguments=OddForm,
            effects=[nothing, on_commit(nothing_outside)],
            guards=[is_not_no],
        )
        stay = Event(begun, to=begun)
        refused = Event(begun, to=marked, guards=[never], label=f"Refused {ODD}")
        veiled = Event(begun, to=marked, guards=[never], hidden=True)
        quiet = Event(begun, to=begun, hidden=True)
        add_up = Event(begun, marked, to=sums, effects=[on_commit(nothing_outside)])
        finish = Event(begun, marked, sums, to=end)
        back = Event(end, to=begun, compensating=True)

        chief = Role(
            "chief",
            crud=CRUD.ALL,
            may=[go, stay, refused, veiled, quiet, add_up, finish, back],
            label=f"Chief {ODD}",
            description=f"About {ODD}",
        )
        looker = Role("looker", crud=CRUD.READ, may=[stay])

        snapshot = Snapshot.every("text", "hidden")
        retention = Retention(after=timedelta(days=1), states=[end])


class Keyed(LifecycleModel):
    """Its keys are whatever people type."""

    code = models.CharField(max_length=250, primary_key=True)

    def __str__(self) -> str:
        return str(self.code)

    class Lifecycle:
        off = State("off", initial=True)
        on = State("on")
        switch_on = Event(off, to=on)
        switch_off = Event(on, to=off)


def _long_table() -> type[Any]:
    """Thirty states with names of 200 characters."""
    states = {
        f"state_{i}": State(f"state_{i}", initial=not i, label=f"{i} {'state of a long name ' * 10}"[:200])
        for i in range(30)
    }
    events = {
        f"event_{i}_{step}": Event(
            states[f"state_{i}"],
            to=states[f"state_{i + step}"],
            label=f"{i} {'event of a long name ' * 10}"[:200],
        )
        for i in range(30)
        for step in (1, 2, 7)
        if i + step < 30
    }
    return type("Lifecycle", (), {**states, **events})


class Long(LifecycleModel):
    name = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.name

    Lifecycle = _long_table()


class Lonely(LifecycleModel):
    """One state, no event, no record."""

    class Lifecycle:
        only = State("only", initial=True)
