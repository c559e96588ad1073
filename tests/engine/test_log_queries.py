"""Reading the log: of one record, of a model, by event and actor, page by page."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.models import LifecycleDefinition, TransitionLog
from tests.acting import ACTOR
from tests.testapp.models import Door, Invoice, Light, Report

pytestmark = pytest.mark.django_db

log: Any = TransitionLog.objects


def test_a_records_log_is_its_own_oldest_first() -> None:
    light, other = Light.objects.create(), Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    other.fire("switch_on", actor=ACTOR)
    light.fire("switch_off", actor=ACTOR)
    assert [e.event for e in light.log] == [None, "switch_on", "switch_off"]
    assert list(log.for_record(light)) == list(light.log)
    assert light.log.last().sequence == 3  # type: ignore[union-attr]


def test_an_unsaved_record_has_no_log() -> None:
    assert list(Light().log) == []
    assert Light().last_snapshot is None


def test_the_same_key_of_two_models_is_not_mixed_up() -> None:
    light, report = Light.objects.create(pk=77), Report.objects.create(pk=77, title="t")
    assert light.log.get().model_label == "testapp.light"
    assert report.log.get().model_label == "testapp.document"


def test_a_models_log_holds_all_its_records() -> None:
    for _ in range(2):
        Light.objects.create()
    Door.objects.create(code="a")
    assert log.for_model(Light).count() == 2
    assert log.for_model(Report).count() == 0


def test_by_event_takes_names_and_objects() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    light.fire("switch_off", actor=ACTOR)
    assert log.by_event("switch_on").count() == 1
    assert log.by_event(Light.Lifecycle.switch_off, "switch_on").count() == 2


def test_by_actor_tells_people_and_programs_apart() -> None:
    alice, bob = User.objects.create_user("alice"), User.objects.create_user("bob")
    light = Light.objects.create()
    for actor, event in (
        (alice, "switch_on"),
        (bob, "switch_off"),
        (System("night watch"), "switch_on"),
        (System(str(alice.pk)), "blink"),
    ):
        light.fire(event, actor=actor)
    assert [e.sequence for e in log.by_actor(alice)] == [2]
    assert [e.sequence for e in log.by_actor(System("night watch"))] == [4]
    assert [e.sequence for e in log.by_people().order_by("id")] == [2, 3]
    assert [e.sequence for e in log.by_system().order_by("id")] == [4, 5]
    assert log.by_agents().count() == 0


def test_with_snapshot_finds_those_that_keep_field_values() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR, metadata={"snapshot": "no", "snapshot_reason": "no"})
    entry = light.fire("switch_off", actor=ACTOR, snapshot=True)
    light.fire("switch_on", actor=ACTOR, observations={"snapshot_reason": ["a" * 22, "no"]})
    assert list(log.with_snapshot()) == [entry]
    assert list(light.snapshots) == [entry]


def test_with_snapshot_is_not_taken_in_by_what_somebody_else_recorded() -> None:
    from tests.testapp.gates import Gate

    gate = Gate.objects.create()
    forged = {"snapshot_reason": ["a" * 22, "every"]}
    gate.fire("carry", actor=ACTOR, arguments={"load": 1, "details": forged}, idempotency_key="k")
    assert gate.log.last().arguments["details"] == forged  # type: ignore[union-attr]
    assert gate.last_snapshot is None


def test_recent_is_newest_first_and_can_be_limited_in_time() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    assert [e.sequence for e in log.recent()] == [2, 1]
    assert log.recent(within=timedelta(minutes=5)).count() == 2
    assert log.recent(within=timedelta(0)).count() == 0


def test_pages_follow_each_other_without_gap_or_overlap() -> None:
    light = Light.objects.create()
    for n in range(9):
        light.fire("switch_off" if n % 2 else "switch_on", actor=ACTOR)
    seen: list[int] = []
    page = list(log.recent()[:3])
    while page:
        seen += [e.sequence for e in page]
        page = list(log.recent().before(page[-1].recorded_at, page[-1].id)[:3])
    assert seen == list(range(10, 0, -1))


def test_helpers_can_be_combined() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR, snapshot=True)
    found = log.for_model(Light).by_system().by_event("switch_on").with_snapshot().recent()
    assert [e.sequence for e in found] == [2]


def test_entries_are_never_changed_and_never_removed() -> None:
    light = Light.objects.create()
    entry = light.log.get()
    for attempt in (
        entry.save,
        entry.delete,
        lambda: log.all().delete(),
        lambda: log.update(event="x"),
        lambda: log.bulk_update([entry], ["event"]),
        lambda: light.log.delete(),
        lambda: log.create(model_label="x"),
        lambda: log.bulk_create([TransitionLog(model_label="x")]),
        lambda: log.get_or_create(model_label="x"),
        lambda: log.update_or_create(model_label="x"),
        lambda: LifecycleDefinition.objects.bulk_create([LifecycleDefinition(json="{}")]),
        lambda: LifecycleDefinition.objects.all().delete(),
        lambda: LifecycleDefinition.objects.update(json="{}"),
        LifecycleDefinition(json="{}").save,
    ):
        with pytest.raises(LifecycleError):
            attempt()
    assert light.log.get() == entry


def test_a_definition_is_stored_as_the_bytes_of_its_fingerprint() -> None:
    import hashlib

    light = Light.objects.create()
    entry = light.fire("switch_on", actor=ACTOR)
    stored = LifecycleDefinition.objects.get(model_label="testapp.light", fingerprint=entry.definition)
    assert hashlib.sha256(stored.json.encode()).hexdigest() == entry.definition == Light.lifecycle.fingerprint


def test_state_at_by_sequence_and_by_time() -> None:
    light = Light.objects.create()
    entries = [light.log.get()] + [light.fire(e, actor=ACTOR) for e in ("switch_on", "smash")]
    assert [light.state_at(n) for n in (0, 1, 2, 3, 99)] == [None, "off", "on", "broken", "broken"]
    before = entries[0].recorded_at - timedelta(seconds=1)
    assert light.state_at(before) is None
    assert light.state_at(entries[-1].recorded_at) == "broken"
    assert light.state_at(timezone.now() + timedelta(days=1)) == "broken"


def test_state_at_goes_by_when_it_was_recorded_not_by_when_it_happened() -> None:
    light = Light.objects.create()
    past = timezone.now() - timedelta(days=400)
    light.fire("switch_on", actor=ACTOR, occurred_at=past)
    assert light.state_at(past + timedelta(days=1)) is None


def test_in_state_takes_states_and_values() -> None:
    a, b = Light.objects.create(), Light.objects.create()
    b.fire("switch_on", actor=ACTOR)
    assert list(Light.objects.in_state(Light.Lifecycle.on)) == [b]
    assert set(Light.objects.in_state("on", "off")) == {a, b}
    assert list(Light.objects.filter(state=Light.Lifecycle.off)) == [a]
    with pytest.raises(ValueError, match="off, on, broken"):
        Light.objects.in_state("onn")


def test_stuck_goes_by_each_states_own_limit() -> None:
    from tests.testapp.gates import Gate

    def gate(days: float, *events: str) -> Gate:
        made = Gate.objects.create()
        for event in events:
            made.fire(event, actor=ACTOR, arguments={"load": 9} if event == "choose" else None)
        Gate.objects.filter(pk=made.pk).update(state_since=timezone.now() - timedelta(days=days))
        return made

    fresh, week, hour = gate(6.9), gate(7.1), gate(0.1, "unlock")
    gate(400, "choose")
    gone = gate(400, "remove")
    assert set(Gate.objects.stuck()) == {week, hour}
    assert set(Gate.objects.stuck(days=5)) == {fresh, week, Gate.objects.get(state="wide")}
    assert gone not in Gate.objects.stuck(days=0)
    assert Gate.objects.filter(state="shut").stuck().get() == week
    assert Gate.objects.stuck(days=1000).count() == 0


def test_without_roles_every_active_user_sees_every_record(user: User) -> None:
    from django.contrib.auth.models import AnonymousUser

    light = Light.objects.create()
    assert list(Light.objects.visible_to(user)) == [light]
    assert list(Light.objects.visible_to(AnonymousUser())) == []
    user.is_active = False
    assert list(Light.objects.visible_to(user)) == []
    assert Invoice.objects.visible_to(user).count() == 0
