"""A person as records tell of one: by key, and by the names that stand in texts.

Must not know where such texts are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from unicodedata import normalize

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from fsm_lifecycle.access.actors import is_user
from fsm_lifecycle.exceptions import LifecycleError

# Letters of scripts that part words by spaces, digits and the underscore. Elsewhere a name has no edge to be found.
_JOINING = "0-9a-z_\u00df-\u024f\u0370-\u052f"


class NoSuchPerson(LifecycleError):
    """No user has this key or name, or more than one has."""

    code = "no_such_person"


@dataclass(frozen=True)
class Person:
    """Somebody whose data are looked for. Names are compared without regard to case, as whole words."""

    id: str
    """The user's key as text."""
    names: tuple[str, ...]
    """Username, full name, e-mail address and what else the person has been called; none is empty."""

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        found = sorted({fold(name) for name in self.names}, key=len, reverse=True)
        return re.compile("|".join(map(_whole, found))) if found else None

    @cached_property
    def _in_json(self) -> tuple[str, ...]:
        return tuple({fold(json.dumps(name, ensure_ascii=False)[1:-1]) for name in self.names})

    def named_in(self, text: str) -> bool:
        """Whether a text names the person."""
        return self._pattern is not None and self._pattern.search(fold(text)) is not None

    def may_be_named_in(self, raw: str) -> bool:
        """False only when no text inside this JSON names the person; faster than reading it."""
        folded = fold(raw)
        return any(name in folded for name in self._in_json)

    def also_called(self, names: Iterable[str]) -> Person:
        """The same person with more names."""
        more = (name.strip() for name in names)
        return Person(self.id, tuple(dict.fromkeys([*self.names, *(name for name in more if name)])))


def fold(text: str) -> str:
    """A text as names are compared: composed, without regard to case."""
    if text.isascii():
        return text.lower()
    return normalize("NFC", normalize("NFC", text).casefold())


def _whole(name: str) -> str:
    """A name that does not stand inside a longer word."""
    joins = re.compile(f"[{_JOINING}]").match
    before = f"(?<![{_JOINING}])" if joins(name[0]) else ""
    after = f"(?![{_JOINING}])" if joins(name[-1]) else ""
    return f"{before}{re.escape(name)}{after}"


def person_of(user: Any) -> Person:
    """The person behind a saved user. Raises ``NoSuchPerson`` for anything else."""
    if not is_user(user) or getattr(user, "pk", None) is None:
        raise NoSuchPerson(f"{user!r} is no saved user. Name one by key or username.")
    names = [user.get_username(), str(user)]
    if hasattr(user, "get_full_name"):
        names.append(user.get_full_name())
    if hasattr(user, "get_email_field_name"):
        names.append(getattr(user, user.get_email_field_name(), "") or "")
    return Person(str(user.pk), ()).also_called(map(str, names))


def find_person(text: str) -> Person:
    """The person whose key or username this is.

    A key that no user has (any more) gives a person without names. Raises ``NoSuchPerson`` when it is neither, or
    the key of one user and the name of another; ``pk:7`` and ``name:7`` say which is meant.
    """
    model: Any = get_user_model()
    kind, _, rest = text.partition(":")
    by = kind if kind in ("pk", "name") and rest else ""
    text = rest if by else text
    try:
        key = model._meta.pk.to_python(text)
    except ValidationError:
        key = None
    found = []
    if key is not None and by != "name":
        found += model._base_manager.filter(pk=key)
    if by != "pk":
        found += model._base_manager.filter(**{model.USERNAME_FIELD: text})
    found = list({user.pk: user for user in found}.values())
    if len(found) > 1:
        raise NoSuchPerson(
            f"“{text}” is the key of one user and the name of another. Say pk:{text} or name:{text}."
        )
    if found:
        return person_of(found[0])
    if key is None or by == "name":
        raise NoSuchPerson(f"No user has the key or the name “{text}”.")
    return Person(str(key), ())
