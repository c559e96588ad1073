"""``LifecycleModel``, and every concrete model of the package under one roof.

There is one app and one ``migrations/`` folder, so the models that live in the packages are re-exported here.
Must not know any surface.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from asgiref.sync import sync_to_async
from django.db import connections, models, router, transaction
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init

from fsm_lifecycle.access.delegation import Delegation
from fsm_lifecycle.access.event import AccessEvent
from fsm_lifecycle.access.grant import GrantTerm
from fsm_lifecycle.agents.models import AgentEvent, AgentMessage, AgentRun, McpToken, Proposal, SeenRecord
from fsm_lifecycle.api.models import IdempotentRequest
from fsm_lifecycle.definition import Event, State, Table
from fsm_lifecycle.dispatch.routine_state import RoutineState
from fsm_lifecycle.dispatch.work_item import WorkItem
from fsm_lifecycle.engine import beginnings, unsaved
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, Binding
from fsm_lifecycle.engine.decide import available, decide
from fsm_lifecycle.engine.decision import Decision
from fsm_lifecycle.engine.errand import Errand, ErrandPart
from fsm_lifecycle.engine.fire import fire
from fsm_lifecycle.engine.legal_hold import HoldRelease, LegalHold
from fsm_lifecycle.engine.refusals import RefusedAttempt
from fsm_lifecycle.exceptions import DirectStateChange
from fsm_lifecycle.fields import is_restoring, restoring
from fsm_lifecycle.ledger.archive import ArchivedEntry
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.definitions import LifecycleDefinition
from fsm_lifecycle.ledger.entry import TransitionLog, TransitionLogQuerySet
from fsm_lifecycle.ledger.leaf import LogLeaf
from fsm_lifecycle.ledger.log_cursor import LogCursor
from fsm_lifecycle.ledger.replay import Replay, replay, state_at
from fsm_lifecycle.ledger.rollup import DailyCount, StateTotal
from fsm_lifecycle.ledger.seal_progress import SealProgress
from fsm_lifecycle.ledger.tiles import LogTile
from fsm_lifecycle.managers import LifecycleManager, LifecycleQuerySet
from fsm_lifecycle.preparation import add_columns
from fsm_lifecycle.timers.models import Timer
from fsm_lifecycle.transactions import busy_is_stale, undoable, writing
from fsm_lifecycle.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint

__all__ = [
    "AccessEvent",
    "AgentEvent",
    "AgentMessage",
    "AgentRun",
    "ArchivedEntry",
    "Checkpoint",
    "DailyCount",
    "Delegation",
    "Errand",
    "ErrandPart",
    "GrantTerm",
    "HoldRelease",
    "IdempotentRequest",
    "LegalHold",
    "LifecycleDefinition",
    "LifecycleManager",
    "LifecycleModel",
    "LifecycleQuerySet",
    "LogCursor",
    "LogLeaf",
    "LogTile",
    "McpToken",
    "Proposal",
    "RefusedAttempt",
    "RoutineState",
    "SealProgress",
    "SeenRecord",
    "StateTotal",
    "Timer",
    "TransitionLog",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WorkItem",
]


class LifecycleModel(models.Model):
    """A model with a lifecycle, declared in a nested ``class Lifecycle``.

    The package adds the columns ``state`` (or what ``lifecycle_field`` says), ``state_since``,
    ``lifecycle_sequence`` and ``lifecycle_head``, the index (state, state_since), and for each event ``pay`` the
    methods ``pay`` and ``can_pay``, for each state attribute ``draft`` the property ``is_draft``.
    """

    lifecycle_field: ClassVar[str] = "state"
    lifecycle: ClassVar[Table]
    _lifecycle: ClassVar[Binding]

    if TYPE_CHECKING:
        state: str
        state_since: datetime
        lifecycle_sequence: int
        lifecycle_head: str

        # The methods and properties that the table generates. Their names are known only at run time.
        def __getattr__(self, name: str) -> Any: ...

    objects = LifecycleManager()

    class Meta:
        abstract = True

    @classmethod
    def _prepare(cls) -> None:
        """Called by Django for each concrete class, once its own fields are there and nothing else is."""
        add_columns(cls)
        type(cls)._prepare(cls)  # type: ignore[attr-defined]

    # Firing

    def fire(
        self,
        event: Event | str,
        *,
        actor: Any = None,
        arguments: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        expected_state: str | None = None,
        expected_sequence: int | None = None,
        idempotency_key: str | None = None,
        snapshot: bool | None = None,
        observations: Mapping[str, Any] | None = None,
        occurred_at: datetime | None = None,
    ) -> TransitionLog:
        """Fire ``event`` and return its log entry.

        - ``actor``: a user or ``System("reason")``; by default the current actor.
        - ``arguments``: for the event's form.
        - ``metadata``: JSON-like values kept in the entry.
        - ``expected_state``, ``expected_sequence``: refuse when the record has moved on.
        - ``idempotency_key``: the same key on the same record returns the first entry and does nothing.
        - ``snapshot``: ``True`` or ``False`` overrules the table's policy; ``observations`` are kept with it.
        - ``occurred_at``: when it really happened, an aware datetime.

        Raises the exception of the first denial (``UnknownEvent``, ``AccessDenied``, ``ApprovalRequired``,
        ``StaleState``, ``TerminalState``, ``InvalidTransition``, ``InvalidArguments``, ``GuardFailed``), or
        ``ActorRequired``, ``UnsavedChanges``, ``IdempotencyConflict``, ``CauseLoop``. The record in memory is then
        what it was before, and the database too.
        """
        return fire(
            self,
            event,
            actor=actor,
            arguments=arguments,
            metadata=metadata,
            expected_state=expected_state,
            expected_sequence=expected_sequence,
            idempotency_key=idempotency_key,
            snapshot=snapshot,
            observations=observations,
            occurred_at=occurred_at,
        )

    async def afire(self, event: Event | str, **kwargs: Any) -> TransitionLog:
        """``fire`` for async code."""
        return await sync_to_async(self.fire)(event, **kwargs)

    def decide(
        self,
        event: Event | str,
        actor: Any = None,
        arguments: Mapping[str, Any] | None = None,
        expected_state: str | None = None,
        expected_sequence: int | None = None,
    ) -> Decision:
        """Whether ``event`` may be fired now, and if not, every reason. Reads no more than is in memory.

        Without an actor, roles are left out of account; without arguments, so are the form and the guards that
        need it (``pending_guards``).
        """
        return decide(self, event, actor, arguments, expected_state, expected_sequence)

    async def adecide(self, event: Event | str, *args: Any, **kwargs: Any) -> Decision:
        """``decide`` for async code: guards may read the database."""
        return await sync_to_async(self.decide)(event, *args, **kwargs)

    def can_fire(
        self,
        event: Event | str,
        actor: Any = None,
        arguments: Mapping[str, Any] | None = None,
        expected_state: str | None = None,
        expected_sequence: int | None = None,
    ) -> bool:
        """``bool(decide(...))``."""
        return decide(self, event, actor, arguments, expected_state, expected_sequence).allowed

    def available_events(self, actor: Any = None) -> list[Event]:
        """The events that would be allowed now, in declared order."""
        return available(self, actor)

    # The log

    @property
    def log(self) -> TransitionLogQuerySet:
        """Its entries, oldest first."""
        return TransitionLog.objects.using(self._state.db).for_record(self)

    @property
    def snapshots(self) -> TransitionLogQuerySet:
        """Its entries that keep field values, oldest first."""
        return self.log.with_snapshot()

    @property
    def last_snapshot(self) -> TransitionLog | None:
        """The newest entry that keeps field values."""
        return self.snapshots.last()

    def state_at(self, when: datetime | int) -> State | str | None:
        """Its state at a moment (by ``recorded_at``) or sequence; ``None`` before it was and after it was gone."""
        value = state_at(self.log, when)
        return None if value is None else self.lifecycle.states.get(value, value)

    def replay(self, until: datetime | int | None = None) -> Replay:
        """Fold its entries, up to a moment or sequence. Runs no guard and no effect."""
        return replay(self.log, until)

    # Loading and saving

    def __getstate__(self) -> dict[str, Any]:
        """As Django's, for copies and pickles, without what ties it to the records it was loaded with."""
        state: dict[str, Any] = super().__getstate__()
        state["_state"].__dict__.pop("lifecycle_page", None)
        return state

    @classmethod
    def from_db(cls, db: str | None, field_names: Any, values: Any, **kwargs: Any) -> Any:
        """As Django's, faster, and keeping what was loaded, so that edits can be told.

        Django's way is taken where a class overrides ``__init__``, a field's descriptor wants to be called, or
        somebody listens to the init signals.
        """
        binding = cls._lifecycle
        if not binding.loads_fast or pre_init.has_listeners(cls) or post_init.has_listeners(cls):
            new = super().from_db(db, field_names, values, **kwargs)
            unsaved.remember_all(new, binding)
            return new
        new = cls.__new__(cls)
        state = ModelState()
        names = binding.attnames if len(values) == len(binding.attnames) else field_names
        held = new.__dict__
        held["_state"] = state
        held.update(zip(names, values, strict=True))
        state.adding = False
        state.db = db
        state.lifecycle_loaded = (names, values)  # type: ignore[attr-defined]
        if kwargs.get("fetch_mode") is not None:
            state.fetch_mode = kwargs["fetch_mode"]
        return new

    def refresh_from_db(self, using: Any = None, fields: Any = None, from_queryset: Any = None) -> None:
        """As Django's. The state of this instance, and of no other, may change while it lasts.

        State, time, sequence and head come together or not at all, so that they always fit each other.
        """
        fields = None if fields is None else list(fields)
        if fields is not None and not self._lifecycle.own_columns.isdisjoint(fields):
            fields = [*dict.fromkeys([*fields, *self._lifecycle.own_columns])]
        self._state.lifecycle_unlocked = True  # type: ignore[attr-defined]
        try:
            super().refresh_from_db(using=using, fields=fields, from_queryset=from_queryset)
        finally:
            self._state.lifecycle_unlocked = False  # type: ignore[attr-defined]
        if fields is None:
            unsaved.remember_all(self, self._lifecycle)
        else:
            wanted = set(fields)
            unsaved.remember(
                self,
                self._lifecycle,
                [f.attname for f in self._meta.concrete_fields if {f.name, f.attname} & wanted],
            )

    def save(self, *args: Any, **kwargs: Any) -> None:
        """As Django's, but it never writes the state: a stale copy cannot revert a transition."""
        fields = kwargs.get("update_fields")
        if fields is not None:
            fields = kwargs["update_fields"] = frozenset(fields)
        elif len(args) > 3 and args[3] is not None:  # positional arguments go in Django 6.0
            fields = args[3]
        own = sorted(self._lifecycle.own_columns.intersection(fields or ()))
        if own:
            raise DirectStateChange(
                f"{self._lifecycle.describe(self)}: save(update_fields=[{', '.join(map(repr, own))}]) is refused. Only "
                f"firing an event writes that: fire(event, actor=...)."
            )
        if self._state.adding or self._lifecycle.key_of(self) is None:
            # Once more where the row is inserted; here, because there it would spoil an open transaction.
            beginnings.refuse_wrong_beginning(self._lifecycle, self)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """As Django's, with a ``deleted`` entry.

        Raises ``UnderLegalHold`` where a hold keeps it or what depends on it, and ``StaleState`` where another
        transaction is in the way. An open transaction can go on then.
        """
        using = (args[0] if args else kwargs.get("using")) or router.db_for_write(type(self), instance=self)
        with busy_is_stale(f"The deletion of {self._lifecycle.describe(self)}"), undoable(using):
            return super().delete(*args, **kwargs)

    def save_base(self, *args: Any, **kwargs: Any) -> None:
        before = getattr(self._state, "lifecycle_loaded", None)
        try:
            with self._with_timers(kwargs.get("using"), kwargs.get("update_fields")):
                super().save_base(*args, **kwargs)
        except BaseException:
            if before is not None:
                self._state.lifecycle_loaded = before  # type: ignore[attr-defined]
            raise

    def _remember_saved(self, update_fields: Collection[str] | None) -> None:
        """What was written is no edit any more, for receivers of ``post_save`` as well."""
        if update_fields is None:
            unsaved.remember_all(self, self._lifecycle)
            return
        names = [f.attname for f in self._meta.concrete_fields if {f.name, f.attname} & set(update_fields)]
        unsaved.remember(self, self._lifecycle, names)

    def _with_timers(
        self, using: str | None, update_fields: Collection[str] | None
    ) -> AbstractContextManager[Any]:
        """One transaction for a save and what it does to the record's timers; nothing where it does nothing to them."""
        times = self._lifecycle.timed_fields
        if not times or (update_fields is not None and times.isdisjoint(update_fields)):
            return nullcontext()
        return writing(using or router.db_for_write(type(self), instance=self), savepoint=False)

    def _save_table(
        self,
        raw: bool = False,
        cls: Any = None,
        force_insert: bool = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Collection[str] | None = None,
    ) -> Any:
        with restoring() if raw else beginnings.beginning():
            updated = super()._save_table(raw, cls, force_insert, force_update, using, update_fields)  # type: ignore[misc]
        if cls is self._meta.concrete_model:  # the last of its tables
            self._remember_saved(update_fields)
        return updated

    def _do_update(
        self, base_qs: Any, using: Any, pk_val: Any, values: Any, *args: Any, **kwargs: Any
    ) -> Any:
        if not is_restoring():
            own = self._lifecycle.own_columns
            values = [value for value in values if value[0].name not in own]
        return super()._do_update(base_qs, using, pk_val, values, *args, **kwargs)

    def _do_insert(self, manager: Any, using: Any, fields: Any, returning_fields: Any, raw: Any) -> Any:
        binding = self._lifecycle
        if raw or binding.field not in fields:
            return super()._do_insert(manager, using, fields, returning_fields, raw)  # type: ignore[misc]
        beginnings.refuse_wrong_beginning(binding, self)
        before = {name: self.__dict__.get(name) for name in (*binding.own_columns, binding.key_attname)}
        self.__dict__.update({SEQUENCE: 0, HEAD: ""})
        try:
            with transaction.atomic(using=using, savepoint=False):
                results = super()._do_insert(manager, using, fields, returning_fields, raw)  # type: ignore[misc]
                if results:
                    for value, field in zip(results[0], returning_fields, strict=False):
                        self.__dict__[field.attname] = value
                self._state.db = using
                beginnings.begin(binding, connections[using], [self])
        except BaseException:
            self.__dict__.update(before)
            raise
        return results
