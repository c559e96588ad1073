"""Edits in memory that were not saved: what the record was loaded with against what it holds now.

The values as loaded hang on the record's ``_state``, so that copies and pickles take them along. In-place
changes of a mutable value (a JSON field's dict) are not seen. Must not know what is done about edits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from fsm_lifecycle.engine.binding import Binding

_MISSING: Final = object()


def remember_all(record: Any, binding: Binding) -> None:
    """Take what the record holds now for saved."""
    values = record.__dict__
    names = tuple(name for name in binding.attnames if name in values)
    record._state.lifecycle_loaded = (names, tuple(values[name] for name in names))


def remember(record: Any, binding: Binding, names: Iterable[str]) -> None:
    """Take these attributes for saved, as they are now."""
    loaded = loaded_values(record)
    values = record.__dict__
    loaded.update({name: values[name] for name in names if name in values and name in binding.attnames})
    record._state.lifecycle_loaded = (tuple(loaded), tuple(loaded.values()))


def loaded_values(record: Any) -> dict[str, Any]:
    """The values the record was loaded or last saved with, by attribute."""
    names, values = getattr(record._state, "lifecycle_loaded", ((), ()))
    return dict(zip(names, values, strict=True))


def edited(record: Any, binding: Binding) -> list[str]:
    """The names of fields whose value in memory is not the one that was loaded or saved.

    Of a record that Django put together from another (a child's parent) nothing is known, and nothing named.
    """
    loaded = getattr(record._state, "lifecycle_loaded", None)
    if loaded is None:
        return []
    names, values = loaded
    now = record.__dict__
    get = now.get
    suspects = []
    for name, value in zip(names, values, strict=True):
        current = get(name, _MISSING)
        if current is not value and current is not _MISSING and (current != value or _is_expression(current)):
            suspects.append((name, value, current))
    if len(names) < len(binding.attnames):
        seen = set(names)
        suspects += [(n, _MISSING, now[n]) for n in binding.attnames if n not in seen and n in now]
    if not suspects:
        return []
    own = binding.own_columns
    return [n for n, old, new in suspects if n not in own and not _same(binding, n, old, new)]


def _is_expression(value: Any) -> bool:
    """Whether it is something for the database to work out: another one that is equal does it once more."""
    return hasattr(value, "resolve_expression")


def _same(binding: Binding, name: str, old: Any, new: Any) -> bool:
    """Whether two spellings mean one value: ``"10.00"`` assigned where ``Decimal("10.00")`` was loaded."""
    if old is _MISSING or _is_expression(new):
        return False
    field = next(f for f in binding.model._meta.concrete_fields if f.attname == name)
    try:
        return bool(field.to_python(new) == old)
    except Exception:
        return False
