"""What the API promises of events: what it answers, and in which order it judges."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import override_settings
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from fsm_lifecycle.access import grant_role
from fsm_lifecycle.models import RefusedAttempt
from sample_project.billing.models import Invoice
from tests.acceptance.api_site import SETUP, at, client, fire, many, person, problem
from tests.sample.making import a_ticket, an_invoice
from tests.testapp.gates import Gate
from tests.testapp.models import Parcel
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.acceptance.api_site")]
PAY = {"arguments": {"paid_on": "2026-11-02"}}


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def clara() -> User:
    return person("clara", Invoice, "clerk")


@pytest.fixture
def paul() -> User:
    return person("paul", Invoice, "approver")


@pytest.fixture
def invoice(clara: User) -> Invoice:
    return an_invoice(clara)


# --- asking --------------------------------------------------------------------------------------------------


def test_every_event_is_listed_with_the_reasons_against_it(invoice: Invoice, clara: User) -> None:
    Invoice.objects.filter(pk=invoice.pk).update(amount=0)
    listed = {one["name"]: one for one in client(clara).get(f"{at(invoice)}events/").json()}
    assert set(listed) == set(Invoice.lifecycle.events)
    assert not listed["send_invoice"]["allowed"]
    assert [(one["code"], one["reason"]) for one in listed["send_invoice"]["denials"]] == [
        ("guard_failed", "The invoice total must be positive.")
    ]
    assert listed["pay"]["denials"][0]["code"] == "access_denied"
    assert listed["cancel"]["allowed"]


def test_reasons_of_guards_are_not_for_who_may_not_fire(invoice: Invoice) -> None:
    Invoice.objects.filter(pk=invoice.pk).update(amount=0)
    audrey = person("audrey", Invoice, "auditor")
    text = client(audrey).get(f"{at(invoice)}events/").content.decode()
    assert "must be positive" not in text
    assert "access_denied" in text


# --- firing --------------------------------------------------------------------------------------------------


def test_firing_answers_with_the_entry_and_the_record(invoice: Invoice, clara: User, paul: User) -> None:
    answer = fire(clara, invoice, "send_invoice")
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"entry", "record"}
    assert (body["record"]["state"], body["record"]["sequence"]) == ("sent", 2)
    assert body["record"] == client(clara).get(at(invoice)).json()
    assert body["entry"]["event"] == "send_invoice"
    assert body["entry"]["sequence"] == 2
    paid = fire(paul, invoice, "pay", {**PAY, "expected_state": "sent", "expected_sequence": 2})
    assert paid.json()["record"]["paid_on"] == "2026-11-02"
    last = invoice.log.last()
    assert last is not None
    assert (last.event, last.actor_kind, last.actor_id) == ("pay", "user", str(paul.pk))


def test_no_body_is_needed_where_nothing_has_to_be_said(invoice: Invoice, clara: User) -> None:
    assert client(clara).post(at(invoice, "send_invoice")).status_code == 200


def test_nulls_stand_for_what_is_not_said(invoice: Invoice, clara: User) -> None:
    body = {"arguments": None, "expected_state": None, "expected_sequence": None, "metadata": None}
    assert fire(clara, invoice, "send_invoice", body).status_code == 200


def test_what_is_called_like_a_field_shows_only_where_it_is_opened(clara: User, paul: User) -> None:
    invoice = an_invoice(clara, "N-1")
    metadata = {"created_by": "T-1", "created_by_id": "T-2", "amount": "T-3"}
    answer = fire(clara, invoice, "send_invoice", {"metadata": metadata})
    assert answer.status_code == 200
    last = invoice.log.last()
    assert last is not None
    assert last.metadata == metadata
    assert fire(paul, invoice, "pay", PAY).status_code == 200
    for text in (
        answer.content.decode(),
        client(clara).get(f"{at(invoice)}transitions/").content.decode(),
        client(clara).get(f"/api/log/{last.entry_hash}/").content.decode(),
    ):
        assert "T-1" not in text
        assert "T-2" not in text
        assert "T-3" in text
    assert "2026-11-02" in client(clara).get(f"{at(invoice)}transitions/").content.decode()


def test_snapshots_show_opened_fields_only(root: User) -> None:
    parcel = Parcel.objects.create(weight=97.25)  # of no moment's seconds
    fire(root, parcel, "ship")
    last = parcel.log.last()
    assert last is not None
    assert (last.snapshot or {})["weight"] == 97.25
    for address in (f"{at(parcel)}transitions/", f"/api/log/{last.entry_hash}/"):
        text = client(root).get(address).content.decode()
        assert "shipped" in text
        assert "97.25" not in text


# --- errors, one at a time -----------------------------------------------------------------------------------


def test_each_refusal_has_its_status_and_code(invoice: Invoice, clara: User, paul: User) -> None:
    problem(fire(clara, invoice, "no_such_event"), 404, "unknown_event")
    problem(fire(paul, invoice, "send_invoice"), 403, "access_denied")
    problem(fire(clara, invoice, "mark_overdue"), 409, "wrong_state")
    problem(fire(clara, invoice, "send_invoice", {"expected_state": "sent"}), 409, "stale_state")
    problem(fire(clara, invoice, "send_invoice", {"expected_sequence": 7}), 409, "stale_state")
    problem(fire(clara, invoice, "cancel"), 422, "invalid_arguments")
    Invoice.objects.filter(pk=invoice.pk).update(amount=0)
    failed = problem(fire(clara, invoice, "send_invoice"), 422, "guard_failed")
    assert "The invoice total must be positive." in str(failed)
    Invoice.objects.filter(pk=invoice.pk).update(amount=5)
    assert fire(clara, invoice, "send_invoice").status_code == 200
    grant_role(clara, "approver", on=Invoice, by=SETUP)
    problem(fire(clara, invoice, "pay", PAY), 403, "four_eyes")
    named = problem(fire(paul, invoice, "pay", {"arguments": {"paid_on": "soon"}}), 422, "invalid_arguments")
    assert named["errors"][0]["name"].endswith("paid_on")
    assert fire(clara, invoice, "cancel", {"arguments": {"reason": "x"}}).status_code == 200
    problem(fire(clara, invoice, "cancel", {"arguments": {"reason": "x"}}), 409, "terminal_state")
    codes = set(RefusedAttempt.objects.values_list("code", flat=True))
    assert {"access_denied", "wrong_state", "stale_state", "guard_failed", "four_eyes"} <= codes


def test_what_is_not_known_is_named(invoice: Invoice, clara: User) -> None:
    for body, name in (
        ({"argumnets": {}}, "argumnets"),
        ({"arguments": {"colour": "red"}}, "colour"),
        ({"state": "paid"}, "state"),
        ({"actor": 1}, "actor"),
    ):
        assert name in str(
            problem(fire(clara, invoice, "send_invoice", body), 400, "unknown_argument")["errors"]
        )
    answer = client(clara).post(f"{at(invoice, 'send_invoice')}?force=1", {}, format="json")
    assert "force" in str(problem(answer, 400)["errors"])


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"arguments": []}',
        b'{"arguments": "x"}',
        b'{"expected_state": 1}',
        b'{"expected_sequence": "1"}',
        b'{"expected_sequence": true}',
        b'{"expected_sequence": 1.5}',
        b'{"metadata": 1}',
        b'{"metadata": {"a": NaN}}',
        b'{"metadata": {"a": "\\u0000"}}',
        b'{"metadata": {"a": "\\ud800"}}',
        b'{"metadata": {"a": 1e999}}',
        b'{"a": 1, "a": 1}',
        b'{"metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"metadata": {"n": ' + b"9" * 10_000 + b"}}",
    ],
)
def test_what_cannot_be_read_is_a_400_and_changes_nothing(invoice: Invoice, clara: User, raw: bytes) -> None:
    answer = client(clara).generic("POST", at(invoice, "send_invoice"), raw, content_type="application/json")
    problem(answer, 400)
    invoice.refresh_from_db()
    assert invoice.state == "draft"


@pytest.mark.parametrize(
    "value",
    [None, True, 1, 1.5, [], {}, [["2026-11-02"]], {"a": 1}, "", "x" * 100_000, "2026-13-01", "0000-00-00"],
)
def test_no_argument_of_the_wrong_kind_does_harm(
    paul: User, clara: User, invoice: Invoice, value: Any
) -> None:
    fire(clara, invoice, "send_invoice")
    answer = fire(paul, invoice, "pay", {"arguments": {"paid_on": value}})
    assert "paid_on" in str(problem(answer, 422, "invalid_arguments")["errors"])


def test_no_text_of_an_exception_leaves(root: User) -> None:
    for mode, event, code in (
        ("raise", "unlock", "guard_error"),
        ("", "break_open", None),
        ("", "break_late", None),
    ):
        gate = Gate.objects.create(mode=mode)
        answer = fire(root, gate, event)
        assert "secret" not in answer.content.decode()
        problem(answer, answer.status_code, code)
        gate.refresh_from_db()
        assert gate.state == "shut"
        listed = client(root).get(f"{at(gate)}events/").content.decode()
        assert "a secret" not in listed
        bulk = many(root, "testapp.gate", event, ids=[gate.pk])
        assert "secret" not in bulk.content.decode()


# --- errors, two at once -------------------------------------------------------------------------------------


def test_the_earlier_of_two_causes_is_told(invoice: Invoice, clara: User, paul: User) -> None:
    other = {"if_match": '"other"'}
    stranger = person("stranger")
    bad = {"bogus": 1}
    expectations = [
        # 401 before 404
        (client().post("/api/billing.invoice/999/events/pay/", {}, format="json"), 401),
        (client().post("/api/nothing.there/", {}, format="json"), 401),
        # 404 before 403, 400, 412
        (fire(stranger, invoice, "pay", bad, **other), 404),
        (client(clara).post("/api/billing.invoice/999/events/pay/", bad, format="json"), 404),
        (client(clara).patch("/api/billing.invoice/999/?x=1", bad, format="json"), 404),
        # 403 before 400, 412, 409, 422
        (fire(paul, invoice, "send_invoice", bad, **other), 403),
        (fire(paul, invoice, "send_invoice", [1]), 403),
        (fire(paul, invoice, "cancel", {"expected_state": "paid"}), 403),
        # 400 before 412, 409, 422
        (fire(clara, invoice, "send_invoice", bad, **other), 400),
        (fire(clara, invoice, "mark_overdue", bad), 400),
        (fire(clara, invoice, "cancel", {"arguments": {"bogus": 1}}), 400),
        (fire(clara, invoice, "cancel", {"arguments": {"bogus": 1}, "expected_state": "paid"}), 400),
        # 412 before 409, 422
        (fire(clara, invoice, "mark_overdue", {}, **other), 412),
        (fire(clara, invoice, "cancel", {}, **other), 412),
        # 409 before 422
        (fire(clara, invoice, "cancel", {"expected_state": "sent"}), 409),
    ]
    for place, (answer, status) in enumerate(expectations):
        assert answer.status_code == status, (place, answer.content)
    with override_settings(FSM_LIFECYCLE={"API_REQUIRE_IF_MATCH": True}):
        problem(fire(clara, invoice, "mark_overdue"), 428, "precondition_required")
        problem(fire(clara, invoice, "mark_overdue", {}, **other), 412, "precondition_failed")
        problem(fire(clara, invoice, "cancel", bad), 400)
        problem(fire(paul, invoice, "send_invoice"), 403)
    fire(clara, invoice, "send_invoice")
    # Wrong state before invalid arguments, four eyes before the state.
    problem(fire(clara, invoice, "send_invoice", {"arguments": {}}), 409, "wrong_state")
    fire(paul, invoice, "pay", PAY)
    grant_role(clara, "approver", on=Invoice, by=SETUP)
    problem(fire(clara, invoice, "pay", {"arguments": {"paid_on": "x"}}), 403, "four_eyes")
    problem(
        fire(paul, invoice, "pay", {"arguments": {"paid_on": "x"}, "expected_state": "sent"}),
        409,
        "stale_state",
    )


def test_too_many_requests_are_told_before_what_is_not_there(invoice: Invoice, clara: User) -> None:
    cache.clear()
    rates = {"lifecycle-events": "2/hour", "lifecycle": "3/hour"}
    with override_settings(REST_FRAMEWORK={"DEFAULT_THROTTLE_RATES": rates}):
        api_settings.reload()
        try:
            for _ in range(2):
                problem(fire(clara, invoice, "mark_overdue"), 409)
            answer = client(clara).post("/api/billing.invoice/999/events/pay/", {}, format="json")
            problem(answer, 429, "throttled")
            assert int(answer["Retry-After"]) > 0
            problem(many(clara, "billing.invoice", "cancel", ids=[1]), 429)
            # The rest has a rate of its own, and so has everybody.
            assert client(clara).get(at(invoice)).status_code == 200
            assert fire(person("cleo", Invoice, "clerk"), invoice, "send_invoice").status_code == 200
            problem(client().post("/api/billing.invoice/999/events/pay/", {}, format="json"), 401)
        finally:
            cache.clear()
    api_settings.reload()


class Never(BaseThrottle):  # type: ignore[misc]
    """A throttle of the project's own that lets nothing through."""

    def allow_request(self, request: Any, view: Any) -> bool:
        return False

    def wait(self) -> float | None:
        return 7


def test_the_throttles_of_the_project_are_asked_before_anything_is_looked_up(clara: User) -> None:
    with override_settings(REST_FRAMEWORK={"DEFAULT_THROTTLE_CLASSES": [f"{__name__}.Never"]}):
        for path in ("billing.invoice/999/", "log/", "lifecycles/", "nothing.there/"):
            answer = client(clara).get(f"/api/{path}")
            problem(answer, 429, "throttled")
            assert answer["Retry-After"] == "7"
        problem(client().get("/api/billing.invoice/"), 401)


# --- other tables --------------------------------------------------------------------------------------------


def test_a_ticket_is_worked_through_by_those_whose_part_it_is() -> None:
    ann, dev, sue = (person(name) for name in ("ann", "dev", "sue"))
    ticket = a_ticket()
    for user, role in ((ann, "agent"), (dev, "developer"), (sue, "supervisor")):
        grant_role(user, role, on=type(ticket), by=SETUP)
    course: list[tuple[User, str, Any]] = [
        (ann, "assign_seriousness", {"seriousness": 2}),
        (ann, "take_in_charge", {}),
        (ann, "create_anomaly", {}),
        (dev, "mark_fixed", {}),
    ]
    for user, event, arguments in course:
        answer = fire(user, ticket, event, {"arguments": arguments})
        assert answer.status_code == 200, (event, answer.content)
    problem(fire(dev, ticket, "mark_verified"), 403, "four_eyes")
    problem(fire(ann, ticket, "close"), 403, "access_denied")
    assert json.loads(client(sue).get(at(ticket)).content)["has_anomaly"] is True


def test_claims_have_no_fields_but_all_their_events(root: User) -> None:
    claim = Claim.objects.create(title="a title that is not open")
    answer = fire(root, claim, "examine")
    assert answer.json()["record"]["state"] == "examined"
    assert "not open" not in answer.content.decode()
