"""Installing the protection, taking it away, and finding what is missing of it.

Idempotent: what is there already costs one look at the catalogue. Must not know when it is called.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, Final

from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle import conf
from fsm_lifecycle.ledger.protection import mysql, postgresql, sqlite
from fsm_lifecycle.ledger.protection.rules import AppendOnlyRule, Rule, StateRule, rules
from fsm_lifecycle.ledger.protection.trigger import Installed, Trigger, name_of

logger = logging.getLogger("fsm_lifecycle")

#: How long after a migration programs of the older table may still move records along its edges.
ROLLOUT: Final = timedelta(days=1)
# Binary logging is on and the account may not create triggers (ER_BINLOG_CREATE_ROUTINE_NEED_SUPER).
_NEEDS_ADMINISTRATOR: Final = 1419

_DIALECTS: Final[dict[str, ModuleType]] = {"sqlite": sqlite, "postgresql": postgresql, "mysql": mysql}


def possible(connection: BaseDatabaseWrapper) -> bool:
    """Whether there is protection for this kind of database."""
    return connection.vendor in _DIALECTS


def install(
    connection: BaseDatabaseWrapper,
    tables: Iterable[str] | None = None,
    before: Iterable[Installed] = (),
) -> list[str]:
    """Install what is missing or outdated; return the names of what was installed.

    ``tables``: of these alone. ``before``: what ``remove`` took away for a migration, whose edges programs of the
    older code may still use. A table that lacks a column waits for the migration that brings it. With
    ``DATABASE_GUARD`` off everything of ours is taken away instead. Where the account may not create triggers, the SQL
    is logged for the administrator and nothing is raised: a check and the doctor go on saying what is missing.
    """
    if not possible(connection):
        return []
    if not conf.database_guard():
        remove(connection, tables)
        return []
    there = _installed(connection)
    known = {trigger.name: trigger for trigger in before} | there
    wanted = _wanted(connection, _ready(connection, _chosen(connection, tables))[0], known)
    for old in _strays(wanted, there.values()):
        _run(connection, _drops(connection, old))
    lacking = [trigger for trigger in wanted if not _is_current(trigger, there)]
    if lacking:
        _run(connection, _DIALECTS[connection.vendor].PREPARATION)
    return [trigger.name for trigger in lacking if _create(connection, trigger)]


def _create(connection: BaseDatabaseWrapper, trigger: Trigger) -> bool:
    """Make one trigger. False where an administrator has to."""
    try:
        _run(connection, trigger.statements())
    except DatabaseError as error:
        if error.args[:1] != (_NEEDS_ADMINISTRATOR,):
            raise
        logger.error(  # noqa: TRY400 - the error itself says nothing more
            "The trigger %s could not be created: binary logging is on and this account lacks the privilege. "
            "Let an administrator run:\n%s",
            trigger.name,
            script([trigger]),
        )
        return False
    return True


def script(triggers: Iterable[Trigger]) -> str:
    """SQL that an administrator can run in the ``mariadb`` or ``mysql`` client."""
    lines = [f"{sql} //" for trigger in triggers for sql in trigger.statements()]
    return "\n".join(["DELIMITER //", *lines, "DELIMITER ;"])


def remove(connection: BaseDatabaseWrapper, tables: Iterable[str] | None = None) -> list[Installed]:
    """Take away every trigger of ours, or those of ``tables``; return what was there."""
    if not possible(connection):
        return []
    chosen = None if tables is None else set(tables)
    found = [
        i for i in _installed(connection).values() if chosen is None or _subject(i, connection) in chosen
    ]
    for trigger in found:
        _run(connection, _drops(connection, trigger))
    return found


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """What should protect this database and does not: a sentence each, naming table and trigger."""
    if not possible(connection) or not conf.database_guard():
        return []
    ready, waiting = _ready(connection, _chosen(connection, None))
    there = _installed(connection)
    found = [
        f"{table} is not protected: it has no column {', '.join(lacks)} yet." for table, lacks in waiting
    ]
    for trigger in _wanted(connection, ready, there):
        for name in (trigger.name, *trigger.parts):
            if name not in there:
                found.append(f"{trigger.table} is not protected: {name} is missing.")
            elif there[name].fault:
                found.append(f"{trigger.table} is not protected: {name} is there, but {there[name].fault}.")
    return found


def outdated(connection: BaseDatabaseWrapper) -> list[str]:
    """What protects this database by rules that are not those of the code: a sentence each."""
    if not possible(connection) or not conf.database_guard():
        return []
    there = _installed(connection)
    found: list[str] = []
    for trigger in _wanted(connection, _ready(connection, _chosen(connection, None))[0], there):
        old = there.get(trigger.name)
        if old is None or old.fault:
            continue
        if not _is_current(trigger, there):
            found.append(f"{trigger.table}: {trigger.name} belongs to another version of the code.")
        elif trigger.also:
            steps = ", ".join(f"{a} → {b}" for a, b in sorted(trigger.also))
            found.append(
                f"{trigger.table}: the table before still lets through {steps}, since {trigger.since}."
            )
    return found


def _chosen(connection: BaseDatabaseWrapper, tables: Iterable[str] | None) -> list[Rule]:
    chosen = None if tables is None else set(tables)
    return [rule for rule in rules(connection.alias) if chosen is None or rule.table in chosen]


def _ready(
    connection: BaseDatabaseWrapper, subjects: Sequence[Rule]
) -> tuple[list[Rule], list[tuple[str, list[str]]]]:
    """The rules of tables that are as the code knows them, and those that lack columns, with which."""
    dialect: Any = _DIALECTS[connection.vendor]
    there: dict[str, set[str]] = (
        dialect.columns(connection, {rule.table for rule in subjects}) if subjects else {}
    )
    ready: list[Rule] = []
    waiting: list[tuple[str, list[str]]] = []
    for rule in subjects:
        if rule.table not in there:
            continue  # nothing to protect yet
        if lacks := [column for column in rule.columns if column not in there[rule.table]]:
            waiting.append((rule.table, lacks))
        else:
            ready.append(rule)
    return ready, waiting


def _wanted(
    connection: BaseDatabaseWrapper, subjects: Iterable[Rule], there: dict[str, Installed]
) -> list[Trigger]:
    """Every trigger there should be. ``there``: what is, or was before it stepped aside."""
    return [trigger for rule in subjects for trigger in _triggers(connection, rule, there)]


def _triggers(connection: BaseDatabaseWrapper, rule: Rule, there: dict[str, Installed]) -> list[Trigger]:
    dialect: Any = _DIALECTS[connection.vendor]
    if isinstance(rule, AppendOnlyRule):
        return list(dialect.append_only(rule))
    also, since = _still_running(rule, there.get(name_of(rule.table, "guard")))
    return list(dialect.state_guard(rule, also, since))


def _still_running(rule: StateRule, old: Installed | None) -> tuple[frozenset[tuple[str, str]], str]:
    """The edges of the table before that programs may still use, and since when they are not of the table."""
    if old is None or not old.digest:
        return frozenset(), ""
    now = datetime.now(UTC)
    since = datetime.fromisoformat(old.since) if old.since else now
    also = old.also if now - since <= ROLLOUT else frozenset()
    if old.edges != rule.edges:
        also, since = (also | old.edges) - rule.edges, now
    return also, since.isoformat(timespec="seconds") if also else ""


def _is_current(trigger: Trigger, there: dict[str, Installed]) -> bool:
    old = there.get(trigger.name)
    return (
        old is not None
        and old.digest == trigger.digest
        and (trigger.edges is None or (old.edges, old.also) == (trigger.edges, trigger.also))
        and all(name in there and not there[name].fault for name in (trigger.name, *trigger.parts))
    )


def _installed(connection: BaseDatabaseWrapper) -> dict[str, Installed]:
    found: list[Installed] = _DIALECTS[connection.vendor].installed(connection)
    return {trigger.name: trigger for trigger in found}


def _strays(wanted: Iterable[Trigger], there: Iterable[Installed]) -> Iterator[Installed]:
    """Triggers of ours under a name that is no longer wanted: their table was renamed."""
    names = {name for trigger in wanted for name in (trigger.name, *trigger.parts)}
    tables = {trigger.table for trigger in wanted}
    for old in there:
        if old.table in tables and old.name not in names:
            yield old


def _subject(trigger: Installed, connection: BaseDatabaseWrapper) -> str:
    """The table that a trigger, or a table in the way of TRUNCATE, protects."""
    if connection.vendor == "mysql" and trigger.name.endswith("_keep"):
        return trigger.name.removesuffix("_keep")
    return trigger.table


def _drops(connection: BaseDatabaseWrapper, trigger: Installed) -> list[str]:
    quoted = connection.ops.quote_name(trigger.name)
    if connection.vendor == "postgresql":
        return [f"DROP TRIGGER IF EXISTS {quoted} ON {connection.ops.quote_name(trigger.table)}"]
    if trigger.name == trigger.table:
        return [f"DROP TABLE IF EXISTS {quoted}"]
    return [f"DROP TRIGGER IF EXISTS {quoted}"]


def _run(connection: BaseDatabaseWrapper, statements: Iterable[str]) -> None:
    if connection.features.can_rollback_ddl:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)
        return
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)
