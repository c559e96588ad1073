"""What refusals keep of a record and of a person, and what becomes of it when that is to go.

Also has the findings of ``access`` cleared, which must not know the ledger. Must not know when it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from fsm_lifecycle.access import forgetting
from fsm_lifecycle.engine.refusals import RefusedAttempt
from fsm_lifecycle.ledger import clearing
from fsm_lifecycle.ledger.clearing import Change, Subject


def of_record(using: str, model_label: str, object_pk: str, /) -> Iterator[Change]:
    """The refusals on one record lose who and why in words; who by key, what, when and the codes stay."""
    rows: QuerySet[Any] = QuerySet(RefusedAttempt, using=using).filter(
        model_label=model_label, object_pk=object_pk
    )
    for key, label, reason, denials in rows.values_list("pk", "actor_label", "reason", "denials"):
        silent = [{**denial, "reason": ""} for denial in denials]
        if label or reason or silent != denials:
            yield RefusedAttempt, key, {"actor_label": "", "reason": "", "denials": silent}


def of_person(using: str, person: Subject, /) -> Iterator[Change]:
    """Refusals lose the label where the person asked or is named, and the reasons that name the person."""
    columns = ("actor_kind", "actor_id", "actor_label", "reason", "denials")
    for key, kind, actor, label, reason, denials in clearing.rows_of(RefusedAttempt, using, *columns):
        changed: dict[str, Any] = {}
        own = kind in ("user", "agent") and actor == person.id
        if label and (own or person.named_in(label)):
            changed["actor_label"] = ""
        if person.named_in(reason):
            changed["reason"] = ""
        silent = [{**d, "reason": "" if person.named_in(d["reason"]) else d["reason"]} for d in denials]
        if silent != denials:
            changed["denials"] = silent
        if changed:
            yield RefusedAttempt, key, changed


clearing.register("refusals", record=of_record, person=of_person)
clearing.register("access", person=forgetting.of_person)  # type: ignore[arg-type]
