"""A role: a named set of capabilities in the table.

Must not know who holds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Flag
from typing import TYPE_CHECKING

from fsm_lifecycle.definition.member import Member, Text, in_words

if TYPE_CHECKING:
    from fsm_lifecycle.definition.event import Event


class CRUD(Flag):
    """What a role may do to records beside firing events. ``CRUD.READ | CRUD.UPDATE``, or ``CRUD.ALL``."""

    CREATE = 1
    READ = 2
    UPDATE = 4
    DELETE = 8
    ALL = 15


class Role(Member):
    """``Role("approver", crud=CRUD.READ, may=[pay])``. As soon as one role is declared, all else is denied."""

    __slots__ = ("crud", "default", "description", "label", "may", "value")
    value: str
    crud: CRUD
    may: tuple[Event | str, ...]
    default: bool
    label: str
    description: str

    def __init__(
        self,
        value: str,
        *,
        crud: CRUD | Iterable[CRUD] = (),
        may: Iterable[Event | str] = (),
        default: bool = False,
        label: Text = "",
        description: Text = "",
    ) -> None:
        super().__init__()
        if not isinstance(value, str) or not value:
            raise TypeError(f'Role({value!r}): the value must be a name, for example Role("approver").')
        flags = CRUD(0)
        for flag in [crud] if isinstance(crud, CRUD) else crud:
            flags |= flag
        if isinstance(may, str):
            raise TypeError(f"Role({value!r}, may=...) takes a list of events; got {may!r}.")
        self._set(
            value=value,
            crud=flags,
            may=tuple(e if isinstance(e, str | Member) else repr(e) for e in may),
            default=default,
            label=label or in_words(value),
            description=description,
        )
