"""Owns a new secret on its way to the one page that shows it, once: encrypted in the session until it is read.

Must not know what it signs.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest

from fsm_lifecycle import encryption
from fsm_lifecycle.webhooks.endpoint import WebhookEndpoint

_SESSION: Final = "fsm_lifecycle_new_secret"


def remember(request: HttpRequest, endpoint: WebhookEndpoint, secret: str) -> None:
    """Have it shown on the endpoint's page the next time it is opened."""
    request.session[_SESSION] = {"endpoint": endpoint.pk, "token": encryption.encrypt(secret)}


def taken(request: HttpRequest, endpoint: WebhookEndpoint) -> str:
    """The secret that waits to be shown for this endpoint; afterwards it is gone. Empty where none waits."""
    kept: Any = request.session.get(_SESSION)
    if not isinstance(kept, dict) or kept.get("endpoint") != endpoint.pk:
        return ""
    del request.session[_SESSION]
    try:
        return encryption.decrypt(str(kept.get("token")))
    except (encryption.Undecryptable, encryption.UnusableKeys):
        return ""
