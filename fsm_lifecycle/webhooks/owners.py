"""Which models entries name, which of their fields are opened, and which entries an endpoint's owner may know of.

Must not know deliveries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Field, Model, Q, QuerySet

from fsm_lifecycle.access import policy, stores
from fsm_lifecycle.access.codenames import codes_of, concrete
from fsm_lifecycle.access.event import AccessEvent
from fsm_lifecycle.access.record_keys import readable
from fsm_lifecycle.access.visibility import visible
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.definition.api_fields import opened_names
from fsm_lifecycle.engine.families import children_with_own_table
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.registry import lifecycles


def model_of(label: str) -> Any:
    """The model whose records entries call by a label; ``None`` when there is none any more."""
    for model in lifecycles():
        if model._lifecycle.label == label and model._lifecycle.owner is model:
            return model
    return None


def family(label: str) -> list[Any]:
    """The models of the rows that entries call by a label, the most specific last."""
    model = model_of(label)
    return [] if model is None else [model, *children_with_own_table(model._lifecycle)]


def opened(model: Any) -> list[Field[Any, Any]]:
    """The fields that the model's lifecycle opens to the outside (``api_fields``)."""
    names = set(opened_names(model._lifecycle.table))
    return [field for field in model._meta.concrete_fields if field.name in names]


def records(model: type[Model], texts: Iterable[str], using: str) -> QuerySet[Any]:
    """The records with these keys. A text that is no key of the model names none."""
    rows: QuerySet[Any] = QuerySet(model, using=using)
    return rows.filter(pk__in=readable(rows, list(texts)))


def seen_by(owner: Any, entries: Sequence[TransitionLog], using: str, *, gone: bool = False) -> set[str]:
    """The hashes of the entries whose record a user may see now.

    Entries of a record that is gone are seen by who may read all records of the model, and by whose rights to read it
    ended with it. ``gone``: all of these count as seen, since it was judged while the record was there.
    """
    by_model: dict[str, list[TransitionLog]] = {}
    for entry in entries:
        by_model.setdefault(entry.model_label, []).append(entry)
    seen: set[str] = set()
    for label, found in by_model.items():
        model = model_of(label)
        if model is None:
            continue
        rights = policy.fresh_model_rights(owner, model)
        if rights.refusal:
            continue
        if rights.allows(CRUD.READ):
            keys = {entry.object_pk for entry in found}
        else:
            keys = _seen(owner, model, {entry.object_pk for entry in found}, using, gone)
        seen.update(entry.entry_hash for entry in found if entry.object_pk in keys)
    return seen


def _seen(owner: Any, model: type[Model], texts: set[str], using: str, gone: bool) -> set[str]:
    here = records(model, texts, using)
    seen = {key_text(key) for key in visible(here, owner).order_by().values_list("pk", flat=True)}
    lost = texts - seen - {key_text(key) for key in here.values_list("pk", flat=True)}
    return seen | (lost if gone else _ended_with(owner, model, lost) if lost else set())


def _ended_with(owner: Any, model: type[Model], texts: set[str]) -> set[str]:
    """The records whose deletion took a right to read them from the user or from one of the user's groups."""
    using = stores.alias_of(owner)
    holders = Q(holder_kind="user", holder_id=stores.user_text(owner))
    if stores.has_groups():
        groups = [stores.text_of(key) for key in owner.groups.values_list("pk", flat=True)]
        holders |= Q(holder_kind="group", holder_id__in=groups)
    events = AccessEvent.objects.using(using).filter(
        holders,
        road="deletion",
        action="revoked",
        model_label=concrete(model)._meta.label_lower,
        object_pk__in=texts,
        permission__in=codes_of(model).giving(crud=CRUD.READ),
    )
    return set(events.values_list("object_pk", flat=True))
