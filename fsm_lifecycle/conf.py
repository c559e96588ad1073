"""The settings, all in the host's ``FSM_LIFECYCLE`` dict, each with one documented function.

Read when called, so that ``override_settings`` works. Must not know what the settings are used for.
"""

from __future__ import annotations

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


def configured() -> dict[str, Any]:
    """The dict as the host wrote it; empty when there is none."""
    value = getattr(settings, "FSM_LIFECYCLE", None)
    return value if isinstance(value, dict) else {}


def max_cause_depth() -> int:
    """``MAX_CAUSE_DEPTH`` (16): how many causes an entry may have above it. One more raises ``CauseLoop``."""
    return int(configured().get("MAX_CAUSE_DEPTH", 16))
