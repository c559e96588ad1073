"""What webhooks do in the background, registered when this is imported. Must not know in which mode it is run."""

from __future__ import annotations

import fsm_lifecycle.webhooks.forgetting
import fsm_lifecycle.webhooks.notices  # noqa: F401 - both register what they have done
from fsm_lifecycle.dispatch import queues, routines
from fsm_lifecycle.dispatch.queues import Queue
from fsm_lifecycle.dispatch.routines import Routine
from fsm_lifecycle.engine.expiry import expires
from fsm_lifecycle.webhooks import relay, sending, switching, waiting
from fsm_lifecycle.webhooks.delivery import WebhookAttempt, WebhookDelivery

routines.register(
    Routine(name="webhooks", label="Webhooks: what is to be sent", run=relay.relay, every=2.0, on_commit=True)
)
routines.register(
    Routine(name="probes", label="Webhooks: paused endpoints", run=switching.choose_probes, every=5.0)
)
queues.register(
    Queue(
        name="webhooks",
        label="Webhook deliveries",
        model=WebhookDelivery,
        ready=waiting.ready,
        work=sending.work,
        width=waiting.WIDTH,
        batch=waiting.BATCH,
        whole=waiting.whole,
        at_exit=True,
    )
)
expires("attempts", WebhookAttempt, "attempted_at")
expires("deliveries", WebhookDelivery, "settled_at")  # what is pending has none, and stays
