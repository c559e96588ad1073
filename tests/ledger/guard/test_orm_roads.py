"""Rows that only grow, tried through the ORM: by the model's own manager, by Django's, and by what lies under both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, models
from django.db.models.deletion import Collector
from django.db.models.sql import DeleteQuery

from fsm_lifecycle.models import TransitionLog
from tests.ledger.guard.growing import GROWING, another, plain, untouched
from tests.testapp.models import Parcel

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("filled")]


def _field(model: Any) -> Any:
    """The last column that holds text."""
    return [f for f in model._meta.concrete_fields if isinstance(f, models.CharField | models.TextField)][-1]


def _first(model: Any) -> Any:
    return plain(model).order_by("pk")[0]


def _changed(model: Any) -> Any:
    row, field = _first(model), _field(model)
    setattr(row, field.attname, another(field, getattr(row, field.attname)))
    return row


def _with_changes(name: str) -> Callable[[Any], object]:
    return lambda model: getattr(model, name).update(**{_field(model).attname: "x"})


def _collected(model: Any) -> object:
    collector = Collector(using="default", origin=None)
    collector.collect([_first(model)])
    return collector.delete()


def _forced(model: Any) -> None:
    row = _changed(model)
    models.Model.save_base(row, using="default", force_update=True)


def _upserted(model: Any) -> object:
    row, name = _changed(model), _field(model).attname
    names: Any = (
        {"unique_fields": ["pk"]} if connection.features.supports_update_conflicts_with_target else {}
    )
    return plain(model).bulk_create([row], update_conflicts=True, update_fields=[name], **names)


def _deleted_by_query(model: Any) -> object:
    return DeleteQuery(model).delete_batch([_first(model).pk], "default")


def _half_of(model: Any) -> Any:
    return plain(model).filter(pk__in=[_first(model).pk])


ROADS: dict[str, Callable[[Any], object]] = {
    "objects.update": _with_changes("objects"),
    "the base manager's update": _with_changes("_base_manager"),
    "the default manager's update": _with_changes("_default_manager"),
    "objects.filter().update": lambda model: model.objects.filter(pk=_first(model).pk).update(reason="x"),
    "objects.bulk_update": lambda model: model.objects.bulk_update([_changed(model)], [_field(model).name]),
    "objects.bulk_create": lambda model: model.objects.bulk_create([_changed(model)]),
    "objects.update_or_create": lambda model: model.objects.update_or_create(
        pk=_first(model).pk, defaults={_field(model).attname: "x"}
    ),
    "objects.delete": lambda model: model.objects.all().delete(),
    "the base manager's delete": lambda model: model._base_manager.all().delete(),
    "save": lambda model: _changed(model).save(),
    "save of one field": lambda model: _changed(model).save(update_fields=[_field(model).name]),
    "save with force_update": lambda model: _changed(model).save(force_update=True),
    "delete": lambda model: _first(model).delete(),
    "save_base": lambda model: models.Model.save_base(_changed(model), using="default"),
    "save_base of a fixture": lambda model: models.Model.save_base(
        _changed(model), using="default", raw=True
    ),
    "save_base with force_update": _forced,
    "Model.save": lambda model: models.Model.save(_changed(model)),
    "Model.delete": lambda model: models.Model.delete(_first(model)),
    "a plain update": lambda model: plain(model).update(**{_field(model).attname: "x"}),
    "a plain update of a key": lambda model: _half_of(model).update(**{model._meta.pk.name: 2**40}),
    "a plain _update": lambda model: plain(model)._update([(_field(model), None, "x")]),  # type: ignore[attr-defined]
    "a plain bulk_update": lambda model: plain(model).bulk_update([_changed(model)], [_field(model).name]),
    "a plain update_or_create": lambda model: plain(model).update_or_create(
        pk=_first(model).pk, defaults={_field(model).attname: "x"}
    ),
    "a plain delete": lambda model: plain(model).delete(),
    "a plain delete of one": lambda model: _half_of(model).delete(),
    "_raw_delete": lambda model: plain(model)._raw_delete("default"),
    "_raw_delete of one": lambda model: _half_of(model)._raw_delete("default"),
    "a delete query": _deleted_by_query,
    "a collector": _collected,
    "a bulk_create that updates": _upserted,
}


@pytest.mark.parametrize("road", ROADS)
def test_no_road_of_the_orm_changes_or_removes_a_row(road: str) -> None:
    for model in GROWING:
        with untouched(f"{road} of {model.__name__}"):
            ROADS[road](model)


def test_saving_a_row_as_it_is_passes() -> None:
    """``loaddata`` does."""
    for model in GROWING:
        row = _first(model)
        models.Model.save_base(row, using="default", raw=True)
        models.Model.save_base(row, using="default", force_update=True)
        assert plain(model).update(**{_field(model).attname: models.F(_field(model).attname)}) >= 2


def test_no_table_that_only_grows_refers_to_another() -> None:
    """Cascades of MariaDB and MySQL skip triggers, so there must be none."""
    for model in GROWING:
        with connection.cursor() as cursor:
            constraints = connection.introspection.get_constraints(cursor, model._meta.db_table)
        assert not [name for name, c in constraints.items() if c["foreign_key"]]
        assert not [f for f in model._meta.get_fields() if f.is_relation]


def test_deleting_a_record_leaves_its_entries() -> None:
    """The record goes, with an entry more."""
    parcel = Parcel.objects.order_by("pk")[0]
    label = Parcel._lifecycle.label
    key = str(parcel.pk)
    entries = TransitionLog.objects.filter(model_label=label, object_pk=key)
    before = list(entries.values_list("entry_hash", flat=True))
    parcel.delete()
    assert set(before) < set(entries.values_list("entry_hash", flat=True))
