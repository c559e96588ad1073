"""System checks of the ledger: its settings, the databases' settings, and the protection that should be there.

Must not mend anything.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, Final

from django.core import checks
from django.core.checks import CheckMessage, Error
from django.db import DatabaseError, connections, router
from django.utils.module_loading import import_string

from fsm_lifecycle import conf
from fsm_lifecycle.ledger import protection
from fsm_lifecycle.ledger.protection.rules import append_only_models
from fsm_lifecycle.models import LogTile, SealProgress, TransitionLog
from fsm_lifecycle.registry import lifecycles

#: Seconds for which SQLite's writers should wait for their turn.
PATIENCE: Final = 20


def check_ledger(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Settings and routers, once there is a lifecycle to keep a log of."""
    if not lifecycles():
        return []
    return [*_sqlite(), *_routers(), *_settings()]


def check_origin(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Before a deployment: the ledger has a name of its own."""
    if not lifecycles() or conf.configured().get("LEDGER_ORIGIN"):
        return []
    return [
        checks.Warning(
            f"The ledger has no name of its own, so its checkpoints say {conf.ledger_origin()!r}.",
            hint='Set FSM_LIFECYCLE["LEDGER_ORIGIN"] to a name that no other ledger has, "example.com/orders". A '
            "copy for tests or staging needs another.",
            id="fsm_lifecycle.W063",
        )
    ]


def check_protection(
    app_configs: Any = None, databases: Collection[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """What should protect the databases and is missing. A Warning: an Error would block the migrate that mends it."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        try:
            faults = [*protection.missing(connections[alias]), *protection.outdated(connections[alias])]
        except DatabaseError:
            continue  # it cannot be reached; Django's own commands say so
        found += [
            checks.Warning(fault, hint=f"Run: manage.py migrate --database {alias}", id="fsm_lifecycle.W061")
            for fault in faults
        ]
    return found


def _sqlite() -> Iterator[CheckMessage]:
    for alias in connections:
        database = connections.settings[alias]
        options = database.get("OPTIONS") or {}
        in_memory = ":memory:" in str(database["NAME"]) or "mode=memory" in str(database["NAME"])
        if in_memory or not str(database["ENGINE"]).endswith("sqlite3"):
            continue  # what is in memory has one process, and no WAL
        wanted = []
        if str(options.get("transaction_mode", "")).upper() != "IMMEDIATE":
            wanted.append('"transaction_mode": "IMMEDIATE"')
        if not isinstance(options.get("timeout"), int | float) or options["timeout"] < PATIENCE:
            wanted.append(f'"timeout": {PATIENCE}')
        journal = re.search(r"journal_mode\s*=\s*(\w+)", str(options.get("init_command", "")), re.IGNORECASE)
        if journal is None or journal[1].upper() != "WAL":
            wanted.append('"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"')
        if wanted:
            yield checks.Warning(
                f"The SQLite database {alias!r} makes writers fail at once where they could wait for their turn.",
                hint=f"Add to its OPTIONS: {', '.join(wanted)}.",
                id="fsm_lifecycle.W062",
            )


def _routers() -> Iterator[CheckMessage]:
    """The log and all that proves it live where the record lives."""
    ledger: list[Any] = [*append_only_models(), LogTile, SealProgress]
    ledger = [m for m in ledger if m._meta.app_label == TransitionLog._meta.app_label]
    for model in lifecycles():
        owner = model._lifecycle.owner
        alias = router.db_for_write(owner)
        away = [m for m in ledger if not router.allow_migrate_model(alias, m)]
        own = [m for m in away if m.__name__ != "AccessEvent"]
        if own:
            yield Error(
                f"{owner._meta.label} is written to the database {alias!r}, and the routers keep "
                f"{', '.join(m.__name__ for m in own)} out of it. State and entry could not commit together.",
                hint=f"Let allow_migrate({alias!r}, 'fsm_lifecycle') return True or None.",
                obj=owner,
                id="fsm_lifecycle.E064",
            )


def _settings() -> Iterator[CheckMessage]:
    configured = conf.configured()
    delay = configured.get("SEAL_MERGE_DELAY", 60)
    if isinstance(delay, bool) or not isinstance(delay, int | float) or delay < 0:
        yield _wrong("SEAL_MERGE_DELAY", delay, "Give seconds, 0 or more; the default is 60.")
    origin = configured.get("LEDGER_ORIGIN")
    if origin is not None and not (
        isinstance(origin, str) and origin and not re.search(r"[\s+]", origin) and origin.isprintable()
    ):
        yield _wrong(
            "LEDGER_ORIGIN", origin, 'Give a name without blanks and plus signs: "example.com/orders".'
        )
    export = configured.get("LEDGER_EXPORT", [])
    if not isinstance(export, list | tuple):
        yield _wrong("LEDGER_EXPORT", export, "Give a list of dotted names of callables.")
        return
    for name in export:
        if not _callable(name):
            yield _wrong("LEDGER_EXPORT", name, "Give the dotted name of something that can be called.")
    folder = configured.get("LEDGER_CHECKPOINT_DIR")
    if folder is not None and not isinstance(folder, str) and not hasattr(folder, "__fspath__"):
        yield _wrong("LEDGER_CHECKPOINT_DIR", folder, "Give the path of a folder.")


def _wrong(name: str, value: Any, hint: str) -> CheckMessage:
    return Error(f"FSM_LIFECYCLE[{name!r}] holds {value!r}.", hint=hint, id="fsm_lifecycle.E065")


def _callable(name: Any) -> bool:
    try:
        return callable(import_string(name))
    except (ImportError, AttributeError, TypeError):
        return False
