"""The tables of everyone but us: an invoice with the columns that ours has, and a log of its transitions.

Must not know any state machine package.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class InvoiceColumns(models.Model):
    """What an invoice holds besides its state; the last two stand for our sequence and chain head."""

    amount = models.DecimalField(max_digits=12, decimal_places=2)
    client_name = models.CharField(max_length=200)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    state_since = models.DateTimeField(default=timezone.now)
    revision = models.BigIntegerField(default=0)
    head = models.CharField(max_length=64, default="")

    class Meta:
        abstract = True


class PlainInvoice(InvoiceColumns):
    """The invoice of the raw and the hand-written version."""

    state = models.CharField(max_length=64, default="draft")

    class Meta:
        app_label = "benchmarks"
        indexes = [models.Index(fields=["state", "state_since"], name="bench_plain_state")]


class PlainLog(models.Model):
    """A log as one writes it by hand: who moved what, when, from where to where."""

    table = models.CharField(max_length=64)
    object_id = models.BigIntegerField()
    event = models.CharField(max_length=64)
    from_state = models.CharField(max_length=64)
    to_state = models.CharField(max_length=64)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "benchmarks"
        indexes = [models.Index(fields=["table", "object_id"], name="bench_log_record")]
