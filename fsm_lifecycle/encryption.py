"""Secrets at rest: encrypted with the first of ``ENCRYPTION_KEYS``, decrypted with any of them.

The tokens are those of Fernet (https://github.com/fernet/spec). Must not know what is secret.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.core.exceptions import ImproperlyConfigured

from fsm_lifecycle import conf
from fsm_lifecycle.exceptions import LifecycleError

#: The fewest characters of a key that is not a Fernet key.
SHORTEST = 32

_MAKE_ONE = (
    'Make one with: python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
)


class UnusableKeys(LifecycleError, ImproperlyConfigured):
    """``ENCRYPTION_KEYS`` is missing, or holds what is no key."""

    code = "unusable_keys"


class Undecryptable(LifecycleError):
    """A stored secret was encrypted with a key that is not among ``ENCRYPTION_KEYS`` any more, or was changed."""

    code = "undecryptable"


def encrypt(text: str) -> str:
    """A token for a secret. Raises ``UnusableKeys`` where no key is configured."""
    return _cipher().encrypt(text.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """The secret of a token. Raises ``Undecryptable``, or ``UnusableKeys``."""
    try:
        return _cipher().decrypt(token.encode()).decode()
    except (InvalidToken, UnicodeError):
        raise Undecryptable(
            "A stored secret cannot be read with any of FSM_LIFECYCLE['ENCRYPTION_KEYS']. Add the key that it was "
            "encrypted with at the end of the list, or make a new secret."
        ) from None


def usable() -> None:
    """Raise ``UnusableKeys`` unless a secret could be stored now."""
    _cipher()


def _cipher() -> MultiFernet:
    keys = conf.encryption_keys()
    if isinstance(keys, str) or not isinstance(keys, Sequence):
        raise UnusableKeys(
            f"FSM_LIFECYCLE['ENCRYPTION_KEYS'] is a {type(keys).__name__}; it has to be a list of keys."
        )
    if not keys:
        raise UnusableKeys(
            f"FSM_LIFECYCLE['ENCRYPTION_KEYS'] is empty, so no secret can be stored. {_MAKE_ONE}"
        )
    for place, key in enumerate(keys, start=1):
        if not isinstance(key, str | bytes) or len(key) < SHORTEST:
            raise UnusableKeys(
                f"Key {place} of FSM_LIFECYCLE['ENCRYPTION_KEYS'] is no text of at least {SHORTEST} characters. "
                f"{_MAKE_ONE}"
            )
    return _made_of(tuple(key.encode() if isinstance(key, str) else bytes(key) for key in keys))


@lru_cache(maxsize=8)
def _made_of(keys: tuple[bytes, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_fernet_key(key)) for key in keys])


def _fernet_key(key: bytes) -> bytes:
    """The key itself where it is one of Fernet's; else one derived from it (HKDF with SHA-256, RFC 5869)."""
    try:
        Fernet(key)
    except ValueError:
        derived = HKDF(SHA256(), 32, salt=None, info=b"fsm_lifecycle.encryption v1").derive(key)
        return base64.urlsafe_b64encode(derived)
    return key
