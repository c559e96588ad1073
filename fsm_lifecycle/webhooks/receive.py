"""For receivers: whether a message came from whoever has the secret, unchanged and just now.

Needs no settings, no database and no installed app. Must not know the sender.
"""

from __future__ import annotations

import hmac
import json
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from fsm_lifecycle.webhooks import signing

_is_timestamp = re.compile(r"[0-9]{1,12}").fullmatch


class InvalidSignature(Exception):
    """A message that is not to be believed. The text says why, for the receiver's log; answer with 400."""


def verify(
    body: bytes | str, headers: Mapping[str, str], secrets: str | Iterable[str], tolerance: float = 300
) -> dict[str, Any]:
    """The payload of a message whose signature is right; its ``id`` is the same at every try.

    - ``body``: the bytes as they arrived, before anybody parsed them.
    - ``headers``: of the request, in any case: ``request.headers``.
    - ``secrets``: one, or several while one is being replaced.
    - ``tolerance``: seconds that the message may be old, or ahead of this clock.

    Raises ``InvalidSignature`` for everything else, whatever is wrong with it.
    """
    raw = _bytes(body)
    known = _headers(headers)
    message_id, timestamp, signatures = (
        _header(known, name) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    )
    if not _is_timestamp(timestamp):
        raise InvalidSignature("webhook-timestamp is no number of seconds since 1970.")
    keys = _keys(secrets)
    given = [one.encode("utf-8", "surrogatepass") for one in signatures.split(" ")]
    right = False
    for key in keys:
        try:
            expected = signing.signature(key, message_id, timestamp, raw).encode("ascii")
        except UnicodeEncodeError:
            raise InvalidSignature("webhook-id is no text.") from None
        for one in given:
            right |= hmac.compare_digest(expected, one)
    if not right:
        raise InvalidSignature("No signature is right: another secret, or the body was changed on its way.")
    away = time.time() - int(timestamp)
    if abs(away) > tolerance:
        raise InvalidSignature(
            f"The message is {abs(away):,.0f} seconds {'old' if away > 0 else 'ahead'}; {tolerance:,.0f} are the most."
        )
    return _payload(raw)


def _bytes(body: Any) -> bytes:
    if isinstance(body, str):
        try:
            return body.encode()
        except UnicodeEncodeError:
            raise InvalidSignature("The body is no text in UTF-8.") from None
    if not isinstance(body, bytes | bytearray | memoryview):
        raise InvalidSignature("The body has to be the bytes that arrived, before they were parsed.")
    return bytes(body)


def _headers(headers: Any) -> dict[str, Any]:
    try:
        pairs = headers.items() if hasattr(headers, "items") else headers
        return {_text(name).lower(): value for name, value in pairs}
    except (TypeError, ValueError, AttributeError):
        raise InvalidSignature("The headers are no mapping of names to values.") from None


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _header(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name)
    if not isinstance(value, str | bytes) or not value:
        raise InvalidSignature(f"There is no header {name}.")
    return _text(value).strip()


def _keys(secrets: Any) -> list[bytes]:
    try:
        keys = [signing.key_of(one) for one in ([secrets] if isinstance(secrets, str) else list(secrets))]
    except (TypeError, ValueError) as error:
        raise InvalidSignature(str(error)) from None
    if not keys:
        raise InvalidSignature("There is no secret to verify with.")
    return keys


def _payload(raw: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError):
        raise InvalidSignature("The body is no JSON.") from None
    if not isinstance(payload, dict):
        raise InvalidSignature("The body is no JSON object.")
    return payload
