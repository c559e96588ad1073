"""The list with its badges and counts, and one event on many records: once, with what became of each."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from fsm_lifecycle import System
from fsm_lifecycle.admin.model_admin import state_filter
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import LegalHold, RefusedAttempt, TransitionLog
from tests.admin.people import client_of, staff, with_role
from tests.testapp.models import Bell, Door, Invoice, Light
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.admin.desk")]
ACTOR = System("test")
LIGHTS, INVOICES = ("desk:testapp_light_changelist", "desk:testapp_invoice_changelist")


@pytest.fixture
def browser() -> Client:
    return client_of(staff("root", is_superuser=True))


def choose(client: Client, listed: str, event: str, *records: Any) -> Any:
    """What the list's action answers to a browser: the page that asks."""
    keys = [record.pk for record in records]
    asks = hidden(client.get(reverse(listed)).content.decode(), "ask")
    sent = {"action": f"fire_{event}", ACTION_CHECKBOX_NAME: keys, "ask": asks[:1]}
    return client.post(reverse(listed), sent)


def act(client: Client, listed: str, event: str, *records: Any) -> Any:
    """Choose, and press the button of the page that asks."""
    asked = choose(client, listed, event, *records).content.decode()
    address = reverse(listed.replace("changelist", "bulk"), args=[event])
    assert f'<form method="post" action="{address}"' in asked
    return client.post(address, {"seen": hidden(asked, "seen")})


def hidden(html: str, name: str) -> list[str]:
    return re.findall(rf'name="{name}" value="([^"]*)"', html)


# --- the list -----------------------------------------------------------------------------------------------


def test_states_are_badges_and_filters_say_how_many(browser: Client) -> None:
    on, _ = Light.objects.create(), Light.objects.create()
    on.fire("switch_on", actor=ACTOR)
    html = browser.get(reverse(LIGHTS)).content.decode()
    assert html.count('<span class="lifecycle-state') == 2
    assert '<td class="field-state"><span class="lifecycle-state t-active">' in html
    assert "Off (1)" in html
    assert "On (1)" in html
    assert "Broken (0)" in html
    filtered = browser.get(reverse(LIGHTS), {"state": "on"}).content.decode()
    assert filtered.count('<span class="lifecycle-state') == 1
    assert browser.get(reverse(LIGHTS), {"state": "nonsense"}).status_code == 200


def test_large_tables_are_counted_by_the_rollup_which_says_its_age(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_filter, "COUNTED", 1)
    Light.objects.bulk_create(Light() for _ in range(3))
    assert "Off (" not in browser.get(reverse(LIGHTS)).content.decode()
    seal()
    Light.objects.create()
    html = browser.get(reverse(LIGHTS)).content.decode()
    assert "Off (3)" in html
    assert "counted" in html


def test_a_list_costs_the_same_whatever_its_length() -> None:
    browser = client_of(with_role(staff("ed"), "auditor", Claim))
    address = reverse("desk:testapp_claim_changelist")
    Claim.objects.create()
    browser.get(address)
    with CaptureQueriesContext(connection) as few:
        browser.get(address)
    Claim.objects.bulk_create(Claim() for _ in range(60))
    with CaptureQueriesContext(connection) as many:
        browser.get(address)
    assert len(many) == len(few)


# --- one event on many ---------------------------------------------------------------------------------------


def test_it_is_asked_first_and_said_how_many_will_move_and_why_others_stay(browser: Client) -> None:
    off, other, on = (Light.objects.create(name=name) for name in ("hall", "stairs", "cellar"))
    on.fire("switch_on", actor=ACTOR)
    before = TransitionLog.objects.count(), RefusedAttempt.objects.count()
    answer = choose(browser, LIGHTS, "switch_on", off, other, on)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert "2 of 3 lights can be moved. 1 stays as it is, for the reason below." in html
    assert "The light becomes On." in html
    assert ">Switch on: 2 lights</button>" in html
    reason = on.decide("switch_on", actor=ACTOR).denials[0].reason
    assert f"<strong>{reason}</strong> · 1" in html
    assert str(on) in html
    assert (TransitionLog.objects.count(), RefusedAttempt.objects.count()) == before
    assert not Light.objects.filter(pk__in=[off.pk, other.pk], state="on").exists()


def test_a_program_that_sends_all_answers_with_the_action_is_asked_nothing(browser: Client) -> None:
    light, invoice = Light.objects.create(), Invoice.objects.create(client_name="Ada", amount=5)
    sent: dict[str, Any] = {"action": "fire_switch_on", ACTION_CHECKBOX_NAME: [light.pk]}
    assert browser.post(reverse(LIGHTS), sent).status_code == 302
    light.refresh_from_db()
    assert light.state == "on"
    invoice.fire("send_invoice", actor=ACTOR)
    sent = {"action": "fire_pay", ACTION_CHECKBOX_NAME: [invoice.pk]}
    assert "1 invoice chosen." in browser.post(reverse(INVOICES), sent).content.decode()
    wrong = browser.post(reverse(INVOICES), {**sent, "paid_on": "soon", "note": "words"})
    assert wrong.status_code == 200
    assert browser.post(reverse(INVOICES), {**sent, "paid_on": "2026-11-02", "note": "a"}).status_code == 302
    assert invoice.log.latest("sequence").arguments["paid_on"] == date(2026, 11, 2)


def test_where_none_can_be_moved_there_is_nothing_to_send(browser: Client) -> None:
    lights = [Light.objects.create() for _ in range(2)]
    html = choose(browser, LIGHTS, "switch_off", *lights).content.decode()
    assert "None of the 2 lights can be moved by Switch off." in html
    assert 'name="seen"' not in html
    assert "This light cannot be moved" in choose(browser, LIGHTS, "switch_off", lights[0]).content.decode()


def test_after_the_answer_a_reload_does_nothing(browser: Client) -> None:
    off, on, broken = (Light.objects.create() for _ in range(3))
    on.fire("switch_on", actor=ACTOR)
    broken.fire("smash", actor=ACTOR)
    response = act(browser, LIGHTS, "switch_on", off, on, broken)
    assert response.status_code == 302
    before = TransitionLog.objects.count()
    for _ in range(2):
        html = browser.get(response.url).content.decode()
        assert "1 of 3 lights is On. 2 stayed as they were." in html
        assert "Reloading this page does nothing again." in html
    assert TransitionLog.objects.count() == before
    off.refresh_from_db()
    assert off.state == "on"
    entry = off.log.last()
    assert entry is not None
    assert "batch" in entry.metadata
    assert LogEntry.objects.count() == 1
    assert {one.surface for one in RefusedAttempt.objects.all()} == {"admin"}


def test_refused_records_are_grouped_by_their_reason(browser: Client) -> None:
    empty, free = Invoice.objects.create(client_name=""), Invoice.objects.create(client_name="Ada")
    good = Invoice.objects.create(client_name="Ada", amount=5)
    response = act(browser, INVOICES, "send_invoice", empty, free, good)
    html = browser.get(response.url).content.decode()
    both = "The invoice total must be positive. Write the client&#x27;s name first."
    assert f"<strong>{both}</strong> · 1" in html
    assert "<strong>The invoice total must be positive.</strong> · 1" in html
    assert "1 of 3 invoices is Sent." in html


def test_an_event_with_arguments_asks_first_and_keeps_what_was_typed(browser: Client) -> None:
    invoices = [Invoice.objects.create(client_name="Ada", amount=5) for _ in range(2)]
    draft = Invoice.objects.create(client_name="Bo")
    for invoice in invoices:
        invoice.fire("send_invoice", actor=ACTOR)
    html = choose(browser, INVOICES, "pay", *invoices, draft).content.decode()
    assert "2 of 3 invoices can be moved." in html
    seen = hidden(html, "seen")
    assert sorted(seen) == sorted([f"2:{one.pk}" for one in invoices] + [f"1:{draft.pk}"])
    address = reverse("desk:testapp_invoice_bulk", args=["pay"])
    wrong = browser.post(address, {"seen": seen, "paid_on": "soon", "note": "words"}).content.decode()
    assert "Enter a valid date." in wrong
    assert "words" in wrong
    assert hidden(wrong, "seen") == seen
    response = browser.post(address, {"seen": seen, "paid_on": "2026-11-02", "note": "words"})
    assert response.status_code == 302
    assert Invoice.objects.filter(state="paid", paid_on="2026-11-02").count() == 2


def test_records_that_changed_meanwhile_stay_and_can_be_tried_again_with_the_same_answers(
    browser: Client,
) -> None:
    first, second = (Invoice.objects.create(client_name="Ada", amount=5) for _ in range(2))
    for invoice in (first, second):
        invoice.fire("send_invoice", actor=ACTOR)
    seen = hidden(choose(browser, INVOICES, "pay", first, second).content.decode(), "seen")
    first.fire("mark_overdue", actor=ACTOR)
    address = reverse("desk:testapp_invoice_bulk", args=["pay"])
    response: Any = browser.post(address, {"seen": seen, "paid_on": "2026-11-02", "note": "a & b"})
    html = browser.get(response.url).content.decode()
    first.refresh_from_db()
    assert first.state == "overdue"
    assert "Changed by someone else since the page was made." in html
    assert "Try the 1 changed one again" in html
    again = {name: hidden(html, name) for name in ("seen", "paid_on", "note")}
    assert again == {"seen": [f"3:{first.pk}"], "paid_on": ["2026-11-02"], "note": ["a &amp; b"]}
    browser.post(address, {"seen": again["seen"], "paid_on": "2026-11-02", "note": "a & b"})
    first.refresh_from_db()
    assert first.state == "paid"


def test_what_may_not_be_seen_is_not_moved_and_not_named() -> None:
    mine, other = Claim.objects.create(title="mine"), Claim.objects.create(title="other")
    client = client_of(with_role(staff("exa"), "examiner", mine))
    address = reverse("desk:testapp_claim_bulk", args=["examine"])
    response: Any = client.post(
        address, {"seen": [f"1:{mine.pk}", f"1:{other.pk}", "x", "1:", "1:nine", "-1:1"]}
    )
    html = client.get(response.url).content.decode()
    assert "No longer there, or not for you to see." in html
    assert "other" not in html.split('class="lc-page"')[1].replace("others", "")
    mine.refresh_from_db()
    other.refresh_from_db()
    assert (mine.state, other.state) == ("examined", "filed")


@override_settings(FSM_LIFECYCLE={"ADMIN_BULK_INLINE": 2})
def test_more_than_fit_a_request_are_not_taken_from_a_page_that_asks(browser: Client) -> None:
    lights = [Light.objects.create() for _ in range(3)]
    sent = {"seen": [f"1:{light.pk}" for light in lights]}
    browser.post(reverse("desk:testapp_light_bulk", args=["switch_on"]), sent)
    assert not Light.objects.filter(state="on").exists()


def test_an_effect_that_fails_fails_its_own_record_alone(browser: Client) -> None:
    bad, good = Bell.objects.create(mischief="raise"), Bell.objects.create()
    for bell in (bad, good):
        bell.fire("ring", actor=ACTOR)
    html = browser.get(act(browser, "desk:testapp_bell_changelist", "hush", bad, good).url).content.decode()
    assert "An effect of the event failed, so this record stayed as it was." in html
    assert "secret" not in html
    good.refresh_from_db()
    assert good.state == "silent"


def test_a_result_is_its_owners_and_comes_as_csv_without_formulas(browser: Client) -> None:
    light = Light.objects.create(name="=cmd()")
    address = act(browser, LIGHTS, "switch_on", light).url
    text = browser.get(f"{address}?format=csv").content.decode()
    assert text.splitlines()[1].startswith(f"{light.pk},")
    other = client_of(staff("eve", is_superuser=True))
    assert other.get(address).status_code == 302
    assert (
        browser.get(reverse("desk:testapp_light_bulk_result", args=["switch_on", "00000000"])).status_code
        == 302
    )


def test_a_get_of_the_bulk_page_leads_back(browser: Client) -> None:
    assert browser.get(reverse("desk:testapp_light_bulk", args=["switch_on"])).status_code == 302
    assert browser.get(reverse("desk:testapp_light_bulk", args=["explode"])).status_code == 404


# --- deleting -------------------------------------------------------------------------------------------------


def test_a_legal_hold_keeps_a_record_from_being_deleted_by_either_road(browser: Client) -> None:
    held, free = Light.objects.create(), Light.objects.create()
    LegalHold.objects.place(held, reason="court case", by=User.objects.get(username="root"))
    address = reverse("desk:testapp_light_delete", args=[held.pk])
    html = browser.post(address, {"post": "yes"}, follow=True).content.decode()
    assert "Nothing was deleted." in html
    assert "court case" in html
    keys = [held.pk, free.pk]
    sent = {"action": "delete_selected", ACTION_CHECKBOX_NAME: keys, "post": "yes"}
    html = browser.post(reverse(LIGHTS), sent, follow=True).content.decode()
    assert "Nothing was deleted." in html
    assert Light.objects.count() == 2
    assert not LogEntry.objects.filter(action_flag=3).exists()


@pytest.mark.parametrize("key", ["", "abc", "1\0", "9" * 30, "-1e5"])
def test_nonsense_for_keys_is_no_record(browser: Client, key: str) -> None:
    light = Light.objects.create()
    sent = {"action": "fire_switch_on", ACTION_CHECKBOX_NAME: [key]}
    assert "Nothing was done." in browser.post(reverse(LIGHTS), sent, follow=True).content.decode()
    response: Any = browser.post(
        reverse("desk:testapp_light_bulk", args=["switch_on"]), {"seen": [f"1:{key}", f"1:{light.pk}"]}
    )
    assert "1 of " in browser.get(response.url).content.decode()
    light.refresh_from_db()
    assert light.state == "on"


def test_many_under_one_reason_are_counted_and_the_first_are_listed(browser: Client) -> None:
    lights = [Light.objects.create() for _ in range(25)]
    seen = [f"1:{light.pk}" for light in lights]
    response: Any = browser.post(reverse("desk:testapp_light_bulk", args=["switch_off"]), {"seen": seen})
    html = browser.get(response.url).content.decode()
    assert "and 5 more; the CSV has them all" in html
    assert html.count("/desk/testapp/light/") >= 20
    assert len(browser.get(f"{response.url}?format=csv").content.decode().splitlines()) == 26


def test_a_record_whose_key_is_event_has_its_page(browser: Client) -> None:
    door = Door.objects.create(code="event")
    assert browser.get(reverse("desk:testapp_door_change", args=[door.pk])).status_code == 200
    assert browser.get(reverse("desk:testapp_door_event", args=[door.pk, "open_up"])).status_code == 200
