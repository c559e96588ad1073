"""What can be wrong with grants: those that have ended and are still stored. Must not know what they allow."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils import timezone

from fsm_lifecycle.access import delegations, reconcile, stores
from fsm_lifecycle.access.grant import GrantTerm
from fsm_lifecycle.ops.problem import Problem


def ended(using: str) -> Iterator[Problem]:
    """Grants and delegations whose time has come and that nobody has swept away."""
    if not reconcile.kept_on(using):
        return
    terms = stores.all_of(GrantTerm, using).filter(until__lte=timezone.now()).count()
    number = terms + delegations.ended(using).count()
    if number:
        yield Problem(
            "GRANTS_EXPIRED",
            f"{number:,} grants have ended and are still stored. They count for nothing, but other programs that read "
            f"them do not know that.",
            f"Run regularly: manage.py lifecycle_roles --reconcile --database {using}",
        )
