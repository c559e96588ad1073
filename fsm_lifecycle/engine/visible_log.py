"""Owns which log entries a user sees: those of records that the user may read; all of them with one permission.

Entries of records that are gone are seen by those who may see all entries, and by those who may read every record of
their model.

There are two forms, because a log of a million entries must answer both who may read nearly everything and who may
read three records. Who may read few records (up to ``FEW``, which one bounded statement finds out) gets
``id IN (entries of these records)``: it begins at the records and takes the index of a record's entries. For everybody
else each entry is asked for its record, in one ``CASE`` by model. No index fits a ``CASE``, so the order in time stays
the way in, and a page ends as soon as it is full. How far a page may search is the caller's to bound.

Keys never leave the database. Must not know how entries are shown.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    CharField,
    Exists,
    ExpressionWrapper,
    F,
    Func,
    Model,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    UUIDField,
    Value,
    When,
)
from django.db.models.fields import IntegerField
from django.db.models.functions import Cast, Replace

from fsm_lifecycle.access import branches, policy
from fsm_lifecycle.access.visibility import visible
from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.exact_text import exact_collation
from fsm_lifecycle.ledger.entry import TransitionLog, TransitionLogQuerySet
from fsm_lifecycle.registry import lifecycles, lives_in

#: So many records at most are taken for few.
FEW: Final = 500

ALL_ENTRIES: Final = "fsm_lifecycle.view_all_entries"


@dataclass(frozen=True)
class Sight:
    """What of the log one user sees. Made once for a request."""

    everything: bool
    """Whether no entry is hidden."""
    wide: frozenset[str]
    """The models (``app.model``) of which every entry is seen."""
    partly: tuple[type[Model], ...]
    """The models of which some records may be read. Children's stand here, too: their entries go by their owner."""
    few: bool
    """Whether only entries of few records are seen, so that a page costs little however long the log is."""
    user: Any

    @property
    def nothing(self) -> bool:
        """Whether every entry is hidden."""
        return not (self.everything or self.wide or self.partly)

    def sees(self, model: Any) -> bool:
        """Whether every entry of a model is seen."""
        return self.everything or model._lifecycle.label in self.wide

    def some_of(self, model: Any) -> bool:
        """Whether entries of a model's records may be seen."""
        return self.sees(model) or model in self.partly or model._lifecycle.owner in self.partly

    def entries(self, found: TransitionLogQuerySet) -> TransitionLogQuerySet:
        """Those of the entries that are seen."""
        if self.everything:
            return found
        if self.nothing:
            return found.none()
        connection = connections[found.db]
        if self.few:
            seen = Q(pk__in=[])
            for model in self.partly:
                seen |= _among(connection, "pk", _of_records(model, self.user, connection))
            return found.filter(seen)
        cases = [When(model_label=label, then=Value(True)) for label in sorted(self.wide)]
        families: dict[str, list[type[Model]]] = {}
        for model in self.partly:
            families.setdefault(model._lifecycle.label, []).append(model)  # type: ignore[attr-defined]
        cases += [_of_entry(models, self.user, connection) for models in families.values()]
        return found.filter(Case(*cases, default=Value(False), output_field=BooleanField()))


def sight(user: Any, using: str | None = None, among: Container[str] | None = None) -> Sight:
    """What of the log a user sees. ``using``: where the log is; by default, where it is read from.

    ``among``: only the entries of models with these labels are asked about.
    """
    using = using or TransitionLog.objects.db
    if user.has_perm(ALL_ENTRIES):
        return Sight(True, frozenset(), (), False, user)
    wide: set[str] = set()
    partly: list[type[Model]] = []
    few = True
    for model in owners_first():
        label = model._lifecycle.label
        if label in wide or (among is not None and label not in among):
            continue
        rights = policy.rights(user, model)
        if rights.refusal:
            continue
        if rights.allows(CRUD.READ) and model._lifecycle.owner is model:
            wide.add(label)
            continue
        if not lives_in(model, using):
            continue
        number = _visible(model, user, using).order_by()[: FEW + 1].count()
        if number:
            partly.append(model)
            few = few and number <= FEW
    return Sight(False, frozenset(wide), tuple(partly), few and not wide, user)


def owners() -> list[Any]:
    """The models that entries name: those whose table has the state. Children's entries go by them."""
    return [model for model in lifecycles() if model._lifecycle.owner is model]


def owners_first() -> list[Any]:
    """Every model with a lifecycle; children after the models that entries name."""
    return sorted(lifecycles(), key=lambda model: model._lifecycle.owner is not model)


def _visible(model: type[Model], user: Any, using: str) -> QuerySet[Any]:
    return visible(QuerySet(model, using=using), user)


def _of_records(model: Any, user: Any, connection: BaseDatabaseWrapper) -> QuerySet[Any]:
    keys = _visible(model, user, connection.alias).order_by().values_list(KeyText(model))
    entries = TransitionLog.objects.using(connection.alias).filter(model_label=model._lifecycle.label)
    return entries.filter(_among(connection, "object_pk", keys)).order_by().values("pk")


def _among(connection: BaseDatabaseWrapper, name: str, values: QuerySet[Any]) -> Q:
    """A column's value is among few. PostgreSQL gets them as an array, which it makes first and takes for small.

    It does not know how few ``IN (SELECT ...)`` finds, and would rather walk the whole log in the order asked for.
    """
    if connection.vendor != "postgresql":
        return Q(**{f"{name}__in": values})
    array = Subquery(values, template="ARRAY(%(subquery)s)")
    return Q(
        Func(F(name), array, template="(%(expressions)s))", arg_joiner=" = ANY(", output_field=BooleanField())
    )


def _of_entry(models: Sequence[Any], user: Any, connection: BaseDatabaseWrapper) -> When:
    """Whether the record of an entry may be read, as one of these models of a family.

    What is no key of theirs is not even compared.
    """
    field = branches.key_field(models[0])
    named: Any = OuterRef("object_pk")
    here = Q(model_label=models[0]._lifecycle.label)
    strict = (
        connection.vendor == "postgresql"
    )  # elsewhere a text that is no key is cast to one that nothing has
    if isinstance(field, UUIDField):
        if connection.features.has_native_uuid_field:
            named = Cast(named, UUIDField())
            here &= Q(object_pk__regex="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$") if strict else Q()
        else:
            named = Replace(named, Value("-"), Value(""), output_field=CharField())
    elif isinstance(field, IntegerField):
        named = Cast(named, BigIntegerField())
        here &= Q(object_pk__regex="^-?[0-9]{1,18}$") if strict else Q()
    readable = Q()
    for model in models:
        readable |= Q(Exists(_visible(model, user, connection.alias).order_by().filter(pk=named)))
    return When(here, then=ExpressionWrapper(readable, output_field=BooleanField()))


class KeyText(Func):
    """A record's key as the text that entries name it by."""

    output_field = TextField()

    def __init__(self, model: type[Model]) -> None:
        super().__init__(F("pk"))
        self.model = model

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
        sql, params = compiler.compile(self.source_expressions[0])
        text = branches.as_text(connection, branches.key_field(self.model), sql)
        collation = exact_collation(connection)
        return f"{text} COLLATE {collation}" if collation else text, list(params) * text.count(sql)
