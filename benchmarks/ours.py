"""Ours: `fire()` with and without a guard, on the record that the caller has loaded.

Must not know the peers.
"""

from __future__ import annotations

from benchmarks.models import Invoice, UnguardedInvoice
from benchmarks.subjects import Subject

GUARDED = Subject(
    name="fire()",
    model=Invoice,
    send=lambda record, user: record.fire(Invoice.Lifecycle.send_invoice, actor=user),
    recall=lambda record, user: record.fire(Invoice.Lifecycle.recall, actor=user),
)
UNGUARDED = Subject(
    name="fire() without guard",
    model=UnguardedInvoice,
    send=lambda record, user: record.fire(UnguardedInvoice.Lifecycle.send_invoice, actor=user),
    recall=lambda record, user: record.fire(UnguardedInvoice.Lifecycle.recall, actor=user),
)
SUBJECTS = [GUARDED, UNGUARDED]
