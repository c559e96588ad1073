"""System checks of the MCP server, where it is mounted. Must not mend anything, nor import the SDK."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.urls import URLResolver, get_resolver

from fsm_lifecycle import conf
from fsm_lifecycle.mcp.extra import INSTALL, is_installed

MODULE = "fsm_lifecycle.mcp.urls"


def check_mcp(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """The setting, and what the server needs where it is mounted."""
    found = list(_origins())
    if (path := _mounted_at()) is not None and not is_installed():
        found.append(
            Error(
                f"The MCP server is mounted at {path}, and the package “mcp”, version 2 or later, is not installed.",
                hint=f"Run: {INSTALL} — or take fsm_lifecycle.mcp.urls out of the URLs.",
                id="fsm_lifecycle.E100",
            )
        )
    return found


def check_mcp_deployed(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """What is asked of a site that serves it to others."""
    if _mounted_at() is None or getattr(settings, "SECURE_SSL_REDIRECT", False):
        return []
    proxied = getattr(settings, "SECURE_PROXY_SSL_HEADER", None)
    base = conf.base_url() or ""
    if proxied or base.startswith("https://"):
        return []
    return [
        checks.Warning(
            "The MCP server is mounted, and nothing says that it is reached over HTTPS: its tokens could be read on "
            "the way.",
            hint="Set SECURE_SSL_REDIRECT, or SECURE_PROXY_SSL_HEADER behind a proxy, or an https:// BASE_URL.",
            id="fsm_lifecycle.W102",
        )
    ]


def _mounted_at() -> str | None:
    """Where it is mounted. Routes are read first; what is wrong with them, Django's own check says."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return None
    with suppress(Exception):  # whatever a host's modules may raise
        patterns = get_resolver().url_patterns
        if MODULE in sys.modules:
            return _found(patterns, sys.modules[MODULE].endpoint)
    return None


def _found(patterns: Iterable[Any], endpoint: Any, before: str = "/") -> str | None:
    for pattern in patterns:
        here = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if (found := _found(pattern.url_patterns, endpoint, here)) is not None:
                return found
        elif pattern.callback is endpoint:
            return here
    return None


def _origins() -> Iterator[CheckMessage]:
    value = conf.configured().get("MCP_ALLOWED_ORIGINS", [])
    if not isinstance(value, list | tuple | set | frozenset):
        wrong = [repr(value)]
    else:
        wrong = [repr(one) for one in value if not _is_origin(one)]
    if wrong:
        yield Error(
            f'FSM_LIFECYCLE["MCP_ALLOWED_ORIGINS"] has what is no origin: {", ".join(wrong)}.',
            hint='Write a list of origins as browsers send them: ["https://app.example.com"].',
            id="fsm_lifecycle.E101",
        )


def _is_origin(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or "*" in host:
        return False
    shown = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}[parts.scheme]
    return value == f"{parts.scheme}://{shown}" + ("" if port in (None, usual) else f":{port}")
