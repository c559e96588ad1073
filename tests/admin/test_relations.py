"""Other records in a model's own admin: its forms and filters offer, and take, those that the user may read."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django import forms
from django.contrib.admin import AdminSite, TabularInline
from django.test import Client
from django.urls import path, reverse

from fsm_lifecycle.admin import LifecycleAdmin
from sample_project.billing.models import Contract, Invoice
from tests.admin.people import client_of, staff, with_role

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.admin.test_relations")]

chosen, typed = AdminSite(name="chosen"), AdminSite(name="typed")
FIELDS: list[Any] = ["number", "client_name", "client_email", "amount", "due_on", "contract"]


class ChosenAdmin(LifecycleAdmin):
    fields = FIELDS
    list_display = ["number", "contract"]
    list_editable = ["contract"]
    list_filter = ["contract"]


class TypedAdmin(LifecycleAdmin):
    fields = FIELDS
    raw_id_fields = ["contract"]


class RowForm(forms.ModelForm):  # type: ignore[type-arg]
    replaces = forms.ModelChoiceField(Contract.objects.all(), required=False)


class Invoices(TabularInline):  # type: ignore[type-arg]
    model = Invoice
    form = RowForm
    fields = ("number", "replaces")
    extra = 1


class ContractAdmin(LifecycleAdmin):
    inlines = (Invoices,)


chosen.register(Invoice, ChosenAdmin)
chosen.register(Contract, ContractAdmin)
typed.register(Invoice, TypedAdmin)
urlpatterns = [path("chosen/", chosen.urls), path("typed/", typed.urls)]

ANSWERS = {
    "number": "F-1",
    "client_name": "Bianchi",
    "client_email": "it@bianchi.example",
    "amount": "10.00",
    "due_on": "2026-12-01",
}


@pytest.fixture
def contracts(db: None) -> list[Contract]:
    """The first may be read, the others not."""
    return [Contract.objects.create(client_name=name) for name in ("Readable", "Hidden", "Present")]


@pytest.fixture
def browser(contracts: list[Contract]) -> Client:
    clerk = with_role(staff("ed"), "clerk", Invoice)
    return client_of(with_role(clerk, "clerk", contracts[0]))


def invoice(contract: Contract | None = None) -> Invoice:
    values = {**ANSWERS, "due_on": dt.date(2026, 12, 1)}
    return Invoice.objects.create(contract=contract, **values)


def address(page: str, *args: Any, site: str = "chosen") -> str:
    return reverse(f"{site}:billing_invoice_{page}", args=args)


def test_a_form_offers_what_may_be_read_and_what_the_record_has(
    browser: Client, contracts: list[Contract]
) -> None:
    html = browser.get(address("add")).content.decode()
    assert "Readable" in html
    assert "Hidden" not in html
    html = browser.get(address("change", invoice(contracts[2]).pk)).content.decode()
    assert "Readable" in html
    assert "Present" in html
    assert "Hidden" not in html


@pytest.mark.parametrize("site", ["chosen", "typed"])
def test_a_form_takes_no_record_that_may_not_be_read_and_does_not_name_it(
    browser: Client, contracts: list[Contract], site: str
) -> None:
    readable, hidden, present = contracts
    mine = invoice(present)
    change = address("change", mine.pk, site=site)
    for page in (address("add", site=site), change):
        html = browser.post(page, {**ANSWERS, "number": "F-2", "contract": hidden.pk}).content.decode()
        assert "Select a valid choice." in html
        assert "Hidden" not in html
    for contract in (present, readable):
        assert browser.post(change, {**ANSWERS, "contract": contract.pk}).status_code == 302
        mine.refresh_from_db()
        assert mine.contract == contract
    assert "Hidden" not in browser.get(f"{address('add', site=site)}?contract={hidden.pk}").content.decode()


def test_the_list_offers_the_same_in_its_filter_and_in_its_rows(
    browser: Client, contracts: list[Contract]
) -> None:
    readable, hidden, present = contracts
    mine = invoice(present)
    html = browser.get(address("changelist")).content.decode()
    assert f"contract__id__exact={readable.pk}" in html
    assert f"contract__id__exact={present.pk}" not in html
    assert "Hidden" not in html
    sent = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": mine.pk, "_save": "Save"}
    assert browser.post(address("changelist"), {**sent, "form-0-contract": hidden.pk}).status_code == 200
    assert browser.post(address("changelist"), {**sent, "form-0-contract": readable.pk}).status_code == 302
    mine.refresh_from_db()
    assert mine.contract == readable


def test_rows_of_another_model_in_a_form_offer_the_same(browser: Client, contracts: list[Contract]) -> None:
    page = reverse("chosen:billing_contract_change", args=[contracts[0].pk])
    html = browser.get(page).content.decode()
    assert "invoices-0-replaces" in html
    assert "Hidden" not in html
