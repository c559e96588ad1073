"""A purged record is gone for good; its log ends with an entry that says so, and tells of nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, models

from fsm_lifecycle import AccessDenied, ActorRequired, LifecycleError, StaleState
from fsm_lifecycle.engine.purging import before_purge, purge
from fsm_lifecycle.ledger.redaction import NotRedactable
from fsm_lifecycle.models import RefusedAttempt, TransitionLog
from tests.acting import ACTOR
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Contract, Document, Door, Invoice, Light, Order, Report, Treaty

pytestmark = pytest.mark.django_db

WHY = "ten years"


class Held(LifecycleError):
    """Somebody objects."""


@pytest.fixture
def asked() -> Iterator[list[Any]]:
    """What an objection was asked about; it objects to records called “held”."""
    rows: list[Any] = []

    def ask(row: Any, using: str, /) -> None:
        rows.append((row.pk, row.state, using))
        if row.name == "held":
            raise Held("There is a hold.")

    unregister = before_purge("tests", ask)
    yield rows
    unregister()


def log_of(label: str, pk: Any) -> list[TransitionLog]:
    return list(TransitionLog.objects.filter(model_label=label, object_pk=str(pk)).order_by("sequence"))


def test_the_row_is_gone_and_its_log_ends_with_purged(user: User) -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=user, metadata={"who": "Anna"})
    copy = Light.objects.get()
    last = purge(light, reason=WHY, by=ACTOR)
    assert not Light.objects.exists()
    log = log_of("testapp.light", copy.pk)
    assert [e.kind for e in log] == ["created", "transition", "redaction", "purged"]
    assert (last, last.from_state, last.to_state, last.reason) == (log[-1], "on", None, WHY)
    assert log[2].arguments == {"entry": log[1].entry_hash, "fields": ["actor", "metadata"]}
    assert "Anna" not in log[1].body
    assert copy.replay().whole
    assert copy.state_at(99) is None


def test_bodies_can_be_kept() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR, metadata={"who": "Anna"})
    pk = light.pk
    purge(light, reason=WHY, by=ACTOR, redact_bodies=False)
    assert [e.kind for e in log_of("testapp.light", pk)] == ["created", "transition", "purged"]
    assert log_of("testapp.light", pk)[1].metadata == {"who": "Anna"}


def test_what_was_refused_on_it_is_told_no_more(user: User) -> None:
    light = Light.objects.create()
    with pytest.raises(LifecycleError):
        light.fire("switch_off", actor=user)
    purge(light, reason=WHY, by=ACTOR)
    attempt = RefusedAttempt.objects.get()
    assert (attempt.actor_label, attempt.reason, attempt.denials[0]["reason"]) == ("", "", "")
    assert (attempt.code, attempt.actor_id) == ("wrong_state", str(user.pk))


def test_whoever_objects_stops_it(asked: list[Any]) -> None:
    held, free = Light.objects.create(name="held"), Light.objects.create()
    with pytest.raises(Held):
        purge(held, reason=WHY, by=ACTOR)
    assert [e.kind for e in held.log] == ["created"]
    purge(free, reason=WHY, by=ACTOR)
    assert asked == [(held.pk, "off", "default"), (free.pk, "off", "default")]
    assert Light.objects.get() == held
    held.fire("switch_on", actor=ACTOR)


def test_an_objection_can_be_taken_back(asked: list[Any]) -> None:
    replaced = before_purge("tests", lambda row, using: None)
    purge(Light.objects.create(name="held"), reason=WHY, by=ACTOR)
    replaced()
    assert asked == []
    assert not Light.objects.exists()


@pytest.mark.parametrize("change", ["fire", "delete"])
def test_what_is_not_what_the_caller_believes_stays(change: str) -> None:
    light = Light.objects.create()
    stale = Light.objects.get()
    light.fire("switch_on", actor=ACTOR) if change == "fire" else light.delete()
    before = TransitionLog.objects.count()
    with pytest.raises(StaleState, match="Nothing was purged"):
        purge(stale, reason=WHY, by=ACTOR)
    assert TransitionLog.objects.count() == before


def test_what_is_not_what_its_log_says_stays() -> None:
    light = Light.objects.create()
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE testapp_light SET state = 'on'")
    light.refresh_from_db()
    with pytest.raises(StaleState, match="not what its log says"):
        purge(light, reason=WHY, by=ACTOR)


def test_an_unsaved_record_is_refused() -> None:
    with pytest.raises(StaleState, match="not in the database"):
        purge(Light(), reason=WHY, by=ACTOR)
    with pytest.raises(TypeError, match="no lifecycle"):
        purge(User.objects.create_user("bob"), reason=WHY, by=ACTOR)


def test_a_reason_and_an_actor_are_needed() -> None:
    light = Light.objects.create()
    with pytest.raises(NotRedactable, match="no reason"):
        purge(light, reason=" ", by=ACTOR)
    with pytest.raises(ActorRequired):
        purge(light, reason=WHY)
    assert light.log.count() == 1


@pytest.mark.parametrize("as_parent", [True, False])
@pytest.mark.parametrize("model", [Report, Treaty])
def test_a_child_goes_with_its_parent_however_it_was_loaded(model: Any, as_parent: bool) -> None:
    pk = model.objects.create(title="t").pk
    purge((Document if as_parent else model).objects.get(pk=pk), reason=WHY, by=ACTOR)
    assert [e.kind for e in log_of("testapp.document", pk)] == ["created", "purged"]
    assert not Document.objects.exists()


def test_what_depends_on_it_is_deleted_with_an_entry() -> None:
    contract = Contract.objects.create()
    order = Order.objects.create(contract=contract)
    purge(contract, reason=WHY, by=ACTOR)
    assert [e.kind for e in log_of("testapp.order", order.pk)] == ["created", "deleted"]
    assert TransitionLog.objects.filter(kind="purged").count() == 1


def test_a_models_own_delete_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_hide(self: models.Model) -> None:
        raise AssertionError("a model that only hides what is deleted")

    monkeypatch.setattr(Light, "delete", only_hide)
    purge(Light.objects.create(), reason=WHY, by=ACTOR)
    assert not Light.objects.exists()


def test_a_key_used_again_continues_the_chain() -> None:
    door = Door.objects.create(code="a")
    purge(door, reason=WHY, by=ACTOR)
    again = Door.objects.create(code="a")
    assert [e.kind for e in again.log] == ["created", "purged", "created"]
    again.delete()
    assert [e.kind for e in log_of("testapp.door", "a")] == ["created", "purged", "created", "deleted"]


def test_a_long_log_is_redacted_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsm_lifecycle.engine.purging.PAGE", 3)
    light = Light.objects.create()
    for n in range(7):
        light.fire("switch_off" if n % 2 else "switch_on", actor=ACTOR, metadata={"n": n})
    copy = Light.objects.get()
    purge(light, reason=WHY, by=ACTOR)
    kinds = [e.kind for e in copy.log]
    assert kinds == ["created", *["transition"] * 7, *["redaction"] * 7, "purged"]
    assert copy.replay().whole
    assert not any(e.metadata for e in copy.log)


def test_a_deletion_that_is_forbidden_leaves_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*args: Any, **kwargs: Any) -> None:
        raise AccessDenied("not now")

    invoice = Invoice.objects.create()
    models.signals.pre_delete.connect(forbid, sender=Invoice)
    try:
        with pytest.raises(AccessDenied):
            purge(invoice, reason=WHY, by=ACTOR)
    finally:
        models.signals.pre_delete.disconnect(forbid, sender=Invoice)
    assert [e.kind for e in invoice.log] == ["created"]
    invoice.fire("cancel", actor=ACTOR)
