"""Owns who a database's ledger is: its name and the keys that sign under it. Must not know what is signed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from django.db import DEFAULT_DB_ALIAS, router

from fsm_lifecycle import conf
from fsm_lifecycle.ledger import keys
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.note import Signer, VerifierKey

#: A key, private or public.
K = TypeVar("K", Signer, VerifierKey)


def is_copy(using: str) -> bool:
    """Whether a database is only read: the routers let ``migrate`` make no log there."""
    return not router.allow_migrate_model(using, TransitionLog)


def origin_of(using: str) -> str:
    """The name of a database's ledger: ``LEDGER_ORIGIN``, for others than the default with ``/alias`` behind it.

    Two trees under one name would look like one that was forked. A copy has the ledger of its original.
    """
    if is_copy(using):
        using = router.db_for_write(TransitionLog)
    origin = conf.ledger_origin()
    return origin if using == DEFAULT_DB_ALIAS else f"{origin}/{using}"


def signers_of(using: str) -> list[Signer]:
    """Who signs a database's checkpoints, under its ledger's name; nobody without ``LEDGER_KEY``.

    Raises what ``keys.signers`` raises when the key cannot be read.
    """
    return named(keys.signers(), using)


def known_keys(using: str) -> list[VerifierKey]:
    """Every public key that has ever signed a database's checkpoints, under its ledger's name."""
    return named([VerifierKey.parse(vkey) for vkey in keys.known_vkeys()], using)


def named(found: Sequence[K], using: str) -> list[K]:
    """The same keys under the name of a database's ledger."""
    origin = origin_of(using)
    return list(found) if origin == conf.ledger_origin() else [one.named(origin) for one in found]
