"""The endpoint: a URL that is told of entries, its secrets, and how it has been doing.

Must not know how anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.db import models, router
from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle import encryption
from fsm_lifecycle.exact_text import ExactTextField
from fsm_lifecycle.transactions import writing
from fsm_lifecycle.webhooks import beginning, filters, signing

#: How long the old secret stays valid beside the new one.
OVERLAP: Final = timedelta(hours=24)

#: The columns that say how an endpoint has been doing, as they are when nothing is wrong.
WELL: Final[dict[str, Any]] = {
    "failures": 0,
    "failing_since": None,
    "paused_until": None,
    "pauses": 0,
    "probe": None,
}
#: What is written where it happens, and never from an object that was read before.
_KEPT: Final = (*WELL, "last_success_at", "disabled_reason", "mark")
_SECRETS: Final = ("secret", "old_secret", "old_secret_until")


def every_event() -> list[str]:
    """The filter of an endpoint that names none."""
    return ["*"]


class EndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    """Switching on and off means more than a column."""

    def update(self, **kwargs: Any) -> int:
        """As Django's; endpoints that are switched on begin with what commits from now on."""
        if "active" not in kwargs:
            return super().update(**kwargs)
        self._for_write = True
        rows: QuerySet[Any] = QuerySet(WebhookEndpoint, using=self.db)
        with writing(self.db, savepoint=True):
            held = rows.filter(pk__in=list(self.values_list("pk", flat=True))).order_by("pk")
            was_on = dict(held.select_for_update().values_list("pk", "active"))
            found = super().update(**kwargs)
            # Looked at afterwards, since the value may be anything that a database reckons.
            is_on = dict(rows.filter(pk__in=was_on).values_list("pk", "active"))
            if off := [key for key, on in is_on.items() if was_on[key] and not on]:
                bury(self.db, off)
            if begun := [key for key, on in is_on.items() if on and not was_on[key]]:
                fresh = {**WELL, "disabled_reason": "", "mark": beginning.mark(self.db, first=False)}
                rows.filter(pk__in=begun).update(**fresh)
            return found

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> list[WebhookEndpoint]:
        """As Django's, each with a secret of its own."""
        made = list(objs)
        self._for_write = True
        with writing(self.db, savepoint=True):
            for endpoint in made:
                endpoint.prepare(self.db)
            saved = super().bulk_create(made, *args, **kwargs)
            for endpoint in saved:
                endpoint._active_as_read = endpoint.active
            return saved


class WebhookEndpoint(models.Model):
    """Where messages go."""

    THIN = "thin"
    FULL = "full"

    url = models.CharField(max_length=2000)
    events = models.JSONField(default=every_event)
    """Filters: ``billing.invoice.pay``, ``billing.invoice.*``, ``*.pay``, ``*``, ``billing.invoice:created``."""
    model_label = ExactTextField(max_length=100, blank=True, default="")
    """Only entries of this model; empty for all that the filters match."""
    object_pk = ExactTextField(max_length=255, blank=True, default="")
    """Only entries of this record of the model."""
    payload = models.CharField(
        max_length=4, choices=[(THIN, "what happened"), (FULL, "with opened fields")], default=THIN
    )
    active = models.BooleanField(default=True)
    owner = models.ForeignKey(
        # Not SET_NULL: without an owner it would be told of everything.
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
    )
    """Who has it; only entries whose record the owner may see are sent. ``None``: all are."""
    description = models.CharField(max_length=255, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    secret = models.TextField(editable=False, default="")
    """Encrypted."""
    old_secret = models.TextField(editable=False, default="")
    """Encrypted; valid until ``old_secret_until``."""
    old_secret_until = models.DateTimeField(null=True, editable=False, default=None)

    last_success_at = models.DateTimeField(null=True, editable=False, default=None)
    """When a message last arrived, to the minute."""
    failures = models.PositiveIntegerField(default=0, editable=False)
    """Failed attempts in a row."""
    failing_since = models.DateTimeField(null=True, editable=False, default=None)
    """The first failure since the last success."""
    paused_until = models.DateTimeField(null=True, editable=False, default=None)
    """When the next probe may be sent; ``None`` while it is not paused."""
    pauses = models.PositiveIntegerField(default=0, editable=False)
    """How often it was paused since its last success."""
    probe = models.BigIntegerField(null=True, editable=False, default=None)
    """The delivery that is sent to find out whether it works again."""
    disabled_reason = models.CharField(max_length=16, blank=True, editable=False, default="")
    """Why it was switched off by itself: ``gone`` (410), ``failing`` (five days); empty otherwise."""
    mark = models.JSONField(null=True, editable=False, default=None)
    """The entries that were there when it was switched on."""

    objects = models.Manager.from_queryset(EndpointQuerySet)()

    new_secret: str | None = None
    """The secret in clear, in memory only, on the object that made it."""
    _active_as_read: bool | None = None
    """Whether it was active when it was read or saved."""

    class Meta:
        app_label = "fsm_lifecycle"
        verbose_name = "webhook endpoint"
        default_permissions = ("view",)
        permissions: ClassVar = [("manage_webhooks", "Can manage webhooks")]

    def __str__(self) -> str:
        return self.description or self.url

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Self:
        """As Django's."""
        made = super().from_db(*args, **kwargs)
        made._active_as_read = made.__dict__.get("active")
        return made

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None
    ) -> None:
        """As Django's."""
        fields = None if fields is None else list(fields)
        super().refresh_from_db(using, fields, from_queryset)
        if fields is None or "active" in fields:
            self._active_as_read = self.active

    def save(
        self,
        *args: Any,
        using: str | None = None,
        update_fields: Any = None,
        **kwargs: Any,
    ) -> None:
        """As Django's. A new endpoint gets its secret (``new_secret``); one that is switched on begins anew.

        What happened to it since it was read stays: its secrets, how it has been doing, and whether it is active,
        unless that was changed on this object.

        Raises ``UnusableKeys`` where ``ENCRYPTION_KEYS`` would be needed and is missing.
        """
        using = using or router.db_for_write(type(self), instance=self)
        with writing(using, savepoint=True):  # also where the caller has one open, and goes on after an error
            if not self._state.adding and update_fields is None:
                self._keep(using)
            switches = update_fields is None or "active" in update_fields
            was_on = self.active if not switches else self._is_on(using)
            touched = self.prepare(using, was_on=was_on)
            if update_fields is not None:
                update_fields = {*update_fields, *touched}
            super().save(*args, using=using, update_fields=update_fields, **kwargs)
            if switches:
                self._active_as_read = self.active
            if was_on and not self.active:
                bury(using, [self.pk])

    def _keep(self, using: str) -> None:
        """An object that was read before a rotation or a failure does not bring back what was then."""
        rows: QuerySet[Any] = QuerySet(WebhookEndpoint, using=using)
        held = rows.select_for_update().filter(pk=self.pk)
        names = [*_KEPT, *(_SECRETS if self.secret else ())]
        if self.active == self._active_as_read:
            names.append("active")
        for name, value in (held.values(*names).first() or {}).items():
            setattr(self, name, value)

    def _is_on(self, using: str) -> bool:
        """Whether the database has it switched on."""
        rows: QuerySet[Any] = QuerySet(WebhookEndpoint, using=using)
        return self.pk is not None and rows.filter(pk=self.pk, active=True).exists()

    def prepare(self, using: str, *, was_on: bool = False) -> list[str]:
        """Before it is written: its secret, and where it begins; the names of what was changed."""
        self.events = filters.listed(self.events)
        self.model_label = self.model_label.lower()  # as entries write it
        touched = []
        if not self.secret:
            self.new_secret = signing.new_secret()
            self.secret = encryption.encrypt(self.new_secret)
            touched.append("secret")
        if self.active and not was_on:
            others: QuerySet[Any] = QuerySet(WebhookEndpoint, using=using).exclude(pk=self.pk)
            self.mark = beginning.mark(using, first=self._state.adding and not others.exists())
            for name, value in {**WELL, "disabled_reason": ""}.items():
                setattr(self, name, value)
            touched += ["mark", "disabled_reason", *WELL]
        return touched

    @property
    def is_paused(self) -> bool:
        """Whether it rests because it kept failing."""
        return self.active and self.paused_until is not None

    def secrets(self, now: datetime | None = None) -> list[str]:
        """The secrets in clear that messages are signed with, the newest first.

        An old one that cannot be read any more is left out. Raises ``Undecryptable``, ``UnusableKeys``.
        """
        found = [encryption.decrypt(self.secret)]
        if self.old_secret and self.old_secret_until and self.old_secret_until > (now or timezone.now()):
            with suppress(encryption.Undecryptable):  # a lost key is why a new one was made
                found.append(encryption.decrypt(self.old_secret))
        return found


def bury(using: str, endpoints: Sequence[int] | QuerySet[Any]) -> None:
    """What waits for endpoints that are switched off will not be sent. What is on its way may arrive."""
    from fsm_lifecycle.webhooks.delivery import WebhookDelivery

    now = timezone.now()
    free = models.Q(lease_until=None) | models.Q(lease_until__lte=now)
    rows: QuerySet[Any] = QuerySet(WebhookDelivery, using=using).filter(
        free, endpoint__in=list(endpoints), status=WebhookDelivery.PENDING
    )
    rows.update(status=WebhookDelivery.DEAD, reason="endpoint_off", settled_at=now)
