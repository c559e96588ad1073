"""The OpenAPI document: it is valid, says what is served, and knows where."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import include, path
from openapi_spec_validator import OpenAPIV31SpecValidator
from rest_framework.test import APIClient

from sample_project.billing.models import ExpenseReport
from tests.api.desk import Desk

pytestmark = pytest.mark.once

Client = Callable[[Any], APIClient]

urlpatterns = [
    path("deep/down/", include("fsm_lifecycle.api.urls")),
    path("", include("fsm_lifecycle.api.urls", namespace="top")),
]


@pytest.fixture
def document(as_user: Client, desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = as_user(desk.stranger).get("/api/schema/").json()
    return found


def test_it_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_each_event_has_a_body_of_its_own(document: dict[str, Any]) -> None:
    operation = document["paths"]["/billing.invoice/{pk}/events/pay/"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["arguments"]["properties"]["paid_on"]["format"] == "date"
    assert body["additionalProperties"] is False
    many = document["paths"]["/billing.invoice/-/events/pay/"]["post"]
    assert "ids" in many["requestBody"]["content"]["application/json"]["schema"]["required"]
    assert {"401", "403", "404", "409", "412", "422", "428", "429"} <= set(operation["responses"])


def test_what_cannot_be_written_is_no_part_of_a_body(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert set(schemas["BillingExpenseReport"]["properties"]) >= {"id", "state", "created_by", "amount"}
    assert set(schemas["BillingExpenseReportRequest"]["properties"]) == {"purpose", "amount"}
    # Nothing of a door is opened, so none can be made, and an edit may say nothing.
    assert set(document["paths"]["/testapp.door/"]) == {"get"}
    door = document["paths"]["/testapp.door/{pk}/"]
    assert set(door) == {"get", "patch", "delete"}
    body = door["patch"]["requestBody"]["content"]["application/json"]["schema"]
    assert (body["properties"], body["additionalProperties"]) == ({}, False)


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [
        operation["operationId"] for methods in document["paths"].values() for operation in methods.values()
    ]
    assert len(names) == len(set(names)) > 100


def test_it_knows_where_it_is_mounted(as_user: Client, desk: Desk, settings: Any) -> None:
    assert as_user(desk.stranger).get("/api/schema/").json()["servers"] == [{"url": "http://testserver/api"}]
    settings.ROOT_URLCONF = "tests.api.test_document"
    client = as_user(desk.clara)
    assert client.get("/deep/down/schema/").json()["servers"] == [{"url": "http://testserver/deep/down"}]
    assert client.get("/schema/").json()["servers"] == [{"url": "http://testserver"}]
    body = {"purpose": "A taxi", "amount": "20"}
    made = client.post("/deep/down/billing.expensereport/", body, format="json")
    assert (
        made.headers["Location"]
        == f"http://testserver/deep/down/billing.expensereport/{ExpenseReport.objects.get().pk}/"
    )


def test_without_drf_spectacular_the_schema_says_what_to_install(
    as_user: Client, desk: Desk, monkeypatch: Any
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "drf_spectacular" else found(name, *a)
    )
    response = as_user(desk.stranger).get("/api/schema/")
    assert (response.status_code, response.json()["code"]) == (501, "not_installed")
    assert "fsm-lifecycle[api]" in response.json()["detail"]
    assert as_user(desk.audrey).get(desk.address).status_code == 200
