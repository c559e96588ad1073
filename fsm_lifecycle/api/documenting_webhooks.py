"""What the OpenAPI document says of webhooks. Must not know how the document is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fsm_lifecycle.api.documented import (
    CHANGING,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    PAGE_SIZE,
    READING,
    Documented,
    Parameter,
)
from fsm_lifecycle.api.documenting import CURSOR, listed, ref

_KEY: Final = Parameter("pk", "The endpoint's key.", "path", {"type": "integer"}, required=True)
_DELIVERY: Final = Parameter("delivery", "The message's key.", "path", {"type": "integer"}, required=True)
_SECRET: Final = {"type": "string", "description": "Shown in this answer alone."}
_READING: Final = (*READING, 403)


def _made(id_: str, summary: str, **more: Any) -> Documented:
    return Documented(id=id_, summary=summary, tag="webhooks", **more)


def _read(id_: str, summary: str, answer: Any, *parameters: Parameter) -> Documented:
    return _made(
        id_,
        summary,
        parameters=(*parameters, IF_NONE_MATCH),
        answers={200: answer, 304: None},
        problems=_READING,
    )


def _done(id_: str, summary: str, answer: Any, *parameters: Parameter, **more: Any) -> Documented:
    return _made(
        id_,
        summary,
        parameters=(*parameters, IDEMPOTENCY_KEY),
        answers={200: answer},
        problems=CHANGING,
        **more,
    )


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


#: By action; each is given the serializer of endpoints.
DOCUMENTS: Final[dict[str, Callable[[Any], Documented]]] = {
    "list": lambda kind: _read("listWebhooks", "Your endpoints", listed(kind()), CURSOR, PAGE_SIZE),
    "create": lambda kind: _made(
        "createWebhook",
        "Make an endpoint",
        parameters=(IDEMPOTENCY_KEY,),
        request=kind(),
        answers={201: {"allOf": [kind(), _object(secret=_SECRET)]}},
        problems=CHANGING,
    ),
    "retrieve": lambda kind: _read("getWebhook", "One endpoint", kind(), _KEY),
    "partial_update": lambda kind: _made(
        "editWebhook",
        "Change an endpoint",
        parameters=(_KEY, IF_MATCH),
        request=kind(partial=True),
        answers={200: kind()},
        problems=CHANGING,
    ),
    "destroy": lambda kind: _made(
        "deleteWebhook",
        "Remove an endpoint, with its messages",
        parameters=(_KEY, IF_MATCH),
        answers={204: None},
        problems=CHANGING,
    ),
    "health": lambda kind: _read("healthOfWebhook", "How it has been doing", {"type": "object"}, _KEY),
    "secret": lambda kind: _done(
        "rotateWebhookSecret", "Give it a new secret", _object(secret=_SECRET), _KEY
    ),
    "test": lambda kind: _done("testWebhook", "Send it a test message", ref("WebhookMessage"), _KEY),
    "resend": lambda kind: _done(
        "resendWebhookSince",
        "Tell it once more of everything since a moment",
        _object(messages={"type": "integer"}),
        _KEY,
        request={**_object(since={"type": "string", "format": "date-time"}), "additionalProperties": False},
    ),
    "deliveries": lambda kind: _read(
        "listWebhookMessages",
        "Its messages, newest first",
        listed(ref("WebhookMessage")),
        _KEY,
        Parameter(
            "status", "Only these.", schema={"type": "string", "enum": ["pending", "delivered", "dead"]}
        ),
        CURSOR,
        PAGE_SIZE,
    ),
    "delivery": lambda kind: _read(
        "getWebhookMessage", "One message, with its attempts", ref("WebhookMessage"), _KEY, _DELIVERY
    ),
    "resend_one": lambda kind: _done(
        "resendWebhookMessage", "Send one message again", ref("WebhookMessage"), _KEY, _DELIVERY
    ),
}
