"""Records of one model over HTTP: finding those that the asking user may see, judging, locking, showing.

Nothing here knows which of them are listed, changed or fired upon.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, DataError, IntegrityError, connections, router
from django.db.models import QuerySet
from django.urls import NoReverseMatch, reverse
from rest_framework.viewsets import ViewSetMixin

from fsm_lifecycle.access.codenames import codes_of
from fsm_lifecycle.access.policy import rights
from fsm_lifecycle.access.rights import refusal_of_crud
from fsm_lifecycle.access.visibility import visible
from fsm_lifecycle.api.entity_tags import Preconditions, tag_of
from fsm_lifecycle.api.keys import key_from, key_segment
from fsm_lifecycle.api.problem import Fault, Problem, busy, invalid, not_found, of_error
from fsm_lifecycle.api.representing import fix, opened_by, serializer_for
from fsm_lifecycle.api.view import ApiView
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.engine.binding import Binding, binding_of
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger.canonical import Unrecordable
from fsm_lifecycle.presentation.keys import readable
from fsm_lifecycle.presentation.opened import Opened
from fsm_lifecycle.transactions import is_busy

logger = logging.getLogger("fsm_lifecycle")

_REFUSED_BY_DATABASE = (
    "The database refused these values: they do not fit a column, or contradict other records."
)


class RecordViews(ViewSetMixin, ApiView):  # type: ignore[misc]
    """Views of the records of ``model``.

    - ``queryset``: narrows the records, beside what the user may see of them.
    - ``serializer_class``: how they are shown and written; by default made of ``Lifecycle.api_fields``.
    - ``permission_classes``: beside the roles.

    The framework's hooks do the same by request: ``get_queryset``, ``get_serializer_class``,
    ``get_serializer_context``, ``get_permissions``.
    """

    model: ClassVar[Any] = None
    queryset: ClassVar[QuerySet[Any] | None] = None
    serializer_class: ClassVar[Any] = None
    query_parameters: ClassVar[tuple[str, ...]] = ()
    lookup_field = "pk"
    lookup_url_kwarg = "pk"
    lookup_value_regex = "[^/]+"
    #: The event that a route is for.
    lifecycle_event: str = ""

    @property
    def binding(self) -> Binding:
        """The model with its table."""
        if self.model is None:
            raise ImproperlyConfigured(
                f"{type(self).__name__} has no model. Write model = Invoice in its class."
            )
        return binding_of(self.model)

    # Finding

    def get_queryset(self) -> QuerySet[Any]:
        """The records that are served. Which of them the user may see is asked beside it."""
        found: QuerySet[Any] = (
            self.model._default_manager.all() if self.queryset is None else self.queryset.all()
        )
        return found

    def records(self) -> QuerySet[Any]:
        """The records that the user may see."""
        return visible(self.get_queryset(), self.request.user)

    def get_object(self) -> Any:
        """The record that the address names. The same 404, after the same questions, where there is none to be seen."""
        text = key_from(str(self.kwargs["pk"]))
        rows = self.records()
        keys = [] if text is None else readable(rows, [text])
        found = list(rows.filter(pk=keys[0])[:1]) if keys else []
        # One address for each record; and a database may take other texts for equal.
        if not found or key_text(found[0].pk) != text:
            raise not_found()
        self.check_object_permissions(self.request, found[0])
        return found[0]

    def require(self, what: CRUD, record: Any = None) -> None:
        """Raise 403 unless the user may do this to a record, or to every record."""
        theirs = rights(self.request.user, self.model, record)
        if not theirs.allows(what):
            reason = refusal_of_crud(theirs, codes_of(self.model), what)
            raise Problem("access_denied", reason, [Fault("", reason)])

    def writes_to(self, record: Any = None) -> str:
        """The database where a record is written."""
        hints = {} if record is None else {"instance": record}
        return router.db_for_write(self.model, **hints)

    def locked(self, record: Any) -> Any:
        """The record as it is now, held until the open transaction ends."""
        using = self.writes_to(record)
        features = connections[using].features
        rows = self.model._base_manager.using(using).filter(pk=record.pk)
        if features.has_select_for_update:
            rows = rows.select_for_update(no_key=features.has_select_for_no_key_update)
        held = rows.first()
        if held is None:
            raise not_found()
        return held

    # Showing

    @classmethod
    def has_own_serializer(cls) -> bool:
        """Whether the project says how records are shown and written."""
        return cls.serializer_class is not None or (
            cls.get_serializer_class is not RecordViews.get_serializer_class
        )

    def get_serializer_class(self) -> Any:
        """The class of serializers."""
        return self.serializer_class or serializer_for(self.model)

    def get_serializer_context(self) -> dict[str, Any]:
        """What serializers are told."""
        return {"request": self.request, "view": self, "format": self.format_kwarg}

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """The serializer of one record, or with ``many=True`` of several."""
        context = self.get_serializer_context()
        return fix(self.get_serializer_class()(*args, context=context, **kwargs), self.binding)

    def represent(self, record: Any) -> Any:
        """A record as this user gets it."""
        return self.get_serializer(record).data

    def fresh(self, record: Any) -> Any:
        """A record as this user gets it, as the database has it; ``None`` where it is gone."""
        using = self.writes_to(record)
        # One that was just moved may be served no more.
        for rows in (self.get_queryset(), self.model._base_manager):
            if (found := rows.using(using).filter(pk=record.pk).first()) is not None:
                return self.represent(found)
        return None

    def opened(self) -> Opened:
        """Which values are shown, in histories too."""
        return opened_by(self.model, self.get_serializer() if self.has_own_serializer() else None)

    def address_of(self, record: Any) -> str:
        """The address of a record, or empty where it is not routed."""
        match = self.request.resolver_match
        basename = getattr(self, "basename", None)
        if match is None or not basename:
            return ""
        name = ":".join([*match.namespaces, f"{basename}-detail"])
        try:
            path = reverse(name, kwargs={**match.kwargs, "pk": key_segment(record.pk)})
        except NoReverseMatch:
            return ""
        return str(self.request.build_absolute_uri(path))

    # Judging and writing

    def check_conditions(self, conditions: Preconditions, record: Any) -> None:
        """Raise 412 or 428 unless the record is the version that is meant."""
        conditions.check(lambda: tag_of(self.fresh(record)))
        conditions.require()

    @contextmanager
    def writing_told(self, record: Any = None) -> Iterator[None]:
        """Inside, what the engine or the database refuses becomes a ``Problem``."""
        try:
            yield
        except LifecycleError as error:
            if error.decision is None or error.record is not record:
                logger.warning("%s %s was not done", self.request.method, self.request.path, exc_info=error)
            raise of_error(error, record) from error
        except Unrecordable as error:
            raise invalid([Fault(error.place, f"Cannot be recorded: {error.why}.")]) from error
        except (IntegrityError, DataError, OverflowError) as error:
            if is_busy(error):
                raise busy() from error
            logger.warning("%s %s was refused", self.request.method, self.request.path, exc_info=error)
            raise invalid([Fault("", _REFUSED_BY_DATABASE)]) from error
        except DatabaseError as error:
            if not is_busy(error):
                raise
            raise busy() from error
