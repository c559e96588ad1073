"""Requests that nobody honest sends: without a token, from a strange page, too large, no JSON, no MCP."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from fsm_lifecycle.mcp import create_token, extra, tokens, view
from fsm_lifecycle.mcp import server as serving_module
from fsm_lifecycle.models import AgentEvent, AgentRun, McpToken, RefusedAttempt
from sample_project.billing.models import Invoice
from tests.mcp.agents import SECRET
from tests.mcp.conftest import HEADERS, Wire, marks, state_of
from tests.sample.making import somebody

pytestmark = [pytest.mark.once, pytest.mark.django_db]

Wired = Callable[..., Wire]
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def error_of(response: Any) -> str:
    """What a refusal says. Every one is an error of JSON-RPC, which clients can show."""
    body = json.loads(response.content)
    assert (body["jsonrpc"], body.get("id")) == ("2.0", None)
    return str(body["error"]["message"])


# Who comes in


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer fsmlc_",
        f"Bearer fsmlc_{'A' * 43}",
        f"Bearer fsmlc_{'A' * 5000}",
        "Bearer fsmlc_\N{SNOWMAN}",
        "Bearer ' OR 1=1 --",
        "Basic YWxpY2U6cGFzcw==",
        "Token abc",
    ],
)
def test_without_a_valid_token_nobody_comes_in(alice: Any, header: str | None) -> None:
    response = Wire(headers={} if header is None else {"Authorization": header}).post(LIST)

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith('Bearer realm="fsm_lifecycle"')
    assert error_of(response)
    assert not AgentRun.objects.exists()


def test_who_sends_a_wrong_token_is_told_that_it_is_wrong(alice: Any) -> None:
    wrong = Wire(f"fsmlc_{'A' * 43}").post(LIST)
    none = Wire().post(LIST)

    assert 'error="invalid_token"' in wrong["WWW-Authenticate"]
    assert "error" not in none["WWW-Authenticate"]


def test_a_token_ends_at_its_time_when_it_is_revoked_and_with_its_user(wire: Wired, alice: Any) -> None:
    one = wire(alice)
    row = McpToken.objects.get()
    assert one.post(LIST).status_code == 200

    McpToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert one.post(LIST).status_code == 401
    McpToken.objects.update(expires_at=timezone.now() + timedelta(days=1))
    assert one.post(LIST).status_code == 200

    type(alice).objects.filter(pk=alice.pk).update(is_active=False)
    assert one.post(LIST).status_code == 401
    type(alice).objects.filter(pk=alice.pk).update(is_active=True)
    assert one.post(LIST).status_code == 200

    assert tokens.revoke(row)
    assert not tokens.revoke(row)
    assert one.post(LIST).status_code == 401

    other = wire(alice)
    alice.delete()
    assert other.post(LIST).status_code == 401


def test_a_cookie_is_no_token(alice: Any, sent: Invoice) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    body = {
        **LIST,
        "method": "tools/call",
        "params": {"name": "mark_overdue_invoice", "arguments": marks(sent)},
    }

    response = Wire(client=client).post(body)

    assert response.status_code == 401
    assert state_of(sent) == "sent"


def test_beside_a_token_a_cookie_counts_for_nothing(wire: Wired, alice: Any, sent: Invoice) -> None:
    root = somebody("root")
    type(root).objects.filter(pk=root.pk).update(is_superuser=True)
    client = Client(enforce_csrf_checks=True)
    client.force_login(root)

    answer = wire(alice, client=client).call("pay_invoice", {**marks(sent), "paid_on": "2026-01-31"})

    assert answer["code"] == "access_denied"
    assert RefusedAttempt.objects.get().actor_id == str(alice.pk)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://testserver", "https://app.example.com.evil"]
)
def test_a_page_of_another_origin_may_not_even_with_a_token(
    wire: Wired, alice: Any, settings: Any, origin: str
) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "command", "MCP_ALLOWED_ORIGINS": ["https://app.example.com"]}
    one = wire(alice)

    response = one.post(LIST, Origin=origin)
    preflight: Any = one.client.options("/mcp", headers={"Origin": origin})

    assert response.status_code == preflight.status_code == 403
    assert "Access-Control-Allow-Origin" not in response.headers
    assert error_of(response)


@pytest.mark.parametrize("setting", [None, "https://app.example.com", 7])
def test_a_setting_that_is_no_list_allows_nobody(
    wire: Wired, alice: Any, settings: Any, setting: Any
) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "command", "MCP_ALLOWED_ORIGINS": setting}

    assert wire(alice).post(LIST, Origin="https://app.example.com").status_code == 403


def test_a_page_that_is_allowed_may_with_a_token(wire: Wired, alice: Any, settings: Any) -> None:
    origin = "https://app.example.com"
    settings.FSM_LIFECYCLE = {"DISPATCH": "command", "MCP_ALLOWED_ORIGINS": [origin]}
    one = wire(alice)

    preflight: Any = one.client.options(
        "/mcp", headers={"Origin": origin, "Access-Control-Request-Method": "POST"}
    )
    response = one.post(LIST, Origin=origin)
    without = Wire().post(LIST, Origin=origin)

    assert preflight.status_code == 204
    assert "authorization" in preflight["Access-Control-Allow-Headers"]
    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == without["Access-Control-Allow-Origin"] == origin
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "Origin" in response["Vary"]
    assert without.status_code == 401


def test_a_host_that_is_not_served_is_refused(wire: Wired, alice: Any) -> None:
    assert wire(alice).post(LIST, Host="evil.example").status_code == 400


# What is sent


@pytest.mark.parametrize("method", ["get", "delete", "put", "patch", "head", "options", "trace"])
def test_only_a_post_is_answered(wire: Wired, alice: Any, method: str) -> None:
    one = wire(alice)
    response: Any = getattr(one.client, method)(
        "/mcp", headers={**HEADERS, "Authorization": f"Bearer {one.token}"}
    )

    assert (response.status_code, response["Allow"]) == (405, "POST")


@pytest.mark.parametrize("length", [None, "5", "x", "-1"])
def test_a_huge_body_is_refused_whatever_it_says_of_its_length(
    wire: Wired, alice: Any, length: str | None
) -> None:
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "' + b"a" * view.LARGEST + b'"}'
    more = {} if length is None else {"Content-Length": length}

    response = wire(alice).post(body, **more)

    assert response.status_code in (400, 413)
    assert len(response.content) < 1000


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"no JSON",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"17",
        b'"tools/list"',
        b"[" * 100_000,
        b'{"jsonrpc": "2.0", "id": ' + b"9" * 5000 + b', "method": "ping"}',
        b'{"jsonrpc": "1.0", "id": 1, "method": "tools/list"}',
        b'{"id": 1, "method": "tools/list"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": 5}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": "all"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "\\ud800", "arguments": {}}}',
        json.dumps([LIST, LIST]).encode(),
    ],
)
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
def test_what_is_no_message_is_refused_in_words(
    wire: Wired, alice: Any, sent: Invoice, body: bytes, version: str
) -> None:
    response = wire(alice).post(body, **{"MCP-Protocol-Version": version})

    assert response.status_code == 400, response.content
    assert json.loads(response.content)["error"]["code"] < 0
    assert b"Traceback" not in response.content


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("tools/destroy", {}, -32601),
        ("resources/list", {}, -32601),
        ("subscriptions/listen", {}, -32601),
        ("tools/call", {}, -32602),
        ("tools/call", {"name": 5}, -32602),
        ("tools/call", {"name": "get_invoice", "arguments": "1"}, -32602),
        ("tools/call", {"name": "get_invoice", "arguments": [1]}, -32602),
    ],
)
def test_what_the_protocol_does_not_know_is_an_error_of_it(
    wire: Wired, alice: Any, method: str, params: Any, code: int
) -> None:
    assert wire(alice).ask(method, params)["error"]["code"] == code


@pytest.mark.parametrize("version", ["1999-01-01", "tomorrow", "2026-07-28\t", "9" * 500])
def test_a_version_that_is_not_known_is_refused(wire: Wired, alice: Any, version: str) -> None:
    response = wire(alice).post(LIST, **{"MCP-Protocol-Version": version})

    assert response.status_code == 400
    assert json.loads(response.content)["error"]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_form_of_another_site_is_no_message(wire: Wired, alice: Any, kind: str) -> None:
    """Which a browser would send without asking first."""
    one = wire(alice)
    sent = {**HEADERS, "Authorization": f"Bearer {one.token}"}

    response: Any = one.client.post("/mcp", json.dumps(LIST).encode(), content_type=kind, headers=sent)

    assert response.status_code in (400, 415)


@pytest.mark.parametrize(
    "arguments",
    [
        {"id": "1", "user": "root"},
        {"id": ["1"]},
        {"id": "1' OR '1'='1"},
        {"id": "\x00"},
        {"id": 10**300},
        {"id": "1" * 200_000},
        {"id": {"a": {"b": {"c": [None] * 1000}}}},
    ],
)
def test_arguments_are_judged_by_dispatch(wire: Wired, alice: Any, arguments: Any) -> None:
    answer = wire(alice).call("get_invoice", arguments)

    assert answer["success"] is False
    assert answer["code"] in ("unknown_argument", "invalid_arguments", "not_found")


def test_a_name_of_no_tool_is_answered_like_any_other(wire: Wired, alice: Any) -> None:
    for name in ("", "x" * 10_000, "\x00", "\ufffd", "__class__", "../list_invoices"):
        assert wire(alice).call(name)["code"] == "unknown_tool"


# What is not told


def test_what_an_exception_says_reaches_no_client(
    wire: Wired, alice: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(SECRET)

    one = wire(alice)
    told = [json.dumps(one.call("broken"))]
    for name in ("call", "_tools"):
        with monkeypatch.context() as patched, caplog.at_level(logging.ERROR):
            patched.setattr(serving_module, name, fail)
            for version in ("2025-06-18", "2026-07-28"):
                method = "tools/call" if name == "call" else "tools/list"
                params: Any = {"name": "get_invoice", "arguments": {}} if name == "call" else {}
                if version == "2026-07-28":
                    params["_meta"] = {
                        "io.modelcontextprotocol/protocolVersion": version,
                        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
                        "io.modelcontextprotocol/clientCapabilities": {},
                    }
                body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                names = {"Mcp-Method": method, **({"Mcp-Name": "get_invoice"} if name == "call" else {})}
                response = one.post(body, **{"MCP-Protocol-Version": version, **names})
                assert json.loads(response.content)["error"]["code"] == -32603, response.content
                told.append(response.content.decode())
    for module, name in ((view, "async_to_sync"), (tokens, "use"), (tokens, "find")):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, fail)
            response = one.post(LIST)
            assert response.status_code == 500
            told.append(response.content.decode())

    assert [SECRET in text for text in told] == [False] * 8
    assert SECRET in caplog.text


def test_a_token_is_kept_nowhere(
    wire: Wired, alice: Any, sent: Invoice, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    one = wire(alice)
    one.call("get_invoice", {"id": str(sent.pk)})
    one.post(b"no JSON")

    kept = [
        *McpToken.objects.values_list(),
        *AgentRun.objects.values_list(),
        *AgentEvent.objects.values_list(),
    ]
    assert one.token not in str(kept)
    assert one.token not in caplog.text
    assert McpToken.objects.get().digest == tokens.digest_of(one.token)


@override_settings(DEBUG=True)
def test_nothing_more_is_told_while_debugging(wire: Wired, alice: Any) -> None:
    for response in (Wire().post(LIST), wire(alice).post(b"{")):
        assert response["Content-Type"].startswith("application/json")
        assert len(response.content) < 500


def test_without_the_extra_it_says_that_it_is_not_installed(
    alice: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(extra, "is_installed", lambda: False)

    response = Wire(create_token(alice)).post(LIST)

    assert response.status_code == 503
    assert "not installed" in error_of(response)
    assert "fsm-lifecycle[mcp]" in caplog.text
