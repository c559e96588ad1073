"""Webhooks over HTTP: one's endpoints, their secrets, their messages.

Managing them takes the permission ``fsm_lifecycle.manage_webhooks``; one sees one's own, superusers all. A secret is
shown once, to whoever made or changed it. Must not know how a message is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError
from django.db import connections, transaction
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.viewsets import ViewSetMixin

from fsm_lifecycle.api import paging
from fsm_lifecycle.api.documenting_webhooks import DOCUMENTS
from fsm_lifecycle.api.entity_tags import Preconditions, tag_of
from fsm_lifecycle.api.entries import moment
from fsm_lifecycle.api.idempotency import Once
from fsm_lifecycle.api.problem import Fault, Problem, invalid, not_found, unknown, unreadable
from fsm_lifecycle.api.view import ApiView
from fsm_lifecycle.encryption import UnusableKeys
from fsm_lifecycle.presentation.keys import readable
from fsm_lifecycle.transactions import writing
from fsm_lifecycle.webhooks import (
    EndpointOff,
    create_endpoint,
    health,
    resend,
    resend_since,
    rotate_secret,
    send_test,
    validate_endpoint,
)
from fsm_lifecycle.webhooks.delivery import WebhookAttempt, WebhookDelivery
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint

PERMISSION: Final = "fsm_lifecycle.manage_webhooks"
LABEL: Final = "fsm_lifecycle.webhookendpoint"


class EndpointSerializer(serializers.ModelSerializer):  # type: ignore[misc]
    """A webhook endpoint."""

    url = serializers.CharField(max_length=2000)
    events = serializers.ListField(
        child=serializers.CharField(max_length=300), max_length=100, required=False
    )

    class Meta:
        model = WebhookEndpoint
        fields = (
            "id",
            "url",
            "events",
            "model_label",
            "object_pk",
            "payload",
            "active",
            "owner",
            "description",
            "disabled_reason",
            "created_at",
        )
        read_only_fields = ("disabled_reason", "created_at")


class WebhooksViewSet(ViewSetMixin, ApiView):  # type: ignore[misc]
    """One's endpoints and their messages."""

    lookup_value_regex = "[^/]+"
    lookup_url_kwarg = "pk"
    _parameters: ClassVar[dict[str, tuple[str, ...]]] = {
        "list": ("cursor", "page_size"),
        "deliveries": ("status", "cursor", "page_size"),
    }

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """As the framework's. See ``ApiView.as_view``."""
        view = super().as_view(actions, **initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def documented(self, method: str) -> Any:
        """What the schema says of an operation."""
        return DOCUMENTS[str(self.action)](EndpointSerializer)

    @property
    def parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        """The names that the query string may have."""
        return self._parameters.get(self.action or "", ())

    # Finding

    def endpoints(self) -> QuerySet[WebhookEndpoint]:
        """The endpoints that the user may see."""
        rows = WebhookEndpoint.objects.all()
        return rows if self.request.user.is_superuser else rows.filter(owner=self.request.user.pk)

    def get_endpoint(self) -> WebhookEndpoint:
        """The endpoint of the address. 404 where there is none to be seen, 403 where it may not be managed."""
        found: WebhookEndpoint = self._one(self.endpoints(), self.kwargs["pk"])
        self.require()
        return found

    def get_delivery(self) -> WebhookDelivery:
        """The message of the address."""
        endpoint = self.get_endpoint()
        found: WebhookDelivery = self._one(
            WebhookDelivery.objects.filter(endpoint=endpoint), self.kwargs["delivery"]
        )
        return found

    def _one(self, rows: QuerySet[Any], text: str) -> Any:
        keys = readable(rows, [text])
        found = rows.filter(pk=keys[0]).first() if keys and str(keys[0]) == text else None
        if found is None:
            raise not_found()
        return found

    def require(self) -> None:
        """Raise 403 unless the user may manage webhooks."""
        if not self.request.user.has_perm(PERMISSION):
            raise Problem("access_denied", "Needs the permission to manage webhooks.")

    # Endpoints

    def list(self, request: Any) -> Response:
        """The endpoints that the user may see."""
        self.require()
        self.refuse_unknown_parameters()
        found, cursor = self._page(self.endpoints(), WebhookEndpoint)
        results = EndpointSerializer(found, many=True).data
        return Response({"next": paging.next_address(request, "cursor", cursor), "results": results})

    def create(self, request: Any) -> Any:
        """Make an endpoint; its secret is in this answer alone."""
        self.require()
        given = self._given()

        def work() -> Response:
            serializer = EndpointSerializer(data=given)
            serializer.is_valid(raise_exception=True)
            with _told():
                endpoint = create_endpoint(request.user, **serializer.validated_data)
            shown = {**EndpointSerializer(endpoint).data, "secret": endpoint.new_secret}
            here = self.request.resolver_match.kwargs
            address = self.reverse_action("detail", kwargs={**here, "pk": endpoint.pk})
            return Response(shown, status=201, headers={"Location": address})

        return self._once(given, work)

    def retrieve(self, request: Any, pk: str) -> Response:
        """One endpoint."""
        endpoint = self.get_endpoint()
        self.refuse_unknown_parameters()
        return Response(EndpointSerializer(endpoint).data)

    def partial_update(self, request: Any, pk: str) -> Response:
        """Change an endpoint."""
        endpoint = self.get_endpoint()
        given = self._given()
        with writing("default", savepoint=True), _told():
            held = self._held(endpoint)
            serializer = EndpointSerializer(held, data=given, partial=True)
            serializer.is_valid(raise_exception=True)
            for name, value in serializer.validated_data.items():
                setattr(held, name, value)
            validate_endpoint(held, request.user)
            held.save(update_fields=list(serializer.validated_data))
        shown = EndpointSerializer(held).data
        return Response(shown, headers={"ETag": tag_of(shown)})

    def destroy(self, request: Any, pk: str) -> Response:
        """Remove an endpoint, with its messages."""
        endpoint = self.get_endpoint()
        self.refuse_unknown_parameters()
        with writing("default", savepoint=True):
            self._held(endpoint).delete()
        return Response(status=204)

    def _held(self, endpoint: WebhookEndpoint) -> WebhookEndpoint:
        held = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint.pk).first()
        if held is None:
            raise not_found()
        conditions = Preconditions(self.request.headers)
        conditions.check(lambda: tag_of(EndpointSerializer(held).data))
        conditions.require()
        return held

    def _given(self) -> dict[str, Any]:
        self.refuse_unknown_parameters()
        given = self.body()
        writable = [name for name, field in EndpointSerializer().fields.items() if not field.read_only]
        if extra := [name for name in given if name not in writable]:
            raise unknown(extra, "field that can be written", writable)
        return given

    # What is done with one

    @action(detail=True, methods=["get"])  # type: ignore[untyped-decorator]
    def health(self, request: Any, pk: str) -> Response:
        """How it has been doing."""
        endpoint = self.get_endpoint()
        self.refuse_unknown_parameters()
        return Response(represent_health(health([endpoint])[endpoint.pk]))

    @action(detail=True, methods=["post"])  # type: ignore[untyped-decorator]
    def secret(self, request: Any, pk: str) -> Any:
        """Give it a new secret, shown in this answer alone. The old one stays valid for 24 hours."""
        endpoint = self.get_endpoint()
        self._nothing_given()

        def work() -> Response:
            with _told():
                return Response({"secret": rotate_secret(endpoint)})

        return self._once({}, work)

    @action(detail=True, methods=["post"])  # type: ignore[untyped-decorator]
    def test(self, request: Any, pk: str) -> Any:
        """Send it a test message."""
        endpoint = self.get_endpoint()
        self._nothing_given()
        return self._once({}, lambda: Response(represent_delivery(send_test(endpoint))))

    @action(detail=True, methods=["post"])  # type: ignore[untyped-decorator]
    def resend(self, request: Any, pk: str) -> Any:
        """Tell it once more of everything since a moment."""
        endpoint = self.get_endpoint()
        self.refuse_unknown_parameters()
        given = self.body(("since",))
        since = _moment(given.get("since"))

        def work() -> Response:
            with _told():
                return Response({"messages": resend_since(endpoint, since)})

        return self._once(given, work)

    @action(detail=True, methods=["get"])  # type: ignore[untyped-decorator]
    def deliveries(self, request: Any, pk: str) -> Response:
        """Its messages, newest first."""
        rows = WebhookDelivery.objects.filter(endpoint=self.get_endpoint())
        self.refuse_unknown_parameters()
        if (status := self.parameter("status")) is not None:
            if status not in (known := ("pending", "delivered", "dead")):
                raise unreadable("status", f"There is {', '.join(known)}.")
            rows = rows.filter(status=status)
        found, cursor = self._page(rows, WebhookDelivery)
        return Response(
            {
                "next": paging.next_address(request, "cursor", cursor),
                "results": [represent_delivery(one) for one in found],
            }
        )

    @action(detail=True, methods=["get"], url_path="deliveries/(?P<delivery>[^/]+)")  # type: ignore[untyped-decorator]
    def delivery(self, request: Any, pk: str, delivery: str) -> Response:
        """One message, with its attempts."""
        found = self.get_delivery()
        self.refuse_unknown_parameters()
        attempts = WebhookAttempt.objects.filter(delivery=found).order_by("pk")
        return Response(
            {**represent_delivery(found), "attempts": [represent_attempt(one) for one in attempts]}
        )

    @action(  # type: ignore[untyped-decorator]
        detail=True, methods=["post"], url_path="deliveries/(?P<delivery>[^/]+)/resend"
    )
    def resend_one(self, request: Any, pk: str, delivery: str) -> Any:
        """Send one message again."""
        found = self.get_delivery()
        self._nothing_given()

        def work() -> Response:
            with _told():
                return Response(represent_delivery(resend(found)))

        return self._once({}, work)

    def _page(self, rows: QuerySet[Any], model: Any) -> tuple[Sequence[Any], str | None]:
        size = self.whole_number("page_size", least=1, most=paging.MOST) or paging.PAGE
        return paging.page(rows, paging.Order("-id", model._meta.pk), self.parameter("cursor"), size)

    def _nothing_given(self) -> None:
        self.refuse_unknown_parameters()
        if self.has_body():
            self.body(())

    def _once(self, given: dict[str, Any], work: Callable[[], Response]) -> Any:
        # What is kept for repetition may hold a secret.
        once = Once(self.request, given, label=LABEL, object_pk=self.kwargs.get("pk", ""), sealed=True)
        return once.run("default", work, lambda row: None) if once else work()


class _told:  # noqa: N801 - a block, named by what it does
    """Inside, what webhooks refuse becomes a ``Problem``."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, ValidationError):
            faults = [
                Fault("" if name == "__all__" else name, " ".join(map(str, texts)))
                for name, texts in error.message_dict.items()
            ]
            raise invalid(faults) from error
        if isinstance(error, EndpointOff):
            raise Problem("endpoint_off", "The endpoint is switched off. Switch it on first.") from error
        if isinstance(error, UnusableKeys):
            raise Problem(
                "unusable_keys", "Secrets cannot be kept here: ENCRYPTION_KEYS are missing."
            ) from error


def _moment(text: Any) -> Any:
    try:
        found = parse_datetime(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None or is_naive(found):
        raise unreadable("since", "Give a time with its offset, as 2026-11-30T09:00:00Z.")
    return found


def represent_delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    """A message as plain JSON values."""
    return {
        "id": delivery.pk,
        "message_id": delivery.message_id,
        "type": delivery.type,
        "status": delivery.status,
        "reason": delivery.reason,
        "attempt": delivery.attempt,
        "entry": delivery.entry_hash,
        "model": delivery.model_label,
        "record": delivery.object_pk,
        "sequence": delivery.sequence,
        "due_at": moment(delivery.due_at),
        "created_at": moment(delivery.created_at),
        "settled_at": moment(delivery.settled_at),
    }


def represent_attempt(attempt: WebhookAttempt) -> dict[str, Any]:
    """One try of a message as plain JSON values."""
    return {
        "number": attempt.number,
        "status": attempt.status,
        "elapsed": attempt.elapsed,
        "response_head": attempt.response_head,
        "error": attempt.error_class,
        "attempted_at": moment(attempt.attempted_at),
    }


def represent_health(found: Any) -> dict[str, Any]:
    """How an endpoint has been doing, as plain JSON values."""
    plain = (
        "state",
        "reason",
        "failures",
        "pending",
        "dead",
        "attempts",
        "succeeded",
        "average",
        "secret_readable",
    )
    times = ("failing_since", "paused_until", "oldest_pending", "last_success", "last_failure")
    return {
        **{name: getattr(found, name) for name in plain},
        "success_rate": found.success_rate,
        **{name: moment(getattr(found, name)) for name in times},
    }
