"""What deliveries and attempts keep of a record and of a person, and what becomes of it when that is to go.

Payloads are made from the log at every try, so what is redacted there is in none of them from then on; copies are the
opened fields of full deliveries and what receivers answered. Must not know when it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import QuerySet

from fsm_lifecycle.ledger import clearing
from fsm_lifecycle.ledger.clearing import Change, Erased, Subject
from fsm_lifecycle.webhooks.delivery import WebhookAttempt, WebhookDelivery


def of_entries(using: str, erased: Sequence[Erased], /) -> Iterator[Change]:
    """The deliveries of these entries lose the fields they hold, and their attempts the answers."""
    rows: QuerySet[Any] = QuerySet(WebhookDelivery, using=using)
    yield from _emptied(rows.filter(entry_hash__in=[one.entry_hash for one in erased]), using)


def of_record(using: str, model_label: str, object_pk: str, /) -> Iterator[Change]:
    """All deliveries of the record, the same."""
    rows: QuerySet[Any] = QuerySet(WebhookDelivery, using=using)
    yield from _emptied(rows.filter(model_label=model_label, object_pk=object_pk), using)


def of_person(using: str, person: Subject, /) -> Iterator[Change]:
    """Fields and answers that name the person."""
    for key, fields in clearing.rows_of(WebhookDelivery, using, "fields"):
        if fields and person.named_in(fields):
            yield WebhookDelivery, key, {"fields": None}
    for key, head in clearing.rows_of(WebhookAttempt, using, "response_head"):
        if head and person.named_in(head):
            yield WebhookAttempt, key, {"response_head": ""}


def _emptied(deliveries: QuerySet[Any], using: str) -> Iterator[Change]:
    keys = list(deliveries.values_list("pk", flat=True))
    for key in list(deliveries.filter(fields__isnull=False).values_list("pk", flat=True)):
        yield WebhookDelivery, key, {"fields": None}
    attempts: QuerySet[Any] = QuerySet(WebhookAttempt, using=using).filter(delivery__in=keys)
    for key in list(attempts.exclude(response_head="").values_list("pk", flat=True)):
        yield WebhookAttempt, key, {"response_head": ""}


clearing.register("webhooks", entries=of_entries, record=of_record, person=of_person)
