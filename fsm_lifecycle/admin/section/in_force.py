"""Owns what of the settings a page may say: what is in force, and never a secret, not even in part or by its length.

Shown is only what is known to be harmless, by key and by form; of everything else that it is set. Must not know any
page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from fsm_lifecycle import conf
from fsm_lifecycle.dispatch.waking import MODES

SET: Final = "set"
UNREADABLE: Final = "set to something that cannot be used; manage.py check names it"

_is_dotted = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*){1,9}", re.ASCII).fullmatch
_is_network = re.compile(r"[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?", re.ASCII).fullmatch
_is_model = re.compile(r"[a-z][a-z0-9.:/-]{0,49}", re.ASCII).fullmatch
_is_provided = re.compile(r"(anthropic|openai|scripted|command)/[\w.:/-]{1,100}", re.ASCII).fullmatch
_like_a_key = re.compile(r"(^|[/:])(sk|pk|rk|key|token|secret)[-_]|[0-9a-f]{16}", re.IGNORECASE).search


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of ``FSM_LIFECYCLE``."""

    key: str
    value: str
    """What is in force, in words."""
    own: bool
    """Whether the project has set it."""
    means: str
    """What it is for; empty for a key of a part that is yet to come."""


def settings_in_force() -> list[Setting]:
    """Every key that the dict may hold, in alphabetical order."""
    configured = conf.configured()
    return [
        Setting(key, _value(key, configured), key in configured, _MEANS.get(key, ""))
        for key in sorted(conf.KEYS)
    ]


def unknown_keys() -> int:
    """How many keys of the dict nothing reads. Their names are not told: one may be a value put in the wrong place."""
    return sum(1 for key in conf.configured() if key not in conf.KEYS)


def _value(key: str, configured: Mapping[str, Any]) -> str:
    show, default = _SHOWN.get(key, (None, "not set"))
    if key not in configured or configured[key] is None:
        return default() if callable(default) else default
    if show is None:
        return SET if configured[key] else "not set"
    try:
        shown = show(configured[key])
    except Exception:  # whatever a stranger put there
        return UNREADABLE
    return UNREADABLE if shown is None else shown


# --- what may be shown, by form; None for what may not ----------------------------------------------------------


def _number(value: Any) -> str | None:
    if isinstance(value, bool) or type(value) not in (int, float) or not abs(value) < 1e9:
        return None
    return f"{value:,}"


def _seconds(value: Any) -> str | None:
    shown = _number(value)
    return None if shown is None else f"{shown} s"


def _switch(value: Any) -> str | None:
    return ("on" if value else "off") if type(value) is bool else None


def _name(value: Any) -> str | None:
    """The ledger's name: it stands in every checkpoint, for all to read."""
    return value if type(value) is str and conf.ledger_origin() == value and len(value) <= 200 else None


def _dotted(value: Any) -> str | None:
    return value if type(value) is str and _is_dotted(value) else None


def model_told(value: Any) -> str:
    """A language model's name, unless it may be a key in the wrong place."""
    if type(value) is not str:
        return SET
    name, at, address = value.partition("@http")
    host = _host(f"http{address}") if at else ""
    if host is None or not (_is_provided(name) or _is_model(name)) or _like_a_key(name):
        return SET
    return f"{name}@{host}" if host else name


def _model(value: Any) -> str | None:
    return model_told(value)


def _host(value: Any) -> str | None:
    """Scheme, host and port, without what may stand before an ``@`` or behind."""
    if type(value) is not str or not value.isprintable():
        return None
    parts = urlsplit(value)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not re.fullmatch(r"[\w.:-]+", parts.hostname)
    ):
        return None
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _every(show: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    def listed(value: Any) -> str | None:
        if not isinstance(value, list | tuple | set | frozenset):
            return None
        shown = [show(one) for one in value]
        return _joined(shown) if None not in shown else None

    return listed


def _joined(values: Iterable[str | None]) -> str:
    return ", ".join(str(value) for value in values) or "none"


def _network(value: Any) -> str | None:
    return str(value) if _is_network(str(value)) else None


def _port(value: Any) -> str | None:
    return str(value) if type(value) is int and 0 < value < 65536 else None


def _days(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    return _joined(f"{kind} {_kept(conf.retention_days(kind))}" for kind in sorted(conf.RETENTION_DAYS))


def _kept(days: float | None) -> str:
    return "for ever" if days is None else f"{days:g} day{'' if days == 1 else 's'}"


def _size(value: Any) -> str | None:
    return f"{len(value):,} {'entry' if len(value) == 1 else 'entries'}" if isinstance(value, dict) else None


def _name_of_mode(value: Any) -> str | None:
    return value if value in MODES else None


Shown = tuple[Callable[[Any], str | None] | None, str | Callable[[], str]]

#: How each key is shown, and what is in force where it is not set. Keys that are not here are secrets or paths.
_SHOWN: Final[Mapping[str, Shown]] = {
    "DATABASE_GUARD": (_switch, "on"),
    "MAX_CAUSE_DEPTH": (_number, "16"),
    "LEDGER_ORIGIN": (_name, lambda: conf.ledger_origin()),
    "LEDGER_EXPORT": (_every(_dotted), "none"),
    "SEAL_MERGE_DELAY": (_seconds, "60 s"),
    "ADMIN_BULK_INLINE": (_number, "200"),
    "RETENTION_DAYS": (_days, lambda: _days({}) or ""),
    "DISPATCH": (_name_of_mode, "thread"),
    "LEASE_SECONDS": (_seconds, "60 s"),
    "BASE_URL": (_host, "not set"),
    "WEBHOOK_ALLOW_HTTP": (_switch, "off"),
    "WEBHOOK_ALLOWED_PORTS": (_every(_port), "443"),
    "WEBHOOK_ALLOWED_NETWORKS": (_every(_network), "none"),
    "WEBHOOK_TIMEOUT": (_every(_seconds), "5 s, 15 s"),
    "API_BULK_LIMIT": (_number, "500"),
    "API_REQUIRE_IF_MATCH": (_switch, "off"),
    "STREAMS_PER_USER": (_number, "5"),
    "AGENT_MODEL": (_model, "not set"),
    "AGENT_PRICES": (_size, "none"),
    "AGENTS_ENABLED": (_switch, "on"),
    "AGENT_USER_DAILY_TOKENS": (_number, "no limit"),
    "MCP_ALLOWED_ORIGINS": (_every(_host), "none"),
}

_MEANS: Final = {
    "DATABASE_GUARD": "Triggers keep the log whole and states inside their table",
    "MAX_CAUSE_DEPTH": "How many causes an entry may have above it",
    "LEDGER_ORIGIN": "The ledger’s name in checkpoints",
    "LEDGER_KEY": "Signs checkpoints",
    "LEDGER_CHECKPOINT_DIR": "A folder outside the database for checkpoints",
    "LEDGER_EXPORT": "What is called with every new checkpoint",
    "SEAL_MERGE_DELAY": "After which an unsealed entry is a finding",
    "ADMIN_BULK_INLINE": "How many records a page moves or purges at once",
    "AGENTS_ENABLED": "Agents may run at all",
    "AGENT_MODEL": "The model of agents that name none",
    "AGENT_PRICES": "What a million tokens cost, by model",
    "AGENT_PROVIDERS": "Names of the project’s own for providers",
    "AGENT_USER_DAILY_TOKENS": "How many tokens one user’s runs may use in a day",
    "API_BULK_LIMIT": "How many records one request of the API moves",
    "API_REQUIRE_IF_MATCH": "The API fires only on what the caller has seen",
    "BASE_URL": "Links outside a request begin with it",
    "DISPATCH": "Who does what follows a commit",
    "ENCRYPTION_KEYS": "Encrypt the secrets of webhooks; never shown",
    "LEASE_SECONDS": "How long a worker holds what it works on, unless it renews that",
    "MCP_ALLOWED_ORIGINS": "Which browsers’ pages may reach the MCP server",
    "RETENTION_DAYS": "How long rows beside the log are kept",
    "STREAMS_PER_USER": "How many streams one user may hold open",
    "WEBHOOK_ALLOWED_NETWORKS": "Networks that are reached although they are not public",
    "WEBHOOK_ALLOWED_PORTS": "The ports that endpoints may have",
    "WEBHOOK_ALLOW_HTTP": "Endpoints may be reached without TLS",
    "WEBHOOK_PROXY": "An egress proxy for deliveries",
    "WEBHOOK_TIMEOUT": "To connect, and for a whole attempt",
}
