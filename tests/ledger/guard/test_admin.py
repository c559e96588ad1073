"""Django's admin, with a host's own pages for the tables that only grow: neither saving nor deleting comes through."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection, models, transaction
from django.forms.models import model_to_dict
from django.test import Client
from django.urls import path

from tests.ledger.guard.growing import GROWING, contents, plain

pytestmark = [pytest.mark.urls(__name__), pytest.mark.once, pytest.mark.usefixtures("filled")]

site = admin.AdminSite("guard")
for _model in GROWING:
    site.register(_model, admin.ModelAdmin)
urlpatterns = [path("guard/", site.urls)]


@pytest.fixture
def browser(db: None) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root"))
    return client


def _page(model: Any, *rest: Any) -> str:
    return "/".join(["/guard/fsm_lifecycle", model._meta.model_name, *map(str, rest), ""])


def _post(browser: Client, page: str, fields: dict[str, Any]) -> None:
    """Post a form; what comes of it, an error included, is undone as a request's transaction is."""
    before = [contents(model) for model in GROWING]
    with transaction.atomic():
        answer = browser.post(page, fields)
        transaction.set_rollback(answer.status_code >= 500)
    assert answer.status_code in (200, 302, 403, 500)
    assert [contents(model) for model in GROWING] == before


def test_the_delete_action_removes_nothing(browser: Client) -> None:
    for model in GROWING:
        keys = [str(key) for key in plain(model).values_list("pk", flat=True)]
        chosen = {"action": "delete_selected", "_selected_action": keys}
        _post(browser, _page(model), chosen)
        _post(browser, _page(model), {**chosen, "post": "yes"})


def test_the_delete_page_removes_nothing(browser: Client) -> None:
    for model in GROWING:
        row = plain(model).order_by("pk")[0]
        _post(browser, _page(model, row.pk, "delete"), {"post": "yes"})


def test_the_change_page_changes_nothing(browser: Client) -> None:
    for model in GROWING:
        row = plain(model).order_by("pk")[0]
        fields = {
            name: "forged" if isinstance(model._meta.get_field(name), models.CharField) else value
            for name, value in model_to_dict(row).items()
            if value is not None
        }
        for field in model._meta.local_concrete_fields:
            value = getattr(row, field.attname)
            if isinstance(field, models.DateTimeField) and value is not None:
                fields |= {
                    f"{field.name}_0": value.strftime("%Y-%m-%d"),
                    f"{field.name}_1": value.strftime("%H:%M"),
                }
        _post(browser, _page(model, row.pk, "change"), fields)


def test_the_add_page_adds_nothing(browser: Client) -> None:
    for model in GROWING:
        _post(browser, _page(model, "add"), dict.fromkeys(model_to_dict(plain(model)[0]), "1"))
    assert connection.is_usable()
