"""The manager and queryset of lifecycle models. Must not know how a firing is carried out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.db import connections, models
from django.db.models import Q
from django.utils import timezone

from fsm_lifecycle.access.answers import Page
from fsm_lifecycle.access.visibility import visible
from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine import beginnings, unsaved
from fsm_lifecycle.engine.binding import HEAD, SEQUENCE, SINCE, Binding
from fsm_lifecycle.engine.bulk import BulkResult, fire_many
from fsm_lifecycle.exceptions import DirectStateChange
from fsm_lifecycle.transactions import busy_is_stale, undoable, writing

if TYPE_CHECKING:
    from fsm_lifecycle.models import LifecycleModel

M = TypeVar("M", bound="LifecycleModel", covariant=True)


class LifecycleQuerySet(models.QuerySet[M]):
    """A queryset that knows states and fires events."""

    @property
    def _binding(self) -> Binding:
        return self.model._lifecycle

    def in_state(self, *states: str) -> Self:
        """The records in any of these states. Raises ``ValueError`` for one the lifecycle does not have."""
        table = self._binding.table
        unknown = [str(state) for state in states if state not in table.states]
        if unknown:
            raise ValueError(
                f"{self.model.__name__} has no state {', '.join(unknown)}. Its states are: {', '.join(table.states)}."
            )
        return self.filter(**{f"{self._binding.state_name}__in": [str(state) for state in states]})

    def delete(self) -> tuple[int, dict[str, int]]:
        """As Django's, with a ``deleted`` entry each. None goes where one may not.

        Raises ``UnderLegalHold`` where a hold keeps one, and ``StaleState`` where another transaction is in the way.
        An open transaction can go on then.
        """
        self._for_write = True
        with busy_is_stale(f"The deletion of {self.model._meta.verbose_name_plural}"), undoable(self.db):
            return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def stuck(self, days: float | None = None) -> Self:
        """The records that have been in their state longer than its ``stuck_after``.

        With ``days``: in any non-terminal state longer than that.
        """
        now, binding = timezone.now(), self._binding
        groups: dict[timedelta, list[str]] = {}
        for state in binding.table.states.values():
            limit = state.stuck_after if days is None else None if state.terminal else timedelta(days=days)
            if limit is not None:
                groups.setdefault(limit, []).append(state.value)
        found = Q(pk__in=[])
        for limit, states in groups.items():
            found |= Q(**{f"{binding.state_name}__in": states, f"{SINCE}__lt": now - limit})
        return self.filter(found)

    def visible_to(self, user: Any) -> Self:
        """The records this user may read: one statement, whose keys stay in the database."""
        return visible(self, user)  # type: ignore[return-value]

    def _fetch_all(self) -> None:
        fresh = self._result_cache is None
        super()._fetch_all()
        rows = self._result_cache
        if fresh and rows and self._binding.asks_in_pages and isinstance(rows[0], models.Model):
            # Records that were loaded together are asked about together.
            page = Page([row.pk for row in rows])
            for row in rows:
                row._state.lifecycle_page = page  # type: ignore[attr-defined]

    def fire(
        self,
        event: Event | str,
        *,
        actor: Any = None,
        arguments: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        all_or_nothing: bool = False,
        batch_size: int = 1000,
        progress: Callable[[int, int], None] | None = None,
    ) -> BulkResult:
        """Fire ``event`` on every record of the queryset; each is decided for itself.

        A refusal concerns its own record. With ``all_or_nothing`` any refusal leaves everything as it was.
        ``progress(done, total)`` is called after each batch. Does not raise for refusals; look at the result.
        """
        return fire_many(
            self,
            event,
            actor=actor,
            arguments=arguments,
            metadata=metadata,
            all_or_nothing=all_or_nothing,
            batch_size=batch_size,
            progress=progress,
        )

    def update(self, **kwargs: Any) -> int:
        """As Django's, but what only firing writes is refused."""
        self._refuse_own("update", kwargs)
        return super().update(**kwargs)

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_update(self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None) -> int:
        """As Django's, but what only firing writes is refused."""
        names, records, binding = list(fields), list(objs), self._binding
        self._refuse_own("bulk_update", names)
        count = super().bulk_update(records, names, batch_size=batch_size)
        attributes = [f.attname for f in self.model._meta.concrete_fields if f.name in names]
        for record in records:
            unsaved.remember(record, binding, attributes)
        return count

    bulk_update.alters_data = True  # type: ignore[attr-defined]

    def _refuse_own(self, method: str, names: Iterable[str]) -> None:
        """The state field refuses this through any manager; here, before it would spoil an open transaction."""
        own = sorted(self._binding.guarded_columns.intersection(names))
        if own:
            model = self.model.__name__
            raise DirectStateChange(
                f"{model}.objects.{method}() does not write {', '.join(own)}: that changes only by firing an event. "
                f"Call {model}.objects.filter(...).fire(event, actor=...)."
            )

    def bulk_create(
        self,
        objs: Iterable[Any],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[Any]:
        """As Django's, with an entry for each record, written in bulk in the same transaction.

        Row by row where the database returns no keys, or makes them by ``db_default``. ``ignore_conflicts`` and
        ``update_conflicts`` are refused: which rows came into being could not be told.
        """
        if ignore_conflicts or update_conflicts:
            name = "ignore_conflicts" if ignore_conflicts else "update_conflicts"
            raise DirectStateChange(
                f"{self.model.__name__}.objects.bulk_create({name}=True) is refused: the database does not tell which "
                f"rows it inserted, so their log could not be written. Look up the existing rows first."
            )
        records, binding = list(objs), self._binding
        self._for_write = True
        for record in records:
            beginnings.refuse_wrong_beginning(binding, record)
        for record in records:
            record.__dict__.update({SEQUENCE: 0, HEAD: ""})
        with writing(self.db, savepoint=False) as connection, beginnings.beginning():
            keys = [binding.key_of(record) for record in records]
            # Django takes a key that the database is still to make (db_default) for one, and does not read it back.
            made_there = any(hasattr(key, "resolve_expression") for key in keys)
            returned = connections[self.db].features.can_return_rows_from_bulk_insert
            if not made_there and (returned or None not in keys):
                super().bulk_create(records, batch_size=batch_size)
                beginnings.begin(binding, connection, records)
            else:
                for record in records:
                    record.save(force_insert=True, using=self.db)
        for record in records:
            unsaved.remember_all(record, binding)
        return records


if TYPE_CHECKING:
    # What from_queryset() makes at run time, spelt out so that Invoice.objects.in_state(...) is known to be a
    # queryset of invoices.
    class _Manager(models.Manager[M]):
        def get_queryset(self) -> LifecycleQuerySet[M]: ...
        def all(self) -> LifecycleQuerySet[M]: ...
        def filter(self, *args: Any, **kwargs: Any) -> LifecycleQuerySet[M]: ...
        def exclude(self, *args: Any, **kwargs: Any) -> LifecycleQuerySet[M]: ...
        def order_by(self, *field_names: Any) -> LifecycleQuerySet[M]: ...
        def using(self, alias: str | None) -> LifecycleQuerySet[M]: ...
        def none(self) -> LifecycleQuerySet[M]: ...
        def in_state(self, *states: str) -> LifecycleQuerySet[M]: ...
        def stuck(self, days: float | None = None) -> LifecycleQuerySet[M]: ...
        def visible_to(self, user: Any) -> LifecycleQuerySet[M]: ...
        def fire(
            self,
            event: Event | str,
            *,
            actor: Any = None,
            arguments: Mapping[str, Any] | None = None,
            metadata: Mapping[str, Any] | None = None,
            all_or_nothing: bool = False,
            batch_size: int = 1000,
            progress: Callable[[int, int], None] | None = None,
        ) -> BulkResult: ...
else:
    _Manager = models.Manager.from_queryset(LifecycleQuerySet)


class LifecycleManager(_Manager[M]):
    """The default manager of a ``LifecycleModel``."""
