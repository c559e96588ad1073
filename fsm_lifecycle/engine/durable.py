"""Owns durable effects: a row in the firing's transaction, and the firing told again from its entry when it is run.

Such an effect may run more than once (a worker that dies after it, before it could say so). ``fires`` bears that by an
idempotency key; others can tell a repetition by ``firing.record`` and ``firing.sequence``, the same each time.

Must not know how work is dispatched.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.forms import Field, ModelMultipleChoiceField
from django.utils import timezone

from fsm_lifecycle.access.actors import AgentActor, System
from fsm_lifecycle.definition import Effect, Event
from fsm_lifecycle.dispatch import kinds
from fsm_lifecycle.dispatch.enqueuing import enqueue_many
from fsm_lifecycle.dispatch.kinds import GiveUp, Kind
from fsm_lifecycle.dispatch.work import Work
from fsm_lifecycle.dispatch.work_item import WorkItem
from fsm_lifecycle.engine.binding import Binding, Plan
from fsm_lifecycle.engine.causes import Link, chain_of
from fsm_lifecycle.engine.firing import Firing
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.recordable import RecordRef
from fsm_lifecycle.registry import get

KIND: Final = "effect"


def enqueue(binding: Binding, plan: Plan, fired: Sequence[tuple[Any, str]], using: str) -> None:
    """Write the durable effects of these firings (records and entry hashes) as work, with one statement."""
    now = timezone.now()
    enqueue_many(
        (
            WorkItem(
                kind=KIND,
                key=f"effect:{entry_hash}:{place}",
                payload={
                    "model": binding.model._meta.label_lower,
                    "entry": entry_hash,
                    "place": place,
                    "effect": effect.name,
                },
                due_at=now,
                created_at=now,
            )
            for _, entry_hash in fired
            for place, effect in plan.durable
        ),
        using=using,
    )


def run(work: Work) -> None:
    """Run one durable effect. What it raises means another try."""
    entry = TransitionLog.objects.using(work.using).filter(entry_hash=work.payload["entry"]).first()
    if entry is None:
        raise GiveUp("The entry of its firing is gone.")
    try:
        model: Any = get(work.payload["model"])
    except LookupError:
        raise GiveUp(f"There is no lifecycle {work.payload['model']} any more.") from None
    binding: Binding = model._lifecycle
    event = binding.table.events.get(entry.event or "")
    effect = None if event is None else _effect(event, work.payload["place"], work.payload["effect"])
    if event is None or effect is None:
        raise GiveUp(f"“{entry.event}” has no durable effect “{work.payload['effect']}” any more.")
    rows: QuerySet[Any] = QuerySet(model, using=work.using)
    record = rows.filter(**{binding.key_attname: entry.object_pk}).first()
    if record is None:
        raise GiveUp("The record was deleted.")
    with chain_of(_chain(entry)):
        effect(record, _firing(binding, event, record, entry))


def _effect(event: Event, place: int, name: str) -> Effect | None:
    """The effect at its place, or, where the table has changed since, the one of its name."""
    found = [e for e in event.effects[place : place + 1] if e.name == name and e.retry]
    found += [e for e in event.effects if e.name == name and e.retry]
    return found[0] if found else None


def _chain(entry: TransitionLog) -> tuple[Link, ...]:
    """The firings that led here, the root first, this one last."""
    return tuple(
        Link(one.entry_hash, one.model_label, one.object_pk, one.event or "")
        for one in reversed([entry, *entry.causes()])
    )


def _firing(binding: Binding, event: Event, record: Any, entry: TransitionLog) -> Firing:
    """The firing as its entry tells it."""
    field = entry.fields.get("arguments")
    if field is not None and field.redacted:
        raise GiveUp("The arguments of its firing were redacted.")
    states = binding.table.states
    source, target = states.get(entry.from_state or ""), states.get(entry.to_state or "")
    if source is None or target is None:
        raise GiveUp("The table has no longer the states of its firing.")
    plan = binding.plan(event.name)
    fields = {} if plan is None or plan.form is None else plan.form().fields
    arguments = {name: _argument(fields.get(name), value) for name, value in entry.arguments.items()}
    return Firing(
        record=record,
        event=event,
        source=source,
        target=target,
        actor=actor_of(entry),
        arguments=MappingProxyType(arguments),
        metadata=MappingProxyType(entry.metadata),
        cause=entry.cause,
        sequence=entry.sequence,
        occurred_at=entry.occurred_at,
    )


def _argument(field: Field | None, value: Any) -> Any:
    """A cleaned argument from its form in the log: records are loaded again, as what the form's field makes of them."""
    many = field.queryset if isinstance(field, ModelMultipleChoiceField) else None
    if many is not None and isinstance(value, list) and all(isinstance(one, RecordRef) for one in value):
        return many.model._base_manager.filter(pk__in=[_loaded(one).pk for one in value])
    if isinstance(value, RecordRef):
        return _loaded(value)
    if isinstance(value, list) and any(isinstance(one, RecordRef) for one in value):
        return [_loaded(one) if isinstance(one, RecordRef) else one for one in value]
    return value


def _loaded(reference: RecordRef) -> Any:
    try:
        model = apps.get_model(reference.model)
    except (LookupError, ValueError):
        raise GiveUp(f"There is no model {reference.model} any more.") from None
    found = model._base_manager.filter(pk=reference.pk).first()
    if found is None:
        raise GiveUp(f"{reference.model} {reference.pk}, an argument of its firing, was deleted.")
    return found


def actor_of(entry: TransitionLog) -> Any:
    """Who fired, as an actor with the rights of this moment. Raises ``GiveUp`` for a person who is gone."""
    if entry.actor_kind == "system":
        return System(entry.actor_id)
    users = get_user_model()._default_manager
    user = users.filter(pk=entry.actor_id).first() if entry.actor_id else None
    if user is None:
        raise GiveUp("The person who fired it is gone.")
    if entry.actor_kind == "agent":
        said: Any = {name: field.value for name, field in entry.fields.items() if not field.redacted}
        name, told = (said.get("actor") or {}).get("agent") or "agent", said.get("run") or {}
        return AgentActor(name, user, run=told).in_consequence()
    return user


kinds.register(Kind(name=KIND, label="Effect", run=run))
