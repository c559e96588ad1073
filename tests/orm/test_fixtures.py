"""``dumpdata`` and ``loaddata``: records and log come back as they were, records without a log are adopted."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.acting import ACTOR
from tests.ledger.unprotected import unprotected
from tests.testapp.gates import Gate
from tests.testapp.models import Document, Door, Invoice, Light, Parcel, Report, Treaty
from tests.testapp.shapes import Lamp

LOG = ["fsm_lifecycle.TransitionLog", "fsm_lifecycle.LifecycleDefinition"]
pytestmark = pytest.mark.django_db

Dump = Callable[..., Path]


@pytest.fixture
def dump(tmp_path: Path) -> Dump:
    def run(*labels: str) -> Path:
        path = tmp_path / "fixture.json"
        call_command("dumpdata", *labels, output=str(path), verbosity=0)
        return path

    return run


def load(path: Path) -> str:
    out = io.StringIO()
    call_command("loaddata", str(path), stdout=out, verbosity=1)
    return out.getvalue()


def empty(*tables: str) -> None:
    with unprotected(connection), connection.cursor() as cursor:
        for table in (*tables, "fsm_lifecycle_transitionlog"):
            cursor.execute(f"DELETE FROM {table}")


def everything(model: Any) -> tuple[list[Any], list[Any]]:
    from fsm_lifecycle.models import TransitionLog

    return list(model.objects.order_by("pk").values()), list(TransitionLog.objects.order_by("pk").values())


@pytest.mark.parametrize(
    ("model", "values", "event", "tables"),
    [
        (Light, {"name": "a"}, "switch_on", ["testapp_light"]),
        (Door, {"code": "Ä"}, "open_up", ["testapp_door"]),
        (Parcel, {"weight": 2.5}, "ship", ["testapp_parcel"]),
        (Lamp, {"watts": 3}, "switch_on", ["testapp_lamp"]),
        (Gate, {"extra": {"a": [1]}}, "unlock", ["testapp_gate"]),
        (Invoice, {"amount": "1.50", "client_name": "Ann"}, "send_invoice", ["testapp_invoice"]),
    ],
)
def test_records_with_their_log_are_restored_as_they_were(
    dump: Dump, model: Any, values: dict[str, Any], event: str, tables: list[str]
) -> None:
    record = model.objects.create(**values)
    record.fire(event, actor=ACTOR, metadata={"a": 1})
    model.objects.create(**{**values, **({"code": "B"} if "code" in values else {})})
    before = everything(model)
    path = dump(model._meta.label, *LOG)
    empty(*tables)

    assert "Adopted" not in load(path)

    assert everything(model) == before
    again = model.objects.get(pk=record.pk)
    assert again.replay().whole
    assert again.fire(again.available_events()[0], actor=ACTOR, **arguments_of(again)).sequence == 3


def arguments_of(record: Any) -> dict[str, Any]:
    return {"arguments": {"paid_on": "2026-01-01"}} if isinstance(record, Invoice) else {}


def test_records_without_a_log_are_adopted(dump: Dump) -> None:
    light = Light.objects.create(name="a")
    light.fire("switch_on", actor=ACTOR)
    path = dump("testapp.Light")
    empty("testapp_light")

    assert "Adopted 1" in load(path)

    fresh = Light.objects.get()
    entry = fresh.log.get()
    assert (entry.kind, entry.to_state, entry.sequence) == ("adopted", "on", 1)
    assert (fresh.lifecycle_sequence, fresh.lifecycle_head) == (1, entry.entry_hash)
    assert fresh.replay().whole
    assert fresh.fire("switch_off", actor=ACTOR)


def test_a_fixture_written_by_hand_needs_only_the_state(tmp_path: Path) -> None:
    path = tmp_path / "hand.json"
    path.write_text(
        json.dumps(
            [
                {"model": "testapp.light", "pk": 1, "fields": {"name": "a", "state": "broken"}},
                {"model": "testapp.light", "pk": 2, "fields": {"name": "b"}},
                {"model": "testapp.lamp", "pk": 1, "fields": {"phase": "on"}},
            ]
        )
    )
    assert "Adopted 2" in load(path)
    assert [(light.state, light.log.get().kind) for light in Light.objects.order_by("pk")] == [
        ("broken", "adopted"),
        ("off", "adopted"),
    ]
    assert Lamp.objects.get().fire("switch_off", actor=ACTOR)


def test_children_come_back_with_their_parents(dump: Dump) -> None:
    report, treaty = Report.objects.create(title="r"), Treaty.objects.create(title="t")
    treaty.fire("sign", actor=ACTOR)
    for labels in (["testapp.Document", "testapp.Report", "testapp.Treaty", *LOG], ["testapp"]):
        path = dump(*labels)
        empty("testapp_report", "testapp_treaty", "testapp_document")
        load(path)
        again = Treaty.objects.get()
        assert again.state == "signed"
        assert again.replay().whole
        assert again.log.count() == (2 if "testapp" not in labels else 1)
        assert Report.objects.get().log.count() == 1
        assert Document.objects.count() == 2
    assert (report.pk, treaty.pk) == (Report.objects.get().pk, Treaty.objects.get().pk)


def test_loading_over_what_is_there_changes_nothing(dump: Dump) -> None:
    light = Light.objects.create(name="a")
    light.fire("switch_on", actor=ACTOR)
    path = dump("testapp.Light", *LOG)
    before = everything(Light)
    load(path)
    assert everything(Light) == before


def test_a_fixture_cannot_move_a_record_that_has_a_log(dump: Dump) -> None:
    light = Light.objects.create(name="a")
    path = dump("testapp.Light")
    light.fire("switch_on", actor=ACTOR)
    with pytest.raises(CommandError, match="Light"):
        load(path)


def test_a_fixture_cannot_bring_a_state_that_the_lifecycle_does_not_have(tmp_path: Path) -> None:
    path = tmp_path / "hand.json"
    path.write_text(json.dumps([{"model": "testapp.light", "pk": 1, "fields": {"state": "melted"}}]))
    with pytest.raises(CommandError, match="melted"):
        load(path)


def test_fixtures_of_other_models_are_none_of_our_business(dump: Dump, user: Any) -> None:
    path = dump("auth.User")
    assert "Installed 1 object" in load(path)


def test_a_dump_of_everything_can_be_loaded(dump: Dump) -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    path = dump("testapp", "fsm_lifecycle")
    empty("testapp_light")
    load(path)
    assert Light.objects.get().replay().whole


def test_the_same_fixture_can_be_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "hand.json"
    path.write_text(json.dumps([{"model": "testapp.light", "pk": 1, "fields": {"name": "a", "state": "on"}}]))
    load(path)
    load(path)
    light = Light.objects.get()
    assert [entry.kind for entry in light.log] == ["adopted"]
    assert light.replay().whole
    light.fire("switch_off", actor=ACTOR)
    with pytest.raises(CommandError, match="would move"):
        load(path)
