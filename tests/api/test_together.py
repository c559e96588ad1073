"""Eight clients at once against a real server: one does it, and all are told the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from fsm_lifecycle.models import IdempotentRequest, TransitionLog
from sample_project.billing.models import ExpenseReport, Invoice
from tests.api.serving import PASSWORD, Answer, Server, serving
from tests.sample.making import an_invoice, somebody

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 8


@pytest.fixture
def clara() -> Any:
    user = somebody("clara", clerk=Invoice, employee=ExpenseReport)
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def server(child_environment: Mapping[str, str], clara: Any) -> Iterator[Server]:
    with serving(child_environment) as running:
        yield running


def together(server: Server, *asked: Any, **headers: str) -> list[Answer]:
    """The same request by all clients at once."""
    gate = Barrier(CLIENTS)

    def ask(_: int) -> Answer:
        gate.wait()
        return server.ask("clara", *asked, **headers)

    with ThreadPoolExecutor(CLIENTS) as clients:
        return list(clients.map(ask, range(CLIENTS)))


def test_eight_clients_at_once(server: Server, clara: Any) -> None:
    """All in one server, which takes longer to start than they take."""
    one_key_one_transition(server, clara)
    one_key_one_record(server, clara)
    one_key_several_records(server, clara)
    one_version_one_edit(server, clara)
    one_version_one_event(server, clara)
    no_key_one_transition(server, clara)
    a_body_in_pieces_is_read(server, clara)


def a_body_in_pieces_is_read(server: Server, clara: Any) -> None:
    """HTTP/1.1 says no length where a body comes in chunks, HTTP/2 need not either."""
    address = f"/api/billing.invoice/{an_invoice(clara, 'P-1').pk}/events/send_invoice/"
    stale = {"expected_state": "sent"}
    assert server.ask("clara", "POST", address, stale, **{"Transfer-Encoding": "chunked"}).status == 409
    large = {"metadata": {"a": "x" * 2**22}}
    assert server.ask("clara", "POST", address, large, **{"Transfer-Encoding": "chunked"}).status == 413
    fine = {"expected_state": "draft"}
    assert server.ask("clara", "POST", address, fine, **{"Transfer-Encoding": "chunked"}).status == 200


def repeated(answers: list[Answer], status: int) -> None:
    """All are one answer, and one of them was the first to get it."""
    assert {answer.status for answer in answers} == {status}, [answer.body for answer in answers]
    assert len({answer.body for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1


def one_key_one_transition(server: Server, clara: Any) -> None:
    for number in range(3):
        invoice = an_invoice(clara, f"K-{number}")
        address = f"/api/billing.invoice/{invoice.pk}/events/send_invoice/"
        repeated(together(server, "POST", address, {}, **{"Idempotency-Key": "one"}), 200)
        assert TransitionLog.objects.for_record(invoice).by_event("send_invoice").count() == 1
        assert IdempotentRequest.objects.filter(path=address).count() == 1


def one_key_one_record(server: Server, clara: Any) -> None:
    body = {"purpose": "A taxi", "amount": "20"}
    address = "/api/billing.expensereport/"
    repeated(together(server, "POST", address, body, **{"Idempotency-Key": "one"}), 201)
    assert ExpenseReport.objects.count() == 1


def one_key_several_records(server: Server, clara: Any) -> None:
    keys = [an_invoice(clara, f"S-{number}").pk for number in range(3)]
    address = "/api/billing.invoice/-/events/send_invoice/"
    answers = together(server, "POST", address, {"ids": keys}, **{"Idempotency-Key": "one"})
    repeated(answers, 200)
    assert answers[0].json()["succeeded"] == 3
    assert TransitionLog.objects.by_event("send_invoice").filter(object_pk__in=keys).count() == 3


def one_version_one_edit(server: Server, clara: Any) -> None:
    invoice = an_invoice(clara, "E-1")
    address = f"/api/billing.invoice/{invoice.pk}/"
    tag = server.ask("clara", "GET", address).headers["etag"]
    answers = together(server, "PATCH", address, {"amount": "7"}, **{"If-Match": tag})
    assert Counter(answer.status for answer in answers) == {200: 1, 412: CLIENTS - 1}


def one_version_one_event(server: Server, clara: Any) -> None:
    invoice = an_invoice(clara, "E-2")
    address = f"/api/billing.invoice/{invoice.pk}/"
    tag = server.ask("clara", "GET", address).headers["etag"]
    answers = together(server, "POST", f"{address}events/send_invoice/", {}, **{"If-Match": tag})
    assert Counter(answer.status for answer in answers) == {200: 1, 412: CLIENTS - 1}
    assert TransitionLog.objects.for_record(invoice).by_event("send_invoice").count() == 1


def no_key_one_transition(server: Server, clara: Any) -> None:
    invoice = an_invoice(clara, "N-1")
    answers = together(server, "POST", f"/api/billing.invoice/{invoice.pk}/events/send_invoice/", {})
    assert Counter(answer.status for answer in answers) == {200: 1, 409: CLIENTS - 1}
