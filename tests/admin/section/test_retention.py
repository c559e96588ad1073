"""The pages of retention: what may go is shown before it goes, holds keep records, results survive a reload."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fsm_lifecycle.dispatch import work_off
from fsm_lifecycle.engine.eligibility import eligible_page
from fsm_lifecycle.engine.legal_hold import place_hold, release_hold
from fsm_lifecycle.models import LegalHold, TransitionLog
from tests.acting import ACTOR
from tests.retention.ageing import aged, finished
from tests.testapp.models import Light, Parcel

pytestmark = [pytest.mark.once, pytest.mark.django_db]

PAGE = "/admin/lifecycle/retention/"
PURGE = f"{PAGE}purge/testapp.parcel/"


def messages(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def purging(browser: Client, **fields: Any) -> dict[str, Any]:
    return {"as_of": browser.get(PURGE).context["as_of"], "reason": "retention", "redact": "on", **fields}


def test_lifecycles_with_their_counts(browser: Client, texts: Any) -> None:
    finished(Parcel)
    finished(Parcel, 10)
    counts = {one["name"]: one["number"] for one in browser.get(PAGE).context["lifecycles"]}
    assert counts["parcels"] == 1
    assert counts["lights"] == 0


def test_purging_after_a_look(browser: Client, root: User, texts: Any) -> None:
    old, young = finished(Parcel), finished(Parcel, 10)
    page = browser.get(PURGE)
    assert [row["key"] for row in page.context["rows"]] == [str(old.pk)]
    assert "Purge 1 parcel?" in texts(page)
    assert Parcel.objects.count() == 2
    answer = browser.post(PURGE, purging(browser), follow=True)
    assert answer.redirect_chain == [(f"{PAGE}purged/", 302)]
    assert "1 of 1 parcel is purged." in texts(answer)
    assert list(Parcel.objects.all()) == [young]
    last = TransitionLog.objects.filter(kind="purged").get()
    assert (last.object_pk, last.actor_id) == (str(old.pk), str(root.pk))
    browser.get(f"{PAGE}purged/")
    assert TransitionLog.objects.filter(kind="purged").count() == 1
    assert str(old.pk) in texts(browser.get(PAGE))


def test_what_stays_is_said_with_its_reason(
    browser: Client, texts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, old = finished(Parcel), finished(Parcel)
    data = purging(browser)
    pages = iter([eligible_page(Parcel)])
    monkeypatch.setattr("fsm_lifecycle.engine.retention.eligible_page", lambda *a, **k: next(pages, []))
    place_hold(held, reason="Court case 12", by=ACTOR)
    text = texts(browser.post(PURGE, data, follow=True))
    assert "1 of 2 parcels is purged. 1 stayed as it was." in text
    assert "Court case 12" in text
    assert not Parcel.objects.filter(pk=old.pk).exists()


def test_only_what_was_shown_goes(browser: Client) -> None:
    since_then = finished(Parcel, 365.5)
    yesterday = (timezone.now() - timedelta(days=1)).isoformat()
    assert browser.post(PURGE, purging(browser, as_of=yesterday)).status_code == 302
    assert list(Parcel.objects.all()) == [since_then]
    young = aged(since_then, 10)
    future = (timezone.now() + timedelta(days=1000)).isoformat()
    assert browser.post(PURGE, {"as_of": future, "reason": "x"}).context["form"].errors
    assert list(Parcel.objects.all()) == [young], "nobody looks into the future"


@pytest.mark.parametrize(
    "fields",
    [
        {"as_of": ""},
        {"as_of": "x"},
        {"as_of": "2026-11-20T10:00"},
        {"as_of": "2026-13-45T99:99Z"},
        {"reason": ""},
        {"reason": "\0"},
        {"reason": "x" * 201},
    ],
)
def test_a_purge_that_cannot_be_meant_purges_nothing(browser: Client, fields: Any) -> None:
    finished(Parcel)
    answer = browser.post(PURGE, purging(browser, **fields))
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert Parcel.objects.exists()


def test_many_go_in_the_background(browser: Client, settings: Any, texts: Any) -> None:
    settings.FSM_LIFECYCLE = {"ADMIN_BULK_INLINE": 2}
    held, *_ = [finished(Parcel) for _ in range(4)]
    text = texts(browser.get(PURGE))
    assert "Purge 4 parcels?" in text
    assert "So many go in the background" in text
    place_hold(held, reason="Court case 12", by=ACTOR)
    answer: Any = browser.post(PURGE, purging(browser))
    assert Parcel.objects.count() == 4
    text = texts(browser.get(answer.url))
    assert "Waits for a worker" in text
    assert "See how far it is" in texts(browser.get(PAGE))
    work_off("default")
    text = texts(browser.get(answer.url))
    assert "3 of 3 parcels are purged." in text
    assert list(Parcel.objects.all()) == [held]
    assert browser.get(f"{PAGE}purging/99999999999999999999/").status_code == 404


def test_a_purge_in_the_background_can_be_stopped(browser: Client, settings: Any, texts: Any) -> None:
    settings.FSM_LIFECYCLE = {"ADMIN_BULK_INLINE": 2}
    for _ in range(3):
        finished(Parcel)
    answer: Any = browser.post(PURGE, purging(browser))
    assert messages(browser.post(answer.url, {"what": "stop"}, follow=True)) == [
        "It stops after the records that are at work now."
    ]
    work_off("default")
    text = texts(browser.get(answer.url))
    assert "It was told to stop." in text
    assert Parcel.objects.count() == 3


@pytest.mark.parametrize("label", ["testapp.claim", "auth.user", "x", "testapp.parcel'"])
def test_no_purge_without_retention(browser: Client, label: str) -> None:
    assert browser.get(f"{PAGE}purge/{label}/").status_code == 404
    assert browser.post(f"{PAGE}purge/{label}/").status_code == 404


def test_an_empty_purge_says_so(browser: Client, texts: Any) -> None:
    assert "Nothing to purge" in texts(browser.get(PURGE))
    assert "Nothing was purged here" in texts(browser.get(f"{PAGE}purged/"))


def test_placing_and_releasing_a_hold(browser: Client, root: User, texts: Any) -> None:
    parcel = finished(Parcel)
    data = {"model": "testapp.parcel", "record": str(parcel.pk), "reason": "Court case 12"}
    answer = browser.post(f"{PAGE}hold/", data, follow=True)
    assert "A hold is on parcel" in messages(answer)[0]
    hold = LegalHold.objects.get()
    assert (hold.reason, hold.actor_id) == ("Court case 12", str(root.pk))
    assert "Court case 12" in texts(answer)
    assert "Nothing to purge" in texts(browser.get(PURGE))
    called = str(Parcel.objects.get(pk=hold.object_pk))
    called = called if called.lower().startswith("parcel") else f"Parcel {called}"
    assert f"{called} has to stay" in texts(browser.get(PAGE))
    asked = browser.get(f"{PAGE}?release={hold.pk}")
    assert "Release the hold on" in texts(asked)
    refused = browser.post(PAGE, {"hold": str(hold.pk), "reason": " "}, follow=True)
    assert "needs a reason" in messages(refused)[0]
    answer = browser.post(PAGE, {"hold": str(hold.pk), "reason": "Case closed"}, follow=True)
    assert "is released" in messages(answer)[0]
    assert not LegalHold.objects.active().exists()
    again = browser.post(PAGE, {"hold": str(hold.pk), "reason": "Case closed"}, follow=True)
    assert "released already" in messages(again)[0]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"record": "x"}, "record"),
        ({"record": "\0"}, "record"),
        ({"record": "9" * 300}, "record"),
        ({"model": "auth.user"}, "model"),
        ({"reason": ""}, "reason"),
        ({"reason": "\0"}, "reason"),
    ],
)
def test_a_hold_that_cannot_be_meant(browser: Client, described: Any, fields: Any, name: str) -> None:
    parcel = finished(Parcel)
    data = {"model": "testapp.parcel", "record": str(parcel.pk), "reason": "Court", **fields}
    answer = browser.post(f"{PAGE}hold/", data)
    assert answer.status_code == 200
    assert name in answer.context["form"].errors
    described(answer)
    assert not LegalHold.objects.exists()


@pytest.mark.parametrize("key", ["", "x", "0", "9" * 30, "\0", "²"])
def test_a_hold_that_is_not_there(browser: Client, key: str) -> None:
    assert browser.get(PAGE, {"release": key, "h_before": key, "t_after": key}).status_code == 200
    assert browser.post(PAGE, {"hold": key, "reason": "x"}, follow=True).status_code == 200


def test_more_holds_and_tombstones_cost_no_more_statements(browser: Client) -> None:
    def more() -> None:
        place_hold(finished(Parcel), reason="x", by=ACTOR)
        finished(Light)

    def purge_lights() -> None:
        url = f"{PAGE}purge/testapp.light/"
        browser.post(url, {"as_of": browser.get(url).context["as_of"], "reason": "x"})

    def cost() -> int:
        with CaptureQueriesContext(connection) as made:
            assert browser.get(PAGE).context["tombstones"]
        return len(made)

    more()
    purge_lights()
    few = cost()
    for _ in range(30):
        more()
    purge_lights()
    assert cost() == few
    context = browser.get(PAGE).context
    assert len(context["held"]) == len(context["tombstones"]) == 15
    assert len(browser.get(PAGE + context["holds"].older).context["held"]) == 15


def test_released_holds_are_not_listed(browser: Client) -> None:
    hold = place_hold(finished(Parcel), reason="x", by=ACTOR)
    release_hold(hold, reason="over", by=ACTOR)
    assert not browser.get(PAGE).context["held"]


@pytest.mark.parametrize("path", ["", "hold/", "purged/", "purge/testapp.parcel/"])
def test_who_may_see_it(client: Client, staff: Any, path: str) -> None:
    assert client.get(PAGE + path).headers["Location"].startswith("/admin/login/")
    client.force_login(staff("nobody", "view_transitionlog"))
    assert client.get(PAGE + path).status_code == 403
    assert client.post(PAGE + path).status_code == 403
    client.force_login(staff("keeper", "purge_records"))
    assert client.get(PAGE + path).status_code == 200
