"""No UPDATE moves a record along a path that its table does not have, whoever sends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from fsm_lifecycle.ledger import protection
from fsm_lifecycle.ledger.protection import gate
from tests.acting import ACTOR
from tests.ledger.guard.growing import column_of, execute, plain, refused, undone
from tests.ledger.guard.moving import HEAD, OTHER_HEAD, Row, edges_of, states_of
from tests.testapp.models import (
    DisputedInvoice,
    Document,
    Door,
    Expense,
    Invoice,
    Light,
    Parcel,
    Report,
    Treaty,
)
from tests.testapp.offices import Claim, UrgentClaim
from tests.testapp.shapes import Archive, Badge, Lamp, Member, Person, Pump

pytestmark = pytest.mark.django_db

RECORDS: dict[str, Callable[[], Any]] = {
    "Light": lambda: Light.objects.create(),
    "Invoice": lambda: Invoice.objects.create(),
    "DisputedInvoice, a proxy": lambda: DisputedInvoice.objects.create(),
    "Door, with a text key and a renamed column": lambda: Door.objects.create(code="front"),
    "Parcel, with a UUID key": lambda: Parcel.objects.create(),
    "Document": lambda: Document.objects.create(title="d"),
    "Report, a child that shares the table": lambda: Report.objects.create(title="r"),
    "Treaty, a child with a table of its own": lambda: Treaty.objects.create(title="t"),
    "Expense, with a branch": lambda: Expense.objects.create(),
    "Lamp, of an abstract base": lambda: Lamp.objects.create(),
    "Pump, that refines an abstract base": lambda: Pump.objects.create(),
    "Member, a child of a plain parent": lambda: Member.objects.create(),
    "Badge, with another's key": lambda: Badge.objects.create(person=Person.objects.create()),
    "Archive, with every kind of column": lambda: Archive.objects.create(),
    "UrgentClaim, a proxy of an office": lambda: UrgentClaim.objects.create(created_by=None),
}
each_record = pytest.mark.parametrize("make", RECORDS.values(), ids=list(RECORDS))


@pytest.fixture
def row(make: Callable[[], Any]) -> Row:
    return Row(make())


@each_record
def test_a_raw_update_passes_exactly_where_the_table_says(row: Row) -> None:
    states, edges = states_of(row.owner), edges_of(row.owner)
    assert edges
    wrong = []
    for old in states:
        for start in (0, 5):
            row.put(old, start, HEAD)
            for new in states:
                for step in (-1, 0, 1, 2):
                    for head in (HEAD, OTHER_HEAD):
                        if start == 0 and step <= 0 and (new, step, head) != (old, 0, HEAD):
                            continue  # a test of its own
                        moved = row.passes(state=new, lifecycle_sequence=start + step, lifecycle_head=head)
                        nothing = (new, step, head) == (old, 0, HEAD)
                        steps = step == 1 or (start == 0 and step > 0)
                        allowed = nothing or (steps and (new == old or (old, new) in edges))
                        if moved is not allowed:
                            wrong.append(
                                (old, new, start, step, head == HEAD, "passed" if moved else "refused")
                            )
    assert wrong == []


@each_record
def test_a_record_without_a_log_takes_any_sequence_along_an_edge(row: Row) -> None:
    states, edges = states_of(row.owner), edges_of(row.owner)
    for old in states:
        row.put(old, 0, "")
        for new in states:
            allowed = new == old or (old, new) in edges
            for sequence in (1, 2, 77, 2**40):
                assert row.passes(state=new, lifecycle_sequence=sequence, lifecycle_head=HEAD) is allowed


@each_record
def test_a_record_without_a_log_does_not_move_without_one(row: Row) -> None:
    """From 0 the sequence goes up, to any: neither does it stay, nor does it go below."""
    states = states_of(row.owner)
    for old in states:
        row.put(old, 0, "")
        for new in states:
            assert not row.passes(state=new, lifecycle_sequence=-1)
            assert row.passes(state=new) is (new == old)
            assert not row.passes(state=new, lifecycle_head=HEAD)


@each_record
def test_each_column_alone_is_guarded(row: Row) -> None:
    states = states_of(row.owner)
    row.put(states[0], 5, HEAD)
    assert not row.passes(state=states[-1])
    assert not row.passes(lifecycle_head=OTHER_HEAD)
    assert not row.passes(lifecycle_sequence=7)
    assert row.passes(lifecycle_sequence=6)
    assert not row.passes(lifecycle_sequence=4)
    assert not row.passes(lifecycle_sequence=0)
    assert not row.passes(lifecycle_sequence=-6)
    assert row.passes(state=states[0], lifecycle_sequence=5, lifecycle_head=HEAD)


@each_record
def test_a_state_that_no_table_has_is_refused(row: Row) -> None:
    old = states_of(row.owner)[0]
    for sequence in (0, 5):
        row.put(old, sequence, HEAD)
        for new in ("", "nowhere", old + " ", old.upper(), old.capitalize(), " " + old, old + "\n", old + "́"):
            assert not row.passes(state=new, lifecycle_sequence=sequence + 1), repr(new)


@each_record
def test_a_record_in_a_state_that_no_table_has_stays_there(row: Row) -> None:
    for strange in ("nowhere", states_of(row.owner)[0].upper(), ""):
        row.put(strange, 5, HEAD)
        for new in states_of(row.owner):
            assert not row.passes(state=new, lifecycle_sequence=6), (strange, new)
        assert row.passes(lifecycle_sequence=6, lifecycle_head=OTHER_HEAD)


@each_record
def test_heads_are_compared_as_bytes(row: Row) -> None:
    row.put(states_of(row.owner)[0], 5, HEAD)
    assert not row.passes(lifecycle_head=HEAD.upper())
    assert not row.passes(lifecycle_head="")


@each_record
def test_an_unrelated_update_passes(row: Row) -> None:
    """Since when a record is in its state is the caller's to say; ``verify`` knows better."""
    for start in (0, 5):
        row.put(states_of(row.owner)[0], start, HEAD)
        assert row.passes(state_since=connection.ops.adapt_datetimefield_value(timezone.now()))


def test_every_other_column_may_change() -> None:
    row = Row(Archive.objects.create())
    for field in Archive._meta.local_concrete_fields:
        guarded = field.primary_key or field.name in ("phase", "lifecycle_sequence", "lifecycle_head")
        if not guarded and not field.generated:
            column = column_of(field)
            with undone():
                assert execute(f"UPDATE {row.table} SET {column} = {column}") == 1
    with undone():
        assert row.update(ratio=7.5, select=4, url="https://example.org/", flag=False) == 1


KEYS: dict[str, tuple[Callable[[], Any], Any]] = {
    "an integer": (lambda: Light.objects.create(), 2**40),
    "zero": (lambda: Light.objects.create(), 0),
    "a text": (lambda: Door.objects.create(code="front"), "back"),
    "a text in capitals": (lambda: Door.objects.create(code="front"), "FRONT"),
    "a text with a blank": (lambda: Door.objects.create(code="front"), "front "),
    "a text with an accent": (lambda: Door.objects.create(code="front"), "frônt"),
    "a UUID": (lambda: Parcel.objects.create(), "0" * 32),
    "another's": (lambda: Badge.objects.create(person=Person.objects.create()), None),
}


@pytest.mark.parametrize(("make", "key"), KEYS.values(), ids=list(KEYS))
@pytest.mark.parametrize("gates", ["", "remap", "load", "delete", "redact"])
def test_a_primary_key_never_changes(make: Callable[[], Any], key: Any, gates: Any) -> None:
    row = Row(make())
    if key is None:
        key = Person.objects.create().pk
    column = row.key_column
    for values in ({column: key}, {column: key, "lifecycle_sequence": row.held()[1] + 1}):
        if not gates:
            assert not row.passes(**values)
            continue
        with gate(connection, gates):
            assert not row.passes(**values)
    assert row.passes(**{column: row.key})


def test_one_illegal_row_of_many_undoes_all() -> None:
    lights = [Light.objects.create() for _ in range(5)]
    lights[3].fire("smash", actor=ACTOR)
    before = list(plain(Light).order_by("pk").values_list("pk", "state", "lifecycle_sequence"))
    with refused():
        execute("UPDATE testapp_light SET state = 'on', lifecycle_sequence = lifecycle_sequence + 1")
    assert list(plain(Light).order_by("pk").values_list("pk", "state", "lifecycle_sequence")) == before
    sql = "UPDATE testapp_light SET state = 'on', lifecycle_sequence = lifecycle_sequence + 1 WHERE state <> 'broken'"
    assert execute(sql) == 4


def test_a_swap_of_two_states_is_refused() -> None:
    for _ in range(2):
        Light.objects.create()
    Light.objects.order_by("pk")[:1].fire("switch_on", actor=ACTOR)
    with refused():
        execute("UPDATE testapp_light SET state = CASE state WHEN 'on' THEN 'off' ELSE 'on' END")


def test_executemany_is_refused() -> None:
    keys = [Light.objects.create().pk for _ in range(3)]
    with refused(), connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE testapp_light SET state = %s WHERE id = %s",
            [("off", keys[0]), ("off", keys[1]), ("on", keys[2])],
        )
    assert set(plain(Light).values_list("state", flat=True)) == {"off"}


def test_the_orm_cannot_either() -> None:
    light = Light.objects.create()
    for values in ({"lifecycle_sequence": 9}, {"lifecycle_head": HEAD}, {"id": light.pk + 1000}):
        with pytest.raises(Exception, match=r".*") as caught, transaction.atomic():
            plain(Light).update(**values)
        assert not isinstance(caught.value, AssertionError)
    assert plain(Light).values_list("pk", "lifecycle_sequence", "lifecycle_head").get() == (
        light.pk,
        1,
        light.lifecycle_head,
    )


def test_a_child_s_own_table_is_its_own_business() -> None:
    treaty = Treaty.objects.create(title="t")
    assert execute("UPDATE testapp_treaty SET parties = 9") == 1
    treaty.fire("sign", actor=ACTOR)
    row = Row(treaty)
    assert not row.passes(state="draft", lifecycle_sequence=treaty.lifecycle_sequence + 1)
    assert row.passes(state="final", lifecycle_sequence=treaty.lifecycle_sequence + 1)


def test_an_upsert_is_an_update() -> None:
    door = Door.objects.create(code="front")
    tail = {
        "mysql": "ON DUPLICATE KEY UPDATE position = 'open'",
    }.get(connection.vendor, "ON CONFLICT (code) DO UPDATE SET position = 'open'")
    with refused():
        columns = "code, position, lifecycle_sequence, lifecycle_head, state_since"
        execute(f"INSERT INTO testapp_door ({columns}) SELECT {columns} FROM testapp_door WHERE 1 = 1 {tail}")
    assert plain(Door).values_list("position", flat=True).get() == door.position == "closed"


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's own statements")
@pytest.mark.parametrize("way", ["REPLACE", "IGNORE", "FAIL", "ABORT"])
def test_sqlite_refuses_whatever_is_asked_for_in_a_conflict(way: str) -> None:
    Light.objects.create()
    with refused():
        execute(f"UPDATE OR {way} testapp_light SET state = 'on'")
    with refused():
        execute(f"UPDATE OR {way} testapp_light SET state = NULL")
    with refused():
        execute(f"UPDATE OR {way} testapp_light SET lifecycle_sequence = NULL")


@pytest.mark.skipif(connection.vendor != "mysql", reason="statements of MariaDB and MySQL")
@pytest.mark.parametrize("mode", ["''", "'STRICT_TRANS_TABLES'", "'ANSI_QUOTES'", "'NO_BACKSLASH_ESCAPES'"])
def test_mariadb_refuses_in_every_mode(mode: str) -> None:
    Light.objects.create()
    execute(f"SET SESSION sql_mode = {mode}")
    try:
        for sql in (
            "UPDATE IGNORE testapp_light SET state = 'on'",
            "UPDATE IGNORE testapp_light SET lifecycle_sequence = NULL",
            "UPDATE IGNORE testapp_light SET lifecycle_sequence = 'x'",
            "UPDATE testapp_light AS a, testapp_light AS b SET a.state = 'on'",
        ):
            with pytest.raises(DatabaseError), transaction.atomic():
                execute(sql)
    finally:
        execute("SET SESSION sql_mode = 'STRICT_TRANS_TABLES'")
    assert plain(Light).values_list("state", "lifecycle_sequence").get() == ("off", 1)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's own statements")
def test_postgresql_refuses_replicas_and_merges() -> None:
    Light.objects.create()
    with refused():
        execute("SET LOCAL session_replication_role = 'replica'")
        execute("UPDATE testapp_light SET state = 'on'")
    with refused():
        execute(
            "MERGE INTO testapp_light AS t USING testapp_light AS u ON t.id = u.id "
            "WHEN MATCHED THEN UPDATE SET state = 'on'"
        )


def test_the_remap_gate_lets_any_path_through_one_sequence_at_a_time() -> None:
    row = Row(Light.objects.create())
    row.put("broken", 5, HEAD)
    with gate(connection, "remap"):
        assert row.passes(state="off", lifecycle_sequence=6, lifecycle_head=OTHER_HEAD)
        assert row.passes(state="elsewhere", lifecycle_sequence=6)
        for sequence in (-1, 0, 4, 5, 7):
            assert not row.passes(state="off", lifecycle_sequence=sequence), sequence
        assert not row.passes(state="off")
        assert not row.passes(lifecycle_head=OTHER_HEAD)
    assert not row.passes(state="off", lifecycle_sequence=6, lifecycle_head=OTHER_HEAD)


def test_the_refusal_names_the_table() -> None:
    row = Row(Claim.objects.create(created_by=None))
    with (
        pytest.raises(DatabaseError, match="UPDATE of testapp_claim is no transition") as caught,
        transaction.atomic(),
    ):
        row.update(state="paid")
    assert protection.is_refusal(caught.value)


@pytest.mark.django_db(databases=["default", "other"])
def test_a_second_database_is_guarded_as_well() -> None:
    """It is SQLite, whatever the first one is."""
    other = connections["other"]
    assert protection.missing(other) == protection.outdated(other) == []
    light = Light.objects.using("other").create()
    light.fire("switch_on", actor=ACTOR)
    for sql in ("UPDATE testapp_light SET state = 'off'", "DELETE FROM fsm_lifecycle_transitionlog"):
        with pytest.raises(DatabaseError) as caught, transaction.atomic("other"), other.cursor() as cursor:
            cursor.execute(sql)
        assert protection.is_refusal(caught.value)
    with (
        transaction.atomic("other"),
        gate(other, "delete"),
        gate(connection, "redact"),
        other.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM fsm_lifecycle_transitionlog")
        Door.objects.create(code="front")
        with refused():  # the other connection's gate is its own
            execute("DELETE FROM fsm_lifecycle_transitionlog")
    assert light.log.count() == 0
