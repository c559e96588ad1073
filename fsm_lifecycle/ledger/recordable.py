"""Owns which values may be recorded and how each becomes a plain tree.

A plain tree has objects, arrays, strings, booleans, null and the integers that a double holds exactly. Every
other value becomes an object with one key that begins with ``$``.

Must not know: Django (its objects are recognised by shape), bytes, hashes, entries, who may do what.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias
from uuid import UUID

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"
"""A plain tree. Integers lie within ``±MAX_INTEGER``; there are no floats."""

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (I-JSON, RFC 7493)."""

MAX_DEPTH = 64
"""How deep arrays and objects of one recorded value may nest. Tags do not count."""


class Unrecordable(ValueError):
    """A value has no canonical form, so it cannot stand in the log.

    ``place`` says where it is (``arguments.lines[3].price``), ``why`` what is wrong with it, ``remedy`` what
    to give instead. The value itself is never in the message: it may be personal.
    """

    def __init__(self, place: str, why: str, remedy: str) -> None:
        super().__init__(place, why, remedy)
        self.place = place
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.place} cannot be recorded: {self.why}. {self.remedy}."


@dataclass(frozen=True, slots=True)
class RecordRef:
    """What the log keeps of a model instance: enough to find it, nothing of its content."""

    model: str
    """``app.model``: the lower-case label of the concrete model."""
    pk: str
    """The primary key as text."""


class _Refusal(Exception):
    """Climbs from the bad value to the top and collects the way, so that good values pay nothing for it."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.why = why
        self.remedy = remedy
        self.steps: list[str | int] = []


def plain(value: object, place: str = "value") -> Json:
    """Return ``value`` as a tree of JSON types, other values tagged.

    ``place`` names the value in errors. Raises ``Unrecordable`` for what has no canonical form: NaN,
    infinities, naive datetimes, times with a zone, sets, keys that are no strings, U+0000, lone surrogates,
    more than ``MAX_DEPTH`` levels, unsaved records, and every type not named in this module.
    """
    try:
        return _tree(value, 0)
    except _Refusal as refusal:
        where = place + "".join(_step(step) for step in reversed(refusal.steps))
        raise Unrecordable(where, refusal.why, refusal.remedy) from None


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.isidentifier() else f"[{json.dumps(step)}]"


def _tree(value: Any, depth: int) -> Json:
    writer = _WRITERS.get(type(value))
    return writer(value, depth) if writer is not None else _unusual(value, depth)


def _as_is(value: Any, depth: int) -> Json:
    return value  # type: ignore[no-any-return]


def _text(value: str, depth: int) -> str:
    # str.__str__ copies a subclass (State, SafeString) to a plain str and ignores what it made of __str__.
    text = str.__str__(value)
    if "\0" in text:
        raise _Refusal("it contains U+0000", "Remove the character: databases do not store it")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _Refusal(
                "it contains a lone surrogate, which is not a character", "Decode the text correctly first"
            ) from None
    return text


def _integer(value: int, depth: int) -> Json:
    if -MAX_INTEGER <= value <= MAX_INTEGER:
        return int.__int__(value)
    try:
        return {"$int": int.__repr__(value)}
    except ValueError:  # sys.set_int_max_str_digits
        raise _Refusal(
            "the integer has more digits than Python writes out", "Give it as text or bytes"
        ) from None


def _float(value: float, depth: int) -> Json:
    if not math.isfinite(value):
        raise _Refusal("it is not a finite number", "Give a finite number or None")
    return {"$float": float.__repr__(value)}


def _decimal(value: Decimal, depth: int) -> Json:
    if not value.is_finite():
        raise _Refusal("it is not a finite number", "Give a finite number or None")
    # Upper case, because the thread's decimal context may ask for a small "e".
    return {"$decimal": Decimal.__str__(value).upper()}


def _datetime(value: dt.datetime, depth: int) -> Json:
    if value.utcoffset() is None:
        raise _Refusal("the datetime has no time zone", "Make it aware, e.g. with django.utils.timezone")
    try:
        moment = value.astimezone(dt.UTC)
    except OverflowError:
        raise _Refusal(
            "the datetime lies outside the years 1 to 9999 in UTC", "Give a time within them"
        ) from None
    return {"$datetime": dt.datetime.isoformat(moment.replace(tzinfo=None), timespec="microseconds") + "Z"}


def _date(value: dt.date, depth: int) -> Json:
    return {"$date": dt.date.isoformat(value)}


def _time(value: dt.time, depth: int) -> Json:
    if value.tzinfo is not None:
        raise _Refusal(
            "the time of day has a time zone but no date", "Give a datetime, or a time without a zone"
        )
    return {"$time": dt.time.isoformat(value, timespec="microseconds")}


def _duration(value: dt.timedelta, depth: int) -> Json:
    microseconds = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    return {"$duration": _integer(microseconds, depth)}  # beyond 285 years that is {"$int": ...}


def _uuid(value: UUID, depth: int) -> Json:
    return {"$uuid": UUID.__str__(value)}


def _bytes(value: bytes | bytearray | memoryview, depth: int) -> Json:
    return {"$bytes": urlsafe_b64encode(bytes(value)).rstrip(b"=").decode("ascii")}


def _reference(value: RecordRef, depth: int) -> Json:
    return {"$record": [_text(value.model, depth), _text(value.pk, depth)]}


def _array(value: Iterable[Any], depth: int) -> Json:
    if depth == MAX_DEPTH:
        raise _too_deep()
    tree: list[Json] = []
    for item in value:
        try:
            tree.append(_tree(item, depth + 1))
        except _Refusal as refusal:
            refusal.steps.append(len(tree))
            raise
    return tree


def _object(value: Mapping[Any, Any], depth: int) -> Json:
    if depth == MAX_DEPTH:
        raise _too_deep()
    tree: dict[str, Json] = {}
    for key, item in value.items():
        name = _key(key)
        try:
            tree["$" + name if name[:1] == "$" else name] = _tree(item, depth + 1)
        except _Refusal as refusal:
            refusal.steps.append(name)
            raise
    return tree


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise _Refusal(f"it has the key {key!r:.60} ({type(key).__name__})", "Use strings as keys")
    try:
        return _text(key, 0)
    except _Refusal as refusal:
        refusal.why = f"its key {key!a:.60} is not valid text: {refusal.why}"
        raise


def _too_deep() -> _Refusal:
    return _Refusal(
        f"it nests more than {MAX_DEPTH} levels deep",
        "Flatten it, and look for a list or dict that contains itself",
    )


_WRITERS: dict[type, Callable[[Any, int], Json]] = {
    str: _text,
    int: _integer,
    bool: _as_is,
    type(None): _as_is,
    dict: _object,
    list: _array,
    tuple: _array,
    Decimal: _decimal,
    dt.datetime: _datetime,  # before date, its base class: subclasses are matched in this order
    dt.date: _date,
    dt.time: _time,
    dt.timedelta: _duration,
    UUID: _uuid,
    float: _float,
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    RecordRef: _reference,
}


def _unusual(value: Any, depth: int) -> Json:
    """Subclasses, enumerations, Django's lazy objects and records: rarer, so looked at last."""
    ancestry = {f"{base.__module__}.{base.__qualname__}" for base in type(value).__mro__}
    if "django.utils.functional.LazyObject" in ancestry:  # request.user, for one
        value.__class__  # noqa: B018 - asking for its class makes it load what it stands for
        return _tree(value._wrapped, depth)
    if "django.utils.functional.Promise" in ancestry:  # gettext_lazy
        return _text(str(value), depth)
    if (
        "django.utils.datastructures.MultiValueDict" in ancestry
    ):  # request.POST: items() hides all but the last
        raise _Refusal("it may hold several values under one key", "Give dict(x.lists()), or x.dict()")
    if isinstance(value, Enum):
        return _tree(value.value, depth)
    for base, writer in _WRITERS.items():
        if isinstance(value, base):
            return writer(value, depth)
    if isinstance(value, Mapping):
        return _object(value, depth)
    concrete = getattr(getattr(value, "_meta", None), "concrete_model", None)
    if concrete is not None and not isinstance(value, type):
        return _record(concrete._meta.label_lower, value.pk, depth)
    kind = type(value).__name__
    if isinstance(value, (set, frozenset)):
        raise _Refusal(f"a {kind} has no order", "Give sorted(...) of it")
    raise _Refusal(
        f"the type {kind} has no form in the log",
        "Give text, a number, a date, a list (list(...) of a queryset), a dict, or a saved record",
    )


def _record(label: str, key: object, depth: int) -> Json:
    if key is None:
        raise _Refusal(f"the {label} has no primary key", "Save it first")
    if isinstance(key, int) and not isinstance(key, bool):
        return {"$record": [label, int.__repr__(key)]}
    if isinstance(key, UUID):
        return {"$record": [label, str(key)]}
    if isinstance(key, str):
        return {"$record": [label, _text(key, depth)]}
    raise _Refusal(
        f"the primary key of {label} is a {type(key).__name__}",
        "Use integer, UUID or text keys, or give a field of it",
    )
