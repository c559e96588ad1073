"""Firing from a page: it says what will happen, fires once, and explains what was not done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django import forms
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from fsm_lifecycle.models import RefusedAttempt, TransitionLog
from fsm_lifecycle.presentation import answers
from fsm_lifecycle.presentation.asking import Ask
from sample_project.billing.models import Invoice
from tests.pages.conftest import SYSTEM, new_invoice, text_of, to

pytestmark = [pytest.mark.once, pytest.mark.django_db]

As = Callable[..., Client]


def sent_invoice() -> Invoice:
    invoice = new_invoice()
    invoice.fire("send_invoice", actor=SYSTEM)
    return invoice


def paying(invoice: Invoice, **more: Any) -> dict[str, Any]:
    return {"paid_on": str(timezone.localdate()), "expected_sequence": invoice.lifecycle_sequence, **more}


def test_the_page_says_what_will_happen_and_does_nothing(as_: As) -> None:
    invoice = sent_invoice()
    before = TransitionLog.objects.count()
    page = text_of(as_("approver").get(to("fire", invoice.pk, "pay")))
    assert "The invoice becomes Paid." in page
    assert 'name="paid_on"' in page
    assert f'name="expected_sequence" value="{invoice.lifecycle_sequence}"' in page
    assert TransitionLog.objects.count() == before


def test_it_fires_as_the_user_and_leads_to_the_record(as_: As) -> None:
    invoice = sent_invoice()
    browser = as_("approver")
    answer = browser.post(to("fire", invoice.pk, "pay"), paying(invoice))
    assert answer["Location"] == to("detail", invoice.pk)
    entry = invoice.log.last()
    assert entry is not None
    assert (entry.event, entry.to_state, entry.actor_id) == ("pay", "paid", str(browser.user.pk))  # type: ignore[attr-defined]
    assert f"Invoice {invoice.number} is Paid." in text_of(browser.get(answer["Location"]))


def test_answers_that_do_not_do_come_back_with_what_is_wrong(as_: As) -> None:
    invoice = sent_invoice()
    answer = as_("approver").post(to("fire", invoice.pk, "pay"), paying(invoice, paid_on="soon"))
    assert 'value="soon"' in text_of(answer)
    assert "Enter a valid date." in text_of(answer)
    invoice.refresh_from_db()
    assert invoice.is_sent


def test_a_guard_that_says_no_is_named_and_what_was_typed_is_kept(as_: As) -> None:
    invoice = sent_invoice()
    answer = as_("approver").post(to("fire", invoice.pk, "pay"), paying(invoice, paid_on="2099-01-01"))
    assert "The day of payment lies in the future." in text_of(answer)
    assert 'value="2099-01-01"' in text_of(answer)
    refused = RefusedAttempt.objects.get()
    assert (refused.surface, refused.code, refused.event) == ("pages", "guard_failed", "pay")


def test_who_lacks_the_role_is_told_which(as_: As) -> None:
    invoice = sent_invoice()
    browser = as_("clerk")
    assert "Needs the role Approver" in text_of(browser.get(to("fire", invoice.pk, "pay")))
    answer = browser.post(to("fire", invoice.pk, "pay"), paying(invoice))
    assert "Pay was refused. Nothing was changed." in text_of(answer)
    assert "Needs the role Approver" in text_of(answer)
    assert RefusedAttempt.objects.get().code == "access_denied"
    invoice.refresh_from_db()
    assert invoice.is_sent


def test_who_sent_it_may_not_take_the_payment(as_: As, person: Callable[..., Any]) -> None:
    invoice = new_invoice()
    both = person("both", "clerk", "approver")
    invoice.fire("send_invoice", actor=both)
    page = text_of(as_(name="both").get(to("fire", invoice.pk, "pay")))
    assert "is not possible now" in page
    assert "takes another person: you did “Send invoice”" in page


def test_a_record_that_was_moved_meanwhile_says_so_and_keeps_the_answers(as_: As) -> None:
    invoice = sent_invoice()
    stale = paying(invoice)
    Invoice.objects.filter(pk=invoice.pk).update(due_on="2020-01-01")
    invoice.refresh_from_db()
    invoice.fire("mark_overdue", actor=SYSTEM)
    browser = as_("approver")

    answer = browser.post(to("fire", invoice.pk, "pay"), stale)

    page = text_of(answer)
    assert answer.status_code == 409
    assert "This invoice has changed." in page
    assert "moved it to Overdue" in page
    assert "Pay is still possible from Overdue." in page
    assert f'name="paid_on" value="{stale["paid_on"]}"' in page
    assert RefusedAttempt.objects.get().code == "stale_state"

    again = text_of(browser.post(to("fire", invoice.pk, "pay"), {"review": "1", "paid_on": stale["paid_on"]}))
    assert f'value="{stale["paid_on"]}"' in again
    assert f'name="expected_sequence" value="{invoice.lifecycle_sequence}"' in again
    invoice.refresh_from_db()
    assert invoice.is_overdue


def test_an_event_that_does_not_leave_the_state_tells_of_no_move(as_: As, invoice: Invoice) -> None:
    page = text_of(as_("approver").get(to("fire", invoice.pk, "pay")))
    assert "Pay is not possible now." in page
    for gone in ("What would happen", "becomes", "Your answers"):
        assert gone not in page


@pytest.mark.parametrize("sequence", ["", "x", "-1", "1"])
def test_nothing_is_fired_without_what_the_page_has_seen(as_: As, sequence: str) -> None:
    invoice = sent_invoice()
    answer = as_("approver").post(to("fire", invoice.pk, "pay"), paying(invoice, expected_sequence=sequence))
    assert answer.status_code == 409
    invoice.refresh_from_db()
    assert invoice.is_sent


def test_sending_the_same_page_twice_fires_once(as_: As) -> None:
    invoice = sent_invoice()
    browser = as_("approver")
    data = paying(invoice)
    browser.post(to("fire", invoice.pk, "pay"), data)
    assert browser.post(to("fire", invoice.pk, "pay"), data).status_code == 409
    assert invoice.log.filter(event="pay").count() == 1


def test_an_event_that_there_is_not_is_not_found(as_: As, invoice: Invoice) -> None:
    assert as_("approver").get(to("fire", invoice.pk, "explode")).status_code == 404


def test_a_form_from_elsewhere_is_refused(person: Callable[..., Any]) -> None:
    invoice = sent_invoice()
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person("ann", "approver"))
    assert browser.post(to("fire", invoice.pk, "pay"), paying(invoice)).status_code == 403
    invoice.refresh_from_db()
    assert invoice.is_sent


class ChoosingForm(forms.Form):
    """Choices of several kinds, as an event may ask for."""

    parts = forms.MultipleChoiceField(choices=[("a", "Axle"), ("Wheels", [("f", "Front"), ("r", "Rear")])])
    one = forms.TypedChoiceField(choices=[(1, "First"), (2, "Second")], coerce=int)


def test_what_was_chosen_is_told_by_its_labels(invoice: Invoice, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Ask(invoice, Invoice.lifecycle.events["cancel"], SYSTEM, surface="pages")
    monkeypatch.setattr(ask.plan, "form", ChoosingForm)
    data = QueryDict("parts=a&parts=r&one=2")
    assert dict(answers.typed(ask, data)) == {"Parts": "Axle, Rear", "One": "Second"}
