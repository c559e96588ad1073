"""Records over HTTP: lists, pages, keys, editing, deleting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import resolve
from rest_framework.test import APIClient

from fsm_lifecycle.access import grant_role
from fsm_lifecycle.api.keys import key_from, key_segment
from fsm_lifecycle.models import LegalHold, TransitionLog
from sample_project.billing.models import Contract, Invoice
from tests.api.desk import Desk
from tests.sample.making import SETUP, an_invoice
from tests.testapp.models import Door, Parcel

Client = Callable[[Any], APIClient]


def walk(client: APIClient, address: str) -> list[dict[str, Any]]:
    """Every record of a list, page by page."""
    found: list[dict[str, Any]] = []
    following: str | None = address
    while following:
        response = client.get(following)
        assert response.status_code == 200, response.content
        found += response.json()["results"]
        following = response.json()["next"]
    return found


def test_pages_hold_every_record_once_in_every_order(as_user: Client, desk: Desk) -> None:
    for number in range(7):
        invoice = an_invoice(desk.clara, f"N-{number % 4}{number}")
        Invoice.objects.filter(pk=invoice.pk).update(amount=number % 3)
    client = as_user(desk.audrey)
    keys = {invoice.pk for invoice in Invoice.objects.all()}
    for ordering in (
        "id",
        "-id",
        "number",
        "-number",
        "amount",
        "-amount",
        "due_on",
        "state_since",
        "-state_since",
    ):
        rows = walk(client, f"/api/billing.invoice/?page_size=2&ordering={ordering}")
        assert len(rows) == len(keys)
        assert {one["id"] for one in rows} == keys
        name = ordering.removeprefix("-")
        values = [float(one[name]) if name == "amount" else one.get(name, 0) for one in rows]
        assert values == sorted(values, reverse=ordering.startswith("-"))


def test_a_page_goes_on_where_it_ended_whatever_comes_in_between(as_user: Client, desk: Desk) -> None:
    for number in range(4):
        an_invoice(desk.clara, f"N-{number}")
    client = as_user(desk.audrey)
    first = client.get("/api/billing.invoice/?page_size=2").json()
    an_invoice(desk.clara, "new")
    rest = walk(client, first["next"])
    assert [one["number"] for one in (*first["results"], *rest)] == ["N-3", "N-2", "N-1", "N-0", "2026-001"]


def test_pages_go_on_behind_values_that_forms_would_refuse(as_user: Client, desk: Desk) -> None:
    """A validator, or the length of a cursor, is no reason for a page without a next one."""
    for number, name in enumerate(("😀" * 200, "a", "é" * 150, "z")):
        invoice = an_invoice(desk.clara, f"N-{number}")
        Invoice.objects.filter(pk=invoice.pk).update(client_email=f"no address {number}", client_name=name)
    client = as_user(desk.audrey)
    for ordering in ("client_email", "-client_email", "client_name", "-client_name"):
        rows = walk(client, f"/api/billing.invoice/?page_size=1&ordering={ordering}")
        assert len({one["id"] for one in rows}) == len(rows) == Invoice.objects.count()


@pytest.mark.once
def test_an_empty_parameter_says_nothing(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.audrey)
    listed = client.get("/api/billing.invoice/").json()
    assert client.get("/api/billing.invoice/?state=&ordering=&cursor=&page_size=").json() == listed
    log = client.get("/api/log/").json()
    assert client.get("/api/log/?models=&after=&page_size=").json() == log


def test_a_list_is_narrowed_by_state(as_user: Client, desk: Desk) -> None:
    an_invoice(desk.clara, "N-1")
    desk.sent()
    client = as_user(desk.audrey)
    for states, expected in (
        ("sent", ["2026-001"]),
        ("draft", ["N-1"]),
        ("draft,sent", ["N-1", "2026-001"]),
        ("paid", []),
    ):
        rows = client.get(f"/api/billing.invoice/?state={states}").json()["results"]
        assert [one["number"] for one in rows] == expected


@pytest.mark.once
@pytest.mark.parametrize(
    ("query", "code", "name"),
    [
        ("state=shredded", "unreadable", "state"),
        ("ordering=client_password", "unreadable", "ordering"),
        ("ordering=created_by", "unreadable", "ordering"),
        ("cursor=nonsense", "unreadable", "cursor"),
        ("cursor=W10", "unreadable", "cursor"),
        ("cursor=%F0%9F%98%80", "unreadable", "cursor"),
        ("cursor=%00", "unreadable", "cursor"),
        ("page_size=0", "unreadable", "page_size"),
        ("page_size=1e3", "unreadable", "page_size"),
        ("page_size=99999999999999999999", "unreadable", "page_size"),
        ("state=draft&state=sent", "unreadable", "state"),
        ("limit=3", "unknown_argument", "limit"),
        ("%00=3", "unknown_argument", "\0"),
        ("%ff=3", "unknown_argument", "\ufffd"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(
    query: str, code: str, name: str, as_user: Client, desk: Desk
) -> None:
    response = as_user(desk.audrey).get(f"/api/billing.invoice/?{query}")
    assert (response.status_code, response.json()["code"]) == (400, code)
    assert [one["name"] for one in response.json()["errors"]] == [name]


@pytest.mark.once
def test_a_cursor_of_another_order_or_of_nonsense_is_refused(as_user: Client, desk: Desk) -> None:
    import base64
    import json

    client = as_user(desk.audrey)
    for parts in (
        ["id", None, "1"],
        ["-id", None, "x"],
        ["-id", None, "99999999999999999999999"],
        ["-id", None, 1],
        ["amount", "much", "1"],
        ["amount", None, "1000000"],
        ["amount", "NaN", "1"],
        ["amount", "1e400", "1"],
        ["number", "\0", "1"],
        ["number", "\ud800", "1"],
        ["due_on", "0000-00-00", "1"],
        {"a": 1},
    ):
        cursor = base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")
        order = parts[0] if isinstance(parts, list) and parts[0] != "id" else "-id"
        response = client.get(f"/api/billing.invoice/?ordering={order}&cursor={cursor}")
        assert response.status_code == 400, (parts, response.content)


def test_a_list_costs_the_same_number_of_queries_for_few_and_many(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/api/billing.invoice/?page_size=100").status_code == 200
        return len(captured)

    queries()
    few = queries()
    for number in range(40):
        an_invoice(desk.clara, f"N-{number}")
    assert queries() == few
    assert few <= 8


@pytest.mark.parametrize(
    "key",
    [
        "-",
        ".",
        "..",
        "a/b",
        "_2D",
        "é ü",
        "%2F",
        "a?b#c",
        "x&y=z",
        "front\nback",
        "日本",
        "\u200b",
        "a;b",
        "\"'<>",
    ],
)
def test_a_text_key_may_hold_any_character(key: str, as_user: Client, desk: Desk) -> None:
    from urllib.parse import quote

    assert key_from(key_segment(key)) == key
    Door.objects.create(code=key)
    client = as_user(desk.stranger)
    address = f"/api/testapp.door/{quote(key_segment(key))}/"
    shown = client.get(address)
    assert (shown.status_code, shown.json().get("id")) == (200, key)
    fired = client.post(f"{address}events/open_up/")
    assert (fired.status_code, fired.json()["record"]["state"]) == (200, "open")


def test_a_record_has_one_address(as_user: Client, desk: Desk) -> None:
    parcel = Parcel.objects.create()
    Door.objects.create(code="Front")
    client = as_user(desk.stranger)
    assert client.get(f"/api/testapp.parcel/{parcel.pk}/").status_code == 200
    assert client.get("/api/testapp.door/Front/").status_code == 200
    others = [
        f"testapp.parcel/{parcel.pk.hex}",
        f"testapp.parcel/{str(parcel.pk).upper()}",
        "testapp.door/front",
        "testapp.door/Front%20",
        f"billing.invoice/0{desk.invoice.pk}",
        f"billing.invoice/%20{desk.invoice.pk}",
        f"billing.invoice/+{desk.invoice.pk}",
        "billing.invoice/99999999999999999999999999",
        "billing.invoice/%00",
        "billing.invoice/-",
        "billing.invoice/%FF",
        "billing.invoice/nan",
    ]
    for other in others:
        assert as_user(desk.audrey).get(f"/api/{other}/").status_code == 404, other


def test_editing_changes_fields_and_nothing_else(as_user: Client, desk: Desk) -> None:
    response = as_user(desk.clara).patch(
        desk.address, {"amount": "12.5", "client_name": "Fjord"}, format="json"
    )
    assert response.status_code == 200
    assert (response.json()["amount"], response.json()["client_name"]) == ("12.50", "Fjord")
    assert response.headers["ETag"] == as_user(desk.clara).get(desk.address).headers["ETag"]
    invoice = Invoice.objects.get()
    assert (invoice.state, invoice.lifecycle_sequence, invoice.number) == ("draft", 1, "2026-001")


@pytest.mark.once
@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"amount": "much"}, "amount"),
        ({"amount": 10**40}, "amount"),
        ({"amount": [1]}, "amount"),
        ({"number": "x" * 21}, "number"),
        ({"number": None}, "number"),
        ({"number": {"a": 1}}, "number"),
        ({"due_on": "2026-02-30"}, "due_on"),
        ({"contract": 10**30}, "contract"),
        ({"contract": "x"}, "contract"),
        ({"contract": True}, "contract"),
        ({"client_email": "nobody"}, "client_email"),
    ],
)
def test_values_that_do_not_do_are_named(body: Any, name: str, as_user: Client, desk: Desk) -> None:
    response = as_user(desk.clara).patch(desk.address, body, format="json")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_arguments"), response.content
    assert [one["name"] for one in response.json()["errors"]] == [name]


def test_deleting_leaves_the_log_and_a_hold_leaves_the_record(as_user: Client, desk: Desk) -> None:
    door = Door.objects.create(code="front")
    client = as_user(desk.stranger)
    hold = LegalHold.place(door, "A dispute", by=SETUP)
    response = client.delete("/api/testapp.door/front/")
    assert (response.status_code, response.json()["code"]) == (409, "legal_hold")
    hold.release("Settled", by=SETUP)
    response = client.delete("/api/testapp.door/front/")
    assert (response.status_code, response.content) == (204, b"")
    assert client.get("/api/testapp.door/front/").status_code == 404
    kinds = TransitionLog.objects.for_model(Door).order_by("sequence").values_list("kind", "actor_id")
    assert list(kinds)[-1] == ("deleted", str(desk.stranger.pk))


@pytest.mark.once
def test_what_others_depend_on_stays(as_user: Client, desk: Desk) -> None:
    admin = desk.stranger
    admin.is_superuser = True
    admin.save()
    contract = Contract.objects.create(client_name="Fjord & Sons")
    Invoice.objects.update(contract=contract)
    response = as_user(admin).delete(f"/api/billing.contract/{contract.pk}/")
    assert (response.status_code, response.json()["code"]) == (409, "protected")


@pytest.mark.once
def test_requests_open_their_own_transactions(as_user: Client, desk: Desk) -> None:
    """With ATOMIC_REQUESTS a refusal would be rolled back together with what was refused."""
    for address in (
        "/api/billing.invoice/",
        "/api/billing.invoice/1/events/pay/",
        "/api/log/",
        "/api/webhooks/",
    ):
        assert resolve(address).func._non_atomic_requests == {"default", "other"}  # type: ignore[attr-defined]


@pytest.mark.once
def test_without_the_middleware_it_is_still_known_who_did_it(
    as_user: Client, desk: Desk, settings: Any
) -> None:
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "ActorMiddleware" not in name]
    grant_role(desk.clara, "clerk", on=Contract, by=SETUP)
    made = as_user(desk.clara).post("/api/billing.contract/", {"client_name": "Fjord"}, format="json")
    assert made.status_code == 201
    assert Contract.objects.get().log.get().actor_id == str(desk.clara.pk)
    assert as_user(desk.clara).post(desk.event("send_invoice")).status_code == 200
