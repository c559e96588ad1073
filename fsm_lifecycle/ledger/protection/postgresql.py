"""The triggers of PostgreSQL. https://www.postgresql.org/docs/current/sql-createtrigger.html

``ENABLE ALWAYS``, so that ``session_replication_role`` does not switch them off. Columns are compared inside the
functions: a ``WHEN`` or ``UPDATE OF`` would keep Django from altering them. Must not know what is to be protected.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db.backends.base.base import BaseDatabaseWrapper

from fsm_lifecycle.ledger.protection import gates, wording
from fsm_lifecycle.ledger.protection.rules import AppendOnlyRule, StateRule
from fsm_lifecycle.ledger.protection.trigger import MARK, PREFIX, Installed, Trigger, name_of, read

#: What has to be there before any trigger.
PREPARATION: tuple[str, ...] = ()

_GATE = f"current_setting('{gates.PARAMETER}', true)"


def _q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    """A literal. Neither backslash nor dollar stands in it as such: the one escapes, the other ends the function."""
    quoted = value.replace("\\", "\\\\").replace("'", "''").replace("$", "\\x24")
    return f"E'{quoted}'"


def _refuse(message: str) -> str:
    return f"RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', MESSAGE = {_text(message)};"


def _function(name: str, body: str) -> str:
    return (
        f"CREATE OR REPLACE FUNCTION {_q(name)}() RETURNS trigger LANGUAGE plpgsql AS $fsm_lifecycle$ "
        f"{MARK} {body} $fsm_lifecycle$"
    )


def _trigger(table: str, name: str, moment: str, each: str, function: str) -> list[str]:
    return [
        f"DROP TRIGGER IF EXISTS {_q(name)} ON {_q(table)}",
        f"CREATE TRIGGER {_q(name)} BEFORE {moment} ON {_q(table)} FOR EACH {each} EXECUTE FUNCTION {_q(function)}()",
        f"ALTER TABLE {_q(table)} ENABLE ALWAYS TRIGGER {_q(name)}",
    ]


def append_only(rule: AppendOnlyRule) -> list[Trigger]:
    """No UPDATE that changes anything, no DELETE, no TRUNCATE."""
    table = rule.table
    rows, whole = name_of(table, "rows"), name_of(table, "truncate")
    body = (
        f"BEGIN IF TG_OP = 'UPDATE' THEN IF NEW IS NOT DISTINCT FROM OLD THEN RETURN NEW; END IF; "
        f"{_redaction(rule)}{_refuse(wording.changed(table))} "
        f"ELSIF {_GATE} = 'delete' THEN IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NULL; END IF; "
        f"{_refuse(wording.removed(table))} END"
    )
    drop = f"DROP FUNCTION IF EXISTS {_q(rows)}() CASCADE"
    create = [_function(rows, body), *_trigger(table, rows, "UPDATE OR DELETE", "ROW", rows)]
    create += _trigger(table, whole, "TRUNCATE", "STATEMENT", rows)
    return [Trigger(rows, table, tuple(create), (drop,), (whole,))]


def _redaction(rule: AppendOnlyRule) -> str:
    if rule.body is None and not rule.blankable:
        return ""
    free = ", ".join(_text(c) for c in (rule.body, *rule.blankable) if c is not None)
    conditions = [f"to_jsonb(NEW) - ARRAY[{free}] = to_jsonb(OLD) - ARRAY[{free}]"]
    conditions += [f"NEW.{_q(c)} IN ('', OLD.{_q(c)})" for c in rule.blankable]
    if rule.body is not None:
        new, old = f"NEW.{_q(rule.body)}", f"OLD.{_q(rule.body)}"
        conditions += [_written_as_bodies_are(new, old), _redacted_fields(new, old)]
    # One IF in the other: the planner would evaluate a cast to JSON whatever stands before it.
    return f"IF {_GATE} = 'redact' THEN IF {' AND '.join(conditions)} THEN RETURN NEW; END IF; END IF; "


def _written_as_bodies_are(new: str, old: str) -> str:
    """The fields of before, each once, in their order, with no blank between them."""
    return (
        f"{new} = (SELECT '{{' || string_agg('\"' || key || '\":' || value::text, ',' ORDER BY key COLLATE \"C\") "  # noqa: S608
        f"|| '}}' FROM json_each({new}::json)) "
        f"AND (SELECT count(*) FROM json_each({new}::json)) = (SELECT count(*) FROM json_each({old}::json))"
    )


def _redacted_fields(new: str, old: str) -> str:
    """Each field is what it was, or its digest where a value was."""
    digest = '^\\{"redacted":"[0-9a-f]{64}"\\}$'
    return (
        f"NOT EXISTS (SELECT 1 FROM json_each({old}::json) AS o FULL JOIN json_each({new}::json) AS n "  # noqa: S608
        f"ON n.key = o.key WHERE NOT coalesce(n.value::text = o.value::text OR o.key <> 'idempotency_key' "
        f"AND left(o.value::text, 1) = '[' AND n.value::text ~ {_text(digest)}, false))"
    )


def state_guard(rule: StateRule, also: frozenset[tuple[str, str]], since: str) -> list[Trigger]:
    """One sequence at a time, along an edge, or not at all."""
    name = name_of(rule.table, "guard")
    key, state, sequence, head = (_q(c) for c in (rule.key, rule.state, rule.sequence, rule.head))
    pairs = ", ".join(f"({_text(a)}, {_text(b)})" for a, b in sorted(rule.edges | also))
    edge = f" OR (OLD.{state}, NEW.{state}) IN ({pairs})" if pairs else ""
    body = (
        f"BEGIN IF NEW.{key} IS DISTINCT FROM OLD.{key} THEN {_refuse(wording.rekeyed(rule.table))} END IF; "
        f"IF NEW.{state} IS NOT DISTINCT FROM OLD.{state} AND NEW.{sequence} IS NOT DISTINCT FROM OLD.{sequence} "
        f"AND NEW.{head} IS NOT DISTINCT FROM OLD.{head} THEN RETURN NEW; END IF; "
        f"IF (NEW.{sequence} = OLD.{sequence} + 1 OR OLD.{sequence} = 0 AND NEW.{sequence} > 0) "
        f"AND (NEW.{state} = OLD.{state}{edge} OR {_GATE} = 'remap') "
        f"OR OLD.{sequence} = 0 AND NEW.{sequence} = 0 AND {_GATE} = 'remap' OR {_GATE} = 'load' "
        f"THEN RETURN NEW; END IF; "
        f"{_refuse(wording.moved(rule.table))} END"
    )
    create = (_function(name, body), *_trigger(rule.table, name, "UPDATE", "ROW", name))
    drop = (f"DROP FUNCTION IF EXISTS {_q(name)}() CASCADE",)
    return [Trigger(name, rule.table, create, drop, edges=rule.edges, also=also, since=since)]


def columns(connection: BaseDatabaseWrapper, tables: Collection[str]) -> dict[str, set[str]]:
    """The columns of those of the tables that are there."""
    found: dict[str, set[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.relname, c.attname FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid "
            "WHERE t.relkind IN ('r', 'p') AND pg_table_is_visible(t.oid) AND c.attnum > 0 AND NOT c.attisdropped "
            "AND t.relname = ANY(%s)",
            [list(tables)],
        )
        for table, column in cursor.fetchall():
            found.setdefault(table, set()).add(column)
    return found


def installed(connection: BaseDatabaseWrapper) -> list[Installed]:
    """The triggers of ours that are there. The functions carry the marks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.tgname, c.relname, p.prosrc, t.tgenabled = 'A' FROM pg_trigger t "
            "JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid "
            "WHERE NOT t.tgisinternal AND left(t.tgname, %s) = %s AND pg_table_is_visible(c.oid)",
            [len(PREFIX), PREFIX],
        )
        return [
            read(name, table, source, "" if always else "it is not enabled ALWAYS")
            for name, table, source, always in cursor.fetchall()
        ]
