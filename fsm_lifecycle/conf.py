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


def admin_bulk_inline() -> int:
    """``ADMIN_BULK_INLINE`` (200): how many records the admin moves or purges while the request waits."""
    return int(configured().get("ADMIN_BULK_INLINE", 200))


def retention_days(kind: str) -> float | None:
    """``RETENTION_DAYS``: days that rows beside the log are kept; ``None`` for ever. Keys left out keep their default.

    ``kind`` is one of ``refusals`` (365), ``deliveries`` (30), ``attempts`` (30), ``runs`` (365), ``idempotency`` (1).
    Raises ``KeyError`` for another.
    """
    own = configured().get("RETENTION_DAYS")
    days = {**RETENTION_DAYS, **(own if isinstance(own, dict) else {})}[kind]
    return None if days is None else float(days)
