"""Owns one exchange over HTTP with the SDK: a request's body in, a response out, whatever the web server is.

Stateless: each request has a transport and a server of its own, so that any process may answer it. The SDK sees the
headers of the protocol and no others: neither the token nor a cookie. Importing it needs the extra ``[mcp]``.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

_KNOWN: Final = ("accept", "content-type")


@dataclass
class Reply:
    """What comes back."""

    status: int = 500
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)


async def exchange(server: Server[Any], headers: Iterable[tuple[str, str]], body: bytes, most: int) -> Reply:
    """Hand a POST to the server and return what it says. ``most``: bytes that a body may have."""
    reply = Reply()
    pending = [body]

    async def receive() -> dict[str, Any]:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        await anyio.sleep_forever()  # who asked waits for the answer, as far as one can tell
        raise AssertionError("unreachable")  # pragma: no cover

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in message["headers"]]
        elif message["type"] == "http.response.body":
            reply.body += message.get("body", b"")

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"",
        "root_path": "",
        "client": None,
        "server": None,
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
            for name, value in headers
            if name.lower() in _KNOWN or name.lower().startswith("mcp-")
        ],
    }
    manager = StreamableHTTPSessionManager(
        server, json_response=True, stateless=True, max_request_body_size=most
    )
    async with manager.run():
        await manager.handle_request(scope, receive, send)
    return reply
