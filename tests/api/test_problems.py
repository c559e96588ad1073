"""Every way in which a request is not done, as RFC 9457, and in which order they are judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from fsm_lifecycle.models import RefusedAttempt
from sample_project.billing.models import ExpenseReport, Invoice
from tests.api.conftest import basic
from tests.api.desk import PAY, Desk
from tests.sample.making import SETUP, an_invoice

Client = Callable[[Any], APIClient]

KEYS = {"type", "title", "status", "detail", "instance", "code", "errors"}


def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """The problem that a response is, which has to be this one."""
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json"), (
        response.content
    )
    body: dict[str, Any] = response.json()
    assert body.keys() == KEYS
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"urn:fsm-lifecycle:problem:{code}"
    assert body["instance"] == response.wsgi_request.path
    assert body["title"]
    assert body["detail"]
    assert "Accept" not in response.headers["Vary"]
    assert {"Authorization", "Cookie"} <= set(response.headers["Vary"].split(", "))
    return body


def names(body: dict[str, Any]) -> list[str]:
    return [one["name"] for one in body["errors"]]


# Who asks

ADDRESSES = [
    ("get", "/api/lifecycles/"),
    ("get", "/api/lifecycles/billing.invoice/"),
    ("get", "/api/billing.invoice/"),
    ("post", "/api/billing.invoice/"),
    ("get", "/api/billing.invoice/1/"),
    ("patch", "/api/billing.invoice/1/"),
    ("delete", "/api/billing.invoice/1/"),
    ("get", "/api/billing.invoice/1/events/"),
    ("post", "/api/billing.invoice/1/events/pay/"),
    ("post", "/api/billing.invoice/1/events/nothing/"),
    ("post", "/api/billing.invoice/-/events/pay/"),
    ("get", "/api/billing.invoice/1/transitions/"),
    ("get", "/api/log/"),
    ("get", f"/api/log/{'0' * 64}/"),
    ("get", f"/api/log/{'0' * 64}/proof/"),
    ("get", "/api/checkpoints/"),
    ("get", "/api/checkpoints/latest/"),
    ("get", "/api/stream/"),
    ("get", "/api/schema/"),
    ("get", "/api/"),
    ("get", "/api/nothing/"),
    ("get", "/api/no.model/"),
    ("put", "/api/billing.invoice/1/"),
]


@pytest.mark.once
@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_nobody_is_asked_to_log_in_first_everywhere(
    method: str, address: str, as_user: Client, desk: Desk
) -> None:
    response = getattr(as_user(None), method)(address, {"nonsense": 1}, format="json")
    problem(response, 401, "not_authenticated")
    # Session authentication stands first in the framework's defaults.
    assert response.headers["WWW-Authenticate"] == 'Basic realm="api"'


@pytest.mark.once
def test_a_session_alone_has_a_challenge_too(as_user: Client, desk: Desk, settings: Any) -> None:
    session = "rest_framework.authentication.SessionAuthentication"
    settings.REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": [session]}
    response = as_user(None).get("/api/lifecycles/")
    problem(response, 401, "not_authenticated")
    assert response.headers["WWW-Authenticate"] == 'Session realm="api"'


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !!!",
        basic("clara", "wrong"),
        basic("nobody", ""),
        basic("cl\0ra", "x"),
        basic("clara", "\0"),
    ],
)
def test_wrong_credentials_are_no_credentials(header: str, as_user: Client, desk: Desk) -> None:
    response = as_user(None).get(desk.address, headers={"Authorization": header})
    problem(response, 401, "not_authenticated")


@pytest.mark.once
def test_a_deactivated_account_is_nobody(as_user: Client, desk: Desk) -> None:
    client = as_user(desk.clara)
    desk.clara.is_active = False
    desk.clara.save()
    problem(client.get(desk.address), 401, "not_authenticated")


@pytest.mark.once
def test_a_session_sends_its_csrf_token(desk: Desk) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(desk.clara)
    body = problem(client.post(desk.event("send_invoice"), {}, format="json"), 403, "access_denied")
    assert "CSRF" in body["detail"]
    desk.invoice.refresh_from_db()
    assert desk.invoice.state == "draft"


@pytest.mark.once
def test_who_asks_too_often_waits(as_user: Client, desk: Desk, settings: Any) -> None:
    from django.core.cache import cache

    cache.clear()
    settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"lifecycle-events": "2/hour", "lifecycle": None}}
    client = as_user(desk.clara)
    for _ in range(2):
        assert client.post("/api/billing.invoice/0/events/pay/").status_code == 404
    # Before the record is looked for, and before the body is read.
    response = client.post("/api/billing.invoice/0/events/pay/", b"{", content_type="application/json")
    problem(response, 429, "throttled")
    assert int(response.headers["Retry-After"]) > 0
    assert client.get(desk.address).status_code == 200  # the rest has a rate of its own
    cache.clear()


# Events: each denial in its form


def test_an_event_that_there_is_not(as_user: Client, desk: Desk) -> None:
    body = problem(as_user(desk.clara).post(desk.event("shred")), 404, "unknown_event")
    assert "send_invoice" in body["detail"]
    problem(as_user(desk.clara).post("/api/billing.invoice/-/events/shred/"), 404, "unknown_event")


def test_a_missing_role(as_user: Client, desk: Desk) -> None:
    body = problem(as_user(desk.audrey).post(desk.event("send_invoice")), 403, "access_denied")
    assert "Needs the role" in body["detail"]
    assert names(body) == ["send_invoice"]
    refusal = RefusedAttempt.objects.get()
    assert (refusal.surface, refusal.code, refusal.actor_id) == ("api", "access_denied", str(desk.audrey.pk))


def test_four_eyes(as_user: Client, desk: Desk) -> None:
    from fsm_lifecycle.access import grant_role

    desk.sent()
    grant_role(desk.clara, "approver", on=Invoice, by=SETUP)
    problem(as_user(desk.clara).post(desk.event("pay"), PAY, format="json"), 403, "four_eyes")
    assert RefusedAttempt.objects.get().surface == "api"


def test_a_wrong_a_stale_and_a_final_state(as_user: Client, desk: Desk) -> None:
    paul, clara = as_user(desk.paul), as_user(desk.clara)
    problem(paul.post(desk.event("pay"), PAY, format="json"), 409, "wrong_state")
    stale = {"expected_state": "sent"}
    problem(clara.post(desk.event("send_invoice"), stale, format="json"), 409, "stale_state")
    problem(
        clara.post(desk.event("send_invoice"), {"expected_sequence": 9}, format="json"), 409, "stale_state"
    )
    desk.sent()
    assert paul.post(desk.event("pay"), PAY, format="json").status_code == 200
    problem(clara.post(desk.event("mark_overdue")), 409, "terminal_state")
    assert {refusal.surface for refusal in RefusedAttempt.objects.all()} == {"api"}


def test_arguments_that_do_not_do(as_user: Client, desk: Desk) -> None:
    desk.sent()
    paul = as_user(desk.paul)
    wrong: list[Any] = [
        {},
        {"arguments": {}},
        {"arguments": {"paid_on": "soon"}},
        {"arguments": {"paid_on": ["x"]}},
    ]
    for given in wrong:
        body = problem(paul.post(desk.event("pay"), given, format="json"), 422, "invalid_arguments")
        assert names(body) == ["paid_on"]
    body = problem(
        paul.post(desk.event("pay"), {"arguments": {"paid": "2026-11-01"}}, format="json"),
        400,
        "unknown_argument",
    )
    assert names(body) == ["paid"]
    assert "paid_on" in body["detail"]


def test_a_guard_that_says_no(as_user: Client, desk: Desk) -> None:
    desk.sent()
    future = {"arguments": {"paid_on": "2999-01-01"}}
    body = problem(as_user(desk.paul).post(desk.event("pay"), future, format="json"), 422, "guard_failed")
    assert body["detail"] == "The day of payment lies in the future."
    assert names(body) == ["is_paid_by_today"]


def test_a_guard_that_raises_tells_nothing(as_user: Client, desk: Desk, monkeypatch: Any) -> None:
    def broken(record: Any) -> bool:
        raise RuntimeError("the secret of the guard")

    (guard,) = Invoice.lifecycle.events["send_invoice"].guards
    monkeypatch.setattr(type(guard), "function", property(lambda self: broken))
    body = problem(as_user(desk.clara).post(desk.event("send_invoice")), 422, "guard_error")
    assert "secret" not in str(body)


def test_what_nobody_expected_is_an_error_without_its_text(
    as_user: Client, desk: Desk, monkeypatch: Any
) -> None:
    from fsm_lifecycle.engine import fire as firing

    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the secret of the engine")

    monkeypatch.setattr(firing.Attempt, "_once", broken)
    body = problem(as_user(desk.clara).post(desk.event("send_invoice")), 500, "internal_error")
    assert "secret" not in str(body)


def test_what_was_not_attempted_has_not_failed(as_user: Client, desk: Desk) -> None:
    other = an_invoice(desk.clara, "N-1")
    Invoice.objects.filter(pk=other.pk).update(amount=0)
    body = {"ids": [desk.invoice.pk, other.pk], "all_or_nothing": True}
    address = "/api/billing.invoice/-/events/send_invoice/"
    answer = as_user(desk.clara).post(address, body, format="json").json()
    assert [one["code"] for one in answer["results"]] == ["not_attempted", "guard_failed"]
    assert (answer["succeeded"], answer["failed"]) == (0, 1)


def test_what_is_refused_before_the_engine_is_asked_is_kept_as_well(as_user: Client, desk: Desk) -> None:
    desk.sent()
    client, address, key = as_user(desk.paul), desk.event("pay"), desk.invoice.pk
    wrong = {"arguments": {"paid_on": 5}}
    problem(client.post(address, wrong, format="json"), 422, "invalid_arguments")
    problem(client.post(address, {"arguments": {"paid": 5}}, format="json"), 400, "unknown_argument")
    problem(client.post(desk.event("shred")), 404, "unknown_event")
    client.post("/api/billing.invoice/-/events/pay/", {"ids": [key], **wrong}, format="json")
    kept = RefusedAttempt.objects.order_by("pk").values_list(
        "event", "code", "actor_id", "object_pk", "surface"
    )
    who = (str(desk.paul.pk), str(key), "api")
    assert list(kept) == [
        ("pay", "invalid_arguments", *who),
        ("pay", "invalid_arguments", *who),
        ("shred", "unknown_event", *who),
        ("pay", "invalid_arguments", *who),
    ]
    # What may not be seen, or not be done, is judged first, and once.
    problem(as_user(desk.stranger).post(address, {"arguments": {"paid": 5}}, format="json"), 404, "not_found")
    problem(
        as_user(desk.audrey).post(address, {"arguments": {"paid": 5}}, format="json"), 403, "access_denied"
    )
    assert [one.code for one in RefusedAttempt.objects.order_by("pk")[4:]] == ["access_denied"]


# The order


def test_what_is_wrong_is_judged_in_one_order(as_user: Client, desk: Desk) -> None:
    """401, 429, 404, 403, 400, 412, 428, 409, 422: each request is wrong in every later way as well."""
    desk.sent()
    bad_json = {"data": b"{", "content_type": "application/json"}
    unknown = {"data": {"strange": 1}, "format": "json"}
    stale = {"data": {"expected_state": "draft", "arguments": {"paid_on": 1}}, "format": "json"}
    etag = {"headers": {"If-Match": '"other"'}}
    with override_settings(FSM_LIFECYCLE={"API_REQUIRE_IF_MATCH": True}):
        address, paul = desk.event("pay"), as_user(desk.paul)
        problem(as_user(None).post(address, **bad_json, **etag), 401, "not_authenticated")
        problem(as_user(desk.stranger).post(address, **bad_json, **etag), 404, "not_found")
        problem(as_user(desk.audrey).post(address, **bad_json, **etag), 403, "access_denied")
        problem(as_user(desk.audrey).post(address, **unknown, **etag), 403, "access_denied")
        problem(as_user(desk.audrey).post(address, **stale, **etag), 403, "access_denied")
        problem(paul.post(f"{address}?x=1", **stale, **etag), 400, "unknown_argument")
        problem(paul.post(address, **bad_json, **etag), 400, "unreadable")
        problem(paul.post(address, **stale, **etag), 412, "precondition_failed")
        problem(paul.post(address, **stale), 428, "precondition_required")
        problem(paul.post(address, **stale, headers={"If-Match": "*"}), 409, "stale_state")
        wrong = {"data": {"arguments": {"paid_on": 1}}, "format": "json"}
        problem(paul.post(address, **wrong, headers={"If-Match": "*"}), 422, "invalid_arguments")
    assert set(RefusedAttempt.objects.values_list("surface", flat=True)) == {"api"}


def test_the_same_order_for_an_edit(as_user: Client, desk: Desk) -> None:
    etag = {"headers": {"If-Match": '"other"'}}
    with override_settings(FSM_LIFECYCLE={"API_REQUIRE_IF_MATCH": True}):
        wrong: dict[str, Any] = {"data": {"amount": "much"}, "format": "json"}
        strange: dict[str, Any] = {"data": {"strange": 1}, "format": "json"}
        problem(as_user(desk.stranger).patch(desk.address, **strange, **etag), 404, "not_found")
        problem(as_user(desk.audrey).patch(desk.address, **strange, **etag), 403, "access_denied")
        clara = as_user(desk.clara)
        problem(clara.patch(desk.address, **strange, **etag), 400, "unknown_argument")
        problem(clara.patch(desk.address, **wrong, **etag), 412, "precondition_failed")
        problem(clara.patch(desk.address, **wrong), 428, "precondition_required")
        problem(clara.patch(desk.address, **wrong, headers={"If-Match": "*"}), 422, "invalid_arguments")


@pytest.mark.once
def test_other_methods_and_media_types(as_user: Client, desk: Desk) -> None:
    clara = as_user(desk.clara)
    response = clara.put(desk.address, {}, format="json")
    problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "GET, HEAD, PATCH, DELETE"
    problem(clara.options(desk.address), 405, "method_not_allowed")
    problem(
        clara.post(desk.event("send_invoice"), b"a=1", content_type="text/plain"),
        415,
        "unsupported_media_type",
    )
    problem(clara.post("/api/billing.invoice/", {"number": "1"}), 415, "unsupported_media_type")


@pytest.mark.once
def test_a_report_is_not_made_by_who_may_not(as_user: Client, desk: Desk) -> None:
    body = problem(
        as_user(desk.paul).post("/api/billing.expensereport/", b"{", content_type="application/json"),
        403,
        "access_denied",
    )
    assert "Employee" in body["detail"]
    assert not ExpenseReport.objects.exists()
