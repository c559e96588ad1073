"""One event on very many records, part by part: each decided as of then, none fired twice, whatever happens between."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.utils import timezone

from fsm_lifecycle.access import grant_role, revoke_role
from fsm_lifecycle.dispatch import work_off
from fsm_lifecycle.dispatch.items import retry
from fsm_lifecycle.engine import bulk_errand, errands
from fsm_lifecycle.engine.errand import Errand, ErrandPart
from fsm_lifecycle.models import RefusedAttempt, TransitionLog, WorkItem
from tests.acting import ACTOR
from tests.errands.conftest import Asking
from tests.testapp.models import Bell, Invoice, Light
from tests.testapp.offices import Claim

pytestmark = pytest.mark.django_db


def entries(event: str) -> list[tuple[str, int]]:
    return list(TransitionLog.objects.filter(event=event).values_list("object_pk", "sequence"))


def worked_off(errand: Errand) -> Errand:
    """However long it takes, what is tried again is later."""
    with time_machine.travel(timezone.now(), tick=False):
        work_off("default")
    errand.refresh_from_db()
    return errand


def due_again() -> None:
    WorkItem.objects.update(due_at="2026-01-01T00:00Z")


def test_every_record_is_fired_once_and_counted(root: User, asked: Asking) -> None:
    lights = [Light.objects.create() for _ in range(7)]
    lights[2].fire("smash", actor=ACTOR)
    errand = worked_off(asked(root, "switch_on", lights))
    assert (errand.status, errand.done, errand.total) == (Errand.DONE, 7, 7)
    assert (errand.result["moved"], errand.result["refused"], errand.result["changed"]) == (6, 1, 0)
    assert [(one["number"], one["records"]) for one in errand.result["groups"]] == [
        (1, [[str(lights[2].pk), "broken"]])
    ]
    assert len(entries("switch_on")) == 6
    assert ErrandPart.objects.filter(errand=errand).count() == 3
    entry = TransitionLog.objects.filter(event="switch_on")[0]
    assert entry.metadata["bulk"] == errand.payload["code"]
    assert (entry.actor_kind, entry.actor_id) == ("user", str(root.pk))
    assert {one.surface for one in RefusedAttempt.objects.all()} == {"admin"}
    assert LogEntry.objects.filter(user=root).count() == 6


def test_what_was_begun_is_not_begun_again(root: User, asked: Asking) -> None:
    errand = asked(root, "switch_on", [Light.objects.create()])
    assert not bulk_errand.begin(errand, {}, "")
    assert WorkItem.objects.count() == 1


def test_arguments_reach_every_record_and_are_forgotten_after(root: User, asked: Asking) -> None:
    invoices = [Invoice.objects.create(client_name="Ada", amount=5) for _ in range(4)]
    for invoice in invoices:
        invoice.fire("send_invoice", actor=ACTOR)
    errand = worked_off(asked(root, "pay", invoices, paid_on="2026-11-02", note="private words"))
    assert Invoice.objects.filter(state="paid", paid_on="2026-11-02").count() == 4
    assert "private words" not in str(errand.payload)


def test_a_record_that_changed_since_it_was_seen_stays(root: User, asked: Asking) -> None:
    lights = [Light.objects.create() for _ in range(2)]
    errand = asked(root, "switch_on", lights)
    lights[0].fire("switch_on", actor=ACTOR)
    lights[0].fire("switch_off", actor=ACTOR)
    errand = worked_off(errand)
    assert (errand.result["moved"], errand.result["changed"]) == (1, 1)
    assert list(bulk_errand.stale(errand)) == [str(lights[0].pk)]
    lights[0].refresh_from_db()
    assert lights[0].state == "off"


def test_a_part_that_fails_midway_leaves_nothing_and_is_done_whole_later(
    root: User, asked: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    lights = [Light.objects.create() for _ in range(7)]
    errand = asked(root, "switch_on", lights)
    told: list[int] = []

    def tell(*moved: Any) -> None:
        told.append(len(moved[3]))
        if len(told) == 2:
            raise RuntimeError("the worker dies here")

    monkeypatch.setitem(bulk_errand._witnesses, "admin", tell)
    errand = worked_off(errand)
    assert (errand.status, errand.done, len(entries("switch_on"))) == (Errand.GOING, 3, 3)
    due_again()
    errand = worked_off(errand)
    assert (errand.status, errand.done, errand.result["moved"]) == (Errand.DONE, 7, 7)
    assert len(set(entries("switch_on"))) == len(entries("switch_on")) == 7
    assert {number for _, number in entries("switch_on")} == {2}


def test_who_lost_the_lease_writes_nothing(
    root: User, asked: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    errand = asked(root, "switch_on", [Light.objects.create() for _ in range(3)])

    def another_takes_over(*moved: Any) -> None:
        WorkItem.objects.update(fence=99, holder="another")

    monkeypatch.setitem(bulk_errand._witnesses, "admin", another_takes_over)
    errand = worked_off(errand)
    assert (errand.done, entries("switch_on")) == (0, [])
    assert not Light.objects.filter(state="on").exists()


def test_it_works_in_stints_which_use_up_no_tries(
    root: User, asked: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands, "STINT", 0.0)
    lights = [Light.objects.create() for _ in range(40)]
    errand = worked_off(asked(root, "switch_on", lights))
    assert (errand.status, len(entries("switch_on"))) == (Errand.DONE, 40)
    assert WorkItem.objects.get().tries == 1


def test_it_stops_between_two_parts_when_it_is_told_to(
    root: User, asked: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    errand = asked(root, "switch_on", [Light.objects.create() for _ in range(7)])

    def tell(*moved: Any) -> None:
        assert errands.stop(Errand.objects.get())

    monkeypatch.setitem(bulk_errand._witnesses, "admin", tell)
    errand = worked_off(errand)
    assert (errand.status, errand.done, len(entries("switch_on"))) == (Errand.STOPPED, 3, 3)
    assert errand.why == "It was told to stop."
    assert not errands.stop(errand)
    assert WorkItem.objects.get().status == WorkItem.DONE


@pytest.mark.parametrize("what", ["deactivated", "deleted"])
def test_it_stops_when_its_person_is_gone(
    root: User, asked: Asking, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    errand = asked(root, "switch_on", [Light.objects.create() for _ in range(7)])

    def tell(*moved: Any) -> None:
        if what == "deactivated":
            User.objects.update(is_active=False)
        else:
            User.objects.all().delete()

    monkeypatch.setitem(bulk_errand._witnesses, "admin", tell)
    errand = worked_off(errand)
    assert (errand.status, len(entries("switch_on"))) == (Errand.STOPPED, 3)
    assert "account" in errand.why


def test_rights_are_those_of_the_moment(asked: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    ed = User.objects.create_user("ed")
    claims = [Claim.objects.create() for _ in range(6)]
    grant_role(ed, "examiner", on=Claim, by=ACTOR)
    errand = asked(ed, "examine", claims)
    monkeypatch.setitem(
        bulk_errand._witnesses, "admin", lambda *moved: revoke_role(ed, "examiner", on=Claim, by=ACTOR)
    )
    errand = worked_off(errand)
    assert (errand.status, errand.result["moved"], errand.result["refused"]) == (Errand.DONE, 3, 3)
    assert [one["reason"] for one in errand.result["groups"]] == [bulk_errand.GONE]
    assert Claim.objects.filter(state="examined").count() == 3


def test_an_effect_that_fails_fails_its_own_record_alone(root: User, asked: Asking) -> None:
    bad, good = Bell.objects.create(mischief="raise"), Bell.objects.create()
    for bell in (bad, good):
        bell.fire("ring", actor=ACTOR)
    errand = worked_off(asked(root, "hush", [bad, good]))
    assert (errand.result["moved"], errand.result["refused"]) == (1, 1)
    good.refresh_from_db()
    assert good.state == "silent"


def test_a_model_or_an_event_that_is_gone_is_given_up_with_its_reason(root: User, asked: Asking) -> None:
    errand = asked(root, "switch_on", [Light.objects.create()])
    Errand.objects.update(payload={**errand.payload, "event": "fly"})
    errand = worked_off(errand)
    assert (errand.status, errand.why) == (Errand.FAILED, "There is no event “fly” any more.")
    assert WorkItem.objects.get().status == WorkItem.DEAD


def test_a_failed_errand_that_is_retried_goes_on(root: User, asked: Asking) -> None:
    errand = asked(root, "switch_on", [Light.objects.create()])
    payload = errand.payload
    Errand.objects.update(payload={**payload, "event": "fly"})
    assert worked_off(errand).status == Errand.FAILED
    Errand.objects.update(payload=payload)
    assert retry(WorkItem.objects.get())
    errand = worked_off(errand)
    assert (errand.status, errand.why, errand.result["moved"]) == (Errand.DONE, "", 1)


def test_results_are_bounded_and_complete_beside(
    root: User, asked: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_errand, "REASONS", 1)
    monkeypatch.setattr(bulk_errand, "NAMED", 2)
    lights = [Light.objects.create() for _ in range(12)]
    for light in lights[:4]:
        light.fire("smash", actor=ACTOR)
    for light in lights[4:8]:
        light.fire("switch_on", actor=ACTOR)
    errand = worked_off(asked(root, "switch_on", lights))
    groups = errand.result["groups"]
    assert [one["number"] for one in groups] == [4, 4]
    assert [one["reason"] for one in groups][1] == bulk_errand.OTHER
    assert all(len(one["records"]) == 2 for one in groups)
    assert len(errand.result["named"]) == 2
    assert len(list(bulk_errand.lines(errand))) == 12
