"""Signatures as Standard Webhooks 1.0 has them, and the plain one over the body beside it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
Must not know where secrets are kept. Uses the standard library alone, as receivers do.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

#: How a secret's text begins; base64 of the key follows.
PREFIX: Final = "whsec_"


def new_secret() -> str:
    """A new secret: 32 random bytes as ``whsec_`` and base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


def new_message_id() -> str:
    """A new id of a message: ``msg_`` and 32 hexadecimal characters."""
    return "msg_" + secrets.token_hex(16)


def key_of(secret: str) -> bytes:
    """The key in a secret's text. Raises ``ValueError`` for what is no secret."""
    if not isinstance(secret, str):
        raise ValueError("A secret is a text that begins with whsec_.")
    text = secret.strip().removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("A secret is whsec_ and base64; this one is something else.") from None
    if not key:
        raise ValueError("The secret is empty.")
    return key


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """``v1,`` and base64 of HMAC-SHA256 over ``id.timestamp.body``."""
    signed = message_id.encode() + b"." + timestamp.encode() + b"." + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode("ascii")


def body_signature(key: bytes, body: bytes) -> str:
    """``sha256=`` and hexadecimal HMAC-SHA256 over the body alone. Says nothing of when, so it can be replayed."""
    return "sha256=" + hmac.digest(key, body, hashlib.sha256).hex()


def headers(message_id: str, timestamp: int, body: bytes, secrets_: Sequence[str]) -> dict[str, str]:
    """The headers that sign a message with every secret, the newest first."""
    keys = [key_of(secret) for secret in secrets_]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(key, message_id, str(timestamp), body) for key in keys),
        "X-FSM-Signature": body_signature(keys[0], body),
    }
