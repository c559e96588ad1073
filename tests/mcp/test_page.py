"""The page about MCP: its client configuration starts what it says, and its client talks to a real server."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from fsm_lifecycle.mcp import create_token
from fsm_lifecycle.mcp.calling import call
from fsm_lifecycle.mcp.principal import Principal
from sample_project.billing.models import Invoice
from tests.docsapp.page import blocks
from tests.mcp.conftest import cancels
from tests.mcp.serving import ROOT, over_http, over_stdio, talk

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

PAGE = ROOT / "docs" / "mcp.md"


def found(language: str) -> list[str]:
    return [code for kind, code, _ in blocks(PAGE.read_text()) if kind == language]


def configured(part: str) -> dict[str, Any]:
    """The server of the first configuration that says this."""
    one: dict[str, Any] = json.loads(next(code for code in found("json") if part in code))["mcpServers"][
        "lifecycle"
    ]
    return one


async def names(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools()).tools}


def test_the_configuration_for_ones_own_machine_starts_the_server(
    child_environment: Mapping[str, str], alice: Any
) -> None:
    told = configured("lifecycle_mcp")
    assert told["command"] == "/path/to/project/.venv/bin/python"
    assert Path(sys.executable).name.startswith("python")
    arguments = [one.replace("/path/to/project", str(ROOT)) for one in told["args"]]

    tools = talk(over_stdio(child_environment, *arguments), names)

    assert "list_tickets" in tools


def test_the_configuration_over_http_and_the_pages_client_reach_the_server(
    servers: Callable[[str], str], alice: Any, sent: Invoice
) -> None:
    told = configured('"url"')
    assert told["type"] == "http"
    url, token = servers("wsgi"), create_token(alice, "tests.desk")
    assert told["url"].endswith(url[url.rindex("/") :])
    scheme, text = told["headers"]["Authorization"].split()
    assert (scheme, token.startswith(text.removesuffix("..."))) == ("Bearer", True)
    namespace: dict[str, Any] = {}
    exec(next(code for code in found("python") if "async def first_page" in code), namespace)

    tools, page = asyncio.run(namespace["first_page"](url, token))

    assert "list_invoices" in tools
    assert [one["state"] for one in page["records"]] == ["sent"]
    assert talk(over_http(url, token), names) == set(tools)


def test_the_answer_on_the_page_is_like_one_that_is_given(alice: Any, sent: Invoice, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "command", "BASE_URL": "https://office.example.com"}
    shown = json.loads(next(code for code in found("json") if "approval_required" in code))

    answer = call(Principal(alice.pk, "tests.desk"), "cancel_invoice", cancels(sent))

    assert list(answer) == list(shown)
    assert answer["reasons"][0] == shown["reasons"][0]
    key, one = str(answer["proposal"]), str(shown["proposal"])
    assert answer["url"].replace(f"/{key}/", f"/{one}/") == shown["url"]
    assert answer["reasons"][1].replace(f"/{key}/", f"/{one}/") == shown["reasons"][1]
