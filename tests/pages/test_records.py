"""A record's page, and making, editing and deleting one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from fsm_lifecycle.access import grant_role, roles_of
from fsm_lifecycle.models import LegalHold
from fsm_lifecycle.pages import LifecycleCreateView
from sample_project.billing.models import Contract, Invoice
from tests.pages.conftest import SYSTEM, new_invoice, text_of, to

pytestmark = [pytest.mark.once, pytest.mark.django_db]

As = Callable[..., Client]
ANSWERS = {
    "number": "F-1000",
    "client_name": "Bianchi",
    "client_email": "b@bianchi.example",
    "amount": "12.50",
    "due_on": "2026-12-24",
}


def test_it_shows_state_fields_history_and_the_diagram(as_: As, invoice: Invoice) -> None:
    invoice.fire("send_invoice", actor=SYSTEM)
    page = text_of(as_("auditor").get(to("detail", invoice.pk)))
    assert 'class="lifecycle-state t-wait is-large"' in page
    assert "1 Dec 2026" in page
    assert "Send invoice" in page
    assert "<svg" in page
    assert "it@ferrara.example" not in page, "The page has not opened this field."


def test_events_are_offered_or_denied_with_every_reason(as_: As) -> None:
    invoice = new_invoice(amount=0)
    page = text_of(as_("clerk").get(to("detail", invoice.pk)))
    assert f'href="{to("fire", invoice.pk, "cancel")}"' in page
    assert f'href="{to("fire", invoice.pk, "send_invoice")}"' not in page
    assert "The invoice total must be positive." in page
    page = text_of(as_("auditor", name="eve").get(to("detail", invoice.pk)))
    assert "Needs the role" in page
    assert "must be positive" not in page, "A guard's reason is only for those who may fire."


def test_history_goes_on_in_pages(as_: As, invoice: Invoice) -> None:
    invoice.fire("send_invoice", actor=SYSTEM)
    for _ in range(3):
        invoice.client_name += "!"
        invoice.save()
    invoice.fire("cancel", actor=SYSTEM, arguments={"reason": "Sent twice."})
    browser = as_("auditor")
    page = text_of(browser.get(to("detail", invoice.pk)))
    assert "Sent twice." in page
    older = text_of(browser.get(to("detail", invoice.pk), {"below": "3"}))
    assert "Sent twice." not in older
    assert "Created" in older
    assert browser.get(to("detail", invoice.pk), {"below": "x"}).status_code == 200


@pytest.mark.parametrize("key", ["0", "x", "a\0b", "9" * 30])
def test_a_record_that_is_not_there_is_not_found(as_: As, key: str) -> None:
    assert as_("auditor").get(to("detail", key)).status_code == 404


def test_a_record_that_may_not_be_read_is_not_found_either(as_: As, invoice: Invoice) -> None:
    browser = as_()
    for page, *args in (("detail",), ("update",), ("delete",), ("fire", "cancel")):
        assert browser.get(to(page, invoice.pk, *args)).status_code == 404


def test_who_makes_a_record_is_the_user_whatever_was_sent(as_: As) -> None:
    other = User.objects.create_user("other")
    browser = as_("clerk")
    sent = {**ANSWERS, "created_by": other.pk, "state": "paid", "lifecycle_sequence": "7"}
    assert browser.get(to("create")).status_code == 200
    answer = browser.post(to("create"), sent)
    invoice = Invoice.objects.get()
    assert answer["Location"] == to("detail", invoice.pk)
    assert invoice.created_by == browser.user  # type: ignore[attr-defined]
    assert invoice.is_draft
    assert invoice.log.get().actor_id == str(browser.user.pk)  # type: ignore[attr-defined]
    assert "owner" in roles_of(browser.user, on=invoice)  # type: ignore[attr-defined]


def test_no_client_field_is_there_for_what_the_server_sets(as_: As) -> None:
    page = text_of(as_("clerk").get(to("create")))
    for name in ("created_by", "state", "state_since", "lifecycle_sequence", "lifecycle_head"):
        assert f'name="{name}"' not in page
    assert 'type="date" name="due_on"' in page


def test_what_is_wrong_is_said_and_what_was_typed_is_kept(as_: As) -> None:
    page = text_of(as_("clerk").post(to("create"), {**ANSWERS, "amount": "much"}))
    assert "Nothing was saved." in page
    assert 'value="much"' in page
    assert 'value="Bianchi"' in page
    assert 'aria-invalid="true"' in page
    assert Invoice.objects.count() == 0


def test_who_may_not_is_told_why_and_what_is_missing(as_: As, invoice: Invoice) -> None:
    browser = as_("auditor")
    role = "Your role is Auditor."
    for page, verb, args, reason in (
        ("create", "create invoices", (), role),
        ("update", "edit this invoice", (invoice.pk,), role),
        ("delete", "delete this invoice", (invoice.pk,), "No role may do this"),
    ):
        for answer in (browser.get(to(page, *args)), browser.post(to(page, *args), ANSWERS)):
            assert answer.status_code == 403
            assert f"You may not {verb}." in text_of(answer)
            assert reason in text_of(answer)
    assert Invoice.objects.get() == invoice


def test_links_to_pages_that_would_be_refused_are_not_shown(as_: As, invoice: Invoice) -> None:
    page = text_of(as_("auditor").get(to("detail", invoice.pk)))
    assert to("update", invoice.pk) not in page
    assert to("delete", invoice.pk) not in page
    page = text_of(as_("clerk", name="bob").get(to("detail", invoice.pk)))
    assert to("update", invoice.pk) in page
    assert to("delete", invoice.pk) not in page


def test_editing_never_touches_the_state_or_who_made_it(as_: As, invoice: Invoice) -> None:
    browser = as_("clerk")
    sent = {"client_name": "Rossi", "due_on": "2027-01-01", "state": "paid", "created_by": browser.user.pk}  # type: ignore[attr-defined]
    assert browser.post(to("update", invoice.pk), sent).status_code == 302
    invoice.refresh_from_db()
    assert (invoice.client_name, invoice.state, invoice.created_by) == ("Rossi", "draft", None)


def test_deleting_asks_and_leaves_the_log(as_: As, invoice: Invoice) -> None:
    browser = as_()
    grant_role(browser.user, "auditor", on=Invoice, by=SYSTEM)  # type: ignore[attr-defined]
    browser.user.is_superuser = True  # type: ignore[attr-defined]
    browser.user.save()  # type: ignore[attr-defined]
    log = invoice.log
    assert "Its log stays" in text_of(browser.get(to("delete", invoice.pk)))
    assert Invoice.objects.exists()
    assert browser.post(to("delete", invoice.pk))["Location"] == to("list")
    assert not Invoice.objects.exists()
    last = log.last()
    assert last is not None
    assert (last.kind, last.actor_id) == ("deleted", str(browser.user.pk))  # type: ignore[attr-defined]


def test_what_stands_in_the_way_of_deleting_is_named(admin_client: Client) -> None:
    contract = Contract.objects.create(client_name="Ferrara")
    invoice = new_invoice(contract=contract)
    answer = admin_client.post(to("contract_delete", contract.pk))
    assert answer.status_code == 409
    assert f"It is needed by invoice Invoice {invoice.number}." in text_of(answer)
    assert Contract.objects.exists()


def test_a_view_without_a_form_says_what_to_write(rf: Any, admin_user: User) -> None:
    request = rf.get("/")
    request.user = admin_user

    class Create(LifecycleCreateView):
        model = Invoice

    with pytest.raises(TypeError, match=r"Set form_class = \.\.\., derived from LifecycleForm, or fields"):
        Create.as_view()(request)


def test_a_record_under_a_legal_hold_stays_and_says_so(
    admin_client: Client, admin_user: User, invoice: Invoice
) -> None:
    LegalHold.objects.place(invoice, "Audit of 2026", by=admin_user)
    answer = admin_client.post(to("delete", invoice.pk))
    assert answer.status_code == 409
    assert "It is under a legal hold." in text_of(answer)
    assert Invoice.objects.exists()


def test_a_form_offers_and_takes_other_records_that_may_be_read(as_: As) -> None:
    readable, hidden = (Contract.objects.create(client_name=name) for name in ("Readable", "Hidden"))
    browser = as_("clerk")
    grant_role(browser.user, "clerk", on=readable, by=SYSTEM)  # type: ignore[attr-defined]
    page = text_of(browser.get(to("create")))
    assert "Readable" in page
    assert "Hidden" not in page
    refused = browser.post(to("create"), {**ANSWERS, "contract": hidden.pk})
    assert "Select a valid choice." in text_of(refused)
    assert Invoice.objects.count() == 0
    assert browser.post(to("create"), {**ANSWERS, "contract": readable.pk}).status_code == 302
