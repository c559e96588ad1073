"""An event on more records than a request moves: it asks, goes on in the background, and says what came of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from fsm_lifecycle import System
from fsm_lifecycle.dispatch import work_off
from fsm_lifecycle.models import Errand, TransitionLog, WorkItem
from tests.admin.people import client_of, staff, with_role
from tests.testapp.models import Invoice, Light
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.admin.desk")]
ACTOR = System("test")
LIGHTS, INVOICES = ("desk:testapp_light_changelist", "desk:testapp_invoice_changelist")


@pytest.fixture
def browser() -> Client:
    return client_of(staff("root", is_superuser=True))


@pytest.fixture(autouse=True)
def two_at_once(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"ADMIN_BULK_INLINE": 2}


def chosen(client: Client, listed: str, event: str, *records: Any) -> str:
    """The address to which the choice of records leads."""
    keys = [record.pk for record in records]
    answer: Any = client.post(reverse(listed), {"action": f"fire_{event}", ACTION_CHECKBOX_NAME: keys})
    assert answer.status_code == 302
    address: str = answer.url
    assert "/_errand/" in address
    return address


def text_of(client: Client, address: str) -> str:
    html = client.get(address).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_it_asks_first_then_goes_on_alone_and_reloading_does_nothing_again(browser: Client) -> None:
    lights = [Light.objects.create() for _ in range(5)]
    lights[0].fire("smash", actor=ACTOR)
    address = chosen(browser, LIGHTS, "switch_on", *lights)
    text = text_of(browser, address)
    assert "5 lights chosen." in text
    assert "in the background" in text
    assert "Off 4" in text
    assert "Broken 1 cannot be moved from there" in text
    assert WorkItem.objects.count() == 0
    for _ in range(2):  # a button pressed twice
        assert browser.post(address).status_code == 302
    assert WorkItem.objects.count() == 1
    answer = browser.get(address)
    assert "Waits for a worker" in answer.content.decode()
    assert '<noscript><meta http-equiv="refresh"' in answer.content.decode()
    assert 'role="progressbar"' in answer.content.decode()
    work_off("default")
    before = TransitionLog.objects.count()
    for _ in range(2):
        text = text_of(browser, address)
        assert "4 of 5 lights are On. 1 stayed as it was." in text
        assert "Reloading this page does nothing again." in text
    browser.post(address)
    work_off("default")
    assert TransitionLog.objects.count() == before
    rows = browser.get(f"{address}?format=csv").getvalue().decode().splitlines()
    assert len(rows) == 6
    assert rows[1] == f"{lights[0].pk},broken,,refused,{rows[1].split(',', 4)[4]}"


def test_all_of_a_list_across_its_pages(browser: Client) -> None:
    lights = [Light.objects.create() for _ in range(5)]
    sent = {"action": "fire_switch_on", ACTION_CHECKBOX_NAME: [lights[0].pk], "select_across": "1"}
    answer: Any = browser.post(reverse(LIGHTS), sent)
    browser.post(answer.url)
    work_off("default")
    assert Light.objects.filter(state="on").count() == 5


def test_answers_are_asked_for_checked_and_kept_for_the_changed_ones(browser: Client) -> None:
    invoices = [Invoice.objects.create(client_name="Ada", amount=5) for _ in range(3)]
    for invoice in invoices:
        invoice.fire("send_invoice", actor=ACTOR)
    address = chosen(browser, INVOICES, "pay", *invoices)
    html = browser.post(address, {"paid_on": "soon", "note": "a & b"}).content.decode()
    assert "Enter a valid date." in html
    assert "a &amp; b" in html
    assert Errand.objects.get().status == Errand.ASKED
    invoices[0].fire("mark_overdue", actor=ACTOR)
    browser.post(address, {"paid_on": "2026-11-02", "note": "a & b"})
    work_off("default")
    text = text_of(browser, address)
    assert "2 of 3 invoices are Paid. 1 stayed as it was." in text
    assert "Try the 1 changed one again" in text
    again: Any = browser.post(address, {"what": "again"})
    html = browser.get(again.url).content.decode()
    assert 'value="2026-11-02"' in html
    assert "a &amp; b" in html
    browser.post(again.url, {"paid_on": "2026-11-02", "note": "a & b"})
    work_off("default")
    invoices[0].refresh_from_db()
    assert invoices[0].state == "paid"


def test_a_file_cannot_wait(browser: Client) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    lights = [Light.objects.create() for _ in range(3)]
    address = chosen(browser, LIGHTS, "switch_on", *lights)
    html = browser.post(address, {"x": SimpleUploadedFile("x.txt", b"x")}).content.decode()
    assert "A file cannot wait" in html
    assert WorkItem.objects.count() == 0


def test_it_can_be_stopped(browser: Client) -> None:
    lights = [Light.objects.create() for _ in range(3)]
    address = chosen(browser, LIGHTS, "switch_on", *lights)
    browser.post(address)
    assert "Stop" in text_of(browser, address)
    browser.post(address, {"what": "stop"})
    assert "It stops after the records that are at work now." in text_of(browser, address)
    work_off("default")
    text = text_of(browser, address)
    assert "0 of 3 lights were moved. 3 were not tried." in text
    assert "It was told to stop." in text


def test_it_is_nobody_elses(browser: Client) -> None:
    lights = [Light.objects.create() for _ in range(3)]
    address = chosen(browser, LIGHTS, "switch_on", *lights)
    eve = client_of(staff("eve", is_superuser=True))
    assert eve.get(address).status_code == 302
    assert eve.post(address).status_code == 302
    assert WorkItem.objects.count() == 0
    for wrong in ("999999", "9" * 30):
        assert browser.get(reverse("desk:testapp_light_errand", args=[int(wrong)])).status_code == 302


def test_what_may_not_be_seen_is_neither_chosen_nor_named() -> None:
    ed = staff("ed")
    mine = [Claim.objects.create(title=f"mine {n}") for n in range(3)]
    other = Claim.objects.create(title="other")
    for claim in mine:
        with_role(ed, "examiner", claim)
    client = client_of(ed)
    listed = "desk:testapp_claim_changelist"
    address = chosen(client, listed, "examine", *mine, other)
    assert "3 claims chosen." in text_of(client, address)
    client.post(address)
    work_off("default")
    assert "3 of 3 claims are Examined." in text_of(client, address)
    other.refresh_from_db()
    assert other.state == "filed"


def test_names_of_records_are_looked_up_and_escaped(browser: Client) -> None:
    lights = [Light.objects.create(name="<script>alert(1)</script>") for _ in range(3)]
    address = chosen(browser, LIGHTS, "switch_off", *lights)
    browser.post(address)
    work_off("default")
    html = browser.get(address).content.decode()
    assert "<script>alert" not in html
    assert f"/desk/testapp/light/{lights[0].pk}/change/" in html
    User.objects.update(is_active=False)
    assert "<script>" not in str(Errand.objects.get().result)
