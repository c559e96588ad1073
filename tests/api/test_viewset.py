"""``LifecycleViewSet`` in a project's own hands: its own serializer, queryset, routes and permissions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db.models import F
from django.urls import include, path
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.routers import DefaultRouter
from rest_framework.test import APIClient

from fsm_lifecycle.api import LifecycleViewSet
from sample_project.billing.models import ExpenseReport, Invoice
from tests.api.desk import PAY, Desk
from tests.sample.making import an_invoice

pytestmark = pytest.mark.once

Client = Callable[[Any], APIClient]


class BillSerializer(serializers.ModelSerializer):  # type: ignore[misc]
    shout = serializers.SerializerMethodField()

    class Meta:
        model = Invoice
        fields = ["id", "number", "amount", "shout", "state", "created_by"]
        read_only_fields = ["created_by"]

    def get_shout(self, record: Invoice) -> str:
        return record.number.upper()


class NobodyDeletes(BasePermission):  # type: ignore[misc]
    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(request.method != "DELETE")


class Bills(LifecycleViewSet):
    queryset = Invoice.objects.exclude(number__startswith="X")
    serializer_class = BillSerializer
    permission_classes = (NobodyDeletes,)


class Reports(LifecycleViewSet):
    model = ExpenseReport


class ShortSerializer(serializers.ModelSerializer):  # type: ignore[misc]
    class Meta:
        model = Invoice
        fields = ["id", "number"]


class CountedSerializer(serializers.ModelSerializer):  # type: ignore[misc]
    twice = serializers.DecimalField(max_digits=12, decimal_places=2, read_only=True)
    asked_by = serializers.SerializerMethodField()

    class Meta:
        model = Invoice
        fields = [
            "id",
            "number",
            "client_name",
            "client_email",
            "due_on",
            "amount",
            "state",
            "twice",
            "asked_by",
        ]
        read_only_fields = ["state"]

    def get_asked_by(self, record: Invoice) -> str:
        return str(self.context["asked_by"])


class NotOnLarge(BasePermission):  # type: ignore[misc]
    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return bool(obj.amount < 1000)


class Hooked(LifecycleViewSet):
    """Uses the framework's hooks in the place of attributes."""

    model = Invoice
    permission_classes = (NotOnLarge,)
    query_parameters = ("client",)

    def get_queryset(self) -> Any:
        found = super().get_queryset().filter(number__startswith="H").annotate(twice=F("amount") * 2)
        client = self.request.query_params.get("client")
        return found.filter(client_name=client) if client else found

    def get_serializer_class(self) -> Any:
        return ShortSerializer if self.action == "list" else CountedSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "asked_by": self.request.user}

    def perform_create(self, serializer: Any) -> None:
        serializer.save(number=f"H-{serializer.validated_data['number']}")

    def perform_update(self, serializer: Any) -> None:
        serializer.save(client_email="edited@example.com")

    def perform_destroy(self, instance: Any) -> None:
        instance.due_on = "2000-01-01"
        instance.save()


router = DefaultRouter()
router.register("hooked", Hooked, basename="hooked")
router.register("bills", Bills, basename="bill")
urlpatterns = [
    path("own/", include(router.urls)),
    path("own/reports/", include(Reports.urls(name="report"))),
]


@pytest.fixture
def routed(settings: Any, desk: Desk) -> Desk:
    settings.ROOT_URLCONF = "tests.api.test_viewset"
    return desk


def test_its_own_serializer_shows_and_writes(as_user: Client, routed: Desk) -> None:
    clara = as_user(routed.clara)
    address = f"/own/bills/{routed.invoice.pk}/"
    shown = clara.get(address).json()
    assert set(shown) == {"id", "number", "amount", "shout", "state", "created_by"}
    assert clara.patch(address, {"amount": "7"}, format="json").json()["amount"] == "7.00"
    refused = clara.patch(address, {"client_name": "x", "state": "paid"}, format="json")
    assert [one["name"] for one in refused.json()["errors"]] == ["client_name", "state"]


def test_what_it_shows_is_what_its_histories_show(as_user: Client, routed: Desk) -> None:
    routed.sent()
    paid = as_user(routed.paul).post(f"/own/bills/{routed.invoice.pk}/events/pay/", PAY, format="json")
    assert (paid.status_code, paid.json()["record"]["state"]) == (200, "paid")
    assert paid.json()["entry"]["snapshot"] == {"amount": "100.00"}
    assert paid.json()["entry"]["arguments"] == {}


def test_its_own_queryset_narrows_everything(as_user: Client, routed: Desk) -> None:
    hidden = an_invoice(routed.clara, "X-1")
    clara = as_user(routed.clara)
    assert [one["number"] for one in clara.get("/own/bills/").json()["results"]] == ["2026-001"]
    assert clara.get(f"/own/bills/{hidden.pk}/").status_code == 404
    body = {"ids": [hidden.pk, routed.invoice.pk]}
    many = clara.post("/own/bills/-/events/send_invoice/", body, format="json").json()
    assert [one["status"] for one in many["results"]] == [404, 200]


def test_its_own_permissions_count_beside_the_roles(as_user: Client, routed: Desk) -> None:
    response = as_user(routed.clara).delete(f"/own/bills/{routed.invoice.pk}/")
    assert (response.status_code, response.json()["code"]) == (403, "access_denied")


@pytest.fixture
def hooked(routed: Desk) -> Invoice:
    an_invoice(routed.clara, "H-1")
    large = an_invoice(routed.clara, "H-2")
    Invoice.objects.filter(pk=large.pk).update(amount=5000)
    return large


def test_the_frameworks_hooks_narrow_and_show(as_user: Client, routed: Desk, hooked: Invoice) -> None:
    clara = as_user(routed.clara)
    listed = clara.get("/own/hooked/").json()["results"]
    assert [sorted(one) for one in listed] == [["id", "number"]] * 2
    assert {one["number"] for one in listed} == {"H-1", "H-2"}
    assert (
        as_user(routed.stranger).get("/own/hooked/").json()["results"] == []
    )  # what may be seen counts as well
    assert clara.get(f"/own/hooked/{routed.invoice.pk}/").status_code == 404
    assert clara.get("/own/hooked/?client=nobody").json()["results"] == []
    assert clara.get("/own/hooked/?customer=nobody").status_code == 400
    address = f"/own/hooked/{listed[-1]['id']}/"
    shown = clara.get(address)
    assert (shown.json()["twice"], shown.json()["asked_by"]) == ("200.00", "clara")
    tag = {"If-Match": shown.headers["ETag"]}
    edited = clara.patch(address, {"amount": "7"}, format="json", headers=tag).json()
    assert (edited["twice"], edited["client_email"]) == ("14.00", "edited@example.com")
    fired = clara.post(f"{address}events/send_invoice/").json()
    assert (fired["record"]["state"], fired["record"]["twice"]) == ("sent", "14.00")
    assert clara.delete(address).status_code == 403  # by its role
    root = User.objects.create_superuser("root")
    assert as_user(root).delete(address).status_code == 204
    assert clara.get(address).json()["due_on"] == "2000-01-01"


def test_a_record_is_made_by_the_hook_and_by_who_asks(as_user: Client, routed: Desk) -> None:
    body = {
        "number": "9",
        "client_name": "Fjord",
        "client_email": "a@example.com",
        "due_on": "2026-12-01",
        "amount": "3",
    }
    made = as_user(routed.clara).post("/own/hooked/", body, format="json")
    assert (made.status_code, made.json()["number"], made.json()["twice"]) == (201, "H-9", "6.00")
    assert made.headers["ETag"] == as_user(routed.clara).get(made.headers["Location"]).headers["ETag"]
    assert Invoice.objects.get(number="H-9").created_by == routed.clara


def test_permissions_for_one_record_count_for_one_of_many(
    as_user: Client, routed: Desk, hooked: Invoice
) -> None:
    clara = as_user(routed.clara)
    for method, rest in (("get", ""), ("patch", ""), ("get", "events/"), ("post", "events/send_invoice/")):
        answer = getattr(clara, method)(f"/own/hooked/{hooked.pk}/{rest}", {}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (403, "access_denied")
    small = Invoice.objects.get(number="H-1")
    body = {"ids": [hooked.pk, small.pk, routed.invoice.pk], "all_or_nothing": True}
    address = "/own/hooked/-/events/send_invoice/"
    answer = clara.post(address, body, format="json").json()
    assert [one["code"] for one in answer["results"]] == ["access_denied", "not_attempted", "not_found"]
    answer = clara.post(address, {"ids": body["ids"]}, format="json").json()
    assert [one["status"] for one in answer["results"]] == [403, 200, 404]


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("filter_backends", ["any"], "get_queryset"),
        ("search_fields", ["number"], "get_queryset"),
        ("pagination_class", object, "page_size"),
        ("ordering_fields", ["number"], "api_fields"),
        ("lookup_field", "number", "key"),
        ("update", lambda *args: None, "partial_update"),
    ],
)
def test_a_hook_without_effect_is_refused_with_what_to_write_instead(
    name: str, value: Any, remedy: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"Odd\.{name} .*{remedy}"):
        type("Odd", (LifecycleViewSet,), {"model": Invoice, name: value})
    mixin = type("Mixin", (), {name: value})
    with pytest.raises(ImproperlyConfigured):
        type("Odd", (mixin, LifecycleViewSet), {"model": Invoice})


def test_its_document_names_what_its_queryset_reads(as_user: Client, routed: Desk) -> None:
    from drf_spectacular.generators import SchemaGenerator

    generator: Any = SchemaGenerator
    document = generator(urlconf="tests.api.test_viewset").get_schema(request=None, public=True)
    asked = document["paths"]["/own/hooked/"]["get"]["parameters"]
    assert "client" in [one["name"] for one in asked]


def test_it_has_routes_without_a_router(as_user: Client, routed: Desk) -> None:
    made = as_user(routed.clara).post("/own/reports/", {"purpose": "A taxi", "amount": "20"}, format="json")
    assert made.status_code == 201
    assert made.headers["Location"].endswith(f"/own/reports/{made.json()['id']}/")
    assert as_user(routed.clara).post(f"{made.headers['Location']}events/submit/").status_code == 200
