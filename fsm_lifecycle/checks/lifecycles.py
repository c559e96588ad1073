"""System checks of lifecycle models: every defect that Django can name before anything goes wrong.

What the table alone shows is found in ``definition.defects``; here it gets an object, and the model is looked at.
Must not mend anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.db import models

from fsm_lifecycle.access.codenames import (
    MAX_CODENAME,
    MAX_GROUP_NAME,
    group_name,
)
from fsm_lifecycle.definition.api_fields import opened_names
from fsm_lifecycle.definition.defect import Defect, listed, nearest, shown
from fsm_lifecycle.definition.defects import defects_of
from fsm_lifecycle.engine.binding import Binding
from fsm_lifecycle.managers import LifecycleQuerySet
from fsm_lifecycle.models import LifecycleModel
from fsm_lifecycle.preparation import NoDeclaration


def check_lifecycles(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Every lifecycle model of the given apps, or of all."""
    found: list[CheckMessage] = []
    labels = None if app_configs is None else {config.label for config in app_configs}
    by_label: dict[str, type[models.Model]] = {}
    for model in apps.get_models():
        if not issubclass(model, LifecycleModel):
            if labels is None or model._meta.app_label in labels:
                found += [_message(d, model) for d in _lost_grants(model)]
            continue
        binding = model._lifecycle
        if labels is None or model._meta.app_label in labels:
            found += [_message(d, model) for d in model_defects(model)]
        other = by_label.setdefault(binding.label, binding.owner)
        if other is not binding.owner:
            found.append(
                Error(
                    f"{model.__name__} and {other.__name__} both call their log “{binding.label}”.",
                    hint="Give one of them its own label in class Lifecycle.",
                    obj=model,
                    id="fsm_lifecycle.E040",
                )
            )
    return found


def _message(defect: Defect, obj: Any) -> CheckMessage:
    kind = Error if defect.level == "error" else checks.Warning
    return kind(defect.message, hint=defect.hint, obj=obj, id=f"fsm_lifecycle.{defect.id}")


def model_defects(model: type[LifecycleModel]) -> Iterator[Defect]:
    """Everything that is wrong with one model's lifecycle."""
    binding = model._lifecycle
    if binding.table.declaration is NoDeclaration:
        yield Defect(
            "E030",
            f"{model.__name__} is a LifecycleModel without a lifecycle.",
            "Declare a nested class Lifecycle with its states and events, or derive it from models.Model.",
        )
        return
    yield from defects_of(binding.table)
    yield from _family_label(binding)
    yield from _family_beginning(binding)
    yield from _stored_fields(binding)
    yield from _snapshot_fields(binding)
    yield from _timer_fields(binding)
    yield from _api_fields(binding)
    yield from _hidden_names(model, binding)
    yield from _managers(model)
    yield from _key(binding)
    yield from _lengths(binding)
    yield from _lost_endings(model)


def _family_label(binding: Binding) -> Iterator[Defect]:
    own = binding.table.options.get("label")
    if isinstance(own, str) and own and own != binding.label:
        yield Defect(
            "E041",
            f"Lifecycle.label is “{own}”, but {binding.model.__name__} shares the log of {binding.owner.__name__}, "
            f"which is called “{binding.label}”.",
            f"Set the label in the lifecycle of {binding.owner.__name__}, or leave it out.",
        )


def _family_beginning(binding: Binding) -> Iterator[Defect]:
    own, shared = binding.table.initial, binding.owner._lifecycle.table.initial  # type: ignore[attr-defined]
    if own != shared:
        yield Defect(
            "E103",
            f"{binding.model.__name__} begins in {shown(own)}, but it shares the column of {binding.owner.__name__}, "
            f"whose records begin in {shown(shared)}. So none could be created.",
            f"Begin in {shown(shared)} and add an event that leads to {shown(own)}, or derive both models from an "
            f"abstract one, which gives each a column of its own.",
        )


def _stored_fields(binding: Binding) -> Iterator[Defect]:
    local = {f.name: f for f in binding.owner._meta.local_concrete_fields}
    for event in binding.table.events.values():
        for name in event.stores:
            if name in binding.own_columns:
                yield Defect(
                    "E031",
                    f"Event “{event.name}” stores “{name}”, which only the package writes.",
                    "Rename the argument and the field.",
                )
            elif name in local and local[name].primary_key:
                yield Defect(
                    "E031",
                    f"Event “{event.name}” stores “{name}”, the record's key, which never changes.",
                    "Take it out of stores.",
                )
            elif name not in local and name in getattr(event.arguments, "base_fields", {}):
                near = [f.name for f in local.values() if f.attname == name]
                table = binding.owner._meta.db_table
                yield Defect(
                    "E032",
                    f"Event “{event.name}” stores “{name}”, which is not a field of {table}, where the state is.",
                    f"Name the field: “{near[0]}”."
                    if near
                    else f"Add the field to {binding.owner.__name__}, or write it in an effect.",
                )


def _snapshot_fields(binding: Binding) -> Iterator[Defect]:
    policy = binding.table.snapshot
    names = {n for f in binding.model._meta.concrete_fields for n in (f.name, f.attname)}
    unknown = [name for name in (policy.fields if policy else ()) if name not in names]
    if unknown:
        yield Defect(
            "E033",
            f"snapshot keeps {listed(unknown)}, which {binding.model.__name__} does not have as columns.",
            f"Its columns are {listed(sorted(f.name for f in binding.model._meta.concrete_fields))}.",
        )


def _timer_fields(binding: Binding) -> Iterator[Defect]:
    fields = {f.name: f for f in binding.model._meta.concrete_fields}
    of_rows = binding.model._meta.concrete_model._lifecycle.table  # type: ignore[union-attr]
    for event in binding.table.events.values():
        if event.at is not None and event.at not in fields:
            yield Defect(
                "E034",
                f"Event “{event.name}” fires at=“{event.at}”, which {binding.model.__name__} does not have.",
                "Name a date or datetime field of the model.",
            )
        elif event.at is not None and not isinstance(fields[event.at], models.DateField):
            yield Defect(
                "E083",
                f"Event “{event.name}” fires at=“{event.at}”, which is a {type(fields[event.at]).__name__}, "
                f"which holds no time.",
                "Name a date or datetime field of the model.",
            )
        theirs = of_rows.events.get(event.name)
        own = (event.after, event.at)
        if own != (None, None) and (theirs is None or (theirs.after, theirs.at) != own):
            yield Defect(
                "E081",
                f"Event “{event.name}” is to fire by itself, but only the proxy {binding.model.__name__} says so. By "
                f"themselves records follow the lifecycle of {binding.model._meta.concrete_model.__name__}.",  # type: ignore[union-attr]
                "Declare after= or at= there.",
            )


def _api_fields(binding: Binding) -> Iterator[Defect]:
    names = {f.name for f in binding.model._meta.concrete_fields}
    unknown = [name for name in opened_names(binding.table) if name not in names]
    if unknown:
        yield Defect(
            "E096",
            f"api_fields opens {listed(unknown)}, which {binding.model.__name__} does not have as fields.",
            f"Its fields are {listed(sorted(names))}. Anything else is shown by a serializer of your own."
            + nearest(unknown[0], names),
        )
    if "state" in opened_names(binding.table) and binding.state_name != "state":
        yield Defect(
            "E095",
            f"api_fields has “state”, which is what the API calls “{binding.state_name}”, where the state is.",
            "Rename the field, or serve it by a serializer of your own under another name.",
        )


def _hidden_names(model: type[LifecycleModel], binding: Binding) -> Iterator[Defect]:
    accessors = {
        relation.get_accessor_name()
        for relation in model._meta.related_objects
        if relation.get_accessor_name()
    }
    taken = dict(binding.hidden)
    taken.update({name: what for name, what in binding.generated.items() if name in accessors})
    for name, what in taken.items():
        yield Defect(
            "E035",
            f"The {what} would put “{name}” on {model.__name__}, which has an attribute of that name already"
            + (f": the {binding.generated[name]} put it there." if name in binding.generated else "."),
            "Rename the state's or event's attribute in class Lifecycle, or the model's attribute.",
        )


def _managers(model: type[LifecycleModel]) -> Iterator[Defect]:
    for manager in model._meta.managers:
        if not issubclass(getattr(manager, "_queryset_class", models.QuerySet), LifecycleQuerySet):
            yield Defect(
                "E036",
                f"{model.__name__}.{manager.name} is not a lifecycle manager, so it cannot fire events or create rows "
                f"with their log.",
                "Write objects = LifecycleManager(), or derive its queryset from LifecycleQuerySet (both from "
                "fsm_lifecycle.models).",
            )


def _key(binding: Binding) -> Iterator[Defect]:
    field: Any = binding.pk
    while field.remote_field is not None:
        field = field.target_field
    allowed = (models.IntegerField, models.UUIDField, models.CharField, models.TextField)
    if not isinstance(field, allowed):
        yield Defect(
            "E037",
            f"The key of {binding.owner.__name__} is a {type(field).__name__}, which the log cannot name.",
            "Use an integer, UUID or text key.",
        )


def _lengths(binding: Binding) -> Iterator[Defect]:
    room = MAX_CODENAME - len("fire_")
    if long := [name for name in binding.table.events if len(name) > room]:
        yield Defect(
            "E038",
            f"The event name {listed(long)} is over {room} characters, the most that its permission can hold.",
            "Shorten it.",
        )
    if long := [role for role in binding.table.roles if len(role) > room]:
        yield Defect(
            "E059",
            f"The role {listed(long)} is over {room} characters, the most that its permission can hold.",
            "Shorten it.",
        )
    names = [group_name(binding.model, role) for role in binding.table.roles]
    if long := [name for name in names if len(name) > MAX_GROUP_NAME]:
        yield Defect(
            "E059",
            f"The group {listed(long)} is over {MAX_GROUP_NAME} characters, which is what auth can store.",
            "Shorten the name of the role.",
        )
    if len(binding.label) > 100:
        yield Defect(
            "E039", f"The label {shown(binding.label)} is over 100 characters.", "Shorten Lifecycle.label."
        )


def _cascading_there(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    """The foreign keys by which the database itself removes rows (``DB_CASCADE``, since Django 6.1)."""
    return [
        f
        for f in model._meta.concrete_fields
        if f.remote_field is not None
        and getattr(getattr(f.remote_field, "on_delete", None), "operation", "") == "CASCADE"
    ]


def _lost_endings(model: type[LifecycleModel]) -> Iterator[Defect]:
    for field in _cascading_there(model):
        if field.model is model or not issubclass(field.model, LifecycleModel):  # else told of the parent
            yield Defect(
                "E104",
                f"{model.__name__}.{field.name} has on_delete=DB_CASCADE: the database removes records and tells "
                f"nobody, so they go without their last entry, past legal holds, and leave their grants behind.",
                "Write on_delete=models.CASCADE, or PROTECT.",
            )


def _lost_grants(model: type[models.Model]) -> Iterator[Defect]:
    if not apps.is_installed("guardian"):
        return
    from guardian.models.models import BaseObjectPermission

    for field in _cascading_there(model) if issubclass(model, BaseObjectPermission) else ():
        yield Defect(
            "E104",
            f"{model.__name__}.{field.name} has on_delete=DB_CASCADE: the database removes grants and tells nobody, "
            f"so no access event says that they are gone.",
            "Write on_delete=models.CASCADE.",
        )
