"""Sealing: every committed entry gets one place in the tree, whatever happens to the others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from fsm_lifecycle import System
from fsm_lifecycle.ledger import unsealed
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.ledger.tiles import TileDamaged
from fsm_lifecycle.models import Checkpoint, DailyCount, LogLeaf, LogTile, SealProgress, TransitionLog
from tests.ledger.unprotected import unprotected
from tests.ledger.whole_tree import faults, settle
from tests.testapp.models import Invoice, Light

ACTOR = System("test")

pytestmark = pytest.mark.django_db


def lights(count: int, *events: str) -> list[Any]:
    """New lights on which these events were fired."""
    made = Light.objects.bulk_create(Light() for _ in range(count))
    for event in events:
        assert Light.objects.filter(pk__in=[one.pk for one in made]).fire(event, actor=ACTOR).failed == 0
    return made


def damage(entry: TransitionLog, column: str, value: Any) -> Any:
    """Write another value into an entry and return the one before."""
    before = getattr(entry, column)
    with unprotected(connection), connection.cursor() as cursor:
        table = connection.ops.quote_name(TransitionLog._meta.db_table)
        cursor.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [value, entry.pk])
    return before


def rows() -> list[Any]:
    """Everything that sealing writes."""
    models = (LogLeaf, LogTile, Checkpoint, DailyCount)
    return [list(model.objects.order_by("pk").values()) for model in models]


# --- what is sealed -----------------------------------------------------------------------------------------


def test_everything_committed_is_sealed_in_the_order_of_the_log() -> None:
    lights(3, "switch_on", "blink")
    result = seal()
    assert (result.sealed, result.tree_size, result.skipped) == (9, 9, [])
    assert result.checkpoint is not None
    assert result.checkpoint.tree_size == 9
    assert faults() == []
    order = LogLeaf.objects.order_by("leaf_index").values_list("entry_id", flat=True)
    assert list(order) == sorted(TransitionLog.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_the_tree_is_the_same_whatever_the_size_of_a_batch(batch_size: int) -> None:
    lights(20, "switch_on")
    assert seal(batch_size=batch_size).sealed == 40
    lights(20, "switch_on")
    assert seal(batch_size=batch_size).sealed == 40
    assert faults() == []


def test_more_than_a_tile() -> None:
    lights(300, "switch_on")
    assert seal(batch_size=250).sealed == 600
    lights(1)
    assert seal().tree_size == 601
    assert faults() == []


def test_an_empty_log_has_no_checkpoint() -> None:
    result = seal()
    assert (result.sealed, result.tree_size, result.checkpoint) == (0, 0, None)


def test_a_second_run_with_nothing_to_do_writes_nothing() -> None:
    lights(5, "switch_on")
    settle()
    before, progress = rows(), SealProgress.objects.values().get()
    with CaptureQueriesContext(connection) as queries:
        result = seal()
    assert (result.sealed, result.tree_size, result.checkpoint) == (0, 10, None)
    assert (rows(), SealProgress.objects.values().get()) == (before, progress)
    assert [q["sql"] for q in queries if not q["sql"].startswith("SELECT")] == []
    assert progress["settled_id"] == TransitionLog.objects.latest("pk").pk


def test_losing_the_progress_costs_time_and_nothing_else() -> None:
    lights(5, "switch_on")
    seal()
    before = rows()
    SealProgress.objects.all().delete()
    assert seal(batch_size=3).sealed == 0
    assert rows() == before
    lights(1)
    assert seal().sealed == 1
    assert faults() == []


def test_a_log_that_was_emptied_begins_anew() -> None:
    SealProgress.objects.create(pk=1, settled_id=10**9, skipped=[5])
    lights(2)
    assert seal().sealed == 2
    assert faults() == []
    assert SealProgress.objects.get().skipped == []


def test_every_kind_of_value_is_hashed_as_it_was() -> None:
    invoice = Invoice.objects.create(amount=10, client_name="Ångström 😀")
    invoice.fire("send_invoice", actor=ACTOR, metadata={"ß": ["\x01", "\\", '"', "日本"]})
    invoice.fire("pay", actor=ACTOR, arguments={"paid_on": "2026-03-01"}, idempotency_key="K é")
    invoice.fire("refund", actor=ACTOR, occurred_at=datetime(1999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC))
    invoice.delete()
    assert seal().sealed == 5
    assert faults() == []


def test_keys_with_large_holes_between_them_are_all_found(monkeypatch: pytest.MonkeyPatch) -> None:
    made = lights(3)
    keys = list(TransitionLog.objects.order_by("pk").values_list("pk", flat=True))
    for number, key in enumerate(keys[1:], start=1):
        damage(TransitionLog.objects.get(pk=key), "id", key + number * 50_000_000)
    reads: list[str] = []
    plain = unsealed._read

    def counted(*args: Any) -> Any:
        reads.append(args[1])
        return plain(*args)

    monkeypatch.setattr(unsealed, "_read", counted)
    assert seal(batch_size=10).sealed == len(made)
    assert len(reads) < 60
    assert faults() == []


def test_progress_is_told_and_a_run_that_is_stopped_leaves_the_rest() -> None:
    lights(20)
    told: list[tuple[int, int]] = []
    stops = iter([False, False, True])
    result = seal(batch_size=5, progress=lambda *at: told.append(at), stopped=lambda: next(stops))
    assert (result.sealed, result.tree_size) == (10, 10)
    assert [done for done, _ in told] == [5, 10]
    assert result.checkpoint is not None
    assert faults(unsealed=10) == []
    assert seal().sealed == 10
    assert faults() == []


@pytest.mark.django_db(databases=["default", "other"])
def test_each_database_has_a_tree_of_its_own() -> None:
    Light.objects.using("other").create()
    lights(2)
    assert seal("other").tree_size == 1
    assert seal().tree_size == 2
    assert faults() == faults("other") == []
    first, second = (Checkpoint.objects.using(using).get().note for using in ("default", "other"))
    assert first.split("\n")[0] + "/other" == second.split("\n")[0]


# --- what is not --------------------------------------------------------------------------------------------


def test_an_entry_that_was_changed_is_skipped_and_stops_nothing_else() -> None:
    one, two, _ = lights(3, "switch_on")
    entry = TransitionLog.objects.get(object_pk=two.pk, sequence=1)
    damage(entry, "actor_id", "somebody else")
    result = seal()
    assert result.sealed == 4
    said = {(one.record, one.sequence, one.reason) for one in result.skipped}
    record = f"testapp.light:{two.pk}"
    assert said == {(record, 1, "entry_hash"), (record, 2, "waits")}
    assert faults(unsealed=2) == []
    one.refresh_from_db()
    one.fire("blink", actor=ACTOR)
    again = seal()
    assert (again.sealed, len(again.skipped)) == (1, 2)
    assert SealProgress.objects.get().skipped == sorted(skipped.entry_id for skipped in again.skipped)


def test_an_entry_that_was_put_right_is_sealed_and_then_those_that_waited() -> None:
    light = lights(1, "switch_on", "blink")[0]
    entry = TransitionLog.objects.get(object_pk=light.pk, sequence=2)
    before = damage(entry, "actor_id", "somebody else")
    assert [one.sequence for one in seal().skipped] == [2, 3]
    damage(entry, "actor_id", before)
    result = seal()
    assert (result.sealed, result.skipped) == (2, [])
    assert faults() == []
    assert SealProgress.objects.get().skipped == []


def test_later_entries_of_the_record_wait_also_in_later_batches() -> None:
    light = lights(1, "switch_on")[0]
    damage(TransitionLog.objects.get(object_pk=light.pk, sequence=2), "kind", "created")
    assert len(seal().skipped) == 1
    light.refresh_from_db()
    for event in ("blink", "blink", "smash"):
        light.fire(event, actor=ACTOR)
        result = seal()
        assert result.sealed == 0
    assert [(one.sequence, one.reason) for one in result.skipped] == [
        (2, "entry_hash"), (3, "waits"), (4, "waits"), (5, "waits"),
    ]  # fmt: skip


def test_nothing_waits_for_an_entry_that_is_gone() -> None:
    light = lights(1, "switch_on", "blink")[0]
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {TransitionLog._meta.db_table} WHERE object_pk = %s AND sequence = 2",
            [str(light.pk)],
        )
    assert seal().sealed == 2


@pytest.mark.parametrize(
    ("column", "value"),
    [("recorded_at", "not a time"), ("occurred_at", "x"), ("sequence", "one"), ("v", 2)],
)
def test_whatever_stands_in_a_damaged_row_stops_nothing(column: str, value: Any) -> None:
    if connection.vendor != "sqlite" and not isinstance(value, int):
        pytest.skip("the column's type refuses it")
    damaged, _ = lights(2)
    damage(TransitionLog.objects.get(object_pk=damaged.pk), column, value)
    result = seal()
    assert result.sealed == 1
    assert [one.reason for one in result.skipped] == ["entry_hash"]


def test_an_entry_with_a_lower_key_than_the_one_before_it_waits_for_that_one() -> None:
    """Where several servers give out keys, or a dump was restored, keys do not follow time."""
    light = lights(1, "switch_on")[0]
    first = TransitionLog.objects.get(object_pk=light.pk, sequence=1)
    damage(first, "id", first.pk + 1000)
    for _ in range(3):
        seal(batch_size=1)
    assert faults() == []


def test_a_tree_that_cannot_be_extended_is_named() -> None:
    lights(3)
    seal()
    LogTile.objects.all().delete()
    lights(1)
    with pytest.raises(TileDamaged), transaction.atomic():
        seal()
    assert LogLeaf.objects.count() == 3


def test_what_was_rolled_back_is_not_sealed() -> None:
    lights(1)
    with transaction.atomic():
        lights(2)
        transaction.set_rollback(True)
    lights(1)
    assert seal().sealed == 2
    assert faults() == []


def test_a_time_zone_of_the_connection_changes_nothing() -> None:
    if connections["default"].vendor != "sqlite":
        pytest.skip("PostgreSQL and MariaDB would need another server connection")
    before = connection.settings_dict["TIME_ZONE"]
    connection.settings_dict["TIME_ZONE"] = "Asia/Kathmandu"
    connection.__dict__.pop("timezone", None)
    connection.__dict__.pop("timezone_name", None)
    try:
        lights(2, "switch_on")
        assert seal().sealed == 4
    finally:
        connection.settings_dict["TIME_ZONE"] = before
        connection.__dict__.pop("timezone", None)
        connection.__dict__.pop("timezone_name", None)
