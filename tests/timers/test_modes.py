"""Timers in the hands of those who work: the command, and the mode ``inline``."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command

from fsm_lifecycle.dispatch.celery import CELERY_BEAT_SCHEDULE
from fsm_lifecycle.dispatch.queues import all_queues
from fsm_lifecycle.dispatch.routines import all_routines
from fsm_lifecycle.models import Timer
from tests.testapp.clocks import Case
from tests.timers.conftest import TESTER

Clock = time_machine.Traveller


@pytest.mark.django_db
def test_the_command_works_off_what_is_due(clock: Clock) -> None:
    case = Case.objects.create()
    case.fire("resolve", actor=TESTER)
    call_command("lifecycle_work", once=True, stdout=StringIO())
    clock.shift(timedelta(days=5))
    call_command("lifecycle_work", once=True, stdout=StringIO())
    assert Case.objects.get().state == "closed"


@pytest.mark.django_db(transaction=True)
def test_inline_a_timer_is_set_by_the_commit_that_needs_it(settings: Any, clock: Clock) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "inline"}
    case = Case.objects.create()
    assert Timer.objects.get().event == "chase"
    case.fire("resolve", actor=TESTER)
    assert Timer.objects.get().event == "expire"
    clock.shift(timedelta(days=5))
    Case.objects.create()
    assert Case.objects.get(pk=case.pk).state == "closed"


@pytest.mark.pure
def test_beat_knows_every_part_of_it() -> None:
    planned = {
        (entry["task"].rpartition(".")[2], entry["args"][0]) for entry in CELERY_BEAT_SCHEDULE.values()
    }
    mine = {("routine", one.name) for one in all_routines()} | {("queue", one.name) for one in all_queues()}
    assert {one for one in mine if one[1].startswith("timers")} <= planned
