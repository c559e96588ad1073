"""How the generated tests make the records that a new model references, as code.

Looks at the fields that have to be there. What it cannot make, the test skips and says so. Must not know the new model.
"""

from __future__ import annotations

from typing import Any, Final

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models

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
_DEEPEST: Final = 3


def maker_name(label: str) -> str:
    """The function that makes a record of this model: ``make_catalog_product``."""
    return f"make_{label.replace('.', '_').lower()}"


def maker(label: str) -> tuple[str, set[str]]:
    """The function that makes a record of a referenced model, and the modules' names that it needs."""
    values = _values(apps.get_model(label), 0)
    head = f'def {maker_name(label)}() -> Any:\n    """A {label} that is as plain as can be."""\n'
    if values is None:
        return head + f'    raise SkipTest("Say here how a {label} is made.")\n', {"SkipTest"}
    uses = {word for word in ("uuid4", "timezone", "timedelta") if any(word in v for v in values.values())}
    body = "".join(f"        {name}={value},\n" for name, value in values.items())
    counted = "    n = next(numbers)\n" if any("n" in _words(v) for v in values.values()) else ""
    made = f'apps.get_model("{label}")._default_manager.create'
    call = f"    return {made}(\n{body}    )\n" if body else f"    return {made}()\n"
    return head + counted + call, uses | {"apps"}


def _words(code: str) -> set[str]:
    text = "".join(letter if letter.isalnum() or letter == "_" else " " for letter in code)
    return set(text.split())


def _values(model: Any, depth: int) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for field in model._meta.concrete_fields:
        if _may_be_left_out(field):
            continue
        value = _value(field, depth)
        if value is None:
            return None
        found[field.name] = value
    return found


def _may_be_left_out(field: Any) -> bool:
    parent_link = field.remote_field is not None and getattr(field.remote_field, "parent_link", False)
    automatic = isinstance(field, models.AutoField) or getattr(field, "auto_now", False)
    automatic = automatic or getattr(field, "auto_now_add", False) or getattr(field, "generated", False)
    may_be_empty = field.null or field.has_default() or field.db_default is not models.NOT_PROVIDED
    blank_text = field.blank and field.empty_strings_allowed and not field.unique
    return bool(parent_link or automatic or may_be_empty or blank_text)


def _value(field: Any, depth: int) -> str | None:
    if field.remote_field is not None:
        target = field.remote_field.model
        if target is get_user_model():
            return 'make_user(f"user-{n}")'
        inner = _values(target, depth + 1) if depth < _DEEPEST else None
        if inner is None:
            return None
        given = ", ".join(f"{name}={value}" for name, value in inner.items())
        return f'apps.get_model("{target._meta.label}")._default_manager.create({given})'
    if field.choices:
        value = field.flatchoices[0][0]
        return repr(value) if isinstance(value, int) else _quoted(str(value))
    return next((code for kind, code in _VALUES if isinstance(field, kind)), None)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
