"""Telling that an endpoint was switched off: the host project by a signal, its owner by e-mail.

Both are durable work, apart from each other: who is killed after the commit loses neither, and a mail server that is
away does not repeat the signal. Must not know why it was.
"""

from __future__ import annotations

from typing import Any, Final

from django.core.mail import send_mail

from fsm_lifecycle import conf
from fsm_lifecycle.dispatch import kinds
from fsm_lifecycle.dispatch.enqueuing import enqueue
from fsm_lifecycle.dispatch.kinds import Kind
from fsm_lifecycle.dispatch.work import Work
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint
from fsm_lifecycle.webhooks.signals import endpoint_disabled

KIND: Final = "webhook_notice"
SIGNAL: Final = "webhook_signal"

_WHY: Final = {
    "gone": "It answered 410 Gone, which says that nobody is there any more.",
    "failing": "For five days no message could be delivered.",
}


def tell(endpoint: WebhookEndpoint, reason: str, using: str) -> None:
    """Have it told after the commit."""
    payload = {"endpoint": endpoint.pk, "reason": reason}
    enqueue(SIGNAL, payload, using=using)
    if endpoint.owner_id is not None:
        enqueue(KIND, payload, using=using)


def _endpoint(work: Work) -> WebhookEndpoint | None:
    rows = WebhookEndpoint.objects.using(work.using).select_related("owner")
    return rows.filter(pk=work.payload["endpoint"]).first()


def _signal(work: Work) -> None:
    endpoint = _endpoint(work)
    if endpoint is not None:
        endpoint_disabled.send_robust(WebhookEndpoint, endpoint=endpoint, reason=work.payload["reason"])


def _mail(work: Work) -> None:
    endpoint = _endpoint(work)
    owner: Any = endpoint and endpoint.owner
    if owner is None or not owner.is_active:
        return
    address = getattr(owner, owner.get_email_field_name(), "")
    if not address:
        return
    site = f" on {conf.base_url()}" if conf.base_url() else ""
    send_mail(
        subject="A webhook was switched off",
        message=(
            f"The webhook endpoint {endpoint}{site} was switched off.\n\n"
            f"{_WHY.get(work.payload['reason'], '')}\n\n"
            f"It is not told of anything until somebody switches it on again. What it missed can be sent again then.\n"
        ),
        from_email=None,
        recipient_list=[address],
    )


kinds.register(Kind(name=SIGNAL, label="Signal of a webhook that was switched off", run=_signal))
kinds.register(Kind(name=KIND, label="Notice of a webhook that was switched off", run=_mail))
