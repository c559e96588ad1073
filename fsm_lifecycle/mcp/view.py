"""Owns ``/mcp``: who may come in, and from where. What is said inside goes to the SDK.

Cookies count for nothing here, so no page of another site can use who is logged in; a token does, and a browser's
``Origin`` has to be allowed by name. Works under WSGI and ASGI alike: a plain view, in a thread of its own.
"""

from __future__ import annotations

import json
import logging
from typing import Any, Final

from asgiref.sync import async_to_sync
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import DisallowedHost
from django.db import transaction
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt

from fsm_lifecycle import conf
from fsm_lifecycle.mcp import extra, tokens
from fsm_lifecycle.mcp.principal import Principal

logger = logging.getLogger("fsm_lifecycle")

#: Bytes of a request's body. The arguments of one call are bounded further by ``agents.dispatch``.
LARGEST: Final = 1_000_000

_ALLOWED_HEADERS: Final = (
    "authorization, content-type, accept, mcp-method, mcp-name, mcp-protocol-version, mcp-session-id"
)

# The protocol's codes, by JSON-RPC: https://www.jsonrpc.org/specification#error_object
_INVALID_REQUEST: Final = -32600
_INTERNAL_ERROR: Final = -32603


@csrf_exempt
@login_not_required
@transaction.non_atomic_requests
def endpoint(request: HttpRequest) -> HttpResponse:
    """One message of a client."""
    try:
        request.get_host()
    except DisallowedHost:
        return refused(400, "This host is not served here.")
    origin = request.headers.get("Origin")
    if origin is not None and origin not in conf.mcp_allowed_origins():
        return refused(403, "This origin may not call. MCP_ALLOWED_ORIGINS names those that may.")
    try:
        response = _preflight() if request.method == "OPTIONS" and origin is not None else _answered(request)
    except Exception:
        logger.exception("A message over MCP failed.")
        response = refused(500, "It failed on the server. The server's log says why.", _INTERNAL_ERROR)
    if origin is not None:
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Expose-Headers"] = "WWW-Authenticate"
    patch_vary_headers(response, ["Origin"])
    response["Cache-Control"] = "no-store"
    return response


def refused(status: int, message: str, code: int = _INVALID_REQUEST, **headers: str) -> HttpResponse:
    """A refusal that clients can show: an error of JSON-RPC."""
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    response = HttpResponse(json.dumps(body), status=status, content_type="application/json")
    for name, value in headers.items():
        response[name.replace("_", "-")] = value
    return response


def _preflight() -> HttpResponse:
    """What a browser asks before its page's script may: https://fetch.spec.whatwg.org/#http-cors-protocol."""
    response = HttpResponse(status=204)
    response["Access-Control-Allow-Methods"] = "POST"
    response["Access-Control-Allow-Headers"] = _ALLOWED_HEADERS
    response["Access-Control-Max-Age"] = "600"
    return response


def _answered(request: HttpRequest) -> HttpResponse:
    if not extra.is_installed():
        logger.error("%s", extra.MISSING)
        return refused(503, "MCP is not installed on this server.", _INTERNAL_ERROR)
    found = _authenticated(request)
    if isinstance(found, HttpResponse):
        return found
    if request.method != "POST":
        # There is nothing to listen to, and no session to end.
        return refused(405, "Send a POST.", Allow="POST")
    body = _body(request)
    if isinstance(body, HttpResponse):
        return body
    token, _ = found
    tokens.use(token)
    return _exchanged(request, Principal.of_token(token), body)


def _authenticated(request: HttpRequest) -> tuple[Any, Any] | HttpResponse:
    """The token and its user, or the refusal: https://www.rfc-editor.org/rfc/rfc6750#section-3."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return refused(401, "Send a bearer token.", WWW_Authenticate='Bearer realm="fsm_lifecycle"')
    found = tokens.find(text.strip())
    if found is None:
        challenge = 'Bearer realm="fsm_lifecycle", error="invalid_token"'
        return refused(401, "This token is not valid, or not any more.", WWW_Authenticate=challenge)
    return found


def _body(request: HttpRequest) -> bytes | HttpResponse:
    too_large = refused(413, f"A message has at most {LARGEST:,} bytes.")
    try:
        if int(request.headers.get("Content-Length") or 0) > LARGEST:
            return too_large
        body = request.read(LARGEST + 1)
    except (UnreadablePostError, ValueError):
        return refused(400, "The message cannot be read.")
    return too_large if len(body) > LARGEST else body


def _exchanged(request: HttpRequest, principal: Principal, body: bytes) -> HttpResponse:
    from fsm_lifecycle.mcp.exchange import exchange
    from fsm_lifecycle.mcp.server import server_for

    base = f"{request.scheme}://{request.get_host()}"
    server = server_for(principal, base)
    reply = async_to_sync(exchange)(server, list(request.headers.items()), body, LARGEST)
    response = HttpResponse(bytes(reply.body), status=reply.status)
    del response["Content-Type"]
    for name, value in reply.headers:
        if name.lower() not in ("connection", "content-length"):  # these are the web server's
            response[name] = value
    return response
