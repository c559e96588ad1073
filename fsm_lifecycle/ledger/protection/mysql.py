"""The triggers of MariaDB and MySQL. https://mariadb.com/docs/server/server-usage/triggers-events/triggers

Text is compared as bytes: their collations take ``draft`` and ``DRAFT`` for equal. TRUNCATE fires no trigger; a table
with a foreign key and no rows is in its way. Must not know what is to be protected.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.ledger.body import FIELD_NAMES, UNREDACTABLE
from fsm_lifecycle.ledger.protection import gates, wording
from fsm_lifecycle.ledger.protection.rules import AppendOnlyRule, StateRule
from fsm_lifecycle.ledger.protection.trigger import MARK_STATEMENT, PREFIX, Installed, Trigger, name_of, read

#: What has to be there before any trigger.
PREPARATION: tuple[str, ...] = ()


def _q(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _bytes(value: str) -> str:
    """A literal in hexadecimal: quotes and backslashes mean different things in different SQL modes."""
    return f"X'{value.encode().hex()}'"


def _open(gate: str) -> str:
    return f"coalesce({gates.VARIABLE} = '{gate}', 0)"


def _same(columns: Iterable[str], texts: frozenset[str]) -> str:
    return " AND ".join(
        f"BINARY NEW.{_q(c)} <=> BINARY OLD.{_q(c)}" if c in texts else f"NEW.{_q(c)} <=> OLD.{_q(c)}"
        for c in columns
    )


def _trigger(
    table: str, purpose: str, moment: str, refused: str, message: str, allowed: str = "FALSE"
) -> tuple[str, str, str]:
    name = name_of(table, purpose)
    signal = f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{_plain(message)}'"
    create = (
        f"CREATE TRIGGER {_q(name)} BEFORE {moment} ON {_q(table)} FOR EACH ROW BEGIN "
        f"IF {refused} AND NOT (coalesce({allowed}, 0)) THEN {signal}; {MARK_STATEMENT}; END IF; END"
    )
    return name, create, f"DROP TRIGGER IF EXISTS {_q(name)}"


def _plain(message: str) -> str:
    return message.replace("\\", "?").replace("'", "''")


def append_only(rule: AppendOnlyRule) -> list[Trigger]:
    """No UPDATE that changes anything, no DELETE (nor REPLACE, which deletes), and TRUNCATE has a child in its way."""
    table = rule.table
    update = _trigger(
        table,
        "update",
        "UPDATE",
        f"NOT ({_same(rule.columns, rule.texts)})",
        wording.changed(table),
        _redaction(rule),
    )
    delete = _trigger(table, "delete", "DELETE", "TRUE", wording.removed(table), _open("delete"))
    keep = _q(keeper(table))
    keep_create = (
        f"CREATE TABLE IF NOT EXISTS {keep} (id bigint NOT NULL, FOREIGN KEY (id) "
        f"REFERENCES {_q(table)} ({_q(rule.key)})) ENGINE=InnoDB"
    )
    return [
        Trigger(update[0], table, (update[2], update[1]), (update[2],)),
        Trigger(
            delete[0],
            table,
            (keep_create, delete[2], delete[1]),
            (f"DROP TABLE IF EXISTS {keep}", delete[2]),
            (keeper(table),),
        ),
    ]


def keeper(table: str) -> str:
    """The name of the empty table that is in the way of TRUNCATE."""
    return f"{table[:58]}_keep"


def _redaction(rule: AppendOnlyRule) -> str:
    if rule.body is None and not rule.blankable:
        return "FALSE"
    free = {rule.body, *rule.blankable}
    conditions = [_open("redact"), _same((c for c in rule.columns if c not in free), rule.texts)]
    conditions += [
        f"(BINARY NEW.{_q(c)} <=> BINARY OLD.{_q(c)} OR length(NEW.{_q(c)}) = 0)" for c in rule.blankable
    ]
    if rule.body is not None:
        new, old = f"NEW.{_q(rule.body)}", f"OLD.{_q(rule.body)}"
        conditions.append(f"BINARY JSON_KEYS({new}) <=> BINARY JSON_KEYS({old})")
        conditions.append(f"JSON_LENGTH({new}) = JSON_LENGTH({old})")
        conditions += [_field(new, old, name) for name in sorted(FIELD_NAMES)]
    return " AND ".join(conditions)


def _field(new: str, old: str, name: str) -> str:
    """One field of a body: what it was, or its digest where a value was."""
    place = f"'$.{name}'"
    same = f"BINARY JSON_EXTRACT({new}, {place}) <=> BINARY JSON_EXTRACT({old}, {place})"
    if name in UNREDACTABLE:
        return f"({same})"
    digest = f"JSON_UNQUOTE(JSON_EXTRACT({new}, '$.{name}.redacted'))"
    gone = (
        f"JSON_TYPE(JSON_EXTRACT({old}, {place})) = 'ARRAY' AND JSON_TYPE(JSON_EXTRACT({new}, {place})) = 'OBJECT' "
        f"AND JSON_LENGTH(JSON_EXTRACT({new}, {place})) = 1 AND length({digest}) = 64 "
        f"AND JSON_TYPE(JSON_EXTRACT({new}, '$.{name}.redacted')) = 'STRING' "
        f"AND BINARY {digest} NOT REGEXP '[^0-9a-f]'"
    )
    return f"({same} OR coalesce({gone}, 0))"


def state_guard(rule: StateRule, also: frozenset[tuple[str, str]], since: str) -> list[Trigger]:
    """One sequence at a time, along an edge, or not at all."""
    state, sequence = _q(rule.state), _q(rule.sequence)
    pairs = ", ".join(f"({_bytes(a)}, {_bytes(b)})" for a, b in sorted(rule.edges | also))
    edge = f" OR (BINARY OLD.{state}, BINARY NEW.{state}) IN ({pairs})" if pairs else ""
    key = _same((rule.key,), rule.texts)
    still = _same((rule.state, rule.sequence, rule.head), rule.texts)
    step = f"(NEW.{sequence} = OLD.{sequence} + 1 OR OLD.{sequence} = 0 AND NEW.{sequence} > 0)"
    unlogged = f"OLD.{sequence} = 0 AND NEW.{sequence} = 0 AND {_open('remap')}"
    legal = f"{step} AND (BINARY NEW.{state} = BINARY OLD.{state}{edge} OR {_open('remap')}) OR {unlogged}"
    name, create, drop = _trigger(
        rule.table,
        "guard",
        "UPDATE",
        f"NOT ({key} AND {still})",
        wording.moved(rule.table),
        f"{key} AND coalesce({legal} OR {_open('load')}, 0)",
    )
    return [Trigger(name, rule.table, (drop, create), (drop,), edges=rule.edges, also=also, since=since)]


def columns(connection: BaseDatabaseWrapper, tables: Collection[str]) -> dict[str, set[str]]:
    """The columns of those of the tables that are there."""
    found: dict[str, set[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() "
            "AND TABLE_NAME IN %s",
            [tuple(tables)],
        )
        for table, column in cursor.fetchall():
            found.setdefault(table, set()).add(column)
    return found


def installed(connection: BaseDatabaseWrapper) -> list[Installed]:
    """The triggers of ours that are there, and the tables in the way of TRUNCATE."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT, DEFINER FROM information_schema.TRIGGERS "
            "WHERE TRIGGER_SCHEMA = DATABASE() AND LEFT(TRIGGER_NAME, %s) = %s",
            [len(PREFIX), PREFIX],
        )
        rows = cursor.fetchall()
        cursor.execute(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "
            "AND LEFT(TABLE_NAME, %s) = %s AND RIGHT(TABLE_NAME, 5) = '_keep'",
            [len(PREFIX), PREFIX],
        )
        keepers = [str(name) for (name,) in cursor.fetchall()]
    definers = _definers(connection) if rows else None
    found = [read(name, table, sql, _fault(definer, definers)) for name, table, sql, definer in rows]
    return found + [read(name, name, "") for name in keepers]


def _definers(connection: BaseDatabaseWrapper) -> set[str] | None:
    """The accounts there are; ``None`` where this one may not ask. A dump brings the definers of its origin.

    ``mysql.user`` is no InnoDB table: reading it would spoil savepoints of the open transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT GRANTEE FROM information_schema.USER_PRIVILEGES")
        found = {str(name).replace("'", "") for (name,) in cursor.fetchall()}
    return found if len(found) > 1 else None  # an account without the privilege sees itself alone


def _fault(definer: str, definers: set[str] | None) -> str:
    if definers is None or definer in definers:
        return ""
    return f"its definer {definer} does not exist"
