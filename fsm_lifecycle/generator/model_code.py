"""The model of a new app as code: its fields and its lifecycle.

Must not know the files around it.
"""

from __future__ import annotations

import builtins
from collections import Counter

from django.apps import apps

from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.generator import code, names
from fsm_lifecycle.generator.blueprint import Blueprint
from fsm_lifecycle.generator.fields import NewField
from fsm_lifecycle.generator.table import NewEvent, NewRole, NewState


def imports(app: Blueprint) -> str:
    """What the module imports."""
    lifecycle = [_imported(name, app) for name in _words(app)]
    named = {
        "django.conf": [_settings(app, " as ")],
        "django.db": ["models"],
        "django.urls": ["reverse"],
        "fsm_lifecycle": lifecycle,
        "fsm_lifecycle.models": ["LifecycleModel"],
    }
    wants_uuid = any(f.kind and "default=uuid4" in f.kind.options and not f.optional for f in app.fields)
    stdlib = code.imports([], {"uuid": ["uuid4"]}) if wants_uuid else ""
    return code.sections("from __future__ import annotations", stdlib, code.imports([], named))


def fields(app: Blueprint) -> str:
    """The body of the model down to its last field."""
    targets = Counter(field.to for field in app.fields if field.to)
    lines = [_field(field, app, several=targets[field.to] > 1) for field in app.fields]
    lines.append(
        _foreign_key(
            "created_by", f"{_settings(app)}.AUTH_USER_MODEL", ["editable=False"], "+", optional=True
        )
    )
    return "\n".join(lines)


def title(app: Blueprint) -> str:
    """What ``__str__`` returns, as code."""
    fallback = f'f"{names.sentence(app.one)} {{self.pk}}"'
    field = app.text_field
    if field is None:
        return fallback
    return f"self.{field.name} or {fallback}" if field.optional else f"self.{field.name}"


def meta(app: Blueprint) -> str:
    """The lines of ``class Meta`` beside the order."""
    return "" if app.many == f"{app.one}s" else f'\n        verbose_name_plural = "{app.many}"'


def lifecycle(app: Blueprint) -> str:
    """The body of ``class Lifecycle``."""
    parts = [
        "\n".join(_state(state, app) for state in app.table.states),
        "\n".join(_event(event, app) for event in app.table.events),
    ]
    if app.table.roles:
        comment = (
            "        # Who may do what; all else is denied. `migrate` makes a permission and a group for each role.\n"
            f"        # Whoever makes {names.with_article(app.one)} gets the default role on it."
        )
        parts.append("\n".join([comment, *(_role(role, app) for role in app.table.roles)]))
    return "\n\n".join(parts)


def _words(app: Blueprint) -> list[str]:
    words = ["Event", "State"]
    words += ["CRUD", "Role"] if app.table.roles else []
    words += ["ANY"] if any("*" in event.sources for event in app.table.events) else []
    return words


def _called(word: str, app: Blueprint) -> str:
    """A word of the package as the module calls it: a model of the same name has it first."""
    return f"Lifecycle{word}" if word == app.model else word


def _imported(word: str, app: Blueprint) -> str:
    called = _called(word, app)
    return word if called == word else f"{word} as {called}"


def _settings(app: Blueprint, joint: str = "") -> str:
    hidden = any(field.name == "settings" for field in app.fields)
    if joint:
        return f"settings{joint}project_settings" if hidden else "settings"
    return "project_settings" if hidden else "settings"


def _field(field: NewField, app: Blueprint, *, several: bool) -> str:
    if field.to:
        target = f"{_settings(app)}.AUTH_USER_MODEL" if field.is_user else f'"{field.to}"'
        own_name = several or _accessor_is_taken(field, app)
        related = f"{app.plural}_as_{field.name}" if own_name else ""
        return _foreign_key(field.name, target, [], related, optional=field.optional)
    assert field.kind is not None
    options = list(field.kind.options)
    if field.optional:
        options = [option for option in options if not option.startswith("default=")]
        options += ["blank=True"] if field.kind.empty_text else ["null=True", "blank=True"]
    return code.call(f"{field.name} = models.{field.kind.field}", options, 4)


def _accessor_is_taken(field: NewField, app: Blueprint) -> bool:
    """Whether the other model has something under the name that Django would give the way back."""
    if field.to == "self":
        return False
    accessor = f"{app.model.lower()}_set"
    others = apps.get_model(field.to)._meta.related_objects
    return any(
        r.get_accessor_name() == accessor and r.related_model._meta.app_label != app.label for r in others
    )


def _foreign_key(name: str, target: str, more: list[str], related: str, *, optional: bool) -> str:
    options = [target]
    options += ["null=True", "blank=True"] if optional else []
    options += more
    options.append(f"on_delete=models.{'SET_NULL' if optional else 'PROTECT'}")
    options += [f'related_name="{related}"'] if related else []
    return code.call(f"{name} = models.ForeignKey", options, 4)


def _state(state: NewState, app: Blueprint) -> str:
    options = [f'"{state.name}"']
    options += ["initial=True"] if state.initial else []
    options += ["terminal=True"] if state.terminal else []
    options += [f'tone="{state.tone}"'] if state.tone else []
    return code.call(f"{state.name} = {_called('State', app)}", options, 8)


def _event(event: NewEvent, app: Blueprint) -> str:
    sources = ["ANY" if name == "*" else _named(name) for name in event.sources]
    return code.call(f"{event.name} = {_called('Event', app)}", [*sources, f"to={_named(event.target)}"], 8)


def _named(member: str) -> str:
    """A state or event as others refer to it: by name where it is called as a builtin of Python is."""
    return f'"{member}"' if hasattr(builtins, member) else member


def _role(role: NewRole, app: Blueprint) -> str:
    flags = (
        "CRUD.ALL" if role.crud is CRUD.ALL else " | ".join(f"CRUD.{f.name}" for f in CRUD if role.crud & f)
    )
    options = [f'"{role.name}"', f"crud={flags}"]
    if role.fires:
        options.append(code.listing("may=", [_named(event.name) for event in app.table.events], 12).lstrip())
    if role.default:
        options.append("default=True")
    return code.call(f"{role.name} = {_called('Role', app)}", options, 8)
