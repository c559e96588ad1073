"""Every defect that an event which fires by itself can have is named by its own check."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django import forms
from django.core.checks import Error

from fsm_lifecycle import Event
from fsm_lifecycle.models import LifecycleModel
from tests.checks.asking import ids, messages, thing
from tests.definition.declaring import declare, lifecycle
from tests.testapp.models import Invoice

pytestmark = pytest.mark.pure

Model = type[LifecycleModel]
DAY = timedelta(days=1)


class Form(forms.Form):
    day = forms.DateField()
    remark = forms.CharField(required=False)


def more(*sources: str, **options: Any) -> Model:
    """The sound table with one event more."""
    return thing(more=Event(*(sources or ("a",)), to="b", **options))


def proxied() -> Model:
    sent = Invoice.Lifecycle.sent
    return declare(
        lifecycle(Invoice.Lifecycle, label="testapp.invoice", expire=Event(sent, to="overdue", after=DAY)),
        Invoice,
        meta={"proxy": True},
    )


# What is wrong → the check that says so, a model with that, and a name its message must hold.
TIMED: dict[str, tuple[str, Callable[[], Model], str]] = {
    "after no time": ("E080", lambda: more(after=timedelta(0)), "0:00:00"),
    "after less than no time": ("E080", lambda: more(after=-DAY), "-1 day"),
    "after more than a computer can reckon with": ("E080", lambda: more(after=timedelta.max), "“more”"),
    "a form that has to be filled in": ("E081", lambda: more(after=DAY, arguments=Form), "“day”"),
    "only a proxy declares it": ("E081", proxied, "“expire”"),
    "after and at": ("E082", lambda: more(after=DAY, at="state_since"), "“more”"),
    "at a field that holds no time": ("E083", lambda: more(at="lifecycle_sequence"), "“lifecycle_sequence”"),
    "at a field that there is not": ("E034", lambda: more(at="due_on"), "“due_on”"),
    "out of a terminal state": ("E084", lambda: more("c", after=DAY, compensating=True), "“c”"),
}


@pytest.mark.parametrize(("id_", "make", "names"), TIMED.values(), ids=TIMED)
def test_a_defect_of_a_timed_event_is_named(id_: str, make: Callable[[], Model], names: str) -> None:
    (message,) = messages(make())
    assert ids([message]) == [id_]
    assert isinstance(message, Error)
    assert names in message.msg
    assert message.hint
