"""The delivery: one message to one endpoint, and its attempts.

What is sent is made from the log each time, so no payload is stored; only what a full one says beyond the entry is kept
here, so that every try sends the same bytes. Must not know how it is sent.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from fsm_lifecycle.dispatch.leased import Leased
from fsm_lifecycle.exact_text import ExactTextField
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint
from fsm_lifecycle.webhooks.signing import new_message_id


class WebhookDelivery(Leased):
    """One message to one endpoint. The entry is named by its hash; a test message has none."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    entry_hash = ExactTextField(max_length=64, null=True)
    message_id = ExactTextField(max_length=40, unique=True, default=new_message_id)
    """The ``webhook-id``: the same at every try."""
    status = models.CharField(
        max_length=9,
        choices=[(PENDING, "pending"), (DELIVERED, "delivered"), (DEAD, "dead")],
        default=PENDING,
    )
    attempt = models.PositiveIntegerField(default=0)
    """How many tries were used up."""
    reason = models.CharField(max_length=16, blank=True, default="")
    """Why it is dead: ``tries``, ``endpoint_off``, ``endpoint_gone``, ``endpoint_failing``, ``not_visible``,
    ``entry_missing``, ``test_failed``."""
    type = models.CharField(max_length=210)
    """``billing.invoice.pay``, ``billing.invoice:created``, or ``fsm_lifecycle.test``."""
    model_label = ExactTextField(max_length=100, blank=True, default="")
    object_pk = ExactTextField(max_length=255, blank=True, default="")
    sequence = models.BigIntegerField(null=True)
    payload = models.CharField(max_length=4, default=WebhookEndpoint.THIN)
    """What the endpoint asked for when the delivery was made."""
    fields = models.TextField(null=True)
    """Of a full payload: the record's opened fields, read when the delivery was made, as JSON.

    ``None``: it is sent thin."""
    postponed_to = models.DateTimeField(null=True)
    """Of a probe: when it was due by its own schedule."""
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)
    """When it was delivered, or became dead."""

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "webhook delivery"
        verbose_name_plural = "webhook deliveries"
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["endpoint", "entry_hash"], name="fsm_lifecycle_delivery_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["endpoint", "status", "due_at"], name="fsm_lifecycle_delivery_due"),
            models.Index(fields=["status", "lease_until"], name="fsm_lifecycle_delivery_held"),
            models.Index(fields=["entry_hash"], name="fsm_lifecycle_delivery_entry"),
            models.Index(fields=["settled_at"], name="fsm_lifecycle_delivery_end"),
            models.Index(fields=["model_label", "object_pk"], name="fsm_lifecycle_delivery_record"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.message_id} ({self.status})"

    @property
    def is_test(self) -> bool:
        """Whether it tells of no entry."""
        return self.entry_hash is None


class WebhookAttempt(models.Model):
    """One HTTP try of a delivery."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    """Which try it was, from 1; a probe has the number of the try that it stands in for."""
    status = models.PositiveSmallIntegerField(null=True)
    """The HTTP status, or ``None`` when no whole response came."""
    elapsed = models.FloatField()
    """Seconds."""
    response_head = models.TextField(blank=True, default="")
    """How the response's body begins."""
    error_class = models.CharField(max_length=64, blank=True, default="")
    """Why no response came: ``AddressRefused``, ``NameNotResolved``, ``ConnectFailed``, ``TlsFailed``,
    ``ConnectionLost``, ``ProtocolBroken``, ``DeadlineExceeded``."""
    attempted_at = models.DateTimeField()

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "webhook attempt"
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(fields=["attempted_at"], name="fsm_lifecycle_attempt_time"),
        ]

    def __str__(self) -> str:
        return f"try {self.number}: {self.status or self.error_class}"

    @property
    def succeeded(self) -> bool:
        """Whether the receiver took it: 2xx alone says so."""
        return self.status is not None and 200 <= self.status < 300
