"""Legal holds: records that must not go, whatever their retention says, until the hold is released.

A hold is two rows that are only ever added: one when it is placed, one when it is released. Must not know who may do
either: a surface asks first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, Final, Self

from django.db import IntegrityError, connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from fsm_lifecycle.access.actors import Identity, identify
from fsm_lifecycle.access.current import required_actor
from fsm_lifecycle.append_only import AppendOnly, AppendOnlyQuerySet, key_text, milliseconds
from fsm_lifecycle.engine import statements
from fsm_lifecycle.engine.binding import SEQUENCE, Binding, binding_of
from fsm_lifecycle.engine.purging import before_purge
from fsm_lifecycle.exact_text import ExactTextField
from fsm_lifecycle.exceptions import ActorRequired, InvalidHold, StaleState, UnderLegalHold
from fsm_lifecycle.ledger import clearing
from fsm_lifecycle.ledger.canonical import Unrecordable, plain
from fsm_lifecycle.ledger.clearing import Change, Subject
from fsm_lifecycle.transactions import busy_is_stale, writing

#: How many holds are read at a time.
PAGE: Final = 1000


class LegalHoldQuerySet(AppendOnlyQuerySet["LegalHold"]):
    """Holds. Orders are ``(placed_at, id)``."""

    def active(self) -> Self:
        """The holds that have not been released."""
        return self.filter(~Exists(HoldRelease.objects.filter(hold=OuterRef("pk"))))

    def released(self) -> Self:
        """The holds that have been released."""
        return self.filter(Exists(HoldRelease.objects.filter(hold=OuterRef("pk"))))

    def for_record(self, record: models.Model) -> Self:
        """The holds on one record, active and released, oldest first."""
        binding = binding_of(type(record))
        key = binding.key_of(record)
        if key is None:
            return self.none()
        return self.filter(model_label=binding.label, object_pk=key_text(key)).order_by("placed_at", "id")

    def for_model(self, model: type[models.Model]) -> Self:
        """The holds on records of a model."""
        return self.filter(model_label=binding_of(model).label)

    def recent(self) -> Self:
        """Newest first."""
        return self.order_by("-placed_at", "-id")

    def before(self, placed_at: datetime, pk: int) -> Self:
        """The next keyset page of ``recent()``, after the hold with this time and key."""
        return self.filter(Q(placed_at__lte=placed_at) & (Q(placed_at__lt=placed_at) | Q(id__lt=pk)))

    def place(self, record: models.Model, reason: str, by: Any = None) -> LegalHold:
        """See ``place_hold``."""
        return place_hold(record, reason=reason, by=by)


class LegalHold(AppendOnly):
    """A record that must stay: which, why, by whom, since when. Refers to nothing, so it outlives the record."""

    redactable = ("record_label", "reason", "actor_label")

    model_label = ExactTextField(max_length=100)
    object_pk = ExactTextField(max_length=255)
    record_label = models.CharField(max_length=255, default="")
    reason = models.TextField()
    actor_kind = ExactTextField(max_length=8)
    actor_id = ExactTextField(max_length=255)
    actor_label = models.CharField(max_length=255, default="")
    placed_at = models.DateTimeField()

    objects = models.Manager.from_queryset(LegalHoldQuerySet)()

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "legal hold"
        default_permissions = ("view",)
        permissions: ClassVar = [("purge_records", "Can purge records and place legal holds")]
        indexes: ClassVar = [
            models.Index(fields=["model_label", "object_pk"], name="fsm_lifecycle_hold_record"),
            models.Index(fields=["placed_at", "id"], name="fsm_lifecycle_hold_time"),
        ]

    def __str__(self) -> str:
        return f"{self.record_name}: {self.reason}"

    @classmethod
    def place(cls, record: models.Model, reason: str, by: Any = None) -> LegalHold:
        """See ``place_hold``."""
        return place_hold(record, reason=reason, by=by)

    def release(self, reason: str, by: Any = None) -> HoldRelease:
        """See ``release_hold``."""
        return release_hold(self, reason=reason, by=by)

    @property
    def record_name(self) -> str:
        """What the record was called when the hold was placed; ``app.model:pk`` once that is erased."""
        return self.record_label or f"{self.model_label}:{self.object_pk}"

    @property
    def placed_by(self) -> str:
        """What the one who placed it was called; the kind and key once that is erased."""
        return _called(self)

    @cached_property
    def ended(self) -> HoldRelease | None:
        """Its release, or ``None`` while it is in force."""
        using = self._state.db or "default"
        return HoldRelease.objects.using(using).filter(hold=self.pk).first()

    @property
    def is_active(self) -> bool:
        """Whether it is in force."""
        return self.ended is None

    @property
    def released_at(self) -> datetime | None:
        """When it was released."""
        return None if self.ended is None else self.ended.released_at


class HoldRelease(AppendOnly):
    """The end of a hold: why, by whom, when. A hold is released once."""

    redactable = ("reason", "actor_label")

    hold = models.BigIntegerField(unique=True)
    reason = models.TextField()
    actor_kind = ExactTextField(max_length=8)
    actor_id = ExactTextField(max_length=255)
    actor_label = models.CharField(max_length=255, default="")
    released_at = models.DateTimeField()

    objects = models.Manager.from_queryset(AppendOnlyQuerySet)()

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "release of a legal hold"
        verbose_name_plural = "releases of legal holds"
        default_permissions = ()

    def __str__(self) -> str:
        return f"Hold {self.hold} released: {self.reason}"

    @property
    def released_by(self) -> str:
        """What the one who released it was called; the kind and key once that is erased."""
        return _called(self)


def with_ends(holds: Iterable[LegalHold], using: str = "default") -> list[LegalHold]:
    """These holds with what released them, in one statement instead of one each."""
    found = list(holds)
    ends = {end.hold: end for end in HoldRelease.objects.using(using).filter(hold__in=[h.pk for h in found])}
    for hold in found:
        hold.__dict__["ended"] = ends.get(hold.pk)
    return found


# --- placing and releasing -----------------------------------------------------------------------------------


def place_hold(record: models.Model, *, reason: str, by: Any = None) -> LegalHold:
    """Keep a record: until the hold is released it is neither purged nor deleted.

    A record may be under more than one hold; each is released for itself. Ordered with purges and deletions by the
    lock on the record's row.

    - ``reason``: why, for people and for the message that refuses a purge.
    - ``by``: a user or ``System("reason")``; by default the current actor. No permission is asked for.

    Raises ``InvalidHold`` without a reason, ``ActorRequired``, and ``StaleState`` when the record is gone or another
    transaction is in the way.
    """
    who, why = _who(by), _stated(reason)
    binding = binding_of(type(record))
    using = router.db_for_write(binding.model, instance=record)
    key = binding.key_of(record)
    name = binding.describe(record)
    with busy_is_stale(f"The legal hold on {name}"), writing(using, savepoint=True) as connection:
        if record._state.adding or key is None or not _lock(binding, connection, key):
            raise StaleState(f"{name} is not in the database, so no hold can be placed on it.")
        hold = LegalHold(
            model_label=binding.label,
            object_pk=key_text(key),
            record_label=str(record)[:255],
            reason=why,
            placed_at=milliseconds(timezone.now()),
            **who,
        )
        hold.save_base(using=using, force_insert=True)  # save() refuses, for everybody else
    return hold


def release_hold(hold: LegalHold, *, reason: str, by: Any = None) -> HoldRelease:
    """End a hold, and return the row that says so.

    Raises ``InvalidHold`` without a reason and for a hold that was released already, and ``ActorRequired``.
    """
    who, why = _who(by), _stated(reason)
    if hold.pk is None:
        raise InvalidHold("This hold was never placed. Take one from LegalHold.objects.")
    using = hold._state.db or "default"
    end = HoldRelease(hold=hold.pk, reason=why, released_at=milliseconds(timezone.now()), **who)
    hold.__dict__.pop("ended", None)
    try:
        with (
            busy_is_stale(f"The release of the hold on {hold.record_name}"),
            writing(using, savepoint=True),
        ):
            if hold.ended is None:
                end.save_base(using=using, force_insert=True)
                hold.__dict__["ended"] = end
                return end
    except IntegrityError:
        hold.__dict__.pop("ended", None)
    released = f" by {hold.ended.released_by} on {hold.ended.released_at:%Y-%m-%d}" if hold.ended else ""
    raise InvalidHold(f"The hold on {hold.record_name} was released already{released}.")


def _who(by: Any) -> dict[str, str]:
    who: Identity = identify(required_actor(by))
    if who.kind == "unknown":
        raise ActorRequired(
            'Nobody places or releases a legal hold anonymously. Pass by=user or by=System("reason").'
        )
    return {"actor_kind": who.kind, "actor_id": who.id[:255], "actor_label": who.label[:255]}


def _stated(reason: str) -> str:
    if not isinstance(reason, str) or not reason.strip():
        raise InvalidHold("There is no reason. Say why the record has to stay, or why it may go.")
    try:
        plain(reason, "reason")
    except Unrecordable as error:
        raise InvalidHold(str(error)) from None
    return reason.strip()


def _called(row: Any) -> str:
    return str(row.actor_label or f"{row.actor_kind} {row.actor_id}")


def _lock(binding: Binding, connection: BaseDatabaseWrapper, key: Any) -> bool:
    """Lock the record's row and see that it is there."""
    if statements.locked(binding.owner._lifecycle, connection, key) is None:  # type: ignore[attr-defined]
        return False
    if connection.vendor == "postgresql":
        # A purge whose snapshot is older (REPEATABLE READ) would get the lock and not see the hold. It is refused
        # when the row has a newer version, so the row gets one.
        column: Any = binding.owner._meta.get_field(SEQUENCE)
        names = (binding.owner._meta.db_table, str(column.column), binding.key_column)
        table, name, pk = map(connection.ops.quote_name, names)
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {table} SET {name} = {name} WHERE {pk} = %s",  # noqa: S608 - quoted names
                [binding.pk.get_db_prep_value(key, connection)],
            )
    return True


# --- what a hold refuses -------------------------------------------------------------------------------------


def refuse_held(record: Any, using: str, done: str = "deleted") -> None:
    """Raise ``UnderLegalHold`` when a record, whose row is locked, is under an active hold."""
    binding = binding_of(type(record))
    holds: QuerySet[LegalHold] = LegalHold.objects.using(using).for_record(record).active()
    if connections[using].vendor == "mysql":
        # A locking read sees what is committed, also where the transaction's snapshot is older.
        holds = holds.select_for_update()
    found = list(holds)
    if not found:
        return
    first, more = found[0], len(found) - 1
    others = f" There {'are' if more > 1 else 'is'} {more} more." if more else ""
    error = UnderLegalHold(
        f"{binding.describe(record)} is under a legal hold, placed by {first.placed_by} on "
        f"{first.placed_at:%Y-%m-%d}: “{first.reason}”.{others} Nothing was {done}. Release the hold first.",
        found,
    )
    error.record = record
    raise error


def _object(row: Any, using: str, /) -> None:
    refuse_held(row, using, "purged")


before_purge("legal holds", _object)


# --- what is erased ------------------------------------------------------------------------------------------


def of_record(using: str, model_label: str, object_pk: str, /) -> Iterator[Change]:
    """Holds lose what the record was called; released ones also who and why in words."""
    for hold in with_ends(
        LegalHold.objects.using(using).filter(model_label=model_label, object_pk=object_pk), using
    ):
        # What is in force has to be answered for, so who placed it and why stays readable.
        names = ("record_label",) if hold.ended is None else ("record_label", "reason", "actor_label")
        if any(getattr(hold, name) for name in names):
            yield LegalHold, hold.pk, dict.fromkeys(names, "")
        if hold.ended is not None and (hold.ended.reason or hold.ended.actor_label):
            yield HoldRelease, hold.ended.pk, {"reason": "", "actor_label": ""}


def of_person(using: str, person: Subject, /) -> Iterator[Change]:
    """Holds lose the label of the person who acted, and the labels and reasons that name the person."""
    for model in (LegalHold, HoldRelease):
        columns = ["actor_kind", "actor_id", *model.redactable]
        for key, kind, actor, *texts in clearing.rows_of(model, using, *columns, size=PAGE):
            own = kind in ("user", "agent") and actor == person.id
            gone = [
                name
                for name, text in zip(model.redactable, texts, strict=True)
                if text and ((own and name == "actor_label") or person.named_in(text))
            ]
            if gone:
                yield model, key, dict.fromkeys(gone, "")


clearing.register("legal holds", record=of_record, person=of_person)
