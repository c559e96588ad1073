"""Which permission stands for which capability of a model: ``fire_pay``, ``role_approver``, Django's own four.

What a role means is read from the table, so changing a role changes everyone who has it at once. Must not know
who holds a permission.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import models

from fsm_lifecycle.definition import CRUD, Event, Role, Table
from fsm_lifecycle.exceptions import InvalidGrant

if TYPE_CHECKING:
    from django.db.models import Model

#: Django's own codenames: ``view_invoice``.
VERBS: Final = {CRUD.CREATE: "add", CRUD.READ: "view", CRUD.UPDATE: "change", CRUD.DELETE: "delete"}

NOTHING: Final = CRUD(0)

MAX_CODENAME: Final = 100
MAX_GROUP_NAME: Final = 150


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one permission allows."""

    events: frozenset[str] = frozenset()
    crud: CRUD = NOTHING
    role: str = ""
    """The role's value, where the permission is a role."""


@dataclass(frozen=True, slots=True)
class Codes:
    """The permissions of one model and what each means by its table."""

    model: type[Model]
    table: Table
    meanings: dict[str, Meaning]

    @property
    def concrete(self) -> type[Model]:
        """The model whose content type the permissions have."""
        return concrete(self.model)

    def giving(self, *, event: str = "", crud: CRUD = NOTHING) -> list[str]:
        """The permissions that give an event, or each of these CRUD flags."""
        return [
            codename
            for codename, means in self.meanings.items()
            if (event in means.events if event else crud in means.crud)
        ]

    def roles_with(self, event: str) -> list[Role]:
        """The roles that may fire an event."""
        return [r for r in self.table.roles.values() if event in self.meanings[role_codename(r)].events]


def concrete(model: type[Model]) -> type[Model]:
    """The model itself, or the one that a proxy stands for: permissions and grants belong to it."""
    found = model._meta.concrete_model
    assert found is not None
    return found


def role_codename(role: Role | str) -> str:
    """``role_approver``."""
    return f"role_{getattr(role, 'value', role)}"


def event_codename(event: Event | str) -> str:
    """``fire_pay``."""
    return f"fire_{getattr(event, 'name', event)}"


def crud_codename(model: type[Model], flag: CRUD) -> str:
    """``view_invoice``."""
    return f"{VERBS[flag]}_{concrete(model)._meta.model_name}"


def group_name(model: type[Model], role: Role | str) -> str:
    """The name under which a role's group is made: ``billing.invoice:approver``. Not how it is found."""
    return f"{concrete(model)._meta.label_lower}:{getattr(role, 'value', role)}"


@cache
def codes_of(model: type[Model]) -> Codes:
    """The permissions of a model with a lifecycle. Raises ``InvalidGrant`` for a model without."""
    table = getattr(model, "lifecycle", None)
    if not isinstance(model, type) or not isinstance(table, Table):
        raise InvalidGrant(
            f"{getattr(model, '__name__', repr(model))} has no lifecycle, so it has no roles. Name a model derived "
            f"from LifecycleModel, or one of its records."
        )
    meanings = {crud_codename(model, flag): Meaning(crud=flag) for flag in VERBS}
    for name in table.events:
        meanings[event_codename(name)] = Meaning(events=frozenset([name]))
    for role in table.roles.values():
        may = frozenset(str(event) for event in role.may) & table.events.keys()
        meanings[role_codename(role)] = Meaning(events=may, crud=role.crud, role=role.value)
    return Codes(model, table, meanings)


def subject_of(on: Any) -> tuple[type[Model], Any]:
    """The model and record that ``on=`` means; the record is ``None`` where it is a model class.

    Raises ``InvalidGrant`` for anything that has no lifecycle, and for a record that is not in the database.
    """
    if isinstance(on, type):
        named: Any = on
        codes_of(named)
        return named, None
    model: Any = type(on)
    if not isinstance(on, models.Model):
        raise InvalidGrant(f"on={on!r}: name a model with a lifecycle, or one of its records.")
    codes_of(model)
    if on.pk is None or on._state.adding:
        raise InvalidGrant(
            f"This {model._meta.verbose_name} has not been saved, so nobody can hold a role on it."
        )
    return model, on


def declared_role(model: type[Model], role: Role | str) -> Role:
    """The role of the model's table that is meant. Raises ``InvalidGrant`` naming those there are."""
    table = codes_of(model).table
    name = role.value if isinstance(role, Role) else role
    found = table.roles.get(name) if isinstance(name, str) else None
    if found is None:
        known = ", ".join(table.roles)
        raise InvalidGrant(
            f"{model.__name__} has no role {name!r}. "
            + (f"Its roles are: {known}." if known else "Its lifecycle declares no roles.")
        )
    return found


def content_type(model: type[Model], using: str) -> ContentType:
    """The content type of the concrete model: auth would take a proxy's, guardian does not."""
    return ContentType.objects.db_manager(using).get_for_model(model, for_concrete_model=True)


def lifecycle_models() -> Iterator[type[Model]]:
    """Every model with a lifecycle, proxies too."""
    for model in apps.get_models():
        if isinstance(getattr(model, "lifecycle", None), Table):
            yield model


def family(model: type[Model]) -> list[type[Model]]:
    """The model and its proxies: all whose permissions have the same content type."""
    return [m for m in lifecycle_models() if concrete(m) is concrete(model)]


def is_lifecycle_codename(model: type[Model], codename: str) -> bool:
    """Whether a permission of this model is one that lifecycles read, also when the table no longer declares it."""
    return codename.startswith(("fire_", "role_")) or codename in {crud_codename(model, f) for f in VERBS}
