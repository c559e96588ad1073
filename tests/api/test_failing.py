"""What fails on this side: effects, a busy database, answers that cannot be written. Each is a problem, as all else."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.urls import include, path
from rest_framework import serializers
from rest_framework.test import APIClient

from fsm_lifecycle import System
from fsm_lifecycle.api import LifecycleViewSet, representing
from sample_project.billing.models import ExpenseReport, Invoice
from tests.api.desk import Desk, furnished
from tests.api.test_problems import problem
from tests.testapp.models import Bell
from tests.testapp.shapes import Archive

Client = Callable[[Any], APIClient]


class OddSerializer(serializers.ModelSerializer):  # type: ignore[misc]
    odd = serializers.SerializerMethodField()

    class Meta:
        model = Invoice
        fields = ["id", "odd"]

    def get_odd(self, record: Invoice) -> Any:
        return object()


class OddInvoices(LifecycleViewSet):
    model = Invoice
    serializer_class = OddSerializer


urlpatterns = [path("odd/", include(OddInvoices.urls(name="odd")))]


def test_an_effect_that_raises_fails_alone_as_it_does_among_others(as_user: Client, desk: Desk) -> None:
    bell = Bell.objects.create(mischief="raise")
    bell.fire("ring", actor=System("tests"))
    client = as_user(desk.stranger)
    alone = problem(client.post(f"/api/testapp.bell/{bell.pk}/events/hush/"), 422, "effect_failed")
    body = {"ids": [bell.pk]}
    (among,) = client.post("/api/testapp.bell/-/events/hush/", body, format="json").json()["results"]
    assert (among["status"], among["code"]) == (422, "effect_failed")
    assert "secret" not in f"{alone}{among}"
    assert Bell.objects.get().state == "ringing"


@pytest.mark.once
def test_what_is_no_number_is_null(as_user: Client, desk: Desk, monkeypatch: Any) -> None:
    representing.serializer_for.cache_clear()
    options = {**Archive.lifecycle.options, "api_fields": ["ratio"]}
    monkeypatch.setitem(vars(Archive.lifecycle), "options", options)
    archive = Archive.objects.create(ratio=float("inf"))
    client = as_user(desk.stranger)
    address = f"/api/testapp.archive/{archive.pk}/"
    assert client.get(address).json()["ratio"] is None
    assert client.get("/api/testapp.archive/").json()["results"][0]["ratio"] is None
    (event, *_) = client.get(address).json()["available_events"]
    fired = client.post(f"{address}events/{event}/", headers={"Idempotency-Key": "one"})
    assert (fired.status_code, fired.json()["record"]["ratio"]) == (200, None)
    representing.serializer_for.cache_clear()


@pytest.mark.once
def test_an_answer_that_cannot_be_written_is_a_problem(as_user: Client, desk: Desk, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.api.test_failing"
    client = as_user(desk.clara)
    problem(client.get(f"/odd/{desk.invoice.pk}/"), 500, "internal_error")
    # The event was fired, and nothing says that it was not.
    body = problem(client.post(f"/odd/{desk.invoice.pk}/events/send_invoice/"), 500, "internal_error")
    assert Invoice.objects.get().state == "sent"
    assert "Nothing" not in body["detail"]


@contextmanager
def held() -> Iterator[None]:
    """Inside, somebody else writes, and does not end."""
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, uri=True)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.once
@pytest.mark.skipif(connection.vendor != "sqlite", reason="one writer at a time")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "one"}], ids=["", "key"])
def test_a_busy_database_is_a_conflict(key: dict[str, str], as_user: Client, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"ENCRYPTION_KEYS": ["a key for tests that is long enough to be one"]}
    desk = furnished()
    desk.clara.user_permissions.add(Permission.objects.get(codename="manage_webhooks"))
    client, report = as_user(desk.clara), {"purpose": "A taxi", "amount": "20"}
    hook = client.post("/api/webhooks/", {"url": "https://example.com/"}, format="json").json()["id"]
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    with held():
        for method, address, body in (
            ("post", "/api/billing.expensereport/", report),
            ("post", desk.event("send_invoice"), {}),
            ("post", "/api/billing.invoice/-/events/send_invoice/", {"ids": [desk.invoice.pk]}),
            ("patch", desk.address, {"amount": "7"}),
            ("post", "/api/webhooks/", {"url": "https://example.com/"}),
            ("post", f"/api/webhooks/{hook}/secret/", {}),
            ("patch", f"/api/webhooks/{hook}/", {"description": "x"}),
            ("delete", f"/api/webhooks/{hook}/", {}),
        ):
            answer = getattr(client, method)(address, body, format="json", headers=key)
            if answer.status_code == 200:  # each of many is answered for itself
                assert {one["code"] for one in answer.json()["results"]} == {"stale_state"}
            else:
                problem(answer, 409, "stale_state")
    connection.close()
    assert not ExpenseReport.objects.exists()
    assert client.post(desk.event("send_invoice"), headers=key).status_code == 200
