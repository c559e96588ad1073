"""The state field, and the text field that compares bytes.

The state field looks like django-fsm-2's to whoever reads it, and refuses every write that is not a firing.
Must not know how a firing writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.query_utils import DeferredAttribute
from django.db.models.sql.compiler import SQLInsertCompiler, SQLUpdateCompiler
from django_fsm import FSMField

from fsm_lifecycle.definition.state import MAX_VALUE_LENGTH
from fsm_lifecycle.engine.beginnings import refuse_foreign_insert
from fsm_lifecycle.exact_text import ExactTextField, exact_collation
from fsm_lifecycle.exceptions import DirectStateChange

__all__ = ["ExactTextField", "SinceField", "StateField"]

_restoring: ContextVar[bool] = ContextVar("fsm_lifecycle_restoring", default=False)


@contextmanager
def restoring() -> Iterator[None]:
    """Inside, a row may be written as a fixture holds it (``loaddata``)."""
    token = _restoring.set(True)
    try:
        yield
    finally:
        _restoring.reset(token)


def is_restoring() -> bool:
    """Whether this runs inside ``restoring()``."""
    return _restoring.get()


class StateDescriptor(DeferredAttribute):
    """Reads the state, loading it where it was deferred; takes a value only when it is the one it has.

    The lock is per instance: ``refresh_from_db`` unlocks the one it refreshes and no other.
    """

    field: StateField

    def __set__(self, instance: Any, value: Any) -> None:
        values = instance.__dict__
        name = self.field.attname
        if isinstance(value, str) and type(value) is not str:
            value = str.__str__(value)
        unlocked = instance._state.adding and name not in values  # it is being constructed
        if unlocked or getattr(instance._state, "lifecycle_unlocked", False):
            values[name] = value
            return
        if getattr(instance, name) == value:  # loads it where it was deferred
            return
        raise self.field.refusal(
            f"{type(instance).__name__} {instance.pk}: {self.field.name} cannot be set to {value!r}"
        )


class StateField(FSMField):  # type: ignore[misc, unused-ignore]
    """Where the state is stored. Added by the package when the model class is prepared."""

    descriptor_class = StateDescriptor  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", MAX_VALUE_LENGTH)
        kwargs.setdefault("editable", False)
        kwargs["protected"] = True
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        """Without what is the table's business, so that relabelling or adding a state makes no migration."""
        name, _, args, kwargs = super().deconstruct()
        for key in ("choices", "protected", "editable"):
            kwargs.pop(key, None)
        return name, "fsm_lifecycle.fields.StateField", args, kwargs

    def _collect_transitions(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: django-fsm-2 looks for methods, in the order of their names. The table gives them, in its own."""

    def refusal(self, what: str) -> DirectStateChange:
        """The error for a write that is no firing."""
        return DirectStateChange(
            f"{what}. It changes only by firing an event: record.fire(event, actor=...), or "
            f"{self.model.__name__}.objects.filter(...).fire(event, actor=...) for many."
        )

    def db_parameters(self, connection: BaseDatabaseWrapper) -> Any:
        parameters = dict(super().db_parameters(connection))
        parameters["collation"] = exact_collation(connection)
        return parameters

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        # Drivers look up converters by exact type.
        return str.__str__(value) if isinstance(value, str) else value

    # Django asks for the placeholder of each value of an UPDATE or INSERT, expressions included, through
    # whatever manager it comes. ``get_placeholder`` is what Django before 6.1 calls.

    def get_placeholder(self, value: Any, compiler: Any, connection: BaseDatabaseWrapper) -> str:
        self._refuse(compiler)
        return "%s"

    def get_placeholder_sql(
        self, value: Any, compiler: Any, connection: BaseDatabaseWrapper
    ) -> tuple[str, Any]:
        self._refuse(compiler)
        if hasattr(value, "as_sql"):
            sql, parameters = compiler.compile(value)
            return str(sql), parameters
        return "%s", (value,)

    def _refuse(self, compiler: Any) -> None:
        if _restoring.get():
            return
        if isinstance(compiler, SQLUpdateCompiler):
            raise self.refusal(f"update() and bulk_update() do not write {self.name}")
        if isinstance(compiler, SQLInsertCompiler):
            refuse_foreign_insert(compiler.query.model)


class SinceField(models.DateTimeField):  # type: ignore[type-arg]
    """Since when a record is in its state. In migrations it is an ordinary ``DateTimeField``."""

    # update_or_create() writes every field whose class has a pre_save of its own.
    pre_save = models.Field.pre_save

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DateTimeField", args, kwargs
