"""Owns the protocol's server: one for each principal, on the SDK's low-level server, which validates nothing.

Nothing an exception says reaches the client. Must not know the transport. Importing it needs the extra ``[mcp]``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

import mcp_types as types
from asgiref.sync import sync_to_async
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from fsm_lifecycle import __version__
from fsm_lifecycle.agents.catalogue import Tool, catalogue, system_prompt
from fsm_lifecycle.mcp.calling import call
from fsm_lifecycle.mcp.principal import Principal

logger = logging.getLogger("fsm_lifecycle")

T = TypeVar("T")

NAME: Final = "fsm-lifecycle"
#: In a call's ``_meta``: the caller's own name for the call, so that one that is sent twice is done once.
KEY: Final = "fsm_lifecycle/call"


def _nothing() -> None: ...


def server_for(
    principal: Principal, base: str = "", *, between: Callable[[], None] = _nothing
) -> Server[Any]:
    """A server of the tools that a principal has.

    ``base``: where the site is, for links without ``BASE_URL``. ``between``: done before and after what needs the
    database, in the same thread.
    """

    async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
        found = await _in_thread(between, "The tools cannot be listed", lambda: _tools(principal))
        return types.ListToolsResult(tools=found)

    async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        key = (params.meta or {}).get(KEY)
        answer = await _in_thread(
            between,
            "The tool failed",
            lambda: call(principal, params.name, params.arguments, key, base),
        )
        return result_of(answer)

    return Server(
        NAME,
        version=__version__,
        instructions=_instructions(principal),
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        # No argument is named in a header, so there is nothing to compare, and no need to list the tools for it.
        get_tool_input_schema=lambda name: None,
    )


def result_of(answer: dict[str, Any]) -> types.CallToolResult:
    """An answer as the protocol has it: as data, and as the same in text for clients that show nothing else."""
    text = json.dumps(answer, ensure_ascii=False)
    return types.CallToolResult(
        content=[types.TextContent(text=text)],
        structured_content=answer,
        is_error=answer.get("success") is not True,
    )


def described(tool: Tool) -> types.Tool:
    """A tool as the protocol has it, with hints: whether it only reads, and whether what it does can be undone."""
    return types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=dict(tool.schema),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.read_only,
            # Of an agent's own tool nobody knows; the protocol takes it for destructive then.
            destructive_hint=None if tool.kind == "own" else tool.destructive,
            open_world_hint=False if tool.read_only else None,
        ),
    )


def _tools(principal: Principal) -> list[types.Tool]:
    try:
        profile = principal.profile
    except LookupError:
        return []
    user = principal.user()
    if not (user.is_authenticated and user.is_active):
        return []
    return [described(tool) for tool in catalogue(profile, user).tools]


def _instructions(principal: Principal) -> str:
    try:
        return system_prompt(principal.profile)
    except LookupError:
        return ""


async def _in_thread(between: Callable[[], None], failed: str, work: Callable[[], T]) -> T:
    """Do what needs the database in its thread: the request's, or the one thread of a process."""

    def done() -> T:
        between()
        try:
            return work()
        finally:
            between()

    try:
        return await sync_to_async(done, thread_sensitive=True)()
    except Exception:
        logger.exception("%s over MCP.", failed)
        message = f"{failed}. The server's log says why."
        raise MCPError(code=types.INTERNAL_ERROR, message=message) from None
