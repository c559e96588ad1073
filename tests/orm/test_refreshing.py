"""``refresh_from_db`` unlocks the record it refreshes and no other, in many threads."""

import threading
from typing import Any

import pytest

from fsm_lifecycle import DirectStateChange, StaleState
from tests.acting import ACTOR, statements
from tests.testapp.gates import Gate
from tests.testapp.models import Light, Treaty
from tests.testapp.shapes import Folder, Lamp


@pytest.mark.django_db
def test_it_takes_over_what_others_fired() -> None:
    light, other = Light.objects.create(), Light.objects.get()
    entry = other.fire("switch_on", actor=ACTOR)
    light.refresh_from_db()
    assert (light.state, light.lifecycle_sequence, light.lifecycle_head) == ("on", 2, entry.entry_hash)
    assert light.state_since == entry.recorded_at
    assert light.fire("switch_off", actor=ACTOR)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["state", "state_since", "lifecycle_sequence", "lifecycle_head"])
def test_what_belongs_to_the_lifecycle_comes_together_so_that_it_fits(name: str) -> None:
    light, other = Light.objects.create(), Light.objects.get()
    entry = other.fire("switch_on", actor=ACTOR)
    light.refresh_from_db(fields=[name])
    assert (light.state, light.lifecycle_sequence, light.lifecycle_head) == ("on", 2, entry.entry_hash)
    assert light.fire("switch_off", actor=ACTOR)


@pytest.mark.django_db
def test_refreshing_another_field_leaves_the_copy_as_stale_as_it_was() -> None:
    light, other = Light.objects.create(), Light.objects.get()
    other.name = "b"
    other.save()
    other.fire("switch_on", actor=ACTOR)
    light.refresh_from_db(fields=["name"])
    assert (light.name, light.state) == ("b", "off")
    with pytest.raises(StaleState):
        light.fire("switch_on", actor=ACTOR)


@pytest.mark.django_db
def test_the_lock_is_back_afterwards_also_when_the_row_is_gone() -> None:
    light = Light.objects.create()
    light.refresh_from_db()
    with pytest.raises(DirectStateChange):
        light.state = "on"
    copy = Light.objects.get()
    light.delete()
    with pytest.raises(Light.DoesNotExist):
        copy.refresh_from_db()
    with pytest.raises(DirectStateChange):
        copy.state = "on"


@pytest.mark.django_db
def test_one_record_being_refreshed_unlocks_no_other() -> None:
    light, other = Light.objects.create(), Light.objects.create()

    class Nosy(type(Light.objects.all())):  # type: ignore[misc]
        def get(self, *args: Any, **kwargs: Any) -> Any:
            with pytest.raises(DirectStateChange):
                other.state = "on"
            return super().get(*args, **kwargs)

    light.refresh_from_db(from_queryset=Nosy(Light))
    assert other.state == "off"


@pytest.mark.django_db
def test_from_queryset_and_relations() -> None:
    lamp = Lamp.objects.create()
    folder = Folder.objects.create(owner=lamp)
    assert folder.owner == lamp
    Folder.objects.update(owner=None)
    folder.refresh_from_db(from_queryset=Folder.objects.select_related("owner"))
    owner: Lamp | None = folder.owner
    assert (owner, folder.fire("switch_on", actor=ACTOR).sequence) == (None, 2)


@pytest.mark.django_db
def test_a_child_is_refreshed_whole() -> None:
    treaty, other = Treaty.objects.create(title="t"), Treaty.objects.get()
    other.parties, other.title = 5, "u"
    other.save()
    other.fire("sign", actor=ACTOR)
    treaty.refresh_from_db()
    assert (treaty.parties, treaty.title, treaty.state) == (5, "u", "signed")
    assert treaty.fire("finish", actor=ACTOR)


@pytest.mark.django_db
def test_it_costs_one_statement() -> None:
    light = Light.objects.create()
    with statements() as sent:
        light.refresh_from_db()
    assert len(sent) == 1


@pytest.mark.django_db
def test_a_deferred_field_costs_one_statement_and_is_loaded_once() -> None:
    Gate.objects.create(note="a")
    gate = Gate.objects.defer("note", "state").get()
    with statements() as sent:
        assert (gate.note, gate.note, gate.state, gate.state) == ("a", "a", "shut", "shut")
    assert len(sent) == 2


@pytest.mark.django_db(transaction=True)
def test_many_threads_refresh_and_assign_at_the_same_time() -> None:
    from django.db import connection

    light = Light.objects.create()
    pk, wrong = light.pk, []

    def work() -> None:
        try:
            mine = Light.objects.get(pk=pk)
            for _ in range(15):
                mine.refresh_from_db()
                try:
                    mine.state = "on"
                    wrong.append("assigned")
                except DirectStateChange:
                    pass
        except Exception as error:
            wrong.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
