"""Owns what of the log and of the refusals a user sees: rows of records that may be read, or all of them.

Must not know how rows are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.core.exceptions import ValidationError
from django.db import router
from django.db.models import Model, Q, QuerySet
from django.urls import NoReverseMatch, reverse

from fsm_lifecycle.access import branches, policy
from fsm_lifecycle.access.visibility import visible
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.engine.visible_log import KeyText, owners_first
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.registry import lifecycles, lives_in

_LARGEST = 2**63 - 1

#: ``app.model`` and the key as text: how entries and refusals name a record.
Place = tuple[str, str]


class Seen:
    """What one user sees. Made for one request; records that are gone are seen by who sees all entries alone.

    ``using``: the database of the log, which is that of the records; by default, where the log is read from.
    """

    def __init__(self, user: Any, using: str | None = None) -> None:
        self.user, self.using = user, using or TransitionLog.objects.db

    @cached_property
    def everything(self) -> bool:
        """Whether rows are shown without regard to their records."""
        return bool(self.user.has_perm("fsm_lifecycle.view_all_entries"))

    def rows(self, queryset: QuerySet[Any], model: type[Model] | None = None) -> QuerySet[Any]:
        """The rows (with ``model_label`` and ``object_pk``) that the user sees, of one model or of all."""
        if model is not None:
            queryset = queryset.filter(model_label=label_of(model))
        if self.everything:
            return queryset
        seen = Q(pk__in=[])
        for one in lifecycles():
            if model is None or label_of(one) == label_of(model):
                seen |= self._rows_of(one, queryset.db)
        return queryset.filter(seen)

    def _rows_of(self, model: type[Model], using: str) -> Q:
        here = Q(model_label=label_of(model))
        rights = policy.rights(self.user, model)
        if rights.refusal:
            return Q(pk__in=[])
        # A child's rows stand under the label of the model whose table has the state, among those of its other records.
        if rights.allows(CRUD.READ) and model._lifecycle.owner is model:  # type: ignore[attr-defined]
            return here
        if not lives_in(model, using):
            return Q(pk__in=[])
        records = visible(QuerySet(model, using=using), self.user)
        return here & Q(object_pk__in=records.order_by().values_list(KeyText(model)))

    def records(self, places: Iterable[Place]) -> Mapping[Place, Any]:
        """The records at these places that are there and may be read: one statement for each model."""
        wanted: dict[str, set[str]] = {}
        for label, key in places:
            wanted.setdefault(label, set()).add(key)
        found: dict[Place, Any] = {}
        for model in owners_first():
            label = label_of(model)
            if (texts := wanted.get(label)) is None or not lives_in(model, self.using):
                continue
            # Entries name the model whose table has the state; of its children only what is not found there is asked.
            left = [text for text in texts if (label, text) not in found]
            keys = [key for text in left if (key := key_of(model, text)) is not None]
            if not keys:
                continue
            rows: QuerySet[Any] = QuerySet(model, using=self.using)
            for record in visible(rows.filter(pk__in=keys), self.user):
                found[label, key_text(record.pk)] = record
        return found


def label_of(model: Any) -> str:
    """How entries name a model with a lifecycle."""
    return str(model._lifecycle.label)


def key_of(model: type[Model], text: str, *, exact: bool = True) -> Any:
    """The key that a text names; ``None`` where it can be none of this model's.

    ``exact``: only in the form in which entries name it; otherwise also as people write it.
    """
    if "\0" in text or len(text) > 255:
        return None
    try:
        key = branches.key_field(model).to_python(text if exact else text.strip())
        if key is None or key == "" or (exact and key_text(key) != text):
            return None
    except (ValidationError, ValueError, TypeError, OverflowError):
        return None
    return None if isinstance(key, int) and not -_LARGEST <= key <= _LARGEST else key


def url_of_record(site: AdminSite, record: Any) -> str:
    """The address of a record's page in the admin; empty where its model has none there.

    A page shows the record of the database that the routers name, so another's has none either.
    """
    model = type(record)
    if model not in site._registry or router.db_for_write(model, instance=record) != router.db_for_write(
        model
    ):
        return ""
    try:
        name = f"{site.name}:{model._meta.app_label}_{model._meta.model_name}_change"
        return reverse(name, args=[quote(record.pk)])
    except NoReverseMatch:
        return ""
