"""The page of background work: how queues stand, what was given up and what can be done about it, who is at work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fsm_lifecycle.dispatch import enqueue, figures, kinds, work_off
from fsm_lifecycle.dispatch.kinds import GiveUp, Kind
from fsm_lifecycle.dispatch.routine_state import RoutineState
from fsm_lifecycle.engine import check_errand
from fsm_lifecycle.models import Errand, WorkItem

pytestmark = [pytest.mark.once, pytest.mark.django_db(databases=["default", "other"])]

PAGE = "/admin/lifecycle/work/"


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A kind of work that is given up at once."""

    def run(work: Any) -> None:
        if work.payload.get("good"):
            return
        raise GiveUp("<b>The shelf</b> is empty.")

    made = Kind(name="shelf", label="Shelf", run=run)
    monkeypatch.setitem(kinds._kinds, "shelf", made)
    return made


def dead(**payload: Any) -> WorkItem:
    item = enqueue("shelf", {"book": "<script>alert(1)</script>", **payload})
    assert item is not None
    work_off("default")
    item.refresh_from_db()
    assert item.status == WorkItem.DEAD
    return item


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def test_it_is_for_those_who_manage_work(client: Client, staff: Callable[..., User]) -> None:
    client.force_login(staff("eve", "view_transitionlog"))
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"what": "retry_all"}).status_code == 403
    client.force_login(staff("wim", "manage_work"))
    assert client.get(PAGE).status_code == 200
    assert "Work" not in str(staff("nobody").get_all_permissions())


def test_nothing_to_do_is_said_so(browser: Client, texts: Any) -> None:
    work_off("default")
    text = texts(browser.get(PAGE))
    assert "nothing waits" in text
    assert "every piece of work was done or still has tries" in text
    assert "Sealing" in text
    assert "well" in text


def test_what_is_due_and_since_when_and_who_is_at_it(browser: Client, texts: Any, kind: Kind) -> None:
    long_ago = timezone.now() - timedelta(minutes=8)
    for number in range(3):
        enqueue("shelf", {}, due_at=long_ago + timedelta(seconds=30 * number))
    first = WorkItem.objects.order_by("pk")[0]
    WorkItem.objects.filter(pk=first.pk).update(
        holder="one", lease_until=timezone.now() + timedelta(seconds=60)
    )
    answer = browser.get(PAGE)
    (queue,) = [one for one in answer.context["queues"] if one.name == "work"]
    assert (queue.due, queue.held, queue.workers, queue.whole) == (2, 1, 1, True)
    text = texts(answer)
    assert "Nobody works off what is due." in text
    assert "7 minutes" in text


def test_counts_end_somewhere(browser: Client, texts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MOST", 2)
    for _ in range(4):
        enqueue("effect", {}, due_at=timezone.now())
    (queue,) = [one for one in browser.get(PAGE).context["queues"] if one.name == "work"]
    assert (queue.due, queue.whole) == (2, False)
    assert "2 or more" in texts(browser.get(PAGE))


def test_as_many_statements_for_much_work_as_for_little(browser: Client, kind: Kind) -> None:
    dead()

    def cost() -> int:
        with CaptureQueriesContext(connection) as made:
            assert browser.get(PAGE).status_code == 200
        return len(made)

    cost()
    little = cost()
    for _ in range(20):
        dead()
    assert cost() == little


def test_what_was_given_up_is_told_without_trusting_it(browser: Client, kind: Kind, texts: Any) -> None:
    item = dead()
    answer = browser.get(PAGE)
    content = answer.content.decode()
    assert "<script>alert" not in content
    assert "<b>The shelf" not in content
    text = texts(answer)
    assert "<b>The shelf</b> is empty." in text
    assert f"Shelf {item.pk}" in text
    assert "Work 1" in text


def test_it_can_be_tried_again(browser: Client, kind: Kind) -> None:
    item = dead()
    answer = browser.post(PAGE, {"what": "retry", "item": item.pk}, follow=True)
    assert said(answer) == [f"Shelf {item.pk} is queued again, with all its tries."]
    item.refresh_from_db()
    assert (item.status, item.tries) == (WorkItem.QUEUED, 0)
    again = browser.post(PAGE, {"what": "retry", "item": item.pk}, follow=True)
    assert said(again) == ["This work is not dead any more. Nothing was changed."]


def test_dropping_asks_first(browser: Client, kind: Kind, texts: Any) -> None:
    item = dead()
    text = texts(browser.get(PAGE, {"drop": item.pk}))
    assert f"Drop shelf {item.pk}?" in text
    assert "cannot be called back" in text
    assert WorkItem.objects.count() == 1
    answer = browser.post(PAGE, {"what": "drop", "item": item.pk}, follow=True)
    assert said(answer) == [f"Shelf {item.pk} is dropped. It will not be done."]
    assert WorkItem.objects.count() == 0
    assert "not dead any more" in texts(browser.get(PAGE, {"drop": item.pk}))


def test_all_can_be_tried_again(browser: Client, kind: Kind) -> None:
    for _ in range(3):
        dead()
    answer = browser.post(PAGE, {"what": "retry_all"}, follow=True)
    assert said(answer) == ["3 pieces of work are queued again."]
    assert WorkItem.objects.filter(status=WorkItem.QUEUED).count() == 3
    assert said(browser.post(PAGE, {"what": "retry_all"}, follow=True)) == [
        "No work was given up. Nothing was changed."
    ]


def test_a_post_without_the_token_changes_nothing(root: User, kind: Kind) -> None:
    item = dead()
    client = Client(enforce_csrf_checks=True)
    client.force_login(root)
    assert client.post(PAGE, {"what": "drop", "item": item.pk}).status_code == 403
    assert WorkItem.objects.count() == 1


@pytest.mark.parametrize("wrong", ["", "x", "-1", "9" * 30, "1\0"])
def test_nonsense_changes_nothing(browser: Client, kind: Kind, wrong: str) -> None:
    dead()
    for what in ("retry", "drop", "stop", "explode"):
        answer: Any = browser.post(PAGE, {"what": what, "item": wrong, "errand": wrong, "database": wrong})
        assert answer.status_code == 302
    assert browser.get(PAGE, {"drop": wrong, "database": wrong, "before": wrong}).status_code == 200
    assert WorkItem.objects.get().status == WorkItem.DEAD


def test_what_people_have_under_way_is_seen_and_stopped(browser: Client, root: User, texts: Any) -> None:
    User.objects.update(first_name="Wim", last_name="Aarts")
    errand = check_errand.order(user=root, using="default", deep=False)
    assert errand is not None
    text = texts(browser.get(PAGE))
    assert "Checks of the ledger" in text
    assert "Wim Aarts" in text
    answer = browser.post(PAGE, {"what": "stop", "errand": errand.pk}, follow=True)
    assert said(answer) == ["It stops after the piece that is at work now."]
    work_off("default")
    assert Errand.objects.get().status == Errand.STOPPED
    assert said(browser.post(PAGE, {"what": "stop", "errand": errand.pk}, follow=True)) == [
        "It is over already. Nothing was changed."
    ]


def test_a_routine_that_fails_is_said_to(browser: Client, texts: Any) -> None:
    work_off("default")
    RoutineState.objects.filter(name="sealing").update(
        failed_at=timezone.now(), error_class="OperationalError"
    )
    text = texts(browser.get(PAGE))
    assert "failing OperationalError" in text
