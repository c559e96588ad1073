"""Owns what the tests of MCP share: the sample's site with agents of the tests, people, invoices, a plain client."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from fsm_lifecycle.mcp import create_token
from sample_project import settings as sample_settings
from sample_project.billing.models import Invoice
from tests.mcp import agents
from tests.mcp.serving import serving
from tests.sample.making import an_invoice, somebody

#: What a client of the older versions sends along.
HEADERS = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2025-06-18",
}


@pytest.fixture(autouse=True)
def site(settings: Any) -> Iterator[None]:
    """The sample's addresses, the agents of the tests, and nothing at work beside them."""
    settings.ROOT_URLCONF = "sample_project.urls"
    settings.TEMPLATES = sample_settings.TEMPLATES
    settings.FSM_LIFECYCLE = {"DISPATCH": "command"}
    agents.declare()
    yield
    agents.forget()


@pytest.fixture
def servers(child_environment: Mapping[str, str]) -> Iterator[Callable[[str], str]]:
    """Starts a real server of a kind, and says where it is."""
    with ExitStack() as running:
        yield lambda kind: running.enter_context(serving(child_environment, kind))


@pytest.fixture
def alice(db: None) -> Any:
    """Writes invoices and sends them."""
    return somebody("alice", clerk=Invoice)


@pytest.fixture
def sent(alice: Any) -> Invoice:
    """An invoice that is past its due date."""
    invoice = an_invoice(alice)
    invoice.fire("send_invoice", actor=alice)
    Invoice.objects.filter(pk=invoice.pk).update(due_on=timezone.localdate() - timedelta(days=40))
    return Invoice.objects.get(pk=invoice.pk)


@dataclass
class Wire:
    """A client that speaks the protocol by hand, to ``/mcp`` in this process."""

    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def post(self, body: Any, **headers: str) -> HttpResponse:
        """Send a body: JSON, or bytes as they are."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {**HEADERS, **self.headers, **headers}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        response: Any = self.client.post("/mcp", raw, content_type="application/json", headers=sent)
        return response  # type: ignore[no-any-return]

    def ask(self, method: str, params: Any = None, **headers: str) -> dict[str, Any]:
        """What a request is answered."""
        asked = {"jsonrpc": "2.0", "id": next(self.numbers), "method": method, "params": params or {}}
        response = self.post(asked, **headers)
        assert response.status_code == 200, (response.status_code, response.content)
        answer: dict[str, Any] = json.loads(response.content)
        assert answer["id"] == asked["id"]
        return answer

    def call(self, name: str, arguments: Any = None, **meta: Any) -> dict[str, Any]:
        """What a tool answers."""
        params = {"name": name, "arguments": arguments or {}, **({"_meta": meta} if meta else {})}
        result = self.ask("tools/call", params)["result"]
        answer: dict[str, Any] = result["structuredContent"]
        assert json.loads(result["content"][0]["text"]) == answer
        assert result["isError"] is (answer["success"] is not True)
        return answer


@pytest.fixture
def wire() -> Callable[..., Wire]:
    """A client with a token that is made for a user and an agent."""

    def made(user: Any, agent: Any = "tests.desk", **more: Any) -> Wire:
        return Wire(create_token(user, agent), **more)

    return made


def marks(invoice: Invoice) -> dict[str, Any]:
    """The arguments with which the tool marks an invoice overdue."""
    return {"id": str(invoice.pk), "expected_state": "sent"}


def cancels(invoice: Invoice, state: str = "sent") -> dict[str, Any]:
    """The arguments with which the tool cancels an invoice."""
    return {"id": str(invoice.pk), "expected_state": state, "reason": "They closed down."}


def state_of(invoice: Invoice) -> str:
    """As the database has it."""
    return str(Invoice.objects.values_list("state", flat=True).get(pk=invoice.pk))
