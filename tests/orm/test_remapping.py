"""RemapState: records whose state the table no longer has are moved by a migration, on record."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import MigrationWriter

from fsm_lifecycle import RemapState, System
from fsm_lifecycle.models import TransitionLog
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Light, Treaty

pytestmark = pytest.mark.django_db
ACTOR = System("test")


@pytest.fixture(scope="module")
def historical() -> Any:
    """The models as a migration sees them."""
    return ProjectState.from_apps(apps)


def forwards(operation: RemapState, state: Any) -> None:
    editor: Any = SimpleNamespace(connection=connection)
    operation.database_forwards("testapp", editor, state, state)


def backwards(operation: RemapState, state: Any) -> None:
    editor: Any = SimpleNamespace(connection=connection)
    operation.database_backwards("testapp", editor, state, state)


def lights(*states: str) -> list[Light]:
    found = []
    for state in states:
        light = Light.objects.create()
        if state == "on":
            light.fire("switch_on", actor=ACTOR)
        found.append(light)
    return found


def states() -> list[str]:
    return list(Light.objects.order_by("pk").values_list("state", flat=True))


def test_each_record_moves_with_an_entry_that_says_why(historical: Any) -> None:
    off, on = lights("off", "on")
    forwards(RemapState("testapp.Light", {"on": "glowing"}, reason="on is called glowing now"), historical)
    assert states() == ["off", "glowing"]
    assert off.log.count() == 1
    entry = on.log.last()
    assert entry is not None
    assert (entry.kind, entry.event, entry.from_state, entry.to_state) == ("remapped", None, "on", "glowing")
    assert (entry.actor_kind, entry.actor_id) == ("system", "on is called glowing now")
    assert entry.reason == "on is called glowing now"
    on.refresh_from_db()
    assert (on.lifecycle_sequence, on.lifecycle_head) == (entry.sequence, entry.entry_hash)
    assert on.state_since == entry.recorded_at
    assert on.replay().whole


def test_all_states_change_at_once(historical: Any) -> None:
    lights("off", "on", "off")
    forwards(RemapState("testapp.Light", {"on": "off", "off": "on"}), historical)
    assert states() == ["on", "off", "on"]
    assert all(light.replay().whole for light in Light.objects.all())


def test_more_records_than_one_batch(historical: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsm_lifecycle.operations.BATCH", 3)
    lights(*["off", "on"] * 5)
    forwards(RemapState("testapp.Light", {"on": "off", "off": "glowing"}), historical)
    assert states() == ["glowing", "off"] * 5
    assert TransitionLog.objects.filter(kind="remapped").count() == 10


def test_backwards_moves_what_it_moved_and_nothing_else(historical: Any) -> None:
    """What was in the new state before, and what has been fired since, stays."""
    lights("off", "on", "on")
    operation = RemapState("testapp.Light", {"on": "off"})
    forwards(operation, historical)
    Light.objects.order_by("pk")[2].fire("switch_on", actor=ACTOR)
    backwards(operation, historical)
    assert states() == ["off", "on", "on"]
    kinds = [light.log.last().kind for light in Light.objects.order_by("pk")]  # type: ignore[union-attr]
    assert kinds == ["created", "remapped", "transition"]
    assert all(light.replay().whole for light in Light.objects.all())


def test_a_row_without_a_log_is_moved_without_one(historical: Any) -> None:
    lights("off")
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE testapp_light SET lifecycle_sequence = 0, lifecycle_head = ''")
        cursor.execute("DELETE FROM fsm_lifecycle_transitionlog")
    forwards(RemapState("testapp.Light", {"off": "dark"}), historical)
    assert states() == ["dark"]
    assert TransitionLog.objects.count() == 0
    backwards(RemapState("testapp.Light", {"off": "dark"}), historical)
    assert states() == ["off"]


def test_a_child_is_moved_in_its_parents_table(historical: Any) -> None:
    treaty = Treaty.objects.create(title="Peace")
    forwards(RemapState("testapp.Treaty", {treaty.state: "archived"}), historical)
    treaty.refresh_from_db()
    assert treaty.state == "archived"
    assert treaty.log.last().kind == "remapped"  # type: ignore[union-attr]


def test_without_the_operation_the_database_refuses(historical: Any) -> None:
    lights("on")
    with (
        pytest.raises(DatabaseError, match="fsm_lifecycle: "),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("UPDATE testapp_light SET state = 'glowing'")
    assert states() == ["on"]


def test_it_can_be_written_to_a_migration() -> None:
    operation = RemapState("testapp.Light", {"on": "glowing"}, reason="renamed")
    text, imports = MigrationWriter.serialize(operation)
    scope: dict[str, Any] = {}
    exec("\n".join(sorted(imports)), scope)
    again = eval(text, scope)
    assert again.deconstruct() == operation.deconstruct()
    assert operation.describe() == "Remap states of testapp.Light: on → glowing"
    assert operation.migration_name_fragment == "remap_light"


@pytest.mark.parametrize(
    ("model", "mapping"), [("testapp.Light", {}), ("testapp.Light", {"on": None}), ("Light", {"on": "off"})]
)
def test_what_cannot_be_done_is_refused_when_it_is_written(model: str, mapping: Any) -> None:
    with pytest.raises(ValueError, match="RemapState"):
        RemapState(model, mapping)


def test_a_model_without_a_lifecycle_is_named(historical: Any) -> None:
    with pytest.raises(ValueError, match=r"auth\.User"):
        forwards(RemapState("auth.User", {"on": "off"}), historical)
