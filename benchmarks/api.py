"""What a request to the REST API costs: list, retrieve and fire, beside a plain ModelViewSet on the same model.

The plain one shows the same columns, asks for no right beyond being logged in, and moves a table of its own by hand.
Requests are made in the process, rendered to bytes, without a server. Must not know how the views work.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections, transaction
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.viewsets import ModelViewSet

from benchmarks.databases import LABELS
from benchmarks.models import PlainInvoice, PlainLog, StaffedInvoice
from benchmarks.report import Section
from benchmarks.settings import bound_to, on_database
from benchmarks.timing import Samples, Task, interleave
from fsm_lifecycle import System, acting_as
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.api import LifecycleViewSet

#: Records on a page.
PAGE = 50
CALLS = 10
OURS, PLAIN = "ours", "plain ModelViewSet"
WHAT = (f"list of {PAGE}", "retrieve", "fire")


class StaffedSerializer(serializers.ModelSerializer):  # type: ignore[misc]
    class Meta:
        model = StaffedInvoice
        fields = ("id", "amount", "client_name", "state", "lifecycle_sequence")


class PlainSerializer(serializers.ModelSerializer):  # type: ignore[misc]
    class Meta:
        model = PlainInvoice
        fields = ("id", "amount", "client_name", "state", "revision")


class Pages(CursorPagination):  # type: ignore[misc]
    page_size = PAGE
    ordering = "-pk"


class PlainStaffed(ModelViewSet):  # type: ignore[misc]
    queryset = StaffedInvoice.objects.all()
    serializer_class = StaffedSerializer
    pagination_class = Pages
    permission_classes = (IsAuthenticated,)


class ByHand(ModelViewSet):  # type: ignore[misc]
    queryset = PlainInvoice.objects.all()
    serializer_class = PlainSerializer
    permission_classes = (IsAuthenticated,)

    @action(detail=True, methods=["post"])  # type: ignore[untyped-decorator]
    def move(self, request: Any, pk: Any = None) -> Response:
        """Lock, look, write, log: as one writes it."""
        with transaction.atomic(using=self.queryset.db):
            invoice = PlainInvoice.objects.select_for_update().get(pk=pk)
            if not request.user.has_perm("benchmarks.change_plaininvoice"):
                return Response(status=403)
            before, after = invoice.state, "sent" if invoice.state == "draft" else "draft"
            if invoice.amount <= 0:
                return Response(status=409)
            invoice.state = after
            invoice.save(update_fields=["state"])
            PlainLog.objects.create(
                table="invoice",
                object_id=invoice.pk,
                event="move",
                from_state=before,
                to_state=after,
                by=request.user,
            )
        return Response(PlainSerializer(invoice).data)


class Ours(LifecycleViewSet):
    model = StaffedInvoice


def measure(aliases: Sequence[str], rounds: int) -> list[Section]:
    """Each request both ways, on each database."""
    rows: list[list[str]] = []
    for alias in aliases:
        if alias == "postgres_async":
            continue
        connections["default"] = connections[alias]
        try:
            samples = interleave(_tasks(alias), rounds)
        finally:
            del connections["default"]
        where = LABELS[alias].partition(",")[0]
        for what in WHAT:
            ours, plain = samples[f"{what} {OURS}"], samples[f"{what} {PLAIN}"]
            rows.append([f"{where}, {what}", _rate(ours), _rate(plain), str(ours.ratio_to(plain))])
    return [
        Section(
            title="Requests to the REST API",
            about=(
                "Requests a second, one after the other, made in the process and rendered. Ours asks which records "
                "the user may see and shows the events that each could take, tags the answer, and fires with roles, "
                "guard, chain and log. The plain one shows the same columns to everybody; its event is written by "
                "hand on a table and a log of its own, as an administrator."
            ),
            columns=["request", "ours a second", "plain a second", "× plain"],  # noqa: RUF001
            rows=rows,
        )
    ]


def _rate(samples: Samples) -> str:
    return f"{1 / samples.wall_spread().median:,.0f}"


def _tasks(alias: str) -> dict[str, Task]:
    with on_database(alias):
        user, admin, invoice, plain = _records()
    ours, theirs = Ours.as_view, PlainStaffed.as_view
    name = "send_invoice"
    made = {
        f"{WHAT[0]} {OURS}": _ask(ours({"get": "list"}), user),
        f"{WHAT[0]} {PLAIN}": _ask(theirs({"get": "list"}), user),
        f"{WHAT[1]} {OURS}": _ask(ours({"get": "retrieve"}), user, pk=str(invoice.pk)),
        f"{WHAT[1]} {PLAIN}": _ask(theirs({"get": "retrieve"}), user, pk=invoice.pk),
        f"{WHAT[2]} {OURS}": _turns(
            [_post(ours({"post": f"event_{event}"}), user, pk=str(invoice.pk)) for event in (name, "recall")]
        ),
        f"{WHAT[2]} {PLAIN}": _turns([_post(ByHand.as_view({"post": "move"}), admin, pk=plain.pk)]),
    }
    return {name: bound_to(alias, _repeated(ask)) for name, ask in made.items()}


def _records() -> tuple[Any, Any, Any, Any]:
    users = get_user_model()._default_manager
    user = users.get_or_create(username="api")[0]
    admin = users.get_or_create(username="api-admin", is_superuser=True)[0]
    grant_role(user, "clerk", on=StaffedInvoice, by=System("benchmarks"))
    with acting_as(System("benchmarks")):
        invoices = [StaffedInvoice(amount=10, client_name="Fjord & Sons") for _ in range(2 * PAGE)]
        StaffedInvoice.objects.bulk_create(invoices)
    invoice = StaffedInvoice.objects.order_by("pk").last()
    plain = PlainInvoice.objects.create(amount=10, client_name="Fjord & Sons")
    return user, admin, invoice, plain


def _ask(view: Callable[..., Any], user: Any, **kwargs: Any) -> Callable[[], Any]:
    factory = APIRequestFactory()

    def ask() -> Any:
        return _answered(view, factory.get("/"), user, kwargs)

    return ask


def _post(view: Callable[..., Any], user: Any, **kwargs: Any) -> Callable[[], Any]:
    factory = APIRequestFactory()

    def ask() -> Any:
        return _answered(view, factory.post("/", {}, format="json"), user, kwargs)

    return ask


def _answered(view: Callable[..., Any], request: Any, user: Any, kwargs: Any) -> Any:
    force_authenticate(request, user)
    response = view(request, **kwargs).render()
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def _turns(asks: Sequence[Callable[[], Any]]) -> Callable[[], Any]:
    """One after the other, round and round: there and back again."""
    state = {"next": 0}

    def ask() -> Any:
        chosen = asks[state["next"] % len(asks)]
        state["next"] += 1
        return chosen()

    return ask


def _repeated(ask: Callable[[], Any]) -> Task:
    def task() -> int:
        for _ in range(CALLS):
            ask()
        return CALLS

    return task
