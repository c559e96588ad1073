"""The page of one event: it tells, it asks, it fires once, and it loses nothing when somebody else was faster."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from fsm_lifecycle import System
from fsm_lifecycle.models import RefusedAttempt, WebhookEndpoint
from tests.admin.people import client_of, staff, with_role
from tests.testapp.clocks import Case
from tests.testapp.models import Bell, Invoice, Light
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.admin.desk")]
ACTOR = System("test")


@pytest.fixture
def clerk() -> User:
    return staff("olga", "testapp.view_invoice", "testapp.change_invoice", first_name="Olga", last_name="Ås")


@pytest.fixture
def browser(clerk: User) -> Client:
    return client_of(clerk)


@pytest.fixture
def invoice() -> Invoice:
    made = Invoice.objects.create(client_name="Ada", amount=10)
    made.fire("send_invoice", actor=ACTOR)
    return made


def address(record: Any, event: str) -> str:
    return reverse(f"desk:testapp_{record._meta.model_name}_event", args=[record.pk, event])


def test_get_says_what_will_happen_and_changes_nothing(browser: Client, invoice: Invoice) -> None:
    response = browser.get(address(invoice, "pay"))
    html = response.content.decode()
    assert response.status_code == 200
    assert "The invoice becomes Paid." in html
    assert "Entry 3 is written to the log, with your answers and a snapshot." in html
    assert "Your answers set paid on." in html
    assert 'name="expected_sequence" value="2"' in html
    assert 'name="paid_on"' in html
    invoice.refresh_from_db()
    assert (invoice.state, invoice.lifecycle_sequence) == ("sent", 2)


def test_it_says_which_webhooks_are_told_and_names_them_to_who_looks_after_them(
    browser: Client, invoice: Invoice, settings: Any
) -> None:
    settings.FSM_LIFECYCLE = {"ENCRYPTION_KEYS": ["a key for tests that is long enough to be one"]}
    pay = ["testapp.invoice.pay"]
    WebhookEndpoint.objects.create(url="https://a.example/", description="Billing bridge", events=pay)
    WebhookEndpoint.objects.create(url="https://b.example/", description="Status page", events=["*.pay"])
    unseen: dict[str, dict[str, Any]] = {
        "switched off": {"events": pay, "active": False},
        "of other events": {"events": ["*.send_invoice"]},
        "of another record": {
            "events": pay,
            "model_label": "testapp.invoice",
            "object_pk": str(invoice.pk + 1),
        },
        "of who may not see it": {"events": pay, "owner": staff("nora", is_active=False)},
    }
    for name, fields in unseen.items():
        WebhookEndpoint.objects.create(url="https://c.example/", description=name, **fields)

    html = browser.get(address(invoice, "pay")).content.decode()
    assert "Two webhooks are told." in html
    html = client_of(staff("root", is_superuser=True)).get(address(invoice, "pay")).content.decode()
    assert "Two webhooks are told: Billing bridge, Status page." in html
    assert "webhook" not in browser.get(address(Invoice.objects.create(amount=1), "cancel")).content.decode()


def test_it_says_what_fires_by_itself_afterwards(browser: Client) -> None:
    case = Case.objects.create()
    with time_machine.travel(datetime(2026, 12, 15, 17, 24, tzinfo=UTC), tick=False):
        html = client_of(staff("root", is_superuser=True)).get(address(case, "resolve")).content.decode()
    assert "Expire fires by itself on 20 Dec 2026, 17:24" in html
    assert "unless the case leaves Resolved first." in html
    assert (
        "by itself" not in browser.get(address(Invoice.objects.create(amount=1), "cancel")).content.decode()
    )


def test_effects_are_named_with_their_time() -> None:
    fresh = Invoice.objects.create(client_name="Ada", amount=10)
    html = client_of(staff("root", is_superuser=True)).get(address(fresh, "send_invoice")).content.decode()
    at_once, afterwards = html.split("<h3>Afterwards</h3>")
    assert "Posts the invoice to the ledger." in at_once
    assert "Sends one e-mail to the client." in afterwards
    assert "Can it be undone?" in afterwards


def test_post_fires_once_with_the_answers(browser: Client, clerk: User, invoice: Invoice) -> None:
    sent = {"expected_sequence": "2", "paid_on": "2026-11-02", "note": "cash"}
    response = browser.post(address(invoice, "pay"), sent, follow=True)
    assert response.redirect_chain == [(reverse("desk:testapp_invoice_change", args=[invoice.pk]), 302)]
    assert f"Invoice {invoice.pk} is Paid." in response.content.decode()
    entry = invoice.log.last()
    assert entry is not None
    assert (entry.event, entry.actor_id, entry.arguments["note"]) == ("pay", str(clerk.pk), "cash")
    note = LogEntry.objects.get()
    assert (note.object_id, note.user, "Pay: Sent → Paid (entry 3)" in note.change_message) == (
        str(invoice.pk),
        clerk,
        True,
    )
    # The same page sent once more does nothing.
    again = browser.post(address(invoice, "pay"), sent)
    assert again.status_code == 409
    assert invoice.log.count() == 3


def test_wrong_answers_stay_on_the_page_with_their_errors(browser: Client, invoice: Invoice) -> None:
    sent = {"expected_sequence": "2", "paid_on": "never", "note": "kept words"}
    html = browser.post(address(invoice, "pay"), sent).content.decode()
    assert "Enter a valid date." in html
    assert "kept words" in html
    assert 'aria-describedby="id_paid_on_error"' in html
    assert invoice.log.count() == 2


def test_dates_get_the_browsers_own_input(browser: Client, invoice: Invoice) -> None:
    assert '<input type="date" name="paid_on"' in browser.get(address(invoice, "pay")).content.decode()


def test_the_button_says_verb_and_object_once(browser: Client, invoice: Invoice) -> None:
    case = Case.objects.create()
    root = client_of(staff("root", is_superuser=True))
    assert ">Pay invoice</button>" in browser.get(address(invoice, "pay")).content.decode()
    assert ">Resolve case</button>" in root.get(address(case, "resolve")).content.decode()
    light = Light.objects.create()
    assert ">Switch on</button>" in root.get(address(light, "switch_on")).content.decode()


def test_a_guard_on_the_answers_refuses_with_its_reason(browser: Client, invoice: Invoice) -> None:
    sent = {"expected_sequence": "2", "paid_on": "2200-01-01", "note": "kept words"}
    html = browser.post(address(invoice, "pay"), sent).content.decode()
    assert "Payments are not taken in the future." in html
    assert "kept words" in html
    assert 'type="submit"' in html
    refusal = RefusedAttempt.objects.get()
    assert (refusal.event, refusal.code, refusal.surface) == ("pay", "guard_failed", "admin")


def test_somebody_else_was_faster(browser: Client, invoice: Invoice) -> None:
    browser.get(address(invoice, "pay"))
    giulia = User.objects.create_user("giulia", first_name="Giulia")
    invoice.fire("mark_overdue", actor=giulia)
    sent = {"expected_sequence": "2", "paid_on": "2026-11-02", "note": "typed before"}
    response = browser.post(address(invoice, "pay"), sent)
    html = response.content.decode()
    assert response.status_code == 409
    assert "This invoice has changed." in html
    assert "Giulia moved it to Overdue" in html
    assert "Nothing was done." in html
    assert "typed before" in html
    assert "Pay is still possible from Overdue." in html
    # What was typed comes back on the page, which has now seen the record as it is.
    review = browser.post(
        address(invoice, "pay"), {"review": "1", "paid_on": "2026-11-02", "note": "typed before"}
    )
    html = review.content.decode()
    assert 'name="expected_sequence" value="3"' in html
    assert 'value="typed before"' in html
    assert invoice.log.count() == 3
    done = browser.post(address(invoice, "pay"), {**sent, "expected_sequence": "3"})
    assert done.status_code == 302


def test_who_let_a_record_stay_in_its_state_has_not_moved_it(browser: Client) -> None:
    light = Light.objects.create()
    giulia = User.objects.create_user("giulia", first_name="Giulia")
    olga = client_of(staff("root", is_superuser=True))
    light.fire("switch_on", actor=ACTOR)
    light.fire("blink", actor=giulia)
    html = olga.post(address(light, "switch_off"), {"expected_sequence": "2"}).content.decode()
    assert "Giulia fired Blink at" in html
    assert "moved it" not in html
    assert "by Giulia" not in html
    html = olga.post(address(light, "switch_off"), {"expected_sequence": "1"}).content.decode()
    assert "test moved it to On at" in html
    assert "moved by test" in html


def test_an_event_that_does_not_leave_the_state_tells_of_no_move(browser: Client, invoice: Invoice) -> None:
    html = browser.get(address(invoice, "send_invoice")).content.decode()
    assert "Send invoice is not possible now." in html
    assert "is-large" in html
    for gone in ("What would happen", "becomes", "Your answers", '<span class="visually-hidden">to</span>'):
        assert gone not in html


def test_somebody_else_made_it_impossible(browser: Client, invoice: Invoice) -> None:
    invoice.fire("cancel", actor=ACTOR)
    html = browser.post(
        address(invoice, "pay"), {"expected_sequence": "2", "paid_on": "2026-11-02"}
    ).content.decode()
    assert "Pay is no longer possible from Cancelled." in html
    assert "Review and" not in html


@pytest.mark.parametrize("sent", ["", "x", "-1", "2.0", "\0", "9" * 40])
def test_a_page_that_does_not_say_what_it_has_seen_fires_nothing(
    browser: Client, invoice: Invoice, sent: str
) -> None:
    response = browser.post(address(invoice, "pay"), {"expected_sequence": sent, "paid_on": "2026-11-02"})
    assert response.status_code == 409
    assert invoice.log.count() == 2


def test_who_lacks_the_role_reads_what_is_needed_and_whom_to_ask_where_that_may_be_seen() -> None:
    claim = Claim.objects.create(title="A")
    with_role(staff("exa", first_name="Exa", last_name="Miner"), "examiner", Claim)
    auditor = with_role(staff("ed"), "auditor", claim)
    html = client_of(auditor).get(address(claim, "examine")).content.decode()
    assert "Examine is not possible now." in html
    assert "Exa Miner" not in html
    assert 'type="submit" class' not in html
    assert "expected_sequence" not in html
    seeing = with_role(staff("sia", "auth.view_user"), "auditor", claim)
    assert "Who could do it: Exa Miner." in client_of(seeing).get(address(claim, "examine")).content.decode()
    response = client_of(auditor).post(address(claim, "examine"), {"expected_sequence": "1"})
    assert "was refused. Nothing was changed." in response.content.decode()
    assert RefusedAttempt.objects.get().code == "access_denied"
    assert claim.log.count() == 1


def test_an_effect_that_fails_is_said_without_its_secret() -> None:
    bell = Bell.objects.create(mischief="raise")
    bell.fire("ring", actor=ACTOR)
    response = client_of(staff("root", is_superuser=True)).post(
        address(bell, "hush"), {"expected_sequence": "2"}
    )
    html = response.content.decode()
    assert "Hush failed in its own code. Nothing was changed." in html
    assert "secret" not in html
    bell.refresh_from_db()
    assert bell.state == "ringing"


def test_an_event_that_does_not_exist_or_a_record_that_is_not_there(
    browser: Client, invoice: Invoice
) -> None:
    assert browser.get(address(invoice, "explode")).status_code == 404
    assert browser.get(reverse("desk:testapp_invoice_event", args=[9999, "pay"])).status_code == 404
    assert browser.get(reverse("desk:testapp_invoice_event", args=["x\0", "pay"])).status_code == 404


def test_strangers_are_sent_away(client: Client, invoice: Invoice) -> None:
    assert client.get(address(invoice, "pay")).status_code == 302
    outsider = client_of(User.objects.create_user("out"))
    assert outsider.post(address(invoice, "pay"), {"expected_sequence": "2"}).status_code == 302
    assert invoice.log.count() == 2


def test_a_get_never_fires(browser: Client, invoice: Invoice) -> None:
    browser.get(address(invoice, "mark_overdue") + "?expected_sequence=2")
    assert browser.head(address(invoice, "mark_overdue")).status_code == 200
    assert invoice.log.count() == 2


def test_csrf_is_asked_for(clerk: User, invoice: Invoice) -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(clerk)
    assert careful.post(address(invoice, "mark_overdue"), {"expected_sequence": "2"}).status_code == 403
    assert invoice.log.count() == 2


def test_the_light_without_arguments(browser: Client) -> None:
    light = Light.objects.create()
    client = client_of(staff("root", is_superuser=True))
    assert "Nothing to fill in" in client.get(address(light, "switch_on")).content.decode()
    assert client.post(address(light, "switch_on"), {"expected_sequence": "1"}).status_code == 302
    light.refresh_from_db()
    assert light.state == "on"
