"""What the names of a new app would get in the way of: other apps, modules, the model's own attributes.

Must not know how the names were written on the command line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.apps import apps

from fsm_lifecycle.definition.defect import listed, shown
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, SINCE
from fsm_lifecycle.generator.place import fault_of_module
from fsm_lifecycle.models import LifecycleModel

if TYPE_CHECKING:
    from fsm_lifecycle.generator.blueprint import Blueprint

#: Set by the package, never by a form.
PROVENANCE: Final = "created_by"
_COLUMNS: Final = (
    "id",
    "pk",
    "state",
    SINCE,
    SEQUENCE,
    HEAD,
    PROVENANCE,
    f"{PROVENANCE}_id",
    "get_absolute_url",
    "lifecycle",
)
#: Names that the generated code of the model uses itself.
_USED: Final = ("models", "str", "uuid4")
#: Model names that the generated code, or the package's own, would be taken for.
_MODELS: Final = ("Lifecycle", "LifecycleModel")


def of_app(blueprint: Blueprint, *, force: bool) -> Iterator[str]:
    """Other apps and modules of the name, and what stands where the app would go."""
    label, folder = blueprint.label, blueprint.folder
    other = apps.app_configs.get(label)
    if other is not None and Path(other.path).resolve() != folder.resolve():
        yield f"There is an app with the label {shown(label)} already: {other.name}. Call this one something else."
        return
    if fault := fault_of_module(blueprint.module, folder):
        yield fault
    if folder.exists() and not force:
        held = not folder.is_dir() or any(folder.iterdir())
        if held:
            yield f"{folder} is there already. Nothing in it was touched; --force overwrites what this command writes."
    later = sorted(
        path.name for path in folder.glob("migrations/[0-9]*.py") if path.name != "0001_initial.py"
    )
    if force and later:
        yield (
            f"{folder} has migrations that follow 0001_initial ({', '.join(later)}), which a new one would not fit. "
            f"Remove them, or change models.py by hand and run makemigrations."
        )
    if blueprint.model in _MODELS:
        yield f"The model would be called {blueprint.model}, as the package's own is. Call the app something else."


def of_model(blueprint: Blueprint) -> Iterator[str]:
    """Names that a lifecycle model has already, or that the table will give it."""
    taken = set(dir(LifecycleModel)) | set(_COLUMNS)
    given = {f"is_{state.name}": f"the state {shown(state.name)}" for state in blueprint.table.states}
    for event in blueprint.table.events:
        given[event.name] = given[f"can_{event.name}"] = f"the event {shown(event.name)}"
    for field in blueprint.fields:
        if field.name == PROVENANCE:
            yield (
                f"Field {shown(field.name)} is there in every app that this command writes: who made the record. "
                f"Leave it out."
            )
        elif field.name in taken or field.column in taken or field.name.startswith("get_next_by_"):
            yield f"Field {shown(field.name)} has the name of something that every lifecycle model has. Rename it."
        elif field.name in _USED:
            yield f"Field {shown(field.name)} would hide what the model's own code uses. Rename it."
        elif field.name in given or field.column in given:
            what = given.get(field.name) or given[field.column]
            yield f"Field {shown(field.name)} has a name that {what} puts on the model. Rename one of them."
    for name, what in given.items():
        if name in taken:
            yield (
                f"{what[4:5].upper()}{what[5:]} puts {shown(name)} on the model, which has an attribute of that name "
                f"already. Rename it."
            )
    twice = [name for name in given if name.startswith(("is_", "can_")) and _by_two(name, blueprint)]
    if twice:
        yield f"{listed(twice)} would be put on the model by a state and by an event. Rename one of them."


def _by_two(name: str, blueprint: Blueprint) -> bool:
    states = {f"is_{state.name}" for state in blueprint.table.states}
    events = {event.name for event in blueprint.table.events}
    asked = {f"can_{name}" for name in events}
    return (name in states) + (name in events) + (name in asked) > 1
