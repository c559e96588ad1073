"""Fields that are only shown: other records are links for whom they open, and people go by their full names."""

from __future__ import annotations

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.urls import path

from fsm_lifecycle.admin import LifecycleAdmin
from sample_project.billing.models import Contract, Invoice
from tests.admin.people import client_of, staff, with_role
from tests.sample.making import an_invoice

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.admin.test_linking")]


class InvoiceAdmin(LifecycleAdmin):
    fieldsets = ((None, {"fields": ("number", ("contract", "created_by"))}),)
    readonly_fields = ("contract",)


site = AdminSite(name="linking")
site.register(Invoice, InvoiceAdmin)
site.register(Contract, LifecycleAdmin)
site.register(User, UserAdmin)
urlpatterns = [path("linking/", site.urls)]


@pytest.fixture
def invoice() -> Invoice:
    contract = Contract.objects.create(client_name="Ferrara Logistica")
    return an_invoice(staff("ada", first_name="Ada", last_name="Bruni"), contract=contract)


def page_of(invoice: Invoice, user: User) -> str:
    return client_of(user).get(f"/linking/billing/invoice/{invoice.pk}/change/").content.decode()


def test_what_is_closed_to_a_person_is_named_and_no_link(invoice: Invoice) -> None:
    page = page_of(invoice, with_role(staff("cleo"), "clerk", Invoice))

    assert "Ada Bruni" in page
    assert str(invoice.contract) in page
    assert f"/linking/auth/user/{invoice.created_by_id}/" not in page
    assert f"/linking/billing/contract/{invoice.contract_id}/" not in page


def test_what_is_open_to_a_person_is_a_link(invoice: Invoice) -> None:
    reader = with_role(with_role(staff("rob", "auth.view_user"), "clerk", Invoice), "auditor", Contract)

    page = page_of(invoice, reader)

    assert f'<a href="/linking/auth/user/{invoice.created_by_id}/change/">Ada Bruni</a>' in page
    assert f'href="/linking/billing/contract/{invoice.contract_id}/change/"' in page
