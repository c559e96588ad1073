"""The SDK's own client at real servers: pipes, ASGI and WSGI; every kind of tool, refusals, approvals."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.db import connection
from mcp import Client

from fsm_lifecycle.mcp import create_token
from fsm_lifecycle.models import AgentRun, Proposal, RefusedAttempt
from sample_project.billing.models import Invoice
from tests.mcp.agents import NOISE, SECRET
from tests.mcp.conftest import cancels, marks, state_of
from tests.mcp.serving import PATIENCE, over_http, over_stdio, talk
from tests.sample.making import an_invoice, somebody

pytestmark = pytest.mark.django_db(transaction=True)

DESK = ("-m", "tests.mcp.served", "stdio", "alice", "tests.desk")

Opened = Callable[..., Any]


@pytest.fixture
def opened(child_environment: Mapping[str, str], servers: Callable[[str], str], alice: Any) -> Opened:
    """Opens a client over a transport, as Alice with the agent of the tests."""

    def client(transport: str, era: str) -> Any:
        if transport == "stdio":
            return over_stdio(child_environment, *DESK, era=era)
        return over_http(servers(transport), create_token(alice, "tests.desk"), era)

    return client


def answer_of(result: Any) -> dict[str, Any]:
    answer: dict[str, Any] = result.structured_content
    assert json.loads(result.content[0].text) == answer
    assert result.is_error is (answer["success"] is not True)
    return answer


async def called(client: Client, name: str, **arguments: Any) -> dict[str, Any]:
    return answer_of(await client.call_tool(name, arguments))


@pytest.mark.parametrize(("transport", "era"), [("stdio", "auto"), ("asgi", "legacy"), ("wsgi", "auto")])
def test_a_client_lists_reads_fires_is_refused_and_waits_for_a_person(
    opened: Opened, transport: str, era: str, alice: Any, sent: Invoice
) -> None:
    an_invoice(alice, "2026-002")
    boss = somebody("boss", clerk=Invoice)

    def approve() -> str:
        try:
            before = state_of(sent)
            Proposal.objects.get().approve(by=boss)
            return before
        finally:
            connection.close()

    async def say(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        hints = {name: tool.annotations for name, tool in tools.items() if tool.annotations is not None}
        assert hints["list_invoices"].read_only_hint is True
        assert hints["send_invoice_invoice"].read_only_hint is False
        assert hints["send_invoice_invoice"].destructive_hint is True  # an e-mail cannot be called back
        assert hints["cancel_invoice"].destructive_hint is True
        assert "pay_invoice" not in tools  # a clerk may not
        assert tools["mark_overdue_invoice"].input_schema["required"] == ["id", "expected_state"]
        assert tools["mark_overdue_invoice"].input_schema["additionalProperties"] is False
        assert "politely" in (client.instructions or "")

        assert len((await called(client, "list_invoices", state="sent"))["records"]) == 1
        found = (await called(client, "get_invoice", id=str(sent.pk)))["record"]
        assert found["untrusted"]["client_name"] == "Ferrara Logistica"
        told = await called(client, "available_events_for_invoice", id=str(sent.pk))
        assert {one["event"] for one in told["available"]} == {"mark_overdue", "cancel"}
        assert (await called(client, "noisy", times=2))["untrusted"] == {"printed": 2}

        refused = await called(client, "mark_overdue_invoice", **{**marks(sent), "user": "root"})
        assert refused["code"] == "unknown_argument"
        refused = await called(client, "mark_overdue_invoice", id=str(sent.pk), expected_state="draft")
        assert refused["code"] == "stale_state"
        refused = await called(client, "pay_invoice", **marks(sent), paid_on="2026-01-31")
        assert refused["code"] == "access_denied"
        assert (await called(client, "drop_tables"))["code"] == "unknown_tool"
        assert (await called(client, "get_invoice", id="77777"))["code"] == "not_found"
        broken = await called(client, "broken")
        assert (broken["code"], SECRET in json.dumps(broken)) == ("tool_failed", False)

        done = await called(client, "mark_overdue_invoice", **marks(sent))
        assert (done["from"], done["to"]) == ("sent", "overdue")
        history = await called(client, "transition_history_for_invoice", id=str(sent.pk))
        assert [one["event"] for one in history["entries"]] == ["mark_overdue", "send_invoice", None]

        waits = await called(client, "cancel_invoice", **cancels(sent, "overdue"))
        again = await called(client, "cancel_invoice", **cancels(sent, "overdue"))
        assert waits["code"] == again["code"] == "approval_required"
        assert waits["url"] == again["url"]
        assert waits["url"].endswith(f"/admin/lifecycle/proposals/{waits['proposal']}/")
        assert waits["url"].startswith("/" if transport == "stdio" else "http://127.0.0.1:")
        assert await asyncio.to_thread(approve) == "overdue"
        assert (await called(client, "get_invoice", id=str(sent.pk)))["current_state"] == "cancelled"

    talk(opened(transport, era), say)

    marked, cancelled = list(sent.log)[-2:]
    assert (marked.event, marked.actor_kind, marked.actor_id) == ("mark_overdue", "agent", str(alice.pk))
    assert cancelled.event == "cancel"
    told: Any = cancelled.fields["run"].value
    assert (told["agent"], told["surface"]) == ("tests.desk", "mcp")
    run = AgentRun.objects.get()
    assert (run.agent, run.surface, run.user_key, run.tool_calls) == ("tests.desk", "mcp", str(alice.pk), 14)
    assert RefusedAttempt.objects.filter(object_pk=str(sent.pk)).count() == 3


@asynccontextmanager
async def process_of(
    environment: Mapping[str, str], errors: Any
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The server in a process of its own, with pipes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *DESK,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=errors,
        env=dict(environment),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ask(process: asyncio.subprocess.Process, method: str, params: Any, number: int | None) -> Any:
    """Write a message as a line; the line that answers it, byte by byte."""
    assert process.stdin is not None
    assert process.stdout is not None
    asked = {"jsonrpc": "2.0", "method": method, "params": params, **({"id": number} if number else {})}
    process.stdin.write(json.dumps(asked).encode() + b"\n")
    if number:
        return json.loads(await asyncio.wait_for(process.stdout.readline(), PATIENCE))
    return None


async def shake_hands(process: asyncio.subprocess.Process) -> None:
    client = {"name": "tests", "version": "1"}
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
    assert (await ask(process, "initialize", params, 1))["id"] == 1
    await ask(process, "notifications/initialized", {}, None)


def test_what_a_tool_or_its_child_prints_never_reaches_the_wire(
    child_environment: Mapping[str, str], alice: Any
) -> None:
    """Read line by line, because the SDK's client passes over lines that are no message."""

    async def say(errors: Any) -> list[Any]:
        async with process_of(child_environment, errors) as process:
            await shake_hands(process)
            params = {"name": "noisy", "arguments": {"times": 3}}
            found = [await ask(process, "tools/call", params, 2)]
            found.append(await ask(process, "tools/call", {"name": "broken", "arguments": {}}, 3))
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            assert await process.stdout.read() == b""
            assert await process.wait() == 0
        return found

    with tempfile.TemporaryFile("w+") as errors:
        found = asyncio.run(say(errors))
        errors.seek(0)
        told = errors.read()

    assert [one["id"] for one in found] == [2, 3]
    assert found[0]["result"]["structuredContent"]["success"] is True
    assert told.count(NOISE) == 4
    assert SECRET not in json.dumps(found)
    assert SECRET in told  # the server's log has it
    run = AgentRun.objects.get()
    assert (run.status, run.tool_calls, run.finished_at is not None) == ("done", 2, True)


@pytest.mark.once
@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "nobody reads"])
def test_a_process_that_is_told_to_end_ends_and_leaves_nothing_open(
    child_environment: Mapping[str, str], alice: Any, how: str
) -> None:
    async def say(errors: Any) -> int:
        async with process_of(child_environment, errors) as process:
            await shake_hands(process)
            await ask(process, "tools/call", {"name": "list_invoices", "arguments": {}}, 2)
            if how == "nobody reads":
                transport: Any = process._transport  # type: ignore[attr-defined]
                transport.get_pipe_transport(1).close()
                with pytest.raises(ValueError, match="Expecting value"):
                    await ask(process, "ping", {}, 3)
                assert process.stdin is not None
                process.stdin.close()
            else:
                process.send_signal(signal.Signals[how])
            return await asyncio.wait_for(process.wait(), PATIENCE)

    with tempfile.TemporaryFile("w+") as errors:
        code = asyncio.run(say(errors))
        errors.seek(0)
        told = errors.read()

    assert code == (0 if how == "nobody reads" else 2)
    assert "Traceback" not in told
    assert AgentRun.objects.get().status == "done"


def test_a_user_that_is_deactivated_while_a_program_is_connected_may_do_nothing_more(
    child_environment: Mapping[str, str], alice: Any, sent: Invoice
) -> None:
    async def say(client: Client) -> None:
        assert (await called(client, "get_invoice", id=str(sent.pk)))["success"]
        await asyncio.to_thread(deactivate)
        assert (await called(client, "get_invoice", id=str(sent.pk)))["code"] == "access_denied"
        assert (await called(client, "mark_overdue_invoice", **marks(sent)))["code"] == "access_denied"
        assert (await client.list_tools()).tools == []

    def deactivate() -> None:
        type(alice).objects.filter(pk=alice.pk).update(is_active=False)
        connection.close()

    talk(over_stdio(child_environment, *DESK), say)

    assert state_of(sent) == "sent"
    refused = RefusedAttempt.objects.get()
    assert (refused.event, refused.code, refused.surface) == ("mark_overdue", "access_denied", "mcp")


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_many_at_once_are_answered_each_with_its_own(
    servers: Callable[[str], str], alice: Any, kind: str
) -> None:
    invoices = [an_invoice(alice, f"2026-{number:03}") for number in range(12)]
    bob = somebody("bob")
    url = servers(kind)
    tokens = {"alice": create_token(alice, "tests.desk"), "bob": create_token(bob, "tests.desk")}

    async def one(who: str, invoice: Invoice) -> dict[str, Any]:
        async with over_http(url, tokens[who]) as client:
            return await called(client, "send_invoice_invoice", id=str(invoice.pk), expected_state="draft")

    async def all_of_them() -> list[dict[str, Any]]:
        tasks = [one(who, invoice) for invoice in invoices for who in ("alice", "bob")]
        return await asyncio.gather(*tasks)

    began = time.monotonic()
    answers = asyncio.run(all_of_them())
    assert time.monotonic() - began < 200

    assert [one.get("code", "") for one in answers] == ["", "not_found"] * 12
    assert {state_of(invoice) for invoice in invoices} == {"sent"}
    assert sorted(AgentRun.objects.values_list("user_key", "tool_calls")) == sorted(
        [(str(alice.pk), 12), (str(bob.pk), 12)]
    )
