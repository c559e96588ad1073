"""``LifecycleViewSet``: one lifecycle over HTTP. Lists, makes, shows, edits and deletes records; the rest it inherits.

Must not know how other lifecycles are served.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import connections, transaction
from django.db.models import ProtectedError, RestrictedError
from django.urls import URLPattern
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from fsm_lifecycle.api import paging, throttles
from fsm_lifecycle.api.documenting import RecordDocuments
from fsm_lifecycle.api.entity_tags import Preconditions, tag_of
from fsm_lifecycle.api.entries import Entries
from fsm_lifecycle.api.firing import SURFACE
from fsm_lifecycle.api.firing_many import FiringManyViews
from fsm_lifecycle.api.idempotency import Once, not_repeated
from fsm_lifecycle.api.paging import Order
from fsm_lifecycle.api.problem import Problem, of_decision, unknown, unreadable
from fsm_lifecycle.api.representing import missing_for_creation, orderings
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.definition.api_fields import PROVENANCE
from fsm_lifecycle.engine.binding import binding_of
from fsm_lifecycle.engine.decide import unknown_event
from fsm_lifecycle.engine.refusals import collecting
from fsm_lifecycle.presentation.keys import readable
from fsm_lifecycle.transactions import writing


class LifecycleViewSet(RecordDocuments, FiringManyViews):
    """Serves the records of ``model`` and their events. Derive from it and register it with a router of yours, too.

    - ``model``: a model with a lifecycle, or ``queryset``.
    - ``serializer_class``: a serializer of your own; by default one made of ``Lifecycle.api_fields``.
    - ``query_parameters``: the names that ``get_queryset`` of your own reads from the query string.

    Hooks of the framework that would have no effect here are refused when the class is made.
    """

    #: What each operation takes from the query string.
    _parameters: ClassVar[dict[str, tuple[str, ...]]] = {
        "list": ("state", "ordering", "cursor", "page_size"),
        "transitions": ("after", "page_size"),
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _refuse_what_is_not_asked(cls)
        if cls.model is None and cls.queryset is not None:
            cls.model = cls.queryset.model
        elif "model" in vars(cls) and "queryset" not in vars(cls) and cls.model is not None:
            cls.queryset = cls.model._default_manager.all()  # from which routers take a name
        if cls.model is not None:
            for name, event in binding_of(cls.model).table.events.items():
                setattr(cls, f"event_{name}", _route_of(name, str(event.label)))
                setattr(cls, f"bulk_{name}", _route_of_many(name, str(event.label)))

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """As ``ApiView.as_view``; without making records where a field that one needs is not opened."""
        actions = dict(actions or {})
        if not cls.has_own_serializer() and cls.model is not None and missing_for_creation(cls.model):
            actions = {method: name for method, name in actions.items() if name != "create"}
        view = super().as_view(actions, **initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    @classmethod
    def urls(cls, prefix: str = "", *, name: str) -> list[URLPattern]:
        """Its addresses, called ``<name>-list``, ``<name>-detail``, ``<name>-event-pay`` and so on."""
        router = SimpleRouter()
        router.register(re.escape(prefix), cls, basename=name)
        found: list[URLPattern] = router.urls
        return found

    @property
    def parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        """The names that the query string may have."""
        return (*self._parameters.get(self.action or "", ()), *self.query_parameters)

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """As the framework's; events are throttled by a rate of their own."""
        made = super().initialize_request(request, *args, **kwargs)
        fires = self.lifecycle_event or str(self.action or "").startswith("unknown_event")
        self.lifecycle_scope = throttles.EVENTS if fires else throttles.REST
        return made

    # Records

    def list(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """The records that the user may see."""
        self.refuse_unknown_parameters()
        rows = self.records()
        if (wanted := self.parameter("state")) is not None:
            states = wanted.split(",")
            if strange := [state for state in states if state not in self.binding.table.states]:
                known = ", ".join(self.binding.table.states)
                raise unreadable(
                    "state", f"There is no state {', '.join(strange)[:100]}. There are: {known}."
                )
            rows = rows.filter(**{f"{self.binding.state_name}__in": states})
        size = self.whole_number("page_size", least=1, most=paging.MOST) or paging.PAGE
        found, cursor = paging.page(rows, self._order(), self.parameter("cursor"), size)
        return Response(
            {
                "next": paging.next_address(request, "cursor", cursor),
                "results": self.get_serializer(found, many=True).data,
            }
        )

    def _order(self) -> Order:
        name = self.parameter("ordering") or "-id"
        known = orderings(self.model)
        field = known.get(name.removeprefix("-"))
        if field is None:
            raise unreadable(
                "ordering", f"There is {', '.join(known)}, each with a minus for the other way round."
            )
        return Order(name, field)

    def create(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Make a record in its initial state."""
        self.require(CRUD.CREATE)
        given = self._fields_given(self.get_serializer())
        once = Once(request, given, label=self.binding.label)
        conditions = Preconditions(request.headers)
        using = self.writes_to()

        def work() -> Response:
            conditions.check(lambda: "")
            with self.writing_told(), writing(using, savepoint=True):
                serializer = self.get_serializer(data=given)
                serializer.is_valid(raise_exception=True)
                serializer.validated_data.update(self._provenance())
                self.perform_create(serializer)
                record = serializer.instance
                shown = self.fresh(record)
            once.object_pk = key_text(self.binding.key_of(record))
            address = self.address_of(record)
            headers = {"ETag": tag_of(shown)} | ({"Location": address} if address else {})
            return Response(shown, status=201, headers=headers)

        def again(row: Any) -> None:
            rows = self.records()
            if once.is_same(row) and not rows.filter(pk__in=readable(rows, [row.object_pk])).exists():
                raise not_repeated()  # it shows a record that is gone, or that may be read no more

        return once.run(using, work, again) if once else work()

    def perform_create(self, serializer: Any) -> None:
        """Save a new record. Who made it is among the validated data."""
        serializer.save()

    def perform_update(self, serializer: Any) -> None:
        """Save an edited record."""
        serializer.save()

    def perform_destroy(self, instance: Any) -> None:
        """Delete a record."""
        instance.delete()

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """As the framework's; where no record can be made, who may not make one hears that first."""
        if request.method == "POST" and "list" in self.action_map.values():
            self.require(CRUD.CREATE)
            self._fields_given(self.get_serializer())
        answer: Response = super().http_method_not_allowed(request, *args, **kwargs)
        return answer

    def _provenance(self) -> dict[str, Any]:
        named = any(field.name == PROVENANCE for field in self.model._meta.concrete_fields)
        return {PROVENANCE: self.request.user} if named else {}

    def retrieve(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """One record."""
        record = self.get_object()
        self.refuse_unknown_parameters()
        return Response(self.represent(record))

    def partial_update(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Edit a record's fields. Its state stays what it is."""
        record = self.get_object()
        self.require(CRUD.UPDATE, record)
        given = self._fields_given(self.get_serializer(record))
        conditions = Preconditions(request.headers)
        using = self.writes_to(record)
        with self.writing_told(), writing(using, savepoint=True):
            held = self.locked(record)
            self.check_conditions(conditions, held)
            serializer = self.get_serializer(held, data=given, partial=True)
            serializer.is_valid(raise_exception=True)
            self.perform_update(serializer)
            shown = self.fresh(held)
        return Response(shown, headers={"ETag": tag_of(shown)})

    def _fields_given(self, serializer: Any) -> dict[str, Any]:
        """The fields of a body. Those that there are not, and those that no client writes, are refused by name."""
        self.refuse_unknown_parameters()
        given = self.body()
        writable = [name for name, field in serializer.fields.items() if not field.read_only]
        if extra := [name for name in given if name not in writable]:
            raise unknown(extra, "field that can be written", writable)
        return given

    def destroy(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Delete a record. Its log stays."""
        record = self.get_object()
        self.require(CRUD.DELETE, record)
        self.refuse_unknown_parameters()
        conditions = Preconditions(request.headers)
        with self.writing_told(record), writing(self.writes_to(record), savepoint=True):
            held = self.locked(record)
            self.check_conditions(conditions, held)
            try:
                self.perform_destroy(held)
            except (ProtectedError, RestrictedError):
                raise Problem("protected", "Other records refer to this one, so it stays.") from None
        return Response(status=204)

    # What happened, and what could

    @action(detail=True, methods=["get"])  # type: ignore[untyped-decorator]
    def transitions(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """The record's log, oldest first."""
        record = self.get_object()
        self.refuse_unknown_parameters()
        after = self.whole_number("after")
        size = self.whole_number("page_size", least=1, most=paging.MOST) or paging.PAGE
        rows = record.log if after is None else record.log.filter(sequence__gt=after)
        found = list(rows[: size + 1])
        shown, more = found[:size], len(found) > size
        entries = Entries({self.binding.label: self.opened()})
        following = shown[-1].sequence if more else None
        return Response(
            {
                "next": paging.next_address(request, "after", following),
                "results": [entries.represent(entry) for entry in shown],
            }
        )

    @action(detail=True, methods=["get"])  # type: ignore[untyped-decorator]
    def events(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Every event, allowed or not, with the reasons."""
        record = self.get_object()
        self.refuse_unknown_parameters()
        return Response([self.represent_event(record, plan) for plan in self.binding.plans.values()])

    # An address of an event that there is not. Routes are made in the order of these names, and the last one answers
    # where no other does.

    @action(  # type: ignore[untyped-decorator]
        detail=True, methods=["post"], url_path=r"events/(?P<event>[^/]+)", schema=None
    )
    def unknown_event(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Say which events there are, to who may see the record."""
        with collecting(SURFACE):
            self.plan_of(str(kwargs["event"])[:100], self.get_object())

    @action(  # type: ignore[untyped-decorator]
        detail=False, methods=["post"], url_path=r"-/events/(?P<event>[^/]+)", schema=None
    )
    def unknown_event_of_many(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Say which events there are."""
        raise of_decision(unknown_event(self.binding, str(kwargs["event"])[:100]))


#: What the framework's views ask and these do not, and what to write instead.
_NOT_ASKED: Final = {
    "Narrow the records in get_queryset(), and name what it reads from the query string in query_parameters.": (
        "filter_backends",
        "filter_queryset",
        "filterset_class",
        "filterset_fields",
        "search_fields",
    ),
    "Lists are ordered by the fields that the lifecycle opens with api_fields; ordering= says which.": (
        "ordering",
        "ordering_fields",
    ),
    "Lists are cut by cursor; page_size= says how long a page is.": (
        "pagination_class",
        "paginate_queryset",
        "get_paginated_response",
    ),
    "A record's address has its key.": ("lookup_field", "lookup_url_kwarg"),
    "Edit with partial_update() or perform_update(): PUT is not served.": ("update",),
}


def _refuse_what_is_not_asked(cls: type[LifecycleViewSet]) -> None:
    """Raise ``ImproperlyConfigured`` for a hook without effect: what was meant to hide records would not."""
    before = cls.__mro__[: cls.__mro__.index(LifecycleViewSet)]
    for remedy, names in _NOT_ASKED.items():
        for name in names:
            if any(vars(base).get(name) for base in before):
                raise ImproperlyConfigured(f"{cls.__name__}.{name} would have no effect. {remedy}")


def _route_of(name: str, label: str) -> Callable[..., Any]:
    def fire(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        return self.fire(name)

    fire.__name__, fire.__doc__ = f"event_{name}", label
    return action(  # type: ignore[no-any-return]
        detail=True,
        methods=["post"],
        url_path=f"events/{name}",
        url_name=f"event-{name.replace('_', '-')}",
        lifecycle_event=name,
    )(fire)


def _route_of_many(name: str, label: str) -> Callable[..., Any]:
    def fire(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        return self.fire_many(name)

    fire.__name__, fire.__doc__ = f"bulk_{name}", label
    return action(  # type: ignore[no-any-return]
        detail=False,
        methods=["post"],
        url_path=f"-/events/{name}",
        url_name=f"event-of-many-{name.replace('_', '-')}",
        lifecycle_event=name,
    )(fire)
