"""The settings, all in the host's ``FSM_LIFECYCLE`` dict, each with one documented function.

Read when called, so that ``override_settings`` works. Must not know what the settings are used for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.conf import settings

#: Every key the dict may hold, also those of parts that are not there yet, so that a project may set them.
KEYS: Final = frozenset(
    """
    DATABASE_GUARD MAX_CAUSE_DEPTH LEDGER_ORIGIN LEDGER_KEY LEDGER_CHECKPOINT_DIR LEDGER_EXPORT
    SEAL_MERGE_DELAY DISPATCH LEASE_SECONDS ENCRYPTION_KEYS BASE_URL WEBHOOK_ALLOW_HTTP WEBHOOK_ALLOWED_PORTS
    WEBHOOK_ALLOWED_NETWORKS WEBHOOK_PROXY WEBHOOK_TIMEOUT API_BULK_LIMIT API_REQUIRE_IF_MATCH
    STREAMS_PER_USER ADMIN_BULK_INLINE AGENT_MODEL AGENT_PROVIDERS AGENT_PRICES AGENTS_ENABLED
    AGENT_USER_DAILY_TOKENS MCP_ALLOWED_ORIGINS RETENTION_DAYS
    """.split()
)


#: Days that rows beside the log are kept, by what they are.
RETENTION_DAYS: Final[dict[str, float | None]] = {
    "refusals": 365,
    "deliveries": 30,
    "attempts": 30,
    "runs": 365,
    "idempotency": 1,
    "work": 30,
}


def configured() -> dict[str, Any]:
    """The dict as the host wrote it; empty when there is none."""
    value = getattr(settings, "FSM_LIFECYCLE", None)
    return value if isinstance(value, dict) else {}


def max_cause_depth() -> int:
    """``MAX_CAUSE_DEPTH`` (16): how many causes an entry may have above it. One more raises ``CauseLoop``."""
    return int(configured().get("MAX_CAUSE_DEPTH", 16))


def database_guard() -> bool:
    """``DATABASE_GUARD`` (``True``): whether triggers keep the log whole and states inside their table."""
    return bool(configured().get("DATABASE_GUARD", True))


def ledger_origin() -> str:
    """``LEDGER_ORIGIN``: the ledger's name in checkpoints and of its key.

    By default the first entry of ``ALLOWED_HOSTS`` that names a host, else ``localhost``.
    """
    origin = configured().get("LEDGER_ORIGIN")
    if origin:
        return str(origin)
    hosts = [host.lstrip(".") for host in settings.ALLOWED_HOSTS if host.strip("*.")]
    return hosts[0] if hosts else "localhost"


def ledger_key() -> str | Path | None:
    """``LEDGER_KEY`` (``None``: unsigned): the path of the private key's file, or a dotted callable."""
    return configured().get("LEDGER_KEY")


def ledger_checkpoint_dir() -> Path | None:
    """``LEDGER_CHECKPOINT_DIR`` (``None``): a folder outside the database where each checkpoint is kept."""
    folder = configured().get("LEDGER_CHECKPOINT_DIR")
    return Path(folder) if folder else None


def ledger_export() -> list[str]:
    """``LEDGER_EXPORT`` (``[]``): dotted callables, each called with every new ``Checkpoint``."""
    return list(configured().get("LEDGER_EXPORT", []))


def seal_merge_delay() -> float:
    """``SEAL_MERGE_DELAY`` (60): seconds after which an entry that is not sealed is a finding."""
    return float(configured().get("SEAL_MERGE_DELAY", 60))


def is_set(key: str) -> bool:
    """Whether the host's settings name a key at all."""
    return configured().get(key) is not None


def dispatch() -> str:
    """``DISPATCH`` (``thread``): who works after commits: ``thread celery command inline tasks``."""
    return str(configured().get("DISPATCH") or "thread")


def lease_seconds() -> float:
    """``LEASE_SECONDS`` (60): how long a worker holds what it works on, unless it renews its lease."""
    return float(configured().get("LEASE_SECONDS") or 60)


def encryption_keys() -> Any:
    """``ENCRYPTION_KEYS`` (``[]``): what secrets are encrypted with at rest; the first encrypts, all decrypt.

    Each is a Fernet key, or any other text of at least 32 characters. Needed before a secret is stored;
    ``SECRET_KEY`` is never used instead.
    """
    return configured().get("ENCRYPTION_KEYS") or []


def base_url() -> str | None:
    """``BASE_URL`` (``None``): where the site is, for absolute links outside a request; without a slash at the end."""
    url = configured().get("BASE_URL")
    return str(url).rstrip("/") if url else None


def webhook_allow_http() -> bool:
    """``WEBHOOK_ALLOW_HTTP`` (``False``): whether endpoints may be reached without TLS."""
    return bool(configured().get("WEBHOOK_ALLOW_HTTP", False))


def webhook_allowed_ports() -> list[int]:
    """``WEBHOOK_ALLOWED_PORTS`` (``[443]``): the ports that endpoints may have."""
    return list(configured().get("WEBHOOK_ALLOWED_PORTS", [443]))


def webhook_allowed_networks() -> list[str]:
    """``WEBHOOK_ALLOWED_NETWORKS`` (``[]``): networks that are reached although they are not public.

    For a receiver inside, or in development: ``["127.0.0.1/32"]``.
    """
    given = configured().get("WEBHOOK_ALLOWED_NETWORKS")
    # Whatever else stands there is named by a check, which must be able to look.
    return list(given) if isinstance(given, list | tuple | set | frozenset | str) else []


def webhook_proxy() -> str | None:
    """``WEBHOOK_PROXY`` (``None``): the URL of an egress proxy; the environment's proxies are never used.

    The proxy resolves names then, and has to refuse addresses inside.
    """
    return configured().get("WEBHOOK_PROXY") or None


def webhook_timeout() -> tuple[float, float]:
    """``WEBHOOK_TIMEOUT`` (``(5, 15)``): seconds to connect (name and TLS included), and for the whole attempt."""
    connect, whole = configured().get("WEBHOOK_TIMEOUT", (5, 15))
    return float(connect), float(whole)


def admin_bulk_inline() -> int:
    """``ADMIN_BULK_INLINE`` (200): how many records the admin moves or purges while the request waits."""
    return int(configured().get("ADMIN_BULK_INLINE", 200))


def agent_model() -> str:
    """``AGENT_MODEL`` (``"anthropic/claude-sonnet-5-5"``): the provider and model of agents that name none."""
    return str(configured().get("AGENT_MODEL", "anthropic/claude-sonnet-5-5"))


def agent_providers() -> dict[str, Any]:
    """``AGENT_PROVIDERS`` (``{}``): names of the project's own for providers, or dotted paths of such.

    ``{"house": "openai/llama3.1@http://localhost:11434/v1", "mine": "shop.models.MyProvider"}``.
    """
    value = configured().get("AGENT_PROVIDERS")
    return dict(value) if isinstance(value, dict) else {}


def agent_prices() -> dict[str, dict[str, Any]]:
    """``AGENT_PRICES`` (``{}``): US dollars per million tokens, by model.

    ``{"claude-sonnet-5-5": {"input": 3, "output": 15}}``.
    """
    value = configured().get("AGENT_PRICES")
    return dict(value) if isinstance(value, dict) else {}


def agents_enabled() -> bool:
    """``AGENTS_ENABLED`` (``True``): the kill switch, looked at before every request to a model and every tool."""
    return bool(configured().get("AGENTS_ENABLED", True))


def agent_user_daily_tokens() -> int | None:
    """``AGENT_USER_DAILY_TOKENS`` (``None``: no limit): tokens that all runs of one user may use up in a day."""
    value = configured().get("AGENT_USER_DAILY_TOKENS")
    return None if value is None else int(value)


def mcp_allowed_origins() -> list[str]:
    """``MCP_ALLOWED_ORIGINS`` (``[]``): the web pages, as ``https://app.example.com``, whose scripts may call ``/mcp``.

    Programs send no ``Origin`` and need none.
    """
    value = configured().get("MCP_ALLOWED_ORIGINS")
    return (
        list(value) if isinstance(value, list | tuple | set | frozenset) else []
    )  # a check names what is neither


def api_bulk_limit() -> int:
    """``API_BULK_LIMIT`` (500): how many records one request of the REST API may fire an event on."""
    return int(configured().get("API_BULK_LIMIT", 500))


def api_require_if_match() -> bool:
    """``API_REQUIRE_IF_MATCH`` (``False``): whether a change of a record has to say which version it means (428)."""
    return bool(configured().get("API_REQUIRE_IF_MATCH", False))


def streams_per_user() -> int:
    """``STREAMS_PER_USER`` (5): how many live streams a user may have open at once."""
    return int(configured().get("STREAMS_PER_USER", 5))


def retention_days(kind: str) -> float | None:
    """``RETENTION_DAYS``: days that rows beside the log are kept; ``None`` for ever. Keys left out keep their default.

    ``kind`` is one of ``refusals`` (365), ``deliveries`` (30), ``attempts`` (30), ``runs`` (365), ``idempotency`` (1),
    ``work`` (30: results of what people had done in the background).
    Raises ``KeyError`` for another.
    """
    own = configured().get("RETENTION_DAYS")
    days = {**RETENTION_DAYS, **(own if isinstance(own, dict) else {})}[kind]
    return None if days is None else float(days)
