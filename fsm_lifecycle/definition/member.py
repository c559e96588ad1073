"""What every member of a nested ``Lifecycle`` class shares: it is frozen and learns its name from the class.

Must not know what the members mean.
"""

from __future__ import annotations

from pickle import PicklingError, UnpicklingError
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    #: A text for people, translated or not.
    Text: TypeAlias = str | _StrPromise
else:
    Text = str


def in_words(name: str) -> str:
    """``"mark_overdue"`` → ``"Mark overdue"``: the label of whatever was not given one."""
    words = name.strip("_").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


class Member:
    """A declaration in a nested ``Lifecycle`` class.

    ``name`` is the attribute it is declared under and ``owner`` the class it is declared in; both are
    filled in by Python when that class is created. Nothing else can be assigned afterwards.
    """

    __slots__ = ("name", "owner")
    name: str
    owner: type | None

    def __init__(self) -> None:
        self._set(name="", owner=None)

    def __set_name__(self, owner: type, name: str) -> None:
        if not self.name:
            self._set(name=name, owner=owner)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"{type(self).__name__} {self.name!r} is frozen: {name!r} cannot be assigned. "
            f"Change the declaration, or refine it in a child class."
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} {self.name!r} is frozen: {name!r} cannot be deleted.")

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name or '(not yet named)'}>"

    # A declaration is a constant: copying a form, a queryset or a model class must not make a second one.
    def __copy__(self) -> Member:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Member:
        return self

    # Nor must a pickle: it carries the name, and what unpickles it may run a newer table.
    def __reduce__(self) -> tuple[Any, ...]:
        if self.owner is None:
            raise PicklingError(f"{self!r} is declared in no class, so a pickle cannot name it.")
        return declared, (self.owner, self.name)


def declared(owner: type, name: str) -> Member:
    """The member that a class declares under a name. Raises ``UnpicklingError`` where there is none."""
    found = vars(owner).get(name)
    if not isinstance(found, Member):
        raise UnpicklingError(
            f"A pickle holds “{name}” of {owner.__qualname__}, which declares nothing of that name now."
        )
    return found
