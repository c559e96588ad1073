"""MCP by hand: what a client that is no SDK sends to ``/mcp``, and what the commands say."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.urls import include, path
from django.utils import timezone

from fsm_lifecycle.agents import Budget, LifecycleAgent, registry
from fsm_lifecycle.mcp import create_token
from fsm_lifecycle.models import AgentRun, McpToken, Proposal
from tests.testapp.models import Invoice

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.acceptance.test_mcp_wire")]

urlpatterns = [path("admin/", admin.site.urls), path("", include("fsm_lifecycle.mcp.urls"))]


class InvoiceAgent(LifecycleAgent, register=False):
    lifecycle = Invoice
    events = ["send_invoice", "mark_overdue", "cancel"]
    approval = {"send_invoice": "never"}
    budget = Budget(tool_calls=5)


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    registry.register(InvoiceAgent)
    yield
    registry.unregister(InvoiceAgent)


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice")


def post(token: str | None, method: str, params: Any = None, **headers: str) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, **({"params": params} if params is not None else {})}
    given = {"accept": "application/json, text/event-stream", **headers}
    if token is not None:
        given["authorization"] = f"Bearer {token}"
    return Client(enforce_csrf_checks=True).post(
        "/mcp", json.dumps(body), content_type="application/json", headers=given
    )


def call(token: str, tool: str, **arguments: Any) -> Any:
    response = post(token, "tools/call", {"name": tool, "arguments": arguments})
    assert response.status_code == 200, response.content
    result = response.json()["result"]
    return json.loads(result["content"][0]["text"])


def test_who_has_no_token_is_told_how(alice: User) -> None:
    for token in (None, "nonsense", "fsmlc_" + "x" * 43, ""):
        response = post(token, "tools/list")
        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith("Bearer")
    client = Client()
    client.force_login(alice)
    assert client.post("/mcp", "{}", content_type="application/json").status_code == 401


def test_initialize_list_and_call(alice: User) -> None:
    token = create_token(alice, agent=InvoiceAgent)
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    response = post(token, "initialize", hello)
    assert response.status_code == 200, response.content
    assert response.json()["result"]["capabilities"]["tools"] is not None
    record = Invoice.objects.create(amount=3, client_name="x")
    tools = {t["name"]: t for t in post(token, "tools/list").json()["result"]["tools"]}
    assert tools["list_invoices"]["annotations"]["readOnlyHint"] is True
    assert tools["cancel_invoice"]["annotations"]["destructiveHint"] is True
    assert "send_invoice_invoice" in tools
    assert "pay_invoice" not in tools
    done = call(token, "send_invoice_invoice", id=record.pk, expected_state="draft")
    assert done["success"] is True
    waits = call(token, "cancel_invoice", id=str(record.pk), expected_state="sent")
    assert waits["code"] == "approval_required"
    assert waits["url"].startswith("http")
    proposal = Proposal.objects.get()
    proposal.approve(by=alice)
    record.refresh_from_db()
    assert record.state == "cancelled"
    run = AgentRun.objects.get()
    assert run.user == alice
    found = McpToken.objects.get()
    assert found.digest == hashlib.sha256(token.encode()).hexdigest()
    assert found.last_used_at is not None
    assert found.user == alice


@pytest.mark.parametrize("agent", [None, "testapp.invoice", InvoiceAgent, Invoice])
def test_tokens_of_every_kind_of_agent(alice: User, agent: Any) -> None:
    token = create_token(alice, agent) if agent is not None else create_token(alice)
    assert post(token, "tools/list").json()["result"]["tools"]


def test_budget(alice: User) -> None:
    token = create_token(alice, agent=InvoiceAgent)
    answers = [call(token, "list_invoices") for _ in range(6)]
    assert answers[4]["success"]
    assert answers[5]["code"] == "tool_calls"


def test_revoked_expired_deactivated(alice: User) -> None:
    token = create_token(alice)
    McpToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert post(token, "tools/list").status_code == 401
    token = create_token(alice, days=1)
    assert post(token, "tools/list").status_code == 200
    User.objects.update(is_active=False)
    assert post(token, "tools/list").status_code == 401
    assert post(create_token(alice, days=0), "tools/list").status_code == 401
    assert post(create_token(alice, days=-1), "tools/list").status_code == 401


def test_origins(alice: User) -> None:
    token = create_token(alice)
    assert post(token, "tools/list", origin="https://evil.example").status_code == 403
    with override_settings(FSM_LIFECYCLE={"MCP_ALLOWED_ORIGINS": ["https://good.example"]}):
        assert post(token, "tools/list", origin="https://good.example").status_code == 200
        assert post(token, "tools/list", origin="https://evil.example").status_code == 403
    assert post(token, "tools/list", host="evil.example").status_code == 400


def test_plain_accept_headers(alice: User) -> None:
    token = create_token(alice)
    for accept in ("application/json, text/event-stream", "*/*", "application/json", ""):
        assert post(token, "tools/list", accept=accept).status_code in (200, 406), accept


def test_get_is_not_served(alice: User) -> None:
    token = create_token(alice)
    assert Client().get("/mcp", headers={"authorization": f"Bearer {token}"}).status_code == 405


def test_commands(alice: User, capsys: Any) -> None:
    out = io.StringIO()
    call_command("lifecycle_token", "create", "alice", stdout=out)
    token = next(w for w in out.getvalue().split() if w.startswith("fsmlc_"))
    assert post(token, "tools/list").status_code == 200
    out = io.StringIO()
    call_command("lifecycle_token", "list", stdout=out)
    assert "alice" in out.getvalue()
    assert token not in out.getvalue()
    call_command("lifecycle_token", "revoke", str(McpToken.objects.get().pk), stdout=out)
    assert post(token, "tools/list").status_code == 401
    with pytest.raises(CommandError):
        call_command("lifecycle_token", "create", "nobody")


@pytest.mark.parametrize(
    "words",
    [
        ["create", "--user", "alice"],
        ["create", "alice", "--agent", "testapp.invoice", "--days", "5"],
        ["create", "--user", "alice", "--agent", "testapp.invoice"],
    ],
)
def test_commands_variants(alice: User, words: list[str]) -> None:
    out = io.StringIO()
    call_command("lifecycle_token", *words, stdout=out)
    token = next(w for w in out.getvalue().split() if w.startswith("fsmlc_"))
    assert post(token, "tools/list").status_code == 200


def test_revoke_by_text(alice: User) -> None:
    token = create_token(alice)
    call_command("lifecycle_token", "revoke", token, stdout=io.StringIO())
    assert post(token, "tools/list").status_code == 401
