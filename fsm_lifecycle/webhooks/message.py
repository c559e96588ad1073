"""One delivery, ready to be sent: what goes out, and one attempt of it. Must not know the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from django.utils import timezone

from fsm_lifecycle.webhooks import signing, transport
from fsm_lifecycle.webhooks.delivery import WebhookDelivery
from fsm_lifecycle.webhooks.failures import AttemptFailed
from fsm_lifecycle.webhooks.outcomes import Outcome

logger = logging.getLogger("fsm_lifecycle")


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery, ready to be sent."""

    delivery: WebhookDelivery
    url: str
    headers: Mapping[str, str]
    body: bytes
    secrets: Sequence[str]

    def send(self) -> Outcome:
        """One attempt. Signed at this moment, so that it is never older than it looks."""
        now = timezone.now()
        start = time.monotonic()
        signed = signing.headers(self.delivery.message_id, int(now.timestamp()), self.body, self.secrets)
        made = partial(Outcome, self.delivery, now)
        try:
            answer = transport.post(self.url, {**self.headers, **signed}, self.body)
        except AttemptFailed as error:
            return made(time.monotonic() - start, error_class=type(error).__name__)
        except Exception:
            logger.exception("%s could not be sent.", self.delivery)
            return made(time.monotonic() - start, error_class="InternalError")
        return made(
            time.monotonic() - start,
            status=answer.status,
            retry_after=answer.retry_after,
            head=answer.head.decode("utf-8", "replace"),
        )
