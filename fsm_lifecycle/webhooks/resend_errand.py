"""Owns telling an endpoint once more of everything since a moment, as an errand, since the log may be long.

It begins anew after a killed worker; a receiver knows a repetition by its id. Must not know how it is shown.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from fsm_lifecycle.dispatch.kinds import GiveUp
from fsm_lifecycle.engine import errands
from fsm_lifecycle.engine.errand import Errand
from fsm_lifecycle.engine.errands import Carrying, Ended
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint
from fsm_lifecycle.webhooks.resending import EndpointOff, resend_since

KIND: Final = "resend"
RIGHT: Final = "fsm_lifecycle.manage_webhooks"
#: Among so many of the newest errands of this kind an endpoint's own is looked for.
LOOKED_AT: Final = 50


def order(endpoint: WebhookEndpoint, since: datetime, *, user: Any) -> Errand | None:
    """Have it done; ``None`` while it is being done for this endpoint."""
    before = newest(endpoint)
    if before is not None and before.status == Errand.GOING:
        return None
    payload = {"endpoint": endpoint.pk, "since": since.isoformat()}
    errand = errands.ask(KIND, user, using=endpoint._state.db or "default", payload=payload)
    errands.begin(errand)
    return errand


def newest(endpoint: WebhookEndpoint) -> Errand | None:
    """What was asked for last for this endpoint."""
    rows = Errand.objects.using(endpoint._state.db).filter(kind=KIND).order_by("-id")[:LOOKED_AT]
    return next((one for one in rows if one.payload.get("endpoint") == endpoint.pk), None)


def _do(carrying: Carrying) -> None:
    payload, user = carrying.errand.payload, carrying.user()
    rows: QuerySet[WebhookEndpoint] = QuerySet(WebhookEndpoint, using=carrying.using)
    endpoint = rows.filter(pk=payload["endpoint"]).first()
    if endpoint is None:
        raise GiveUp("The endpoint was removed.")
    own = user.is_superuser or endpoint.owner_id == user.pk
    if not (own and user.has_perm(RIGHT)):
        raise Ended("The person who asked for it may not manage this endpoint any more.")
    try:
        number = resend_since(endpoint, datetime.fromisoformat(payload["since"]))
    except EndpointOff:
        raise Ended("The endpoint was switched off.") from None
    carrying.note(number, result={"messages": number})


errands.register(KIND, "Messages sent again", _do)
