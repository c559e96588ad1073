"""What a hostile client may send: each oddity is answered with a problem, none is an error of ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django import forms
from rest_framework.test import APIClient

from fsm_lifecycle.api.arguments import form_input
from fsm_lifecycle.api.problem import Problem
from fsm_lifecycle.api.reading import read_json
from fsm_lifecycle.engine.argument_schema import schema_of
from sample_project.billing.models import Invoice
from tests.api.desk import PAY, Desk

Client = Callable[[Any], APIClient]

BODIES = {
    "no JSON": b"{",
    "nothing but blanks": b"   ",
    "a list": b"[]",
    "a text": b'"x"',
    "null": b"null",
    "no UTF-8": b'{"metadata": {"a": "\xff"}}',
    "UTF-16": '{"metadata": {}}'.encode("utf-16"),
    "NUL": b'{"metadata": {"a": "\\u0000"}}',
    "NUL in a name": b'{"metadata": {"\\u0000": 1}}',
    "half a character": b'{"metadata": {"a": "\\ud800"}}',
    "NaN": b'{"metadata": {"a": NaN}}',
    "infinity": b'{"metadata": {"a": -Infinity}}',
    "too large a number": b'{"metadata": {"a": 1e400}}',
    "an endless number": b'{"expected_sequence": ' + b"9" * 5000 + b"}",
    "a key twice": b'{"arguments": {}, "arguments": {}}',
    "deep": b'{"metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"a":' * 3000 + b"1" + b"}" * 3000,
    "a bit too deep": b'{"metadata": ' + b"[" * 70 + b"]" * 70 + b"}",
    "a wrong type": b'{"arguments": []}',
    "a wrong state": b'{"expected_state": 7}',
    "a wrong sequence": b'{"expected_sequence": "7"}',
    "a fraction": b'{"expected_sequence": 7.5}',
    "a yes for a number": b'{"expected_sequence": true}',
    "wrong metadata": b'{"metadata": "x"}',
}


@pytest.mark.once
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_cannot_be_read(body: bytes, as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    for address in (
        desk.event("send_invoice"),
        "/api/billing.invoice/-/events/send_invoice/",
        "/api/billing.invoice/",
    ):
        response = client.post(address, body, content_type="application/json")
        assert (response.status_code, response.headers["Content-Type"]) == (400, "application/problem+json")
        assert response.json()["code"] in ("unreadable", "unknown_argument")
        assert "Traceback" not in response.content.decode()
    assert client.patch(desk.address, body, content_type="application/json").status_code == 400
    desk.invoice.refresh_from_db()
    assert desk.invoice.state == "draft"


@pytest.mark.once
def test_a_body_without_end_is_not_read(as_user: Client, desk: Desk, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = json.dumps({"metadata": {"a": "x" * 2000}})
    response = as_user(desk.clara).post(desk.event("send_invoice"), body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


@pytest.mark.once
def test_a_body_without_a_length_is_asked_for_with_one(as_user: Client, desk: Desk) -> None:
    """A WSGI server hands on no body in pieces: it is not taken for none."""
    client = as_user(desk.clara)
    for address in (
        desk.event("send_invoice"),
        "/api/billing.invoice/",
        "/api/billing.invoice/-/events/pay/",
    ):
        response = client.generic("POST", address, headers={"Transfer-Encoding": "chunked"})
        assert (response.status_code, response.json()["code"]) == (411, "length_required")
    assert (
        as_user(desk.audrey).post(desk.event("pay"), headers={"Transfer-Encoding": "chunked"}).status_code
        == 403
    )
    desk.invoice.refresh_from_db()
    assert desk.invoice.state == "draft"


def test_values_that_the_log_or_a_column_does_not_take(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    large = {"metadata": {"a": "x" * (2**20 + 1)}}
    response = client.post(desk.event("send_invoice"), large, format="json")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_arguments")
    odd = {"metadata": {"big": 10**400, "float": 1.5, "$tag": {"$$": None}, "": [[], {}], "😀": "\u2028"}}
    response = client.post(desk.event("send_invoice"), odd, format="json")
    assert response.status_code == 200
    assert response.json()["entry"]["metadata"] == odd["metadata"]


@pytest.mark.once
@pytest.mark.parametrize(
    "ids",
    ["1", {}, [True], [None], [1.5], [[1]], [{"a": 1}], list(range(501)), [1, 1], [1, "1"]],
)
def test_keys_of_many_that_cannot_be_read(ids: Any, as_user: Client, desk: Desk) -> None:
    body = {"ids": ids, **PAY}
    response = as_user(desk.paul).post("/api/billing.invoice/-/events/pay/", body, format="json")
    assert response.status_code == 400
    assert [one["name"] for one in response.json()["errors"]] == ["ids"]


def test_odd_keys_of_many_name_nothing(as_user: Client, desk: Desk) -> None:
    ids = ["", " ", "x", -1, 10**30, f"0{desk.invoice.pk}", f"{desk.invoice.pk} ", "\u0661"]
    answer = as_user(desk.paul).post("/api/billing.invoice/-/events/pay/", {"ids": ids, **PAY}, format="json")
    assert {one["status"] for one in answer.json()["results"]} == {404}
    assert [one["id"] for one in answer.json()["results"]] == ids


@pytest.mark.once
def test_addresses_of_nothing(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    for address in (
        "/api/",
        "/api/nothing/",
        "/api/nothing/here/",
        "/api/no.model/",
        "/api/no.model/1/",
        "/api/billing.invoice/1/2/3/",
        "/api/billing.Invoice/",
        "/api/log/x/",
        f"/api/log/{'A' * 64}/",
        "/api/log/%00/",
        "/api/lifecycles/no.model/",
        "/api/lifecycles/%FF/",
        "/api/checkpoints/first/",
    ):
        for method in ("get", "post"):
            response = getattr(client, method)(address)
            assert response.status_code in (404, 405), (address, response.status_code)
            assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.once
def test_odd_headers_do_not_matter(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    for headers in (
        {"Accept": "text/html"},
        {"Accept": "nonsense"},
        {"Accept": "application/json; indent=999999999"},
        {"If-None-Match": "\x7f" * 100},
        {"Content-Type": "application/json; charset=nonsense"},
        {"X-HTTP-Method-Override": "DELETE"},
    ):
        assert client.get(desk.address, headers=headers).status_code == 200
    assert client.get(f"{desk.address}?format=html").status_code == 400
    assert client.post(desk.address, {"_method": "DELETE"}, format="json").status_code == 405
    assert Invoice.objects.exists()


# Argument forms, in every shape


class EveryField(forms.Form):
    text = forms.CharField()
    number = forms.IntegerField(required=False)
    price = forms.DecimalField(required=False)
    ratio = forms.FloatField(required=False)
    yes = forms.BooleanField(required=False)
    day = forms.DateField(required=False)
    at = forms.SplitDateTimeField(required=False)
    how = forms.ChoiceField(choices=[("a", "A"), ("Group", [("b", "B")])], required=False)
    many = forms.MultipleChoiceField(choices=[("a", "A"), ("b", "B")], required=False)
    tree = forms.JSONField(required=False)
    file = forms.FileField(required=False)
    span = forms.DurationField(required=False)


@pytest.mark.pure
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 1),
        ("text", ["a"]),
        ("text", {"a": 1}),
        ("text", True),
        ("number", "1"),
        ("number", 1.5),
        ("number", True),
        ("number", [1]),
        ("price", True),
        ("price", {}),
        ("ratio", "1.5"),
        ("yes", "true"),
        ("yes", 1),
        ("day", 20261101),
        ("how", ["a"]),
        ("many", "a"),
        ("many", [["a"]]),
        ("at", 7),
        ("file", "x"),
        ("span", []),
    ],
)
def test_a_shape_that_does_not_fit_is_named(name: str, value: Any) -> None:
    _, faults = form_input(EveryField, {name: value})
    assert [fault.name for fault in faults] == [name]


@pytest.mark.pure
def test_what_fits_reaches_the_form_as_it_is_meant() -> None:
    given = {
        "text": "a",
        "number": 7,
        "price": 1.5,
        "ratio": 2,
        "yes": True,
        "day": "2026-11-01",
        "at": "2026-11-01T10:00:00+00:00",
        "how": "b",
        "many": ["a", "b"],
        "tree": "[not a list, but a text]",
        "span": "1 02:00:00",
    }
    data, faults = form_input(EveryField, given)
    assert not faults
    from types import SimpleNamespace

    from fsm_lifecycle.engine.arguments import clean

    plan: Any = SimpleNamespace(form=EveryField, event=SimpleNamespace(label="Go"))
    cleaned, errors = clean(plan, data)
    assert errors == {}
    assert cleaned["tree"] == "[not a list, but a text]"
    assert (cleaned["yes"], cleaned["many"], cleaned["at"].year) == (True, ["a", "b"], 2026)
    for at in ("yesterday", "2026-99-99T00:00:00", ["2026-11-01", "10:00"], ["x"]):
        data, faults = form_input(EveryField, {"text": "a", "at": at})
        cleaned, errors = clean(plan, data)
        assert bool(errors) == (at != ["2026-11-01", "10:00"])


@pytest.mark.pure
def test_a_form_is_a_json_schema() -> None:
    schema = schema_of(EveryField)
    assert schema["required"] == ["text"]
    assert schema["additionalProperties"] is False
    kinds = {name: one.get("type", one.get("enum")) for name, one in schema["properties"].items()}
    assert kinds["how"] == ["a", "b", ""]
    assert kinds["price"] == ["string", "number", "null"]
    assert kinds["many"] == "array"
    nothing = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    assert schema_of(None) == nothing


@pytest.mark.pure
def test_json_is_read_as_it_is() -> None:
    assert read_json('{"a": [1, 1.5, "é😀\\ud83d\\ude00", null, true]}'.encode()) == {
        "a": [1, 1.5, "é😀😀", None, True]
    }
    with pytest.raises(Problem):
        read_json(b'{"a": "\xed\xa0\x80"}')
