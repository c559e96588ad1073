"""What access keeps of a person, and what becomes of it when the person is to be forgotten.

Only finds: who asks writes, in its own transaction. Must not know who asks, nor the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.db import models, router

from fsm_lifecycle.access.delegation import Delegation
from fsm_lifecycle.access.event import AccessEvent
from fsm_lifecycle.access.person import Person

PAGE: Final = 1000

#: For each label of an access event: the columns that say whose it is, and the kinds of which that is a user's key.
_LABELS: Final = {
    "holder_label": ("holder_id", "holder_kind", ("user",)),
    "delegate_label": ("delegate_id", "", ()),
    "actor_label": ("actor_id", "actor_kind", ("user", "agent")),
    "group_label": ("", "", ()),
}


def of_person(using: str, person: Person, /) -> Iterator[tuple[type[models.Model], Any, Mapping[str, Any]]]:
    """What tells of a person in access events and delegations: model, key, and what the columns become.

    A label is emptied where the person is meant or named, a reason where the person is named.
    """
    for event in _rows(AccessEvent, using):
        emptied = [name for name in _LABELS if _is_label_of(event, name, person)]
        if person.named_in(event.reason):
            emptied.append("reason")
        if emptied:
            yield AccessEvent, event.pk, dict.fromkeys(emptied, "")
    for delegation in _rows(Delegation, using):
        emptied = []
        label = delegation.from_label
        if label and (str(delegation.from_user_id) == person.id or person.named_in(label)):
            emptied.append("from_label")
        if person.named_in(delegation.reason):
            emptied.append("reason")
        if emptied:
            yield Delegation, delegation.pk, dict.fromkeys(emptied, "")


def _is_label_of(event: AccessEvent, name: str, person: Person) -> bool:
    label = getattr(event, name)
    if not label:
        return False
    id_column, kind_column, kinds = _LABELS[name]
    meant = bool(id_column) and getattr(event, id_column) == person.id
    if meant and kind_column:
        meant = getattr(event, kind_column) in kinds
    return meant or person.named_in(label)


def _rows(model: type[Any], using: str) -> Iterator[Any]:
    """The rows of a table by key, a page at a time; none where routers keep the table out of this database."""
    if not router.allow_migrate_model(using, model):
        return
    rows: models.QuerySet[Any] = models.QuerySet(model, using=using).order_by("pk")
    page = list(rows[:PAGE])
    while page:
        yield from page
        page = list(rows.filter(pk__gt=page[-1].pk)[:PAGE])
