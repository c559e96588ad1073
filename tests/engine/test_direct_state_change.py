"""Only a firing changes the state: every other way is refused, through any manager."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import models, transaction
from django.db.models import Case, F, Value, When

from fsm_lifecycle import DirectStateChange, LifecycleError
from tests.acting import ACTOR, memory_of
from tests.testapp.models import Door, Light, Report, Treaty
from tests.testapp.shapes import Lamp

pytestmark = pytest.mark.django_db


def managers() -> list[Any]:
    plain: models.Manager[Light] = models.Manager()
    plain.model = Light
    return [Light.objects, Light._default_manager, Light._base_manager, plain]


@contextmanager
def refused(match: str | None = None) -> Iterator[None]:
    """The block is refused by Django's own machinery, which leaves an open transaction unusable."""
    with pytest.raises(DirectStateChange, match=match), transaction.atomic():
        yield


def test_assigning_another_state_raises() -> None:
    light = Light.objects.create()
    for value in ("on", "nonsense", None, 3, Light.Lifecycle.on):
        with pytest.raises(DirectStateChange):
            light.state = value  # type: ignore[assignment]
        with pytest.raises(AttributeError):
            light.state = value  # type: ignore[assignment]
    assert light.state == "off"


def test_the_error_names_record_value_and_remedy() -> None:
    light = Light.objects.create()
    with pytest.raises(DirectStateChange, match="fire") as caught:
        light.state = "on"
    assert "on" in str(caught.value)
    assert caught.value.code == "direct_state_change"
    assert isinstance(caught.value, LifecycleError)


def test_the_message_does_not_need_the_hosts_str(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any) -> str:
        raise RuntimeError("a text that needs what is not there yet")

    light = Light.objects.create()
    monkeypatch.setattr(Light, "__str__", broken)
    with pytest.raises(DirectStateChange, match=f"Light {light.pk}"):
        light.state = "on"


def test_assigning_the_same_state_is_allowed() -> None:
    light = Light.objects.create()
    light.state = "off"
    light.state = Light.Lifecycle.off
    assert type(light.state) is str
    light.save()
    assert light.fire("switch_on", actor=ACTOR)


def test_a_deferred_state_cannot_be_assigned_either() -> None:
    light = Light.objects.defer("state").get(pk=Light.objects.create().pk)
    with pytest.raises(DirectStateChange):
        light.state = "on"
    assert light.state == "off"


def test_a_new_record_cannot_be_given_another_state_by_assignment() -> None:
    light = Light()
    with pytest.raises(DirectStateChange):
        light.state = "on"


def test_a_renamed_column_is_guarded_as_well() -> None:
    door: Any = Door.objects.create(code="a")
    with pytest.raises(DirectStateChange):
        door.position = "open"
    with pytest.raises(DirectStateChange):
        Door.objects.update(position="open")


@pytest.mark.parametrize("index", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "value",
    [
        "on",
        "off",
        None,
        Value("on"),
        F("name"),
        F("state"),
        Case(When(name="", then=Value("on")), default=Value("off")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_update_never_writes_it(index: int, value: Any) -> None:
    light = Light.objects.create()
    with refused():
        managers()[index].update(state=value)
    with refused():
        managers()[index].filter(pk=light.pk).update(name="x", state=value)
    assert Light.objects.get().name == ""


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_bulk_update_never_writes_it(index: int) -> None:
    light = Light.objects.create()
    light.__dict__["state"] = "on"
    with refused():
        managers()[index].bulk_update([light], ["state"])
    with refused():
        managers()[index].bulk_update([light], ["name", "state"])
    assert Light.objects.get().state == "off"


def test_save_never_writes_it() -> None:
    light = Light.objects.create()
    light.__dict__["state"] = "on"
    light.name = "saved"
    light.save()
    assert list(Light.objects.values_list("state", "name")) == [("off", "saved")]


@pytest.mark.parametrize("index", [0, 1])
def test_the_open_transaction_survives_the_refusal(index: int) -> None:
    manager, light = managers()[index], Light.objects.create()
    with pytest.raises(DirectStateChange):
        manager.update(state="on")
    with pytest.raises(DirectStateChange):
        manager.filter(pk=light.pk).bulk_update([light], ["state"])
    with pytest.raises(DirectStateChange):
        manager.create(state="on")
    with pytest.raises(DirectStateChange):
        manager.bulk_create([Light(), Light(state="on")])
    with pytest.raises(DirectStateChange):
        Light(state="on").save()
    assert Light.objects.get().fire("switch_on", actor=ACTOR).to_state == "on"


@pytest.mark.parametrize("names", [["state"], ("name", "state"), {"state"}])
def test_saving_it_by_name_raises(names: Any) -> None:
    light = Light.objects.create()
    before = memory_of(light)
    with pytest.raises(DirectStateChange, match="state"):
        light.save(update_fields=names)
    assert memory_of(light) == before


def test_a_stale_copy_cannot_revert_a_transition() -> None:
    light = Light.objects.create()
    stale = Light.objects.get(pk=light.pk)
    light.fire("switch_on", actor=ACTOR)
    stale.name = "by the stale copy"
    stale.save()
    fresh = Light.objects.get(pk=light.pk)
    assert (fresh.state, fresh.name) == ("on", "by the stale copy")
    assert (fresh.lifecycle_sequence, fresh.lifecycle_head) == (2, light.lifecycle_head)
    assert fresh.state_since == light.state_since
    assert fresh.fire("switch_off", actor=ACTOR).sequence == 3


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_a_new_record_in_another_state_is_refused(index: int) -> None:
    manager = managers()[index]
    with refused("adopting"):
        Light(state="on").save()
    with refused():
        manager.create(state="on")
    with refused():
        manager.get_or_create(name="x", defaults={"state": "on"})
    with refused():
        manager.update_or_create(name="x", defaults={"state": "on"})
    with refused():
        manager.bulk_create([Light(), Light(state="on")])
    with refused():
        Light(state="nonsense").save()
    assert Light.objects.count() == 0


def test_a_new_record_in_its_initial_state_may_say_so() -> None:
    Light(state="off").save()
    Light.objects.create(state=Light.Lifecycle.off)
    assert Light.objects.in_state("off").count() == 2


def test_rows_without_a_log_cannot_be_inserted_through_a_manager_that_is_not_ours() -> None:
    with refused("log entry"):
        managers()[3].bulk_create([Light()])
    assert Light.objects.count() == 0


def test_a_copy_that_is_not_in_its_initial_state_is_refused() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    light.pk = None
    with pytest.raises(DirectStateChange, match="copy"):
        light.save()
    light._state.adding = True
    with pytest.raises(DirectStateChange):
        light.save()
    assert Light.objects.count() == 1


def test_a_record_that_was_deleted_meanwhile_does_not_come_back_in_another_state() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    Light.objects.all().delete()
    with refused():
        light.save()
    assert Light.objects.count() == 0


def test_update_or_create_cannot_move_a_record() -> None:
    Light.objects.create(name="hall")
    with pytest.raises(DirectStateChange):
        Light.objects.update_or_create(name="hall", defaults={"state": "on"})
    assert Light.objects.get().state == "off"


def test_children_cannot_go_round_their_parent() -> None:
    report, treaty = Report.objects.create(title="r"), Treaty.objects.create(title="t")
    with pytest.raises(DirectStateChange):
        report.state = "final"
    with pytest.raises(DirectStateChange):
        Report.objects.update(state="final")
    with pytest.raises(DirectStateChange):
        Treaty.objects.filter(pk=treaty.pk).update(parties=3, state="signed")
    with pytest.raises(DirectStateChange):
        treaty.save(update_fields=["state"])
    treaty.refresh_from_db()
    assert (treaty.parties, treaty.state) == (2, "draft")


def test_related_managers_cannot_move_records() -> None:
    from tests.testapp.shapes import Folder

    lamp = Lamp.objects.create()
    related: Any = lamp
    folder = related.folders.create()
    assert folder.log.count() == 1
    with pytest.raises(DirectStateChange):
        related.folders.update(phase="on")
    with pytest.raises(DirectStateChange):
        related.folders.create(phase="on")
    assert Folder.objects.get().owner == lamp


def test_the_link_to_the_log_is_never_saved() -> None:
    light = Light.objects.create()
    for name in ("state_since", "lifecycle_sequence", "lifecycle_head"):
        with pytest.raises(DirectStateChange):
            light.save(update_fields=[name])
    light.lifecycle_sequence, light.lifecycle_head = 77, "x"
    light.save()
    fresh = Light.objects.get()
    assert fresh.lifecycle_sequence == 1
    assert fresh.fire("switch_on", actor=ACTOR)
