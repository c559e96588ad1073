"""What happens to a lifecycle model when its class is prepared: columns, index, table, generated names.

Done programmatically, so that a host's own ``class Meta`` and ``class Lifecycle(Parent.Lifecycle)`` lose nothing.
Must not know what the surfaces make of it.
"""

from __future__ import annotations

import inspect
from typing import Any

from django.db import models
from django.db.models.fields.files import FileDescriptor
from django.db.models.fields.related_descriptors import ForeignKeyDeferredAttribute
from django.db.models.query_utils import DeferredAttribute
from django.db.models.signals import post_delete, pre_delete
from django.utils import timezone

from fsm_lifecycle.access.belongings import forget_record
from fsm_lifecycle.definition import Table
from fsm_lifecycle.engine import beginnings
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, SINCE, Binding
from fsm_lifecycle.engine.legal_hold import refuse_held
from fsm_lifecycle.exact_text import ExactTextField
from fsm_lifecycle.exceptions import InvalidDefinition
from fsm_lifecycle.fields import SinceField, StateDescriptor, StateField
from fsm_lifecycle.interop.django_fsm import project


class NoDeclaration:
    """Stands in for a nested ``Lifecycle`` that is missing, so that a system check can say so."""


def add_columns(model: type[Any]) -> None:
    """Compile the table of a model and add its columns and index, before Django names what ``Meta.indexes`` lists."""
    declaration = getattr(model, "Lifecycle", NoDeclaration)
    if not isinstance(declaration, type):
        raise InvalidDefinition(f"{model.__name__}.Lifecycle must be a class, not {declaration!r}.")
    model.lifecycle = Table(declaration, model)
    _add_columns(model, model.lifecycle)


def prepare(model: type[Any]) -> None:
    """Bind a model that has its columns to its table, and give the class what the table generates."""
    table: Table = model.lifecycle
    field = model._meta.get_field(model.lifecycle_field)
    if field.model is model:
        declared = table.options.get("label")
        label = declared if isinstance(declared, str) and declared else model._meta.label_lower
    else:
        label = field.model._lifecycle.label  # one chain, one label for a family
    binding = Binding(model, table, field, label)
    inherited = getattr(model, "_lifecycle", None)
    model._lifecycle = binding
    binding.compile()
    binding.loads_fast = _loads_fast(model)
    project(model, binding, inherited)
    pre_delete.connect(_before_delete, sender=model)
    post_delete.connect(_after_delete, sender=model)


def _column_name(model: type[models.Model]) -> str:
    name = model.lifecycle_field  # type: ignore[attr-defined]
    fit = isinstance(name, str) and name.isidentifier() and "__" not in name and not name.endswith("_")
    if not fit or name in (SINCE, SEQUENCE, HEAD):
        raise InvalidDefinition(
            f"{model.__name__}.lifecycle_field is {name!r}, which cannot be the name of the state's column. Write "
            f'lifecycle_field = "status", or leave it out for "state".'
        )
    return str(name)


def _add_columns(model: type[models.Model], table: Table) -> None:
    """Add the columns to the first concrete model of a family; children share them."""
    name = _column_name(model)
    present = {f.name: f for f in (*model._meta.fields, *model._meta.many_to_many)}
    found = present.get(name)
    if isinstance(found, StateField):
        _add_choices(found, table)
        return
    if found is not None:
        raise InvalidDefinition(
            f"{model.__name__} declares a field “{name}” of its own, which is where its lifecycle stores the state. "
            f"Remove the field: the package adds it. Or set lifecycle_field to another name."
        )
    if hasattr(model, name):
        raise InvalidDefinition(
            f"{model.__name__} has an attribute “{name}”, which is where its lifecycle stores the state. Rename the "
            f"attribute, or set lifecycle_field to another name."
        )
    taken = [column for column in (SINCE, SEQUENCE, HEAD) if column in present]
    if taken:
        raise InvalidDefinition(
            f"{model.__name__} declares {', '.join(taken)}, which the package adds itself. Rename the field."
        )
    field = StateField(default=table.initial.value, choices=[], verbose_name=name.replace("_", " "))
    _add_choices(field, table)
    field.contribute_to_class(model, name)
    SinceField(default=timezone.now, editable=False).contribute_to_class(model, SINCE)
    models.BigIntegerField(default=0, editable=False).contribute_to_class(model, SEQUENCE)
    ExactTextField(max_length=64, default="", editable=False, blank=True).contribute_to_class(model, HEAD)
    index = models.Index(fields=[name, SINCE])
    if index not in model._meta.indexes:  # Django would give both one name
        model._meta.indexes = [*model._meta.indexes, index]
        model._meta.original_attrs["indexes"] = model._meta.indexes


def _add_choices(field: models.Field[Any, Any], table: Table) -> None:
    """Let the field know the states of every table of the family. Choices are not part of migrations."""
    known = list(field.choices or [])
    values = {value for value, _ in known}
    field.choices = known + [(s.value, s.label) for s in table.states.values() if s.value not in values]


def _loads_fast(model: type[models.Model]) -> bool:
    plain = (DeferredAttribute, ForeignKeyDeferredAttribute, StateDescriptor, FileDescriptor)
    if model.__init__ is not models.Model.__init__ or model.__setattr__ is not object.__setattr__:
        return False
    if any(f.column is None for f in model._meta.concrete_fields):
        return False
    for field in model._meta.concrete_fields:
        descriptor = inspect.getattr_static(model, field.attname, None)
        if hasattr(type(descriptor), "__set__") and not isinstance(descriptor, plain):
            return False
    return True


def _before_delete(sender: type[Any], instance: Any, using: str, **kwargs: Any) -> None:
    """Write the last entry. A signal, because cascades from other models are announced in no other way."""
    binding: Binding = sender._lifecycle
    if binding.owner is sender._meta.concrete_model:
        instance._state.lifecycle_ended = beginnings.end(binding, instance, using)
    # After the row was locked there, so that no hold is placed meanwhile.
    refuse_held(instance, using)
    # After the row was locked there: nobody can be given a role on it any more.
    forget_record(sender, instance.pk, using, kwargs.get("origin"))


def _after_delete(sender: type[Any], instance: Any, using: str, **kwargs: Any) -> None:
    """Where there was no row to end, see that the DELETE did not hit one that came into being since."""
    binding: Binding = sender._lifecycle
    if binding.owner is sender._meta.concrete_model and not instance._state.lifecycle_ended:
        beginnings.refuse_unlogged_end(binding, instance, using)
