"""A record's own page: its state, what can be done and why the rest cannot, its history and nothing that is hidden."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from fsm_lifecycle import System
from fsm_lifecycle.models import TransitionLog
from tests.admin.people import client_of, staff, with_role
from tests.testapp.models import Door, Invoice, Light, Parcel
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.admin.desk")]
ACTOR = System("test")
INVOICES = ("testapp.view_invoice", "testapp.change_invoice")


def page(client: Client, record: Any) -> str:
    """The page of a record, which must be there."""
    meta = record._meta
    response = client.get(reverse(f"desk:{meta.app_label}_{meta.model_name}_change", args=[record.pk]))
    assert response.status_code == 200
    return response.content.decode()


def button(html: str, event: str) -> str:
    """The element that stands for an event."""
    found = re.search(rf'<(a|button)[^>]*data-lifecycle-event="{event}"[^>]*>', html)
    assert found, f"no {event} on the page"
    return found.group()


def test_events_of_the_state_are_links_and_those_that_fail_say_every_reason() -> None:
    invoice = Invoice.objects.create(client_name="", amount=0)
    html = page(client_of(staff("olga", *INVOICES)), invoice)
    assert "disabled" in button(html, "send_invoice")
    assert "The invoice total must be positive." in html
    assert "Write the client&#x27;s name first." in html
    assert button(html, "cancel").startswith("<a ")
    assert 'data-lifecycle-event="pay"' not in html
    assert '<span class="lifecycle-state t-new is-large">' in html


def test_guard_reasons_are_not_for_those_who_lack_the_role() -> None:
    claim = Claim.objects.create(title="A")
    html = page(client_of(with_role(staff("ed"), "auditor", claim)), claim)
    assert "disabled" in button(html, "examine")
    assert "Needs the role" in html or "role" in html.split('id="why-examine"')[1][:300]


def test_a_final_state_says_so() -> None:
    light = Light.objects.create()
    light.fire("smash", actor=ACTOR)
    html = page(client_of(staff("root", is_superuser=True)), light)
    assert "Broken is final. No event leaves it." in html


def test_a_record_that_may_not_be_read_is_not_there() -> None:
    mine, other = Claim.objects.create(title="mine"), Claim.objects.create(title="other")
    client = client_of(with_role(staff("ed"), "auditor", mine))
    assert page(client, mine)
    response = client.get(reverse("desk:testapp_claim_change", args=[other.pk]))
    assert response.status_code == 302
    listed = client.get(reverse("desk:testapp_claim_changelist")).content.decode()
    assert reverse("desk:testapp_claim_change", args=[mine.pk]) in listed
    assert reverse("desk:testapp_claim_change", args=[other.pk]) not in listed


def test_history_shows_opened_fields_and_hides_the_others() -> None:
    invoice = Invoice.objects.create(client_name="Ada & Söhne", amount=10)
    client = client_of(staff("olga", *INVOICES))
    invoice.fire("send_invoice", actor=ACTOR, snapshot=True)
    Invoice.objects.filter(pk=invoice.pk).update(amount=12)
    invoice.refresh_from_db()
    invoice.fire("pay", actor=ACTOR, arguments={"paid_on": "2026-11-02", "note": "cash <b>"}, snapshot=True)
    html = page(client, invoice)
    assert "What changed (2)" in html
    assert "<del>10.00</del> → <ins>12.00</ins>" in html
    # ``paid_on`` is not among the admin's fields: neither its value in the snapshot nor the argument is shown.
    assert "changed; hidden from you" in html
    assert "given; hidden from you" in html
    assert "2026-11-02" not in html
    assert "“cash &lt;b&gt;”" in html
    assert "“cash <b>" not in html


def test_hidden_fields_stay_hidden_on_the_whole_history() -> None:
    invoice = Invoice.objects.create(client_name="Ada", amount=10)
    client = client_of(staff("olga", *INVOICES))
    invoice.fire("send_invoice", actor=ACTOR)
    invoice.fire(
        "pay",
        actor=ACTOR,
        arguments={"paid_on": "2026-11-02", "note": "x"},
        metadata={"paid_on": "2026-11-02"},
    )
    html = client.get(reverse("desk:testapp_invoice_history", args=[invoice.pk])).content.decode()
    assert "given; hidden from you" in html
    assert "2026-11-02" not in html


def test_long_histories_come_in_pages() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    for _ in range(60):
        light.fire("blink", actor=ACTOR)
    client = client_of(staff("root", is_superuser=True))
    first = client.get(reverse("desk:testapp_light_history", args=[light.pk])).content.decode()
    assert first.count('class="lc-what"') == 50
    older = re.search(r'href="(\?below=\d+)"', first)
    assert older
    rest = client.get(
        reverse("desk:testapp_light_history", args=[light.pk]) + older.group(1)
    ).content.decode()
    assert rest.count('class="lc-what"') == 12
    assert "Created" in rest
    for odd in ("?below=x", "?below=99999999999999999999", "?below=-1", "?below=%00"):
        assert client.get(reverse("desk:testapp_light_history", args=[light.pk]) + odd).status_code == 200


def test_keys_of_all_kinds_have_pages() -> None:
    client = client_of(staff("root", is_superuser=True))
    for record in (Door.objects.create(code="a/b?c_d e"), Parcel.objects.create()):
        meta = record._meta
        listed = client.get(reverse(f"desk:testapp_{meta.model_name}_changelist")).content.decode()
        address = re.search(rf'href="(/desk/testapp/{meta.model_name}/[^"?]+/change/)', listed)
        assert address
        html = client.get(address.group(1)).content.decode()
        event = re.search(r'data-lifecycle-event="\w+" href="([^"]+)"', html)
        assert event
        assert client.get(event.group(1)).status_code == 200


def test_the_page_costs_the_same_whatever_the_history(django_assert_max_num_queries: Any) -> None:
    user = staff("root", is_superuser=True)
    short, long = Light.objects.create(), Light.objects.create()
    for light, number in ((short, 1), (long, 40)):
        light.fire("switch_on", actor=ACTOR)
        for _ in range(number):
            light.fire("blink", actor=ACTOR)
    client = client_of(user)
    page(client, short)
    with django_assert_max_num_queries(20) as asked:
        page(client, short)
    with django_assert_max_num_queries(len(asked)):
        page(client, long)


def test_a_refused_form_keeps_the_panel_and_decides_on_what_is_saved() -> None:
    invoice = Invoice.objects.create(client_name="Ada", amount=10)
    client = client_of(staff("olga", *INVOICES))
    address = reverse("desk:testapp_invoice_change", args=[invoice.pk])
    html = client.post(address, {"client_name": "Bea", "amount": "a lot"}).content.decode()
    assert "Enter a number." in html
    assert button(html, "send_invoice").startswith("<a ")
    assert TransitionLog.objects.for_record(invoice).count() == 1


def test_the_state_and_the_creator_are_never_taken_from_a_form() -> None:
    author = staff("olga", "testapp.view_claim", "testapp.add_claim", "testapp.change_claim")
    client, other = client_of(author), staff("eve")
    sent = {"title": "New", "created_by": other.pk, "state": "paid", "lifecycle_sequence": "9"}
    assert client.post(reverse("desk:testapp_claim_add"), sent).status_code == 302
    claim = Claim.objects.get()
    assert (claim.created_by, claim.state, claim.lifecycle_sequence) == (author, "filed", 1)
    assert client.post(reverse("desk:testapp_claim_change", args=[claim.pk]), sent).status_code == 302
    claim.refresh_from_db()
    assert (claim.created_by, claim.state) == (author, "filed")
