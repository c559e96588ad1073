"""What can be wrong with records: states that their table does not have, rows without a log. Must not know entries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import models, router
from django.db.models import Count

from fsm_lifecycle.engine.binding import SEQUENCE
from fsm_lifecycle.ops.problem import Problem


def states(using: str) -> Iterator[Problem]:
    """Records in states that no table of theirs has any more."""
    for owner, known in _families(using).items():
        name = owner._lifecycle.state_name
        rows: models.QuerySet[Any] = models.QuerySet(owner, using=using)
        lost = rows.exclude(**{f"{name}__in": known}).order_by(name).values_list(name)
        for state, number in lost.annotate(number=Count("pk")):
            yield Problem(
                "STATE_UNKNOWN",
                f"{number:,} of {owner._meta.label} {'is' if number == 1 else 'are'} in the state {state!r}, which the "
                f"lifecycle does not have. No event leaves it.",
                f"Bring the state back, or move the records in a migration: RemapState({owner._meta.label!r}, "
                f"{{{state!r}: …}}). It has {', '.join(known)}.",
            )


def adopted(using: str) -> Iterator[Problem]:
    """Rows without a log: from before the model had a lifecycle, or put in behind its back."""
    for owner in _families(using):
        rows: models.QuerySet[Any] = models.QuerySet(owner, using=using)
        number = rows.filter(**{SEQUENCE: 0}).count()
        if number:
            yield Problem(
                "NOT_ADOPTED",
                f"{number:,} of {owner._meta.label} {'has' if number == 1 else 'have'} no log, so no event can be "
                f"fired there.",
                f"Run: manage.py lifecycle_adopt {owner._meta.label} --database {using}",
            )


def _families(using: str) -> dict[Any, list[str]]:
    """Models whose tables hold a state, in this database, each with every state that a model sharing it has."""
    found: dict[Any, dict[str, None]] = {}
    sharing: list[Any] = [model for model in apps.get_models() if hasattr(model, "_lifecycle")]
    for model in sharing:
        binding = model._lifecycle
        if router.allow_migrate_model(using, binding.owner):
            found.setdefault(binding.owner, {}).update(
                dict.fromkeys(str(state) for state in binding.table.states)
            )
    return {owner: list(known) for owner, known in found.items()}
