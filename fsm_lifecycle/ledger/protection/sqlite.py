"""The triggers of SQLite. https://www.sqlite.org/lang_createtrigger.html

Must not know what is to be protected.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.ledger.protection import gates, wording
from fsm_lifecycle.ledger.protection.rules import AppendOnlyRule, StateRule
from fsm_lifecycle.ledger.protection.trigger import MARK, PREFIX, Installed, Trigger, name_of, read

#: What has to be there before any trigger. The deferred foreign key names a table that stays empty, so that no
#: transaction commits with a gate open.
PREPARATION = (
    f"CREATE TABLE IF NOT EXISTS {gates.TABLE}_closed (name text PRIMARY KEY)",
    (
        f"CREATE TABLE IF NOT EXISTS {gates.TABLE} (name text NOT NULL "
        f"REFERENCES {gates.TABLE}_closed (name) DEFERRABLE INITIALLY DEFERRED)"
    ),
)


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _open(gate: str) -> str:
    return f"EXISTS (SELECT 1 FROM {gates.TABLE} WHERE name = '{gate}')"  # noqa: S608 - constants


def _same(columns: Iterable[str]) -> str:
    return " AND ".join(f"NEW.{_q(c)} IS OLD.{_q(c)}" for c in columns)


def _trigger(table: str, purpose: str, moment: str, when: str, refusal: str) -> Trigger:
    name = name_of(table, purpose)
    create = (
        f"CREATE TRIGGER {_q(name)} {MARK} BEFORE {moment} ON {_q(table)} FOR EACH ROW WHEN {when} "
        f"BEGIN SELECT RAISE(ABORT, {_text(refusal)}); END"
    )
    drop = f"DROP TRIGGER IF EXISTS {_q(name)}"
    return Trigger(name, table, (drop, create), (drop,))


def append_only(rule: AppendOnlyRule) -> list[Trigger]:
    """No UPDATE that changes anything, no DELETE, and no INSERT OR REPLACE, which fires no DELETE trigger."""
    table = rule.table
    # A row can be addressed, and replaced, by its rowid too, also where the key is another column.
    update = f"NOT (NEW.rowid IS OLD.rowid AND {_same(rule.columns)}){_redaction(rule)}"
    unique = (("rowid",), *rule.unique)
    taken = " OR ".join("(" + " AND ".join(f"{_q(c)} = NEW.{_q(c)}" for c in u) + ")" for u in unique)
    differs = " AND ".join(f"{_q(c)} IS NEW.{_q(c)}" for c in rule.columns)
    # The same row again is left to its constraint: INSERT OR IGNORE must go on working.
    insert = f"EXISTS (SELECT 1 FROM {_q(table)} WHERE ({taken}) AND NOT ({differs}))"  # noqa: S608 - names
    return [
        _trigger(table, "update", "UPDATE", update, wording.changed(table)),
        _trigger(table, "delete", "DELETE", f"NOT {_open('delete')}", wording.removed(table)),
        _trigger(table, "insert", "INSERT", insert, wording.replaced(table)),
    ]


def _redaction(rule: AppendOnlyRule) -> str:
    if rule.body is None and not rule.blankable:
        return ""
    free = {rule.body, *rule.blankable}
    conditions = ["NEW.rowid IS OLD.rowid", _same(c for c in rule.columns if c not in free)]
    conditions += [f"NEW.{_q(c)} IN ('', OLD.{_q(c)})" for c in rule.blankable]
    if rule.body is not None:
        new, old = f"NEW.{_q(rule.body)}", f"OLD.{_q(rule.body)}"
        conditions += [_written_as_bodies_are(new, old), _redacted_fields(new, old)]
    # CASE, because SQLite would read the bodies as JSON whatever stands before an AND.
    return f" AND NOT coalesce(CASE WHEN {_open('redact')} THEN {' AND '.join(conditions)} END, 0)"


def _written_as_bodies_are(new: str, old: str) -> str:
    """The fields of before, each once, in their order, with no blank between them."""
    fields = f"SELECT key, value FROM json_each({new}) ORDER BY key"  # noqa: S608
    return (
        f"{new} = (SELECT '{{' || group_concat('\"' || key || '\":' || value) || '}}' FROM ({fields})) "  # noqa: S608
        f"AND (SELECT count(*) FROM json_each({new})) = (SELECT count(*) FROM json_each({old}))"
    )


def _redacted_fields(new: str, old: str) -> str:
    """Each field is what it was, or its digest where a value was."""
    return (
        f"NOT EXISTS (SELECT 1 FROM json_each({old}) AS o LEFT JOIN json_each({new}) AS n ON n.key = o.key "  # noqa: S608
        f"WHERE NOT coalesce(n.type = o.type AND n.value IS o.value OR o.key <> 'idempotency_key' "
        f"AND o.type = 'array' AND n.type = 'object' AND length(n.value) = 79 "
        f"AND json_remove(n.value, '$.redacted') = '{{}}' AND json_type(n.value, '$.redacted') = 'text' "
        f"AND length(json_extract(n.value, '$.redacted')) = 64 "
        f"AND json_extract(n.value, '$.redacted') NOT GLOB '*[^0-9a-f]*', 0))"
    )


def state_guard(rule: StateRule, also: frozenset[tuple[str, str]], since: str) -> list[Trigger]:
    """One sequence at a time, along an edge, or not at all."""
    state, sequence = _q(rule.state), _q(rule.sequence)
    pairs = ", ".join(f"({_text(a)}, {_text(b)})" for a, b in sorted(rule.edges | also))
    edge = f" OR (OLD.{state}, NEW.{state}) IN (VALUES {pairs})" if pairs else ""
    step = f"(NEW.{sequence} = OLD.{sequence} + 1 OR OLD.{sequence} = 0 AND NEW.{sequence} > 0)"
    unlogged = f"OLD.{sequence} = 0 AND NEW.{sequence} = 0 AND {_open('remap')}"
    when = (
        f"NOT ({_same((rule.key, rule.state, rule.sequence, rule.head))}) AND (NEW.{_q(rule.key)} IS NOT "
        f"OLD.{_q(rule.key)} OR NOT coalesce({_open('load')} OR {step} AND (NEW.{state} IS OLD.{state}{edge} "
        f"OR {_open('remap')}) OR {unlogged}, 0))"
    )
    guard = _trigger(rule.table, "guard", "UPDATE", when, wording.moved(rule.table))
    return [replace(guard, edges=rule.edges, also=also, since=since)]


def columns(connection: BaseDatabaseWrapper, tables: Collection[str]) -> dict[str, set[str]]:
    """The columns of those of the tables that are there."""
    found: dict[str, set[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.name, c.name FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table'"
        )
        for table, column in cursor.fetchall():
            if table in tables:
                found.setdefault(table, set()).add(column)
    return found


def installed(connection: BaseDatabaseWrapper) -> list[Installed]:
    """The triggers of ours that are there."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, %s) = %s",
            [len(PREFIX), PREFIX],
        )
        return [read(*row) for row in cursor.fetchall()]
