"""What can be wrong with stored definitions. Must not know what stands in them."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import router
from django.db.models import Exists, OuterRef

from fsm_lifecycle.ledger.definitions import LifecycleDefinition
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ops.problem import Problem
from fsm_lifecycle.registry import lifecycles


def stored(using: str) -> Iterator[Problem]:
    """Tables in force that are not stored, and definitions that entries name and that are not there."""
    rows = LifecycleDefinition.objects.using(using)
    known = set(rows.values_list("model_label", "fingerprint"))
    for model in lifecycles():
        key = (model._lifecycle.label, model.lifecycle.fingerprint)
        if router.allow_migrate_model(using, model) and key not in known:
            yield Problem(
                "DEFINITION_NOT_STORED",
                f"The table of {model._meta.label} is not stored, so entries made under it could not be judged later.",
                f"Run: manage.py migrate --database {using}",
            )
    there = rows.filter(model_label=OuterRef("model_label"), fingerprint=OuterRef("definition"))
    log = TransitionLog.objects.using(using).order_by().filter(~Exists(there))
    for label, fingerprint in log.values_list("model_label", "definition").distinct():
        yield Problem(
            "DEFINITION_MISSING",
            f"Entries of {label} were made under the definition {fingerprint}, which is not stored.",
            "Restore fsm_lifecycle_lifecycledefinition from a backup, or take the definition from an export of the "
            "log. Run lifecycle_verify to see which entries name it.",
        )
