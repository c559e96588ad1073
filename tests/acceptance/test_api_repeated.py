"""What the API promises of many records at once, and of requests that are said again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import override_settings
from django.utils import timezone

from fsm_lifecycle.access import grant_role, revoke_role
from fsm_lifecycle.models import IdempotentRequest, RefusedAttempt, TransitionLog
from sample_project.billing.models import Invoice
from tests.acceptance.api_site import NEW, SETUP, at, client, fire, many, person, problem
from tests.sample.making import an_invoice
from tests.testapp.models import Light
from tests.testapp.offices import Binder

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.acceptance.api_site")]


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def clara() -> User:
    return person("clara", Invoice, "clerk")


@pytest.fixture
def invoice(clara: User) -> Invoice:
    return an_invoice(clara)


# --- several at once -----------------------------------------------------------------------------------------


def test_each_of_several_is_answered_for_itself(invoice: Invoice, clara: User) -> None:
    empty = an_invoice(clara, "N-2")
    Invoice.objects.filter(pk=empty.pk).update(amount=0)
    sent = an_invoice(clara, "N-3")
    sent.fire("send_invoice", actor=clara)
    answer = many(
        clara, "billing.invoice", "send_invoice", ids=[invoice.pk, empty.pk, 999, sent.pk], arguments={}
    )
    assert answer.status_code == 200
    told = answer.json()["results"]
    assert [(one["id"], one["status"]) for one in told] == [
        (invoice.pk, 200),
        (empty.pk, 422),
        (999, 404),
        (sent.pk, 409),
    ]
    assert [one.get("code") for one in told] == [None, "guard_failed", "not_found", "wrong_state"]
    states = dict(Invoice.objects.values_list("pk", "state"))
    assert states == {invoice.pk: "sent", empty.pk: "draft", sent.pk: "sent"}


def test_of_several_what_is_hidden_is_told_as_what_is_not_there(clara: User) -> None:
    mine, hidden = Binder.objects.create(title="a"), Binder.objects.create(title="b")
    bo = person("bo", mine, "clerk")
    told = many(bo, "testapp.binder", "close", ids=[mine.pk, hidden.pk, 999]).json()["results"]
    assert [one["status"] for one in told] == [200, 404, 404]
    assert {**told[1], "id": 0} == {**told[2], "id": 0}


def test_all_or_nothing_leaves_everything_as_it_was(invoice: Invoice, clara: User) -> None:
    ids = [invoice.pk, 999]
    answer = many(clara, "billing.invoice", "send_invoice", ids=ids, all_or_nothing=True)
    assert answer.status_code == 200
    told = answer.json()["results"]
    assert [one["id"] for one in told] == ids
    assert told[1]["status"] == 404
    assert told[0]["status"] >= 400
    assert told[0]["code"] == "not_attempted"
    invoice.refresh_from_db()
    assert invoice.state == "draft"
    done = many(clara, "billing.invoice", "send_invoice", ids=[invoice.pk], all_or_nothing=True)
    assert [one["status"] for one in done.json()["results"]] == [200]


def test_several_are_limited_in_number(clara: User, invoice: Invoice) -> None:
    other = an_invoice(clara, "N-2")
    with override_settings(FSM_LIFECYCLE={"API_BULK_LIMIT": 1}):
        answer = many(clara, "billing.invoice", "send_invoice", ids=[invoice.pk, other.pk])
        assert "ids" in str(problem(answer, 400)["errors"])
        assert not TransitionLog.objects.by_event("send_invoice").exists()
        assert many(clara, "billing.invoice", "send_invoice", ids=[other.pk]).status_code == 200
    problem(many(clara, "billing.invoice", "send_invoice", ids=list(range(501))), 400)


def test_what_is_asked_of_several_is_read_as_strictly(clara: User, invoice: Invoice) -> None:
    for body in (
        {},
        {"ids": None},
        {"ids": "1"},
        {"ids": [None]},
        {"ids": [[1]]},
        {"ids": [1.5]},
        {"ids": [True]},
        {"ids": [invoice.pk], "all_or_nothing": "yes"},
        {"ids": [invoice.pk], "arguments": {"bogus": 1}},
        {"ids": [invoice.pk], "bogus": 1},
    ):
        problem(many(clara, "billing.invoice", "send_invoice", **body), 400)
    problem(client().post("/api/billing.invoice/-/events/send_invoice/", {}, format="json"), 401)
    problem(many(clara, "billing.invoice", "no_such_event", ids=[1]), 404)
    assert many(clara, "billing.invoice", "send_invoice", ids=[]).json()["results"] == []
    odd = many(clara, "billing.invoice", "send_invoice", ids=["x", "-1", 10**30, "", "é"])
    assert {one["status"] for one in odd.json()["results"]} == {404}
    told = many(clara, "billing.invoice", "send_invoice", ids=[str(invoice.pk)]).json()["results"]
    assert [one["status"] for one in told] == [200]
    assert str(told[0]["id"]) == str(invoice.pk)


@pytest.mark.parametrize("value", [5, "soon", None, [], "2999-01-01"])
@pytest.mark.parametrize("together", [False, True])
def test_arguments_that_do_not_fit_are_told_for_each(
    invoice: Invoice, clara: User, value: Any, together: bool
) -> None:
    invoice.fire("send_invoice", actor=clara)
    draft = an_invoice(clara, "N-2")
    for role, expected in (
        ("approver", ["guard_failed" if value == "2999-01-01" else "invalid_arguments", "wrong_state"]),
        ("auditor", ["access_denied", "access_denied"]),
    ):
        user = person(role, Invoice, role)
        answer = many(
            user,
            "billing.invoice",
            "pay",
            ids=[invoice.pk, draft.pk],
            arguments={"paid_on": value},
            all_or_nothing=together,
        )
        assert answer.status_code == 200
        assert [one["code"] for one in answer.json()["results"]] == expected
        hidden = many(
            person(f"{role}-not"), "billing.invoice", "pay", ids=[1, 99], arguments={"paid_on": value}
        )
        assert [one["code"] for one in hidden.json()["results"]] == ["not_found", "not_found"]
    refused = RefusedAttempt.objects.filter(surface="api").values_list("code", flat=True)
    assert {"wrong_state", "access_denied"} <= set(refused)


def test_several_without_the_right_are_refused_each(invoice: Invoice) -> None:
    audrey = person("audrey", Invoice, "auditor")
    answer = many(audrey, "billing.invoice", "send_invoice", ids=[invoice.pk])
    if answer.status_code == 200:
        assert [(one["status"], one["code"]) for one in answer.json()["results"]] == [(403, "access_denied")]
    else:
        problem(answer, 403, "access_denied")
    invoice.refresh_from_db()
    assert invoice.state == "draft"


# --- said again ----------------------------------------------------------------------------------------------


def test_the_same_request_under_a_key_is_done_once(invoice: Invoice, clara: User) -> None:
    first = fire(clara, invoice, "send_invoice", {"arguments": {}}, idempotency_key="k-1")
    again = fire(clara, invoice, "send_invoice", {"arguments": {}}, idempotency_key="k-1")
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert first.status_code == 200
    assert TransitionLog.objects.by_event("send_invoice").count() == 1
    row = IdempotentRequest.objects.get()
    assert row.key == "k-1"
    problem(
        fire(clara, invoice, "send_invoice", {"metadata": {"a": 1}}, idempotency_key="k-1"),
        409,
        "idempotency_conflict",
    )
    problem(fire(clara, invoice, "send_invoice", {}, idempotency_key="k-2"), 409, "wrong_state")


def test_the_order_of_names_and_blanks_in_a_body_do_not_make_it_another(
    clara: User, invoice: Invoice
) -> None:
    bodies = (
        '{"arguments":{},"metadata":{"a":1,"b":2}}',
        '{ "metadata": {"b": 2, "a": 1}, "arguments": {} }',
    )
    answers = [
        client(clara).generic(
            "POST",
            at(invoice, "send_invoice"),
            body,
            content_type="application/json",
            headers={"Idempotency-Key": "k"},
        )
        for body in bodies
    ]
    assert [one.status_code for one in answers] in ([200, 200], [200, 409])
    assert TransitionLog.objects.by_event("send_invoice").count() == 1


def test_a_record_is_made_once_under_a_key(clara: User) -> None:
    answers = [
        client(clara).post("/api/billing.invoice/", NEW, format="json", headers={"Idempotency-Key": "same"})
        for _ in range(2)
    ]
    assert [one.status_code for one in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert answers[0]["Location"] == answers[1]["Location"]
    assert Invoice.objects.count() == 1
    other = client(clara).post(
        "/api/billing.invoice/", {**NEW, "number": "N-9"}, format="json", headers={"Idempotency-Key": "same"}
    )
    problem(other, 409, "idempotency_conflict")
    cleo = person("cleo", Invoice, "clerk")
    theirs = client(cleo).post(
        "/api/billing.invoice/", {**NEW, "number": "N-9"}, format="json", headers={"Idempotency-Key": "same"}
    )
    assert theirs.status_code == 201


def test_several_are_fired_once_under_a_key(root: User) -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=SETUP)
    answers = [
        client(root).post(
            "/api/testapp.light/-/events/blink/",
            {"ids": [light.pk]},
            format="json",
            headers={"Idempotency-Key": "k"},
        )
        for _ in range(2)
    ]
    assert answers[0].content == answers[1].content
    assert TransitionLog.objects.by_event("blink").count() == 1


def test_rights_are_asked_for_before_an_answer_is_repeated(invoice: Invoice, clara: User) -> None:
    cleo = person("cleo", Invoice, "clerk")
    assert fire(cleo, invoice, "send_invoice", {}, idempotency_key="k").status_code == 200
    grant_role(cleo, "auditor", on=Invoice, by=SETUP)
    revoke_role(cleo, "clerk", on=Invoice, by=SETUP)
    problem(fire(User.objects.get(pk=cleo.pk), invoice, "send_invoice", {}, idempotency_key="k"), 403)
    revoke_role(cleo, "auditor", on=Invoice, by=SETUP)
    problem(fire(User.objects.get(pk=cleo.pk), invoice, "send_invoice", {}, idempotency_key="k"), 404)
    problem(
        client().post(at(invoice, "send_invoice"), {}, format="json", headers={"Idempotency-Key": "k"}), 401
    )


def test_a_key_is_of_one_address(root: User) -> None:
    lights = [Light.objects.create(), Light.objects.create()]
    for light in lights:
        assert fire(root, light, "switch_on", {}, idempotency_key="k").status_code == 200
    assert fire(root, lights[0], "blink", {}, idempotency_key="k").status_code == 200
    assert TransitionLog.objects.by_event("switch_on").count() == 2


@pytest.mark.parametrize("key", ["x" * 5000, "", " ", "é", "a\tb"])
def test_no_key_is_too_odd(root: User, key: str) -> None:
    light = Light.objects.create()
    answer = fire(root, light, "switch_on", {}, idempotency_key=key)
    assert answer.status_code in (200, 400)
    if answer.status_code == 400:
        problem(answer, 400)


def test_an_answer_is_kept_for_a_day(root: User) -> None:
    light = Light.objects.create()
    fire(root, light, "switch_on", {}, idempotency_key="k")
    row = IdempotentRequest.objects.get()
    assert (row.method, row.path, row.key, row.status) == ("POST", at(light, "switch_on"), "k", 200)
    light.refresh_from_db()
    light.fire("switch_off", actor=SETUP)
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=23))
    assert fire(root, light, "switch_on", {}, idempotency_key="k").status_code == 200
    light.refresh_from_db()
    assert light.state == "off"
    IdempotentRequest.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert fire(root, light, "switch_on", {}, idempotency_key="k").status_code == 200
    light.refresh_from_db()
    assert light.state == "on"
