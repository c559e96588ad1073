"""What a table and a model make together, compiled once when the class is prepared.

A ``Binding`` knows columns and keys; a ``Plan`` is one event as the hot path wants it. Must not know how
anything is decided or written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from fsm_lifecycle.definition import Branch, Effect, Event, Guard, Snapshot, State, Table
from fsm_lifecycle.engine.decision import Decision

if TYPE_CHECKING:
    from django.db.models import Field, Model

#: The columns the package adds beside the state.
SINCE: Final = "state_since"
SEQUENCE: Final = "lifecycle_sequence"
HEAD: Final = "lifecycle_head"


class Plan:
    """One event of one model."""

    __slots__ = (
        "after",
        "allowed",
        "asks_with_firing",
        "branch",
        "denied",
        "durable",
        "event",
        "form",
        "guards",
        "inside",
        "name",
        "needs_row",
        "snapshot",
        "sources",
        "states",
        "stores",
        "target",
        "valid_sources",
    )

    def __init__(self, event: Event, table: Table, stores: tuple[Field[Any, Any], ...]) -> None:
        self.event = event
        self.name = event.name
        self.states = table.states
        self.sources = frozenset(str(source) for source in event.sources)
        self.valid_sources = tuple(s for s in event.sources if isinstance(s, State))
        self.branch = event.to if isinstance(event.to, Branch) else None
        self.target = event.to if isinstance(event.to, State) else None
        self.guards: tuple[Guard, ...] = event.guards
        self.inside: tuple[Effect, ...] = tuple(e for e in event.effects if not e.after_commit)
        self.after: tuple[Effect, ...] = tuple(e for e in event.effects if e.after_commit and not e.retry)
        # With its place among the event's effects: what durable work is told.
        self.durable: tuple[tuple[int, Effect], ...] = tuple(
            (place, e) for place, e in enumerate(event.effects) if e.retry
        )
        self.form: Any = event.arguments
        self.stores = stores
        policy = table.snapshot
        self.snapshot: Snapshot | None = None if policy is None or policy.reason == "manual" else policy
        if self.snapshot and self.snapshot.reason == "terminal" and not any(self._terminal_targets()):
            self.snapshot = None
        self.needs_row = bool(event.guards or event.effects or self.branch or self.snapshot)
        self.asks_with_firing = self.branch is not None or any(g.takes_firing for g in self.guards)
        names = tuple(g.name for g in self.guards)
        # The answer "yes" is the same each time: made once, given often.
        self.allowed: dict[str, Decision] = {}
        # And the answer "not from this state", made when first given.
        self.denied: dict[tuple[str, str | None], Decision] = {}
        if self.target is not None:
            self.allowed = {
                source: Decision(
                    allowed=True,
                    event=event,
                    source=table.states.get(source, source),
                    target=self.target,
                    passed_guards=names,
                    valid_sources=self.valid_sources,
                )
                for source in self.sources
            }

    def _terminal_targets(self) -> Iterator[bool]:
        for target in self.event.targets:
            yield isinstance(target, State) and target.terminal


class Binding:
    """One model with its table."""

    def __init__(self, model: type[Model], table: Table, field: Field[Any, Any], label: str) -> None:
        self.model = model
        self.table = table
        self.field = field
        self.state_name = field.name
        self.owner: type[Model] = field.model
        """The concrete model whose table has the state column."""
        self.label = label
        """How log entries name the model."""
        self.loads_fast = False
        """Whether rows can be turned into instances without calling ``__init__``."""
        self.generated: dict[str, str] = {}
        """Names this package put on the class, with what each is for."""
        self.hidden: dict[str, str] = {}
        """Names it could not put there, because the model has an attribute of that name."""
        self.children: tuple[type[Model], ...] | None = None
        """Multi-table children with their own table; looked up at the first firing, when all are loaded."""
        self.asks_in_pages = bool(table.roles) or any(event.not_by for event in table.events.values())
        """Whether what an actor may do depends on grants or on the log, so that records are asked about together."""
        self.timed_fields = frozenset(e.at for e in table.events.values() if e.at is not None)
        """The fields that say when an event fires by itself."""
        self.sql: dict[tuple[str, ...], str] = {}
        """Statements, written once per database and event."""

    def compile(self) -> None:
        """Finish once all fields are there."""
        meta = self.model._meta
        self.attnames: tuple[str, ...] = tuple(f.attname for f in meta.concrete_fields)
        self.worked_out = tuple(f.attname for f in meta.concrete_fields if getattr(f, "generated", False))
        self.own_columns: frozenset[str] = frozenset({self.state_name, SINCE, SEQUENCE, HEAD})
        #: What only a firing writes. The time may be corrected with ``update()``; the log has its own.
        self.guarded_columns: frozenset[str] = self.own_columns - {SINCE}
        owner_pk = self.owner._meta.pk
        assert owner_pk is not None
        self.pk = owner_pk
        # A child's link to its parent is always loaded with it; the parent's own key may be deferred.
        link = self.model._meta.get_ancestor_link(self.owner)
        self.key_attname: str = owner_pk.attname if link is None else link.attname
        self.key_column: str = str(owner_pk.column)
        self.plans: dict[str, Plan] = {}
        local = {f.name: f for f in self.owner._meta.local_concrete_fields}
        for name, event in self.table.events.items():
            stores = tuple(local[n] for n in event.stores if n in local)
            self.plans[name] = Plan(event, self.table, stores)
        self.by_state: dict[str, tuple[Plan, ...]] = {
            value: tuple(plan for plan in self.plans.values() if value in plan.sources)
            for value in self.table.states
        }

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the table; computed when it is first needed."""
        return self.table.fingerprint

    def key_of(self, record: Model) -> Any:
        """The key of the row that holds the state; ``None`` before it was saved."""
        key = record.__dict__.get(self.pk.attname)
        return getattr(record, self.key_attname) if key is None else key

    def plan(self, event: Event | str) -> Plan | None:
        """The plan of an event by name or object; ``None`` when this lifecycle has no such event."""
        if isinstance(event, str):
            return self.plans.get(event)
        plan = self.plans.get(getattr(event, "name", ""))
        if plan is None or event.owner not in self.table.family:
            return None
        return plan

    def describe(self, record: Any) -> str:
        """A record, or its key, as messages name it: ``Invoice 7``."""
        name = str(self.model._meta.verbose_name)
        key = self.key_of(record) if hasattr(record, "_meta") else record
        return f"{name[:1].upper()}{name[1:]} {key}"

    def never_logged(self) -> str:
        """What is said of a row at sequence 0: it came into being by another road."""
        return (
            f"It has no log yet, because it was not made through its lifecycle. Run: "
            f"manage.py lifecycle_adopt {self.model._meta.label_lower}"
        )

    def describe_kind(self) -> str:
        """The kind of record as messages name it: ``This invoice``."""
        return f"This {self.model._meta.verbose_name}"

    def state_label(self, value: Any) -> str:
        """A state as messages name it: its label, or the stored value when the table does not have it."""
        state = self.table.states.get(value)
        return state.label if state is not None else f"“{value}”"


def binding_of(model: type[Any]) -> Binding:
    """The binding of a model class. Raises ``TypeError`` for a class without a lifecycle."""
    binding = getattr(model, "_lifecycle", None)
    if not isinstance(binding, Binding):
        raise TypeError(
            f"{model.__name__} has no lifecycle. Derive it from fsm_lifecycle.models.LifecycleModel and declare "
            f"a nested class Lifecycle."
        )
    return binding
