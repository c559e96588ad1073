"""Durable effects: written with the firing, done after it, told the same as they would have been then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.dispatch import work_off
from fsm_lifecycle.exceptions import CauseLoop
from fsm_lifecycle.models import RefusedAttempt, TransitionLog, WorkItem
from tests.testapp import gates
from tests.testapp.gates import Gate

pytestmark = pytest.mark.usefixtures("transactional_db")

ACTOR = System("test")


class Broken(Exception):
    pass


def gate(**values: Any) -> Any:
    return Gate.objects.create(**values)


def work_off_now() -> None:
    """Do what is due now. However long it takes, what is tried again is later."""
    with time_machine.travel(timezone.now(), tick=False):
        work_off()


def promises() -> list[Any]:
    return [seen[2] for seen in gates.SEEN if seen[0] == "promise"]


def test_it_is_not_run_by_the_one_who_fires() -> None:
    gate().fire("promise", actor=ACTOR, arguments={"load": 3})
    assert promises() == []
    assert [item.kind for item in WorkItem.objects.all()] == ["effect"]
    work_off()
    assert len(promises()) == 1


def test_a_firing_with_it_costs_one_statement_more(django_assert_max_num_queries: Any) -> None:
    plain, promised = gate(), gate()
    plain.fire("carry", actor=ACTOR, arguments={"load": 3})  # definitions are written by now
    other = gate()
    with CaptureQueriesContext(connection) as without:
        other.fire("carry", actor=ACTOR, arguments={"load": 3})
    with CaptureQueriesContext(connection) as durable:
        promised.fire("promise", actor=ACTOR, arguments={"load": 3})

    def statements(captured: Any) -> int:
        return sum(not q["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")) for q in captured)

    assert statements(durable) == statements(without) + 1


def test_records_of_a_field_for_several_are_a_queryset_again() -> None:
    first, second = gate(), gate()
    booked = [gate(), gate()]
    for record, who in zip(booked, ([first.pk, second.pk], []), strict=True):
        record.fire("book", actor=ACTOR, arguments={"when": timezone.now(), "who": who})
    work_off()
    # Several threads work: which comes first is not said.
    told = {firing.record.pk: firing.arguments["who"] for firing in promises()}
    several, none = (told[record.pk] for record in booked)
    assert set(several.filter(pk__gt=0)) == {first, second}
    assert isinstance(none, QuerySet)
    assert not none.exists()


def test_it_is_told_what_the_firing_was() -> None:
    user, _ = get_user_model().objects.get_or_create(username="ada")
    partner, record = gate(), gate()
    entry = record.fire(
        "promise",
        actor=user,
        arguments={"load": 3, "partner": partner.pk, "details": {"a": [1, None]}},
        metadata={"from": "a test"},
        occurred_at=timezone.now() - timedelta(days=1),
    )
    work_off()
    (firing,) = promises()
    assert (firing.event.name, firing.source, firing.target) == ("promise", "shut", "open")
    assert firing.actor == user
    assert firing.arguments["load"] == 3
    assert firing.arguments["partner"] == partner
    assert firing.arguments["details"] == {"a": [1, None]}
    assert firing.metadata == {"from": "a test"}
    assert (firing.sequence, firing.cause) == (entry.sequence, None)
    assert firing.occurred_at == entry.occurred_at
    assert firing.record == record
    user.delete()


def test_it_is_not_there_after_a_rollback() -> None:
    record = gate()
    with transaction.atomic():
        record.fire("promise", actor=ACTOR, arguments={"load": 3})
        transaction.set_rollback(True)
    assert not WorkItem.objects.exists()


def test_it_is_tried_again_and_the_state_stands() -> None:
    def fail(record: Any, firing: Any) -> None:
        raise Broken

    record = gate()
    gates.ORDERS.append(fail)
    record.fire("promise", actor=ACTOR, arguments={"load": 3})
    work_off_now()
    record.refresh_from_db()
    assert record.state == "open"
    item = WorkItem.objects.get()
    assert (item.status, item.tries) == ("queued", 1)
    gates.ORDERS.clear()
    with time_machine.travel(item.due_at + timedelta(seconds=1)):
        work_off()
    item.refresh_from_db()
    assert (item.status, item.tries) == ("done", 2)
    first, second = promises()
    assert first.sequence == second.sequence


def test_many_records_write_theirs_with_one_statement() -> None:
    for _ in range(20):
        gate()
    with CaptureQueriesContext(connection) as captured:
        Gate.objects.fire("promise", actor=ACTOR, arguments={"load": 3})
    assert sum("INSERT INTO" in q["sql"] and "workitem" in q["sql"] for q in captured) == 1
    work_off()
    assert len(promises()) == 20


def test_a_record_that_is_gone_is_given_up_in_words() -> None:
    record = gate()
    record.fire("promise", actor=ACTOR, arguments={"load": 3})
    record.delete()
    work_off()
    item = WorkItem.objects.get()
    assert (item.status, item.result) == ("dead", {"why": "The record was deleted."})
    assert promises() == []


def test_an_effect_that_the_table_no_longer_has_is_given_up_in_words() -> None:
    gate().fire("promise", actor=ACTOR, arguments={"load": 3})
    item = WorkItem.objects.get()
    item.payload["effect"] = "renamed"
    item.save()
    work_off()
    item.refresh_from_db()
    assert item.status == "dead"
    assert "renamed" in str(item.result)


# --- fires(..., on_failure="retry") ---------------------------------------------------------------------------


def test_it_fires_on_the_other_record_with_its_cause() -> None:
    other = gate()
    entry = gate(partner=other).fire("pass_on", actor=ACTOR)
    other.refresh_from_db()
    assert other.state == "shut"
    work_off()
    other.refresh_from_db()
    assert other.state == "open"
    assert other.log.last().cause == entry.entry_hash
    assert other.log.last().actor_id == "test"


def test_a_refusal_is_on_record_and_tried_again_until_it_is_none() -> None:
    other = gate(mode="false")
    gate(partner=other).fire("pass_on", actor=ACTOR)
    work_off_now()
    assert RefusedAttempt.objects.filter(object_pk=str(other.pk), event="unlock").count() == 1
    item = WorkItem.objects.get()
    assert item.status == "queued"
    other.mode = ""
    other.save()
    with time_machine.travel(item.due_at + timedelta(seconds=1)):
        work_off()
    other.refresh_from_db()
    assert other.state == "open"


def test_it_fires_once_however_often_it_is_run() -> None:
    other = gate()
    gate(partner=other).fire("pass_on", actor=ACTOR)
    work_off()
    WorkItem.objects.update(status="queued")  # the worker was killed before it could say that it was done
    other.refresh_from_db()
    other.fire("close", actor=ACTOR)
    work_off()
    assert WorkItem.objects.get().status == "done"
    assert TransitionLog.objects.for_record(other).by_event("unlock").count() == 1


def test_a_circle_of_durable_work_is_found(caplog: Any) -> None:
    first = gate()
    second = gate(partner=first)
    first.partner = second
    first.save()

    def go_on(record: Any, firing: Any) -> None:
        record.partner.fire("close", actor=firing.actor) if record.partner.state == "open" else None
        record.partner.fire("promise", actor=firing.actor, arguments={"load": 1})

    gates.ORDERS.append(go_on)
    first.fire("promise", actor=ACTOR, arguments={"load": 1})
    work_off()
    item = WorkItem.objects.get(status="queued")
    assert item.error_class == f"{CauseLoop.__module__}.CauseLoop"
