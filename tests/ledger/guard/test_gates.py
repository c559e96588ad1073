"""Gates: each opens for what it says, inside one transaction, for one connection, and for no longer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.transaction import TransactionManagementError

from fsm_lifecycle.ledger import protection
from fsm_lifecycle.ledger.protection import gate
from fsm_lifecycle.models import AccessEvent, TransitionLog
from tests.acting import ACTOR, Undo, rolled_back
from tests.ledger.guard.growing import (
    GROWING,
    column_of,
    contents,
    each_table,
    execute,
    grant_to,
    plain,
    quoted,
    refused,
    undone,
)
from tests.testapp.models import Light

GATES: list[Any] = ["delete", "redact", "remap", "load"]
each_gate = pytest.mark.parametrize("name", GATES)


def _delete() -> int:
    return execute(f"DELETE FROM {quoted(AccessEvent)}")


def _redact() -> int:
    return execute(f"UPDATE {quoted(AccessEvent)} SET reason = ''")


def _remap() -> int:
    return execute("UPDATE testapp_light SET state = 'far', lifecycle_sequence = lifecycle_sequence + 1")


def _load() -> int:
    return execute("UPDATE testapp_light SET lifecycle_sequence = 77")


DEEDS: dict[str, Callable[[], int]] = {
    "delete": _delete,
    "redact": _redact,
    "remap": _remap,
    "load": _load,
}
#: A fixture may set anything; what it set is compared with the log.
ALLOWED = {"delete": {"delete"}, "redact": {"redact"}, "remap": {"remap"}, "load": {"load", "remap"}}


def _fill() -> None:
    Light.objects.create()
    plain(AccessEvent).bulk_create([grant_to("Ada")])


def assert_closed() -> None:
    """Nothing is let through that a gate would let through."""
    assert connection.in_atomic_block or connection.vendor != "mysql" or not _variable()
    for deed in DEEDS.values():
        with refused():
            deed()


def _variable() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @fsm_lifecycle_gate")
        return cursor.fetchone()[0]


@pytest.fixture
def some(db: None) -> None:
    _fill()


@pytest.fixture
def some_committed(transactional_db: None) -> None:
    _fill()


@each_gate
def test_a_gate_lets_through_what_it_says_and_nothing_else(name: Any, some: None) -> None:
    with gate(connection, name):
        for other, deed in DEEDS.items():
            if other in ALLOWED[name]:
                with undone():
                    assert deed() >= 1
            else:
                with refused():
                    deed()
    assert_closed()


@each_table
@pytest.mark.usefixtures("filled")
def test_the_delete_gate_lets_no_change_through(model: Any) -> None:
    column = column_of(model._meta.local_concrete_fields[-1])
    key = column_of(model._meta.pk)
    with gate(connection, "delete"):
        with refused():
            execute(f"UPDATE {quoted(model)} SET {key} = {key} + 1000")
        with refused():
            execute(f"UPDATE {quoted(model)} SET {column} = '1999-01-01 00:00:00'")
        assert execute(f"DELETE FROM {quoted(model)}") >= 2
    assert contents(model) == []


@each_table
@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("name", ["redact", "remap", "load"])
def test_no_other_gate_lets_a_row_go(model: Any, name: Any) -> None:
    with gate(connection, name), refused():
        execute(f"DELETE FROM {quoted(model)}")


@each_gate
def test_no_gate_opens_outside_a_transaction(name: Any, some_committed: None) -> None:
    with (
        pytest.raises(TransactionManagementError, match=r"atomic\(\)"),
        gate(connection, name),
    ):
        raise AssertionError("the gate must not open")
    assert_closed()


@each_gate
def test_it_is_closed_when_its_block_ends(name: Any, some: None) -> None:
    with gate(connection, name):
        pass
    assert_closed()


@each_gate
def test_it_is_closed_when_its_block_raises(name: Any, some: None) -> None:
    with pytest.raises(Undo), gate(connection, name):
        raise Undo
    assert_closed()


@each_gate
def test_it_is_closed_when_its_block_is_interrupted(name: Any, some: None) -> None:
    with pytest.raises(KeyboardInterrupt), gate(connection, name):
        raise KeyboardInterrupt
    assert_closed()


def _fail() -> None:
    """An error of the database: PostgreSQL listens no more until it is rolled back."""
    execute("SELECT * FROM no_such_table")


@each_gate
def test_it_is_closed_when_the_database_raised_inside(name: Any, some: None) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), gate(connection, name):
        _fail()
    assert_closed()


@each_gate
def test_it_is_closed_when_the_savepoint_around_it_is_rolled_back(name: Any, some: None) -> None:
    with rolled_back(), gate(connection, name):
        DEEDS[name]()
    assert_closed()
    with pytest.raises(Undo), transaction.atomic(), gate(connection, name):
        raise Undo
    assert_closed()


@each_gate
def test_it_stays_open_when_a_savepoint_inside_it_is_rolled_back(name: Any, some: None) -> None:
    with gate(connection, name):
        with pytest.raises(DatabaseError), transaction.atomic():
            _fail()
        with undone():
            assert DEEDS[name]() >= 1
        with pytest.raises(Undo), transaction.atomic(), gate(connection, "redact"):
            raise Undo
        with undone():
            assert DEEDS[name]() >= 1
    assert_closed()


@pytest.mark.parametrize("inner", GATES)
@each_gate
def test_an_inner_gate_closes_the_outer_one_until_it_ends(name: Any, inner: Any, some: None) -> None:
    with gate(connection, name):
        with gate(connection, inner):
            if name not in ALLOWED[inner]:
                with refused():
                    DEEDS[name]()
        with undone():
            assert DEEDS[name]() >= 1
    assert_closed()


@each_gate
def test_it_is_closed_after_commit(name: Any, some_committed: None) -> None:
    with transaction.atomic(), gate(connection, name):
        pass
    assert_closed()


@each_gate
def test_it_is_closed_after_a_rollback(name: Any, some_committed: None) -> None:
    for error in (Undo, KeyboardInterrupt):
        with pytest.raises(error), transaction.atomic(), gate(connection, name):
            raise error
        assert_closed()
    with pytest.raises(DatabaseError), transaction.atomic(), gate(connection, name):
        _fail()
    assert_closed()


@each_gate
def test_it_is_closed_when_its_transaction_was_given_up_inside(name: Any, some_committed: None) -> None:
    """Django then sends nothing more, not even what would close a gate."""
    with transaction.atomic(), gate(connection, name):
        transaction.set_rollback(True)
    assert_closed()
    with (
        transaction.atomic(),
        gate(connection, name),
        contextlib.suppress(Undo),
        transaction.atomic(savepoint=False),
    ):
        raise Undo
    assert_closed()


@each_gate
def test_work_that_waits_for_the_commit_finds_it_closed(name: Any, some_committed: None) -> None:
    seen: list[str] = []

    def work() -> None:
        assert_closed()
        seen.append("closed")

    with transaction.atomic(), gate(connection, name):
        transaction.on_commit(work)
    assert seen == ["closed"]


@each_gate
def test_it_is_closed_when_the_connection_broke_inside(name: Any, some_committed: None) -> None:
    def work() -> None:
        with transaction.atomic(), gate(connection, name):
            assert connection.connection is not None
            connection.connection.close()
            execute("SELECT 1")

    with pytest.raises(Exception, match=r".*"):
        work()
    connection.close()
    assert_closed()


@each_gate
def test_a_failure_that_was_forgiven_leaves_it_closed(name: Any, some_committed: None) -> None:
    """Django lets a program clear the flag that a failed inner block has set."""
    try:
        with transaction.atomic():
            with pytest.raises(Undo), gate(connection, name), transaction.atomic(savepoint=False):
                raise Undo
            if connection.connection is not None and not connection.closed_in_transaction:
                transaction.set_rollback(False)
    except (DatabaseError, AttributeError):
        pass  # that it cannot be committed is as good
    assert_closed()


@each_gate
def test_going_back_to_a_savepoint_inside_it_does_not_open_it_for_good(
    name: Any, some_committed: None
) -> None:
    try:
        with transaction.atomic():
            with gate(connection, name):
                sid = transaction.savepoint()
            transaction.savepoint_rollback(sid)
    except DatabaseError:
        pass  # that it cannot be committed is as good
    assert_closed()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's gate is a row")
def test_a_gate_row_cannot_be_committed(some_committed: None) -> None:
    with transaction.atomic(), gate(connection, "delete"):
        pass  # the table is there
    try:
        for name in GATES:
            with pytest.raises(DatabaseError), transaction.atomic():
                execute("INSERT INTO fsm_lifecycle_gate (name) VALUES (%s)", [name])
        assert_closed()
    finally:
        execute("DELETE FROM fsm_lifecycle_gate")


@contextmanager
def elsewhere() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Runs work in another thread, with a connection of its own."""
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        def target() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)
            finally:
                connection.close()

        thread = threading.Thread(target=target)
        thread.start()
        thread.join(timeout=120)
        assert not thread.is_alive()

    yield run
    for failure in failures:
        raise failure


@each_gate
def test_no_other_connection_sees_it(name: Any, some_committed: None) -> None:
    """On SQLite the other one can only read: it sees no open gate, and cannot write before this one is done."""

    def work() -> None:
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM sqlite_master WHERE name = 'fsm_lifecycle_gate'")
                if cursor.fetchone()[0]:
                    cursor.execute("SELECT count(*) FROM fsm_lifecycle_gate")
                    assert cursor.fetchone()[0] == 0
            return
        assert_closed()

    with transaction.atomic(), gate(connection, name), elsewhere() as run:
        run(work)
    with elsewhere() as run:
        run(assert_closed)


def test_retention_and_the_log_go_on_after_a_gate(some: None) -> None:
    light = Light.objects.get()
    with gate(connection, "delete"):
        light.fire("switch_on", actor=ACTOR)
    light.fire("switch_off", actor=ACTOR)
    assert light.log.count() == 3


def test_a_row_that_goes_through_the_gate_is_gone_and_others_stay(filled: None) -> None:
    before = {model: contents(model) for model in GROWING}
    last = plain(TransitionLog).order_by("-pk").values_list("pk", flat=True)[0]
    with gate(connection, "delete"):
        assert execute(f"DELETE FROM {quoted(TransitionLog)} WHERE id = %s", [last]) == 1
    assert contents(TransitionLog) == before.pop(TransitionLog)[:-1]
    assert before == {model: contents(model) for model in before}
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        execute(f"DELETE FROM {quoted(TransitionLog)}")
    assert protection.is_refusal(caught.value)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="elsewhere TRUNCATE is another matter")
def test_the_delete_gate_lets_truncate_through(filled: None) -> None:
    for name in ("redact", "remap", "load"):
        with gate(connection, name), refused():
            execute(f"TRUNCATE {quoted(TransitionLog)}")
    for model in GROWING:
        with gate(connection, "delete"):
            execute(f"TRUNCATE {quoted(model)}")
        assert contents(model) == []
