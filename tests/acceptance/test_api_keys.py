"""What the API promises of addresses and versions: any text is a key, and nobody's change is lost."""

from __future__ import annotations

from urllib.parse import quote as percent

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.test import override_settings

from sample_project.billing.models import Invoice
from tests.acceptance.api_site import NEW, client, person, problem
from tests.sample.making import an_invoice
from tests.testapp.models import Door, Parcel

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.acceptance.api_site")]


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def clara() -> User:
    return person("clara", Invoice, "clerk")


# --- keys ----------------------------------------------------------------------------------------------------

ODD_KEYS = [
    "-",
    "_2D",
    "_",
    "a/b",
    "..",
    ".",
    " ",
    "a b",
    "é😀",
    "100%",
    "a?b#c",
    "events",
    "transitions",
    "x.json",
    '"<&>',
    "a_2Fb",
    "-1",
    "DRAFT",
    "a\\b",
    "a;b=c",
    "+",
]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_text_key_may_hold_any_character(root: User, key: str) -> None:
    Door.objects.create(code=key)
    written = "_2D" if key == "-" else percent(quote(key), safe="")
    address = f"/api/testapp.door/{written}/"
    shown = client(root).get(address)
    assert shown.status_code == 200
    assert shown.json()["id"] == key
    assert len(client(root).get(f"{address}events/").json()) == 2
    fired = client(root).post(f"{address}events/open_up/", {}, format="json")
    assert fired.status_code == 200
    assert fired.json()["record"]["state"] == "open"
    assert len(client(root).get(f"{address}transitions/").json()["results"]) == 2
    bulk = client(root).post("/api/testapp.door/-/events/close/", {"ids": [key]}, format="json").json()
    assert [(one["id"], one["status"]) for one in bulk["results"]] == [(key, 200)]
    assert client(root).delete(address).status_code == 204


def test_keys_that_cannot_be_are_not_there(root: User) -> None:
    parcel = Parcel.objects.create()
    assert client(root).get(f"/api/testapp.parcel/{parcel.pk}/").json()["id"] == str(parcel.pk)
    for address in (
        "testapp.parcel/7/",
        "testapp.light/x/",
        "testapp.light/99999999999999999999999/",
        "testapp.light/-1/",
        "testapp.light/%00/",
        "testapp.door/%00/",
        "testapp.door/_00/",
        "testapp.light/1.0/",
        "testapp.light/%20/",
        f"testapp.door/{'x' * 5000}/",
    ):
        problem(client(root).get(f"/api/{address}"), 404)
        problem(client(root).post(f"/api/{address}events/open_up/", {}, format="json"), 404)


# --- versions ------------------------------------------------------------------------------------------------


def test_a_change_counts_only_on_the_version_that_was_read(clara: User) -> None:
    invoice = an_invoice(clara)
    address = f"/api/billing.invoice/{invoice.pk}/"
    read = client(clara).get(address)
    tag = read["ETag"]
    assert {one.strip() for one in read["Vary"].split(",")} >= {"Authorization", "Cookie"}
    assert client(clara).get(address, headers={"If-None-Match": tag}).status_code == 304
    assert client(clara).get(address, headers={"If-None-Match": '"other"'}).status_code == 200
    change = {"client_name": "Bo"}
    problem(
        client(clara).patch(address, change, format="json", headers={"If-Match": '"other"'}),
        412,
        "precondition_failed",
    )
    first = client(clara).patch(address, change, format="json", headers={"If-Match": tag})
    assert first.status_code == 200
    assert first["ETag"] == client(clara).get(address)["ETag"] != tag
    late = client(clara).patch(address, {"client_name": "Cy"}, format="json", headers={"If-Match": tag})
    problem(late, 412, "precondition_failed")
    for header in ("*", f'"x", {first["ETag"]}'):
        done = client(clara).patch(address, change, format="json", headers={"If-Match": header})
        assert done.status_code == 200, header


def test_a_version_may_be_asked_for_each_time(clara: User) -> None:
    invoice = an_invoice(clara)
    address = f"/api/billing.invoice/{invoice.pk}/"
    with override_settings(FSM_LIFECYCLE={"API_REQUIRE_IF_MATCH": True}):
        change = {"client_name": "Bo"}
        problem(client(clara).patch(address, change, format="json"), 428, "precondition_required")
        problem(client(clara).post(f"{address}events/send_invoice/", {}, format="json"), 428)
        tag = client(clara).get(address)["ETag"]
        sent = client(clara).post(
            f"{address}events/send_invoice/", {}, format="json", headers={"If-Match": tag}
        )
        assert sent.status_code == 200
        made = client(clara).post("/api/billing.invoice/", NEW, format="json")
        assert made.status_code == 201
        problem(client(clara).patch(address, {"bogus": 1}, format="json"), 400)


def test_one_users_tag_is_not_anothers(clara: User) -> None:
    invoice = an_invoice(clara)
    address = f"/api/billing.invoice/{invoice.pk}/"
    audrey = person("audrey", Invoice, "auditor")
    assert client(clara).get(address)["ETag"] != client(audrey).get(address)["ETag"]
