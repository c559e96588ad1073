"""What can be wrong with webhooks: endpoints that switched themselves off, rest, or whose secret cannot be read.

Must not know how anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import router

from fsm_lifecycle.models import WebhookEndpoint
from fsm_lifecycle.ops.problem import Problem
from fsm_lifecycle.webhooks import health


def endpoints(using: str) -> Iterator[Problem]:
    """Endpoints that need a person, and such that are paused: probes look after them, and the receiver is not well."""
    if not router.allow_migrate_model(using, WebhookEndpoint):
        return
    found = list(WebhookEndpoint.objects.using(using).order_by("pk"))
    conditions = health(found)
    off = [one for one in found if conditions[one.pk].state == "disabled"]
    if off:
        yield Problem(
            "WEBHOOK_DISABLED",
            f"{len(off):,} webhook endpoints switched themselves off, because they answered 410 or failed for five "
            f"days: {_named(off)}.",
            "Mend the receiver and switch the endpoint on again, or remove it.",
        )
    paused = [one for one in found if conditions[one.pk].state == "paused"]
    if paused:
        yield Problem(
            "WEBHOOK_PAUSED",
            f"{len(paused):,} webhook endpoints are paused, and what is for them waits: {_named(paused)}.",
            "See whether the receiver is well. A probe opens each again by itself.",
        )
    unreadable = [one for one in found if one.active and not conditions[one.pk].secret_readable]
    if unreadable:
        yield Problem(
            "WEBHOOK_SECRET",
            f"The secrets of {len(unreadable):,} webhook endpoints cannot be read, so nothing is sent to them: "
            f"{_named(unreadable)}.",
            "Add the key they were encrypted with at the end of FSM_LIFECYCLE['ENCRYPTION_KEYS'], or give them new "
            "secrets.",
        )


def _named(found: list[WebhookEndpoint]) -> str:
    names = ", ".join(f"{one.pk} ({one})" for one in found[:5])
    return names if len(found) <= 5 else f"{names} and {len(found) - 5:,} more"
