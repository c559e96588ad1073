"""An event: what may be asked of a record, from which states, and where it leads.

Must not know the table it becomes part of.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from fsm_lifecycle.definition.branch import Branch
from fsm_lifecycle.definition.effects import Effect, as_effect
from fsm_lifecycle.definition.guards import Guard, as_guard
from fsm_lifecycle.definition.member import Member, Text, in_words

if TYPE_CHECKING:
    from fsm_lifecycle.definition.table import Table


class _Any:
    def __repr__(self) -> str:
        return "ANY"

    def __copy__(self) -> _Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> _Any:
        return self

    def __reduce__(self) -> str:
        return "ANY"


#: A source that stands for every non-terminal state.
ANY: Final = _Any()

Source = str | _Any


def _listed(value: Any, what: str) -> tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"Event({what}=...) takes a list; got {value!r}. Write {what}=[{value!r}].")
    return tuple(value)


def _name(value: Any) -> str:
    """A name as declared; what is none is kept as text, so that the system check can show it."""
    return value if isinstance(value, str) else repr(value)


class Event(Member):
    """One event of a lifecycle: ``pay = Event(sent, overdue, to=paid)``.

    - sources: states, or ``ANY`` (every non-terminal state). An event may lead back to its own source.
    - ``to``: a state or a ``Branch``.
    - ``guards``: pure predicates, all of which must pass.
    - ``effects``: functions ``(record, firing)``, run inside the transaction, or ``on_commit(...)``.
    - ``arguments``: a Django ``Form`` class. Its cleaned data is what guards, effects and the log see.
    - ``stores``: names of cleaned arguments that are copied into model fields of the same name.
    - ``compensating``: may leave a terminal state (refund, reopen); its entries say so.
    - ``hidden``: not offered while it is not allowed.
    - ``not_by``: separation of duties.
    - ``after``: fires by itself when a record has been in a source state that long.
    - ``at``: fires by itself at the time in this model field; a date means 00:00 in the current time zone.

    Frozen. ``extend`` makes a refined copy for a child lifecycle.
    """

    __slots__ = (
        "after",
        "arguments",
        "at",
        "compensating",
        "description",
        "effects",
        "guards",
        "hidden",
        "label",
        "not_by",
        "sources",
        "stores",
        "table",
        "to",
    )
    after: timedelta | None
    arguments: type | None
    at: str | None
    compensating: bool
    description: str
    effects: tuple[Effect, ...]
    guards: tuple[Guard, ...]
    hidden: bool
    label: str
    not_by: tuple[Event | str, ...]
    sources: tuple[Source, ...]
    stores: tuple[str, ...]
    table: Table | None
    to: str | Branch

    def __init__(
        self,
        *sources: Source,
        to: str | Branch,
        guards: Iterable[Any] = (),
        effects: Iterable[Any] = (),
        arguments: type | None = None,
        stores: Iterable[str] = (),
        label: Text = "",
        description: Text = "",
        compensating: bool = False,
        hidden: bool = False,
        not_by: Iterable[Event | str] = (),
        after: timedelta | None = None,
        at: str | None = None,
    ) -> None:
        super().__init__()
        if not sources:
            raise TypeError("Event(...) needs at least one source state, or ANY.")
        for source in sources:
            if not isinstance(source, str | _Any):
                raise TypeError(f"Event(...): a source must be a State or ANY, not {source!r}.")
        if not isinstance(to, str | Branch):
            raise TypeError(f"Event(to=...) must be a State or a Branch, not {to!r}.")
        if after is not None and not isinstance(after, timedelta):
            raise TypeError(f"Event(after=...) must be a timedelta, not {after!r}.")
        self._set(
            sources=tuple(sources),
            to=to,
            guards=tuple(as_guard(g) for g in _listed(guards, "guards")),
            effects=tuple(as_effect(e) for e in _listed(effects, "effects")),
            arguments=arguments,
            stores=tuple(_name(name) for name in _listed(stores, "stores")),
            table=None,
            label=label,
            description=description,
            compensating=compensating,
            hidden=hidden,
            not_by=tuple(e if isinstance(e, Event) else _name(e) for e in _listed(not_by, "not_by")),
            after=after,
            at=at,
        )

    def __set_name__(self, owner: type, name: str) -> None:
        super().__set_name__(owner, name)
        if not self.label:
            self._set(label=in_words(name))

    @property
    def targets(self) -> tuple[str, ...]:
        """Every state it can lead to."""
        return self.to.targets if isinstance(self.to, Branch) else (self.to,)

    def extend(
        self,
        *sources: Source,
        to: str | Branch | None = None,
        guards: Iterable[Any] = (),
        effects: Iterable[Any] = (),
        arguments: type | None = None,
        stores: Iterable[str] = (),
        label: Text = "",
        description: Text = "",
        hidden: bool | None = None,
        not_by: Iterable[Event | str] = (),
        after: timedelta | None = None,
        at: str | None = None,
    ) -> Event:
        """A refined copy: sources, guards, effects, stores and ``not_by`` are added, the rest replaces.

        ``after`` and ``at`` replace each other, too.
        """
        timed = after is not None or at is not None
        return Event(
            *dict.fromkeys([*self.sources, *sources]),
            to=self.to if to is None else to,
            guards=[*self.guards, *_listed(guards, "guards")],
            effects=[*self.effects, *_listed(effects, "effects")],
            arguments=arguments or self.arguments,
            stores=list(dict.fromkeys([*self.stores, *_listed(stores, "stores")])),
            label=label or self.label,
            description=description or self.description,
            compensating=self.compensating,
            hidden=self.hidden if hidden is None else hidden,
            not_by=[*self.not_by, *_listed(not_by, "not_by")],
            after=after if timed else self.after,
            at=at if timed else self.at,
        )

    def resolved(self, table: Table, *, name: str, sources: tuple[Any, ...], to: Any) -> Event:
        """The same event with its sources and target replaced by the states of the table it is compiled into."""
        twin = Event(
            *(sources or self.sources),
            to=to,
            guards=self.guards,
            effects=self.effects,
            arguments=self.arguments,
            stores=self.stores,
            label=self.label or in_words(name),
            description=self.description,
            compensating=self.compensating,
            hidden=self.hidden,
            not_by=self.not_by,
            after=self.after,
            at=self.at,
        )
        twin._set(name=name, owner=self.owner, sources=sources, table=table)
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        return super().__reduce__() if self.table is None else (self.table._named, (self.name,))
