"""States, tables and columns of any spelling: the guard lets through what it should, and says what it lets through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from fsm_lifecycle.ledger import protection
from fsm_lifecycle.ledger.protection import installing
from fsm_lifecycle.ledger.protection.rules import StateRule
from tests.ledger.guard.growing import execute

STATES = [
    "plain",
    "PLAIN",
    "plain ",
    " plain",
    "it's",
    "''",
    '"quoted"',
    "back\\slash",
    "ends in \\",
    "\\'",
    "\\x24",
    "$fsm_lifecycle$",
    "$$",
    "$1",
    "100%",
    "%s %(name)s %%",
    "*/ DROP TABLE x; /*",
    "/* comment",
    "-- comment",
    "`tick`",
    "a;b",
    "tab\tline\nreturn\r",
    "ängstlich",
    "ångström",
    "å",
    "å",
    "ß",
    "ss",
    "😀",
    "日本語",
    "null",
    "{}",
    "?",
    ":name",
    "x" * 64,
]
#: From each state to the next one, and from the last to the first.
EDGES = frozenset(zip(STATES, [*STATES[1:], STATES[0]], strict=True))
TABLES = [
    "guard_plain",
    "Guard Odd",
    "guard%s$x$",
    "guard_größe_und_noch_viel_mehr",
    "g" * 63,
    "guard.dot",
    "日本語" * 7,
]


def _quote(name: str) -> str:
    mark = "`" if connection.vendor == "mysql" else '"'
    return f"{mark}{name}{mark}"


def _doubled(name: str) -> str:
    """A name in a statement that has parameters."""
    return _quote(name).replace("%", "%%")


def _rule(table: str, edges: frozenset[tuple[str, str]] = EDGES) -> StateRule:
    return StateRule(
        table=table,
        key="Key of it",
        state="order",
        sequence="sequence%",
        head="hëad",
        texts=frozenset({"Key of it", "order", "hëad"}),
        edges=edges,
    )


def _make(table: str) -> None:
    long = "varchar(100) CHARACTER SET utf8mb4" if connection.vendor == "mysql" else "varchar(100)"
    execute(
        f"CREATE TABLE {_quote(table)} ({_quote('Key of it')} varchar(40) PRIMARY KEY, {_quote('order')} {long} "
        f"NOT NULL, {_quote('sequence%')} bigint NOT NULL, {_quote('hëad')} varchar(64) NOT NULL, note varchar(9))"
    )


@contextmanager
def guarded(rules: list[StateRule]) -> Iterator[list[str]]:
    """Tables of the test's own, guarded as those of lifecycles."""
    try:
        for rule in rules:
            _make(rule.table)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(installing, "rules", lambda using: rules)
            yield protection.install(connection)
    finally:
        for rule in rules:
            execute(f"DROP TABLE IF EXISTS {_quote(rule.table)}")


@pytest.fixture
def table(request: Any, transactional_db: None) -> Iterator[str]:
    name: str = getattr(request, "param", TABLES[0])
    with guarded([_rule(name)]):
        yield name


def _put(table: str, state: str) -> None:
    with transaction.atomic(), protection.gate(connection, "delete"):
        execute(f"DELETE FROM {_quote(table)}")
        execute(f"INSERT INTO {_doubled(table)} VALUES ('k', %s, 5, 'head', '')", [state])


def _moves(table: str, state: str) -> bool:
    sql = f"UPDATE {_doubled(table)} SET {_quote('order')} = %s, {_doubled('sequence%')} = 6"
    try:
        with transaction.atomic():
            execute(sql, [state])
            transaction.set_rollback(True)
    except DatabaseError as error:
        if not protection.is_refusal(error):
            raise
        return False
    return True


def test_every_pair_of_odd_states_passes_or_not_as_the_table_says(table: str) -> None:
    wrong = []
    for old in STATES:
        _put(table, old)
        for new in STATES:
            allowed = new == old or (old, new) in EDGES
            if _moves(table, new) is not allowed:
                wrong.append((old, new, "refused" if allowed else "passed"))
    assert wrong == []


def test_what_an_odd_guard_says_of_itself_is_read_back(table: str) -> None:
    (guard,) = [i for i in installing._installed(connection).values() if i.table == table]
    assert guard.edges == EDGES
    assert not guard.fault
    assert protection.missing(connection) == []
    assert protection.outdated(connection) == []


@pytest.mark.parametrize("table", TABLES, indirect=True)
def test_tables_of_any_name_are_guarded_once(table: str) -> None:
    _put(table, "plain")
    assert _moves(table, "PLAIN")
    assert not _moves(table, "it's")
    assert protection.missing(connection) == []
    assert protection.outdated(connection) == []
    with CaptureQueriesContext(connection) as captured:
        assert protection.install(connection) == []
    assert not [q["sql"] for q in captured if "TRIGGER " in q["sql"] and "SELECT" not in q["sql"]]
    protection.remove(connection)
    assert len(protection.missing(connection)) == 1
    assert _moves(table, "it's")


def test_tables_whose_names_begin_alike_have_guards_of_their_own(transactional_db: None) -> None:
    names = ["guard_with_a_rather_long_name_" + end for end in ("a", "b")]
    with guarded([_rule(name) for name in names]) as installed:
        assert len(set(installed)) == 2
        for name, state in product(names, ("it's", "''")):
            _put(name, "plain")
            assert not _moves(name, state)


def test_a_table_without_events_moves_nowhere(transactional_db: None) -> None:
    with guarded([_rule(TABLES[0], frozenset())]):
        _put(TABLES[0], "plain")
        assert _moves(TABLES[0], "plain")
        assert not _moves(TABLES[0], "PLAIN")
        assert not _moves(TABLES[0], "plain ")


def test_a_state_that_looks_like_our_own_comment_is_no_version(transactional_db: None) -> None:
    edges = frozenset({('/* fsm_lifecycle {"digest": "x"} */', "plain"), ("plain", "/* fsm_lifecycle {")})
    with guarded([_rule(TABLES[0], edges)]):
        assert protection.outdated(connection) == []
        assert protection.install(connection) == []
