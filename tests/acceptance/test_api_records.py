"""What the API promises of records: where it is mounted, what it shows, what may be written, and what is not told."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from django.contrib.auth.models import Permission, User
from django.test import override_settings
from rest_framework.routers import DefaultRouter

from fsm_lifecycle import adopting
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.api import LifecycleViewSet
from fsm_lifecycle.models import TransitionLog
from sample_project.billing.models import Contract, ExpenseReport, Invoice
from tests.acceptance.api_site import NEW, SETUP, client, person, problem
from tests.sample.making import an_invoice
from tests.testapp.models import Light
from tests.testapp.offices import Claim, Plate

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.acceptance.api_site")]
DEFAULT = {"id", "label", "state", "sequence", "available_events"}


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def clara() -> User:
    return person("clara", Invoice, "clerk")


# --- mounted -------------------------------------------------------------------------------------------------


def test_every_registered_lifecycle_is_served_under_each_mount(root: User) -> None:
    for mount in ("/api/", "/deep/er/v1/"):
        tables = client(root).get(f"{mount}lifecycles/").json()
        for table in tables:
            assert table["fingerprint"]
            assert "roles" in table
            assert client(root).get(f"{mount}{table['name']}/").status_code == 200
        assert {"billing.invoice", "helpdesk.ticket", "testapp.door"} <= {one["name"] for one in tables}
        table = client(root).get(f"{mount}lifecycles/billing.invoice/").json()
        assert table["fingerprint"] == Invoice.lifecycle.fingerprint
        assert "approver" in str(table["roles"])


def test_links_stay_under_the_mount_that_was_asked(clara: User) -> None:
    for number in range(3):
        an_invoice(clara, f"N-{number}")
    first = client(clara).get("/deep/er/v1/billing.invoice/?page_size=2").json()
    assert "/deep/er/v1/billing.invoice/" in first["next"]
    second = client(clara).get(first["next"]).json()
    assert len(first["results"]) == 2
    assert len(second["results"]) == 1
    assert second["next"] is None
    made = client(clara).post("/deep/er/v1/billing.invoice/", NEW, format="json")
    assert made.status_code == 201
    assert client(clara).get(made["Location"]).json()["id"] == made.json()["id"]


def test_the_schema_names_the_mount_as_its_server(root: User) -> None:
    for mount in ("/api/", "/deep/er/v1/"):
        answer = client(root).get(f"{mount}schema/")
        document = answer.json()
        assert document["openapi"].startswith("3.1")
        servers = [one["url"] for one in document["servers"]]
        known = list(document["paths"])
        path = next(one for one in known if one.endswith("/billing.invoice/"))
        assert any((server.rstrip("/") + path).endswith(f"{mount}billing.invoice/") for server in servers)


# --- what is shown -------------------------------------------------------------------------------------------


def test_by_default_a_record_shows_five_things(root: User) -> None:
    light = Light.objects.create(name="secret")
    shown = client(root).get(f"/api/testapp.light/{light.pk}/").json()
    assert set(shown) == DEFAULT
    assert shown["id"] == light.pk
    assert shown["label"] == str(light)
    assert shown["state"] == "off"
    assert shown["sequence"] == 1
    assert shown["available_events"] == ["switch_on", "smash"]
    assert client(root).get("/api/testapp.light/").json()["results"] == [shown]


def test_fields_named_in_api_fields_are_shown_beside_them(clara: User) -> None:
    invoice = an_invoice(clara)
    shown = client(clara).get(f"/api/billing.invoice/{invoice.pk}/").json()
    assert set(shown) == DEFAULT | set(Invoice.Lifecycle.api_fields)
    assert shown["amount"] == "100.00"
    assert "created_by" not in shown


def test_available_events_are_those_of_who_asks(clara: User) -> None:
    invoice = an_invoice(clara)
    address = f"/api/billing.invoice/{invoice.pk}/"
    assert set(client(clara).get(address).json()["available_events"]) == {"send_invoice", "cancel"}
    assert client(person("audrey", Invoice, "auditor")).get(address).json()["available_events"] == []


def test_a_list_holds_what_is_visible_and_filters_by_state(clara: User) -> None:
    mine, sent = an_invoice(clara, "N-1"), an_invoice(clara, "N-2")
    sent.fire("send_invoice", actor=clara)
    someone = person("someone", mine, "auditor")
    assert [one["id"] for one in client(someone).get("/api/billing.invoice/").json()["results"]] == [mine.pk]
    for query, expected in (
        ("state=sent", [sent.pk]),
        ("state=draft", [mine.pk]),
        ("state=draft,sent&ordering=id", [mine.pk, sent.pk]),
        ("ordering=-number", [sent.pk, mine.pk]),
        ("state=paid", []),
    ):
        answer = client(clara).get(f"/api/billing.invoice/?{query}")
        assert [one["id"] for one in answer.json()["results"]] == expected, query


def test_a_parameter_that_there_is_not_is_named(clara: User) -> None:
    an_invoice(clara)
    for query in (
        "created_by=1",
        "ordering=created_by",
        "ordering=contract__client_name",
        "state=x%00",
        "cursor=%00",
    ):
        body = problem(client(clara).get(f"/api/billing.invoice/?{query}"), 400)
        assert query.partition("=")[0] in str(body["errors"])


def test_nothing_is_readable_without_permission(clara: User) -> None:
    invoice = an_invoice(clara)
    stranger = client(person("stranger"))
    assert stranger.get("/api/billing.invoice/").json()["results"] == []
    for address in ("", "events/", "transitions/"):
        problem(stranger.get(f"/api/billing.invoice/{invoice.pk}/{address}"), 404, "not_found")
        problem(client().get(f"/api/billing.invoice/{invoice.pk}/{address}"), 401)
    problem(client().get("/api/billing.invoice/"), 401)
    for address in ("lifecycles/", "log/", "checkpoints/", "schema/", "proposals/", "runs/", "webhooks/"):
        assert problem(client().get(f"/api/{address}"), 401)
        assert client().get(f"/api/{address}")["WWW-Authenticate"]


def test_what_is_not_there_and_what_is_not_visible_look_alike(clara: User) -> None:
    invoice = an_invoice(clara)
    stranger = client(person("stranger"))
    key = invoice.pk
    asked = [
        ("get", ""),
        ("patch", ""),
        ("delete", ""),
        ("get", "events/"),
        ("get", "transitions/"),
        ("post", "events/pay/"),
        ("post", "events/no_such_event/"),
    ]

    def answers() -> list[Any]:
        got = [
            getattr(stranger, verb)(f"/api/billing.invoice/{key}/{rest}", {}, format="json")
            if verb in ("patch", "post")
            else getattr(stranger, verb)(f"/api/billing.invoice/{key}/{rest}")
            for verb, rest in asked
        ]
        return [(one.status_code, dict(one.headers), one.content) for one in got]

    hidden = answers()
    invoice.delete()
    assert hidden == answers()
    assert {status for status, _, _ in hidden} == {404}


# --- what may be written -------------------------------------------------------------------------------------


def test_a_record_is_made_by_who_has_the_role_and_belongs_to_them(clara: User) -> None:
    problem(
        client(person("stranger")).post("/api/billing.invoice/", NEW, format="json"), 403, "access_denied"
    )
    made = client(clara).post("/api/billing.invoice/", NEW, format="json")
    assert made.status_code == 201
    assert made.json()["state"] == "draft"
    invoice = Invoice.objects.get(pk=made.json()["id"])
    assert invoice.created_by == clara
    entry = invoice.log.first()
    assert entry is not None
    assert (entry.kind, entry.actor_kind, entry.actor_id) == ("created", "user", str(clara.pk))


@pytest.mark.parametrize(
    "name",
    ["state", "sequence", "lifecycle_sequence", "lifecycle_head", "state_since", "created_by", "id", "bogus"],
)
def test_what_is_not_open_cannot_be_written(clara: User, name: str) -> None:
    invoice = an_invoice(clara)
    address = f"/api/billing.invoice/{invoice.pk}/"
    for answer in (
        client(clara).patch(address, {"client_name": "Eve", name: 4}, format="json"),
        client(clara).post("/api/billing.invoice/", {**NEW, name: 4}, format="json"),
    ):
        assert name in str(problem(answer, 400, "unknown_argument")["errors"])
    invoice.refresh_from_db()
    assert invoice.client_name == "Ferrara Logistica"
    assert Invoice.objects.count() == 1


def test_created_by_stays_closed_even_where_it_is_shown() -> None:
    eve = person("eve", ExpenseReport, "employee")
    other = person("other")
    new = {"purpose": "Train", "amount": "5.00"}
    made = client(eve).post("/api/billing.expensereport/", new, format="json")
    assert made.status_code == 201
    assert made.json()["created_by"] == eve.pk
    address = f"/api/billing.expensereport/{made.json()['id']}/"
    for answer in (
        client(eve).patch(address, {"created_by": other.pk}, format="json"),
        client(eve).post("/api/billing.expensereport/", {**new, "created_by": other.pk}, format="json"),
    ):
        assert "created_by" in str(problem(answer, 400)["errors"])
    assert set(ExpenseReport.objects.values_list("created_by", flat=True)) == {eve.pk}


def test_where_nothing_is_open_a_patch_names_what_it_may_not_write(root: User) -> None:
    light = Light.objects.create(name="hall")
    for name in ("name", "state"):
        answer = client(root).patch(f"/api/testapp.light/{light.pk}/", {name: "on"}, format="json")
        assert name in str(problem(answer, 400, "unknown_argument")["errors"])
    light.refresh_from_db()
    assert (light.name, light.state) == ("hall", "off")


def test_where_no_record_can_be_made_who_may_not_hears_that_first(root: User) -> None:
    for body in ({"title": "x"}, {"bogus": 1}, {}):
        answer = client(person(f"eve{len(str(body))}")).post("/api/testapp.plate/", body, format="json")
        problem(answer, 403, "access_denied")
    assert "code" in str(
        problem(client(root).post("/api/testapp.plate/", {"code": "x"}, format="json"), 400)["errors"]
    )
    problem(client(root).post("/api/testapp.plate/", {}, format="json"), 405)
    problem(client().post("/api/testapp.plate/", {}, format="json"), 401)


def test_a_viewset_of_ones_own_is_named_by_any_router(clara: User) -> None:
    class ByModel(LifecycleViewSet):
        model: ClassVar[Any] = Invoice

    class Narrowed(ByModel):
        queryset = Invoice.objects.in_state("sent")

    class Other(ByModel):
        model: ClassVar[Any] = Light

    router = DefaultRouter()
    for prefix, viewset in (("invoices", ByModel), ("sent", Narrowed), ("lights", Other)):
        router.register(prefix, viewset, basename=prefix if viewset is Narrowed else None)
    invoice = an_invoice(clara)
    Light.objects.create()
    with override_settings(ROOT_URLCONF=type("urls", (), {"urlpatterns": router.urls})):
        assert [one["id"] for one in client(clara).get("/invoices/").json()["results"]] == [invoice.pk]
        assert client(clara).get("/sent/").json()["results"] == []
        problem(client(clara).get(f"/sent/{invoice.pk}/"), 404)
        assert client(clara).get("/lights/").json()["results"][0]["state"] == "off"
        fired = client(clara).post(f"/invoices/{invoice.pk}/events/send_invoice/", {}, format="json")
        assert fired.json()["record"]["state"] == "sent"


def test_a_value_that_the_field_does_not_take_is_named(clara: User) -> None:
    invoice = an_invoice(clara)
    for change in (
        {"amount": "much"},
        {"due_on": "2026-02-30"},
        {"client_email": "nobody"},
        {"contract": 99},
    ):
        answer = client(clara).patch(f"/api/billing.invoice/{invoice.pk}/", change, format="json")
        assert answer.status_code in (400, 422)
        assert next(iter(change)) in str(problem(answer, answer.status_code)["errors"])
    assert (
        client(clara)
        .patch(f"/api/billing.invoice/{invoice.pk}/", {"client_name": "Bo"}, format="json")
        .json()["client_name"]
        == "Bo"
    )


def test_a_reference_to_what_is_not_visible_looks_like_one_to_nothing(clara: User) -> None:
    invoice = an_invoice(clara)
    contract = Contract.objects.create(pk=7040, client_name="Hidden")
    told = []
    for key in (contract.pk, contract.pk + 1):
        answer = client(clara).patch(f"/api/billing.invoice/{invoice.pk}/", {"contract": key}, format="json")
        told.append(problem(answer, answer.status_code))
        assert answer.status_code in (400, 422)
    assert str(told[0]).replace(str(contract.pk), "?") == str(told[1]).replace(str(contract.pk + 1), "?")


def test_deleting_needs_its_role(clara: User) -> None:
    invoice = an_invoice(clara)
    problem(client(clara).delete(f"/api/billing.invoice/{invoice.pk}/"), 403, "access_denied")
    clara.user_permissions.add(
        Permission.objects.get(codename="delete_invoice", content_type__app_label="billing")
    )
    assert (
        client(User.objects.get(pk=clara.pk)).delete(f"/api/billing.invoice/{invoice.pk}/").status_code == 204
    )
    assert not Invoice.objects.exists()
    last = TransitionLog.objects.for_model(Invoice).order_by("-sequence")[0]
    assert (last.kind, last.actor_id) == ("deleted", str(clara.pk))


def test_reading_is_not_updating(clara: User) -> None:
    invoice = an_invoice(clara)
    audrey = person("audrey", Invoice, "auditor")
    answer = client(audrey).patch(f"/api/billing.invoice/{invoice.pk}/", {"bogus": 1}, format="json")
    problem(answer, 403, "access_denied")


def test_adopted_records_and_grants_on_one_record_are_served(root: User) -> None:
    with adopting("import"):
        claim = Claim.objects.create(title="x", state="examined")
    paul = person("paul")
    grant_role(paul, "approver", on=claim, by=SETUP)
    shown = client(paul).get(f"/api/testapp.claim/{claim.pk}/").json()
    assert shown["available_events"] == ["approve", "reject"]
    plate = Plate.objects.create(code="a-b")
    grant_role(paul, "examiner", on=plate, by=SETUP)
    assert client(paul).get("/api/testapp.plate/a-b/").json()["available_events"] == ["examine", "reject"]
