"""Owns what one process sees when another holds a lock on the whole SQLite file and does not give it up.

The records are loaded first, then the lock is taken by another connection, then they are fired. Must not know what
the test expects.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from django.db import transaction

from fsm_lifecycle.exceptions import StaleState
from tests.concurrency.races import RACER, fire_many
from tests.testapp.models import Invoice, Light


def _stale(act: Callable[[], Any]) -> str:
    """Empty for ``StaleState``, else what happened instead."""
    try:
        act()
    except StaleState:
        return ""
    except Exception as error:
        return f"raw {type(error).__name__}: {error}"
    return "it was done"


def _bulk(keys: Sequence[Any], **kwargs: Any) -> str:
    errors = {outcome.error for outcome in fire_many(Light, keys, "switch_on", **kwargs)}
    return "" if errors <= {"stale_state"} else str(errors)


def _inside(light: Light) -> str:
    try:
        with transaction.atomic():
            light.fire("switch_on", actor=RACER)
    except StaleState:
        return ""
    except Exception as error:
        return f"raw {type(error).__name__}: {error}"
    return "it was done"


Way = Callable[[Sequence[Any], Any, Any, Any], str]

#: By name: keys, a light, the same with its state deferred, an invoice; to what came of it.
WAYS: dict[str, Way] = {
    "plain": lambda keys, light, partly, invoice: _stale(lambda: light.fire("switch_on", actor=RACER)),
    "state deferred": lambda keys, light, partly, invoice: _stale(
        lambda: partly.fire("switch_on", actor=RACER)
    ),
    "idempotency key": lambda keys, light, partly, invoice: _stale(
        lambda: light.fire("switch_on", actor=RACER, idempotency_key="once")
    ),
    "guarded": lambda keys, light, partly, invoice: _stale(lambda: invoice.fire("send_invoice", actor=RACER)),
    "snapshot": lambda keys, light, partly, invoice: _stale(
        lambda: light.fire("switch_on", actor=RACER, snapshot=True)
    ),
    "inside the caller's transaction": lambda keys, light, partly, invoice: _inside(light),
    "queryset": lambda keys, light, partly, invoice: _bulk(keys),
    "queryset in batches": lambda keys, light, partly, invoice: _bulk(keys, batch_size=1),
    "queryset, all or nothing": lambda keys, light, partly, invoice: _bulk(
        keys, all_or_nothing=True, batch_size=1
    ),
}


def in_every_way(keys: Sequence[Any], invoice_key: Any, path: str, mode: str) -> dict[str, str]:
    """What came of each way; empty where it was ``StaleState``."""
    return {way: _begin(act, keys, invoice_key, path, mode) for way, act in WAYS.items()}


def _begin(act: Way, keys: Sequence[Any], invoice_key: Any, path: str, mode: str) -> str:
    """Load, let another connection take the lock, then fire."""
    light, partly = Light.objects.get(pk=keys[0]), Light.objects.only("name").get(pk=keys[0])
    invoice = Invoice.objects.get(pk=invoice_key)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"BEGIN {mode}")
        answer = act(keys, light, partly, invoice)
        other.execute("ROLLBACK")
    return answer
