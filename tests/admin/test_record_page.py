"""A record's own page: its state, what can be done and why the rest cannot, its history and nothing that is hidden."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.dispatch import work_off
from fsm_lifecycle.engine.causes import Link, chain_of
from fsm_lifecycle.models import LegalHold, TransitionLog
from tests.admin.people import client_of, staff, with_role
from tests.testapp.clocks import Case
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


def test_a_legal_hold_is_told_to_everybody_and_its_reason_to_who_may_read_it() -> None:
    invoice = Invoice.objects.create(client_name="Ada", amount=1)
    counsel = staff("cora", first_name="Cordelia", last_name="Lund")
    olga = staff("olga", *INVOICES)
    assert "legal hold" not in page(client_of(olga), invoice)
    with time_machine.travel(datetime(2026, 12, 15, 9, tzinfo=UTC), tick=False):
        hold = LegalHold.place(invoice, reason="Claim 17/2026", by=counsel)
    reader = staff("rita", *INVOICES, "fsm_lifecycle.view_legalhold")

    told = page(client_of(olga), invoice)
    assert "Under a legal hold since 15 Dec 2026. It stays until the hold is released." in told
    assert "Claim 17/2026" not in told
    assert "Cordelia" not in told
    assert (
        "Under a legal hold since 15 Dec 2026, placed by Cordelia Lund: “Claim 17/2026”. It stays until the hold is "
        "released." in page(client_of(reader), invoice)
    )
    hold.release("Settled", by=counsel)
    assert "legal hold" not in page(client_of(reader), invoice)


def test_what_was_recorded_later_says_when_it_happened_and_when_it_was_recorded() -> None:
    with time_machine.travel(datetime(2026, 12, 15, 9, tzinfo=UTC), tick=False):
        client = client_of(staff("olga", *INVOICES))
        invoice = Invoice.objects.create(client_name="Ada", amount=1)
        invoice.fire("send_invoice", actor=ACTOR, occurred_at=datetime(2013, 1, 11, 15, 7, tzinfo=UTC))
        at_once = Invoice.objects.create(client_name="Bo", amount=1)
        at_once.fire("send_invoice", actor=ACTOR)
        told = page(client, invoice)
        other = page(client, at_once)

    assert ">11 Jan 2013, 15:07</time> · 13 years" in told
    assert "· recorded 15 Dec 2026, 09:00" in told
    assert told.count("<span>recorded 15 Dec 2026, 09:00</span>") == 1
    assert "recorded" not in other


def test_what_fires_by_itself_is_told_with_its_time() -> None:
    with time_machine.travel(datetime(2026, 12, 15, 17, 24, tzinfo=UTC), tick=False) as clock:
        case = Case.objects.create(blocked=True)
        case.fire("resolve", actor=ACTOR)
        root = staff("root", is_superuser=True)
        client = client_of(root)
        assert "Expire fires by itself on 20 Dec 2026, 17:24, unless the case leaves Resolved first." in page(
            client, case
        )
        clock.shift(timedelta(days=6))
        assert "Expire is due and fires by itself shortly, unless the case leaves Resolved first." in page(
            client, case
        )
        waiting = Case.objects.create(blocked=True)
        work_off("default")
        clock.shift(timedelta(days=30))
        work_off("default")
        client = client_of(root)  # a session has ended meanwhile
        html = page(client, waiting)
        assert (
            "Chase did not fire by itself on 20 Jan 2027, 17:24. It is tried again on 20 Jan 2027, 18:24."
            in html
        )
        assert "fires by itself" not in page(client, Light.objects.create())


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


def test_a_cause_is_named_to_those_whom_the_log_shows_it() -> None:
    claim, light = Claim.objects.create(), Light.objects.create()
    cause = claim.fire("examine", actor=ACTOR)
    with chain_of((Link(cause.entry_hash, "testapp.claim", str(claim.pk), "examine"),)):
        light.fire("switch_on", actor=ACTOR)
    may = ("testapp.view_light", "fsm_lifecycle.view_transitionlog")
    stranger, reader = staff("eve", *may), with_role(staff("ed", *may), "auditor", claim)
    for address in ("change", "history"):
        pages = [
            client_of(user)
            .get(reverse(f"desk:testapp_light_{address}", args=[light.pk]))
            .content.decode()
            .split('class="lc-meta"', 1)[1]
            for user in (stranger, reader)
        ]
        assert "caused by an entry that is hidden from you" in pages[0]
        assert "Claim" not in pages[0]
        assert f"/log/{cause.pk}/" not in pages[0]
        assert f"caused by Claim {claim.pk}: Examine" in pages[1]
        assert f"/log/{cause.pk}/" in pages[1]


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
        metadata={"paid_on": "2026-11-02", "till": {"paid_on": "2026-11-02", "number": 4}},
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


def test_djangos_own_list_has_the_edits_and_no_firing() -> None:
    light = Light.objects.create()
    root = staff("root", is_superuser=True)
    client = client_of(root)
    address = reverse("desk:testapp_light_history", args=[light.pk])
    html = client.get(address).content.decode()
    assert "None was made on this site." in html
    assert "have a change history" not in html
    client.post(reverse("desk:testapp_light_event", args=[light.pk, "switch_on"]), {"expected_sequence": "1"})
    client.post(reverse("desk:testapp_light_bulk", args=["blink"]), {"seen": [f"2:{light.pk}"]})
    assert LogEntry.objects.count() == 2
    assert "None was made on this site." in client.get(address).content.decode()
    client.post(reverse("desk:testapp_light_change", args=[light.pk]), {"name": "Hall"})
    response = client.get(address)
    assert [note.get_change_message() for note in response.context["action_list"]] == ["Changed Name."]
    assert "None was made on this site." not in response.content.decode()


def test_a_new_record_was_created_not_moved() -> None:
    root = staff("root", is_superuser=True)
    with acting_as(root):
        light = Light.objects.create()
    assert "· created by root" in page(client_of(root), light)
    light.fire("switch_on", actor=ACTOR)
    light.fire("blink", actor=root)
    assert "· moved by test" in page(client_of(root), light)


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
