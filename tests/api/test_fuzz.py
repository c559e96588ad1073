"""schemathesis over the whole schema, as several users: no 5xx, nothing the schema does not say, nobody else's data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any, Final

import hypothesis
import pytest
import schemathesis
from django.contrib.auth.models import Permission
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase
from schemathesis.checks import CHECKS
from schemathesis.core.result import Ok

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.webhooks import create_endpoint
from sample_project.billing.models import Contract, ExpenseReport, Invoice
from sample_project.helpdesk.models import Ticket
from tests.api.conftest import basic
from tests.sample.making import a_ticket, an_invoice, somebody

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.once,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("sample_site"),
]

#: Stands in every value of the records that the fuzzing users may not see.
SECRET: Final = "the-secret-of-somebody-else"
USERS: Final = ("clara", "erik", "nobody")
EXAMPLES: Final = 6
CHECKED: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


@pytest.fixture
def requests_share_the_transaction() -> Iterator[None]:
    """As Django's test client has it: a request does not close the connection."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def keys(settings: Any) -> dict[str, list[str]]:
    """Records by model: one that some of the users may see, and one that none of them may, full of secrets."""
    settings.FSM_LIFECYCLE = {
        "ENCRYPTION_KEYS": ["a phrase of more than thirty-two characters"],
        "DISPATCH": "command",
    }
    users = {name: somebody(name) for name in ("hidden", *USERS)}
    for user in users.values():
        user.set_password("pass")
        user.save()
    hidden, clara, erik = users["hidden"], users["clara"], users["erik"]
    open_ones = {
        Invoice: an_invoice(clara, "2026-1"),
        ExpenseReport: ExpenseReport.objects.create(purpose="A taxi", amount=20, created_by=erik),
        Contract: Contract.objects.create(client_name="Fjord & Sons"),
        Ticket: a_ticket(1),
    }
    by = System("tests")
    managing = Permission.objects.get(codename="manage_webhooks")
    for user in (hidden, clara):
        user.user_permissions.add(managing)
    own, other = (
        create_endpoint(
            user, url="https://93.184.215.14/", events=["*"], description=SECRET if user == hidden else ""
        )
        for user in (clara, hidden)
    )
    grant_role(clara, "clerk", on=open_ones[Invoice], by=by)
    grant_role(clara, "clerk", on=open_ones[Contract], by=by)
    grant_role(clara, "agent", on=open_ones[Ticket], by=by)
    secret = {
        Invoice: an_invoice(hidden, "S-1"),
        ExpenseReport: ExpenseReport.objects.create(purpose=SECRET, amount=1, created_by=hidden),
        Contract: Contract.objects.create(client_name=SECRET),
        Ticket: a_ticket(2),
    }
    Invoice.objects.filter(number="S-1").update(client_name=SECRET)
    Ticket.objects.filter(number=2).update(customer=SECRET)
    secret[ExpenseReport].fire("submit", actor=hidden, metadata={"why": SECRET})
    found = {
        model._meta.label_lower: [str(one.pk), str(secret[model].pk)] for model, one in open_ones.items()
    }
    return {**found, "webhooks": [str(own.pk), str(other.pk)]}


def test_the_live_api_keeps_to_its_schema_and_tells_nothing_of_others(
    keys: dict[str, list[str]], requests_share_the_transaction: None
) -> None:
    headers = {"Authorization": basic("clara", "pass")}
    schema = schemathesis.openapi.from_wsgi("/api/schema/", get_wsgi_application(), headers=headers)
    found = {}
    seen = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if "/testapp." not in operation.path:  # the test suite's own, which the sample does not have
            seen += 1
            known = keys.get(operation.path.split("/")[1], [])
            try:
                fuzzing(operation, known)()
            except Exception as error:
                found[operation.label] = error
    assert not found, "\n".join(f"{label}: {str(error)[:1500]}" for label, error in found.items())
    assert seen > 90


def fuzzing(operation: Any, known: list[str]) -> Callable[[], None]:
    """Asks one operation again and again, each time as another user, and sometimes about records that there are."""
    users, chosen = cycle(USERS), cycle([*known, None] if known else [None])
    checks = CHECKS.get_by_names(list(CHECKED))

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @hypothesis.given(case=operation.as_strategy())
    def fuzz(case: Any) -> None:
        key = next(chosen)
        if key is not None and "pk" in (case.path_parameters or {}):
            case.path_parameters["pk"] = key
        response = case.call(headers={"Authorization": basic(next(users), "pass")})
        case.validate_response(response, checks=checks)
        assert SECRET not in response.text

    return fuzz
