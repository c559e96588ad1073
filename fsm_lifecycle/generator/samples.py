"""How the generated tests make the records that a new model references, as code.

Looks at the fields that have to be there. What it cannot make, the test skips and says so. Must not know the new model.
"""

from __future__ import annotations

from typing import Any, Final

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models

from fsm_lifecycle.generator import code

#: By Django's class, first match counts. ``{n}`` is a number that no other record has.
_VALUES: Final[tuple[tuple[type[models.Field[Any, Any]], str], ...]] = (
    (models.EmailField, 'f"{n}@example.com"'),
    (models.URLField, 'f"https://example.com/{n}"'),
    (models.UUIDField, "uuid4()"),
    (models.GenericIPAddressField, '"127.0.0.1"'),
    (models.BooleanField, "False"),
    (models.DecimalField, "n"),
    (models.IntegerField, "n"),
    (models.FloatField, "float(n)"),
    (models.DateTimeField, "timezone.now()"),
    (models.DateField, "timezone.localdate()"),
    (models.TimeField, "timezone.now().time()"),
    (models.DurationField, "timedelta(days=n)"),
    (models.JSONField, "{}"),
    (models.CharField, "str(n)"),
    (models.TextField, "str(n)"),
)


def maker_name(label: str) -> str:
    """The function that makes a record of this model: ``make_catalog_product``."""
    return f"make_{label.replace('.', '_').lower()}"


def makers(labels: list[str]) -> tuple[list[str], set[str]]:
    """The functions that make records of these models, and what the functions need imported."""
    made: dict[str, str] = {}
    uses: set[str] = set()
    for label in labels:
        _add_maker(label, made, uses)
    return list(made.values()), uses


def _add_maker(label: str, made: dict[str, str], uses: set[str]) -> None:
    if label in made:
        return
    model = apps.get_model(label)
    needed = _needed(model)
    values = None if _comes_back(model, ()) else {field.name: _value(field) for field in needed}
    head = f'def {maker_name(label)}() -> Any:\n    """A {label} that is as plain as can be."""\n'
    if values is None or None in values.values():
        uses.add("SkipTest")
        made[label] = head + f'    raise SkipTest("Say here how a {label} is made.")\n'
        return
    for field in needed:
        if field.remote_field is not None and not _is_user(field):
            _add_maker(field.remote_field.model._meta.label, made, uses)
    written = [f"{name}={value}" for name, value in values.items()]
    words = {word for text in written for word in _words(text)}
    uses |= {"apps"} | (words & {"uuid4", "timezone", "timedelta"})
    counted = "    n = next(numbers)\n" if "n" in words else ""
    call = code.call(f'return apps.get_model("{label}")._default_manager.create', written, 4)
    made[label] = f"{head}{counted}{call}\n"


def _is_user(field: Any) -> bool:
    return field.remote_field.model is get_user_model()


def _comes_back(model: Any, above: tuple[Any, ...]) -> bool:
    """Whether a record needs one of its own kind before it, so that the first could not be made."""
    if model in above:
        return True
    targets = [f.remote_field.model for f in _needed(model) if f.remote_field is not None and not _is_user(f)]
    return any(_comes_back(target, (*above, model)) for target in targets)


def _words(text: str) -> set[str]:
    return set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())


def _needed(model: Any) -> list[Any]:
    return [field for field in model._meta.concrete_fields if not _may_be_left_out(field)]


def _may_be_left_out(field: Any) -> bool:
    parent_link = field.remote_field is not None and getattr(field.remote_field, "parent_link", False)
    automatic = isinstance(field, models.AutoField) or getattr(field, "auto_now", False)
    automatic = automatic or getattr(field, "auto_now_add", False) or getattr(field, "generated", False)
    may_be_empty = field.null or field.has_default() or field.db_default is not models.NOT_PROVIDED
    blank_text = field.blank and field.empty_strings_allowed and not field.unique
    return bool(parent_link or automatic or may_be_empty or blank_text)


def _value(field: Any) -> str | None:
    if field.remote_field is not None:
        return (
            'make_user(f"user-{n}")'
            if _is_user(field)
            else f"{maker_name(field.remote_field.model._meta.label)}()"
        )
    if field.choices:
        value = field.flatchoices[0][0]
        return repr(value) if isinstance(value, int) else _quoted(str(value))
    return next((value for kind, value in _VALUES if isinstance(field, kind)), None)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
