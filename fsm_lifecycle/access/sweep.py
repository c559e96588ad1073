"""Takes away what must not stay: grants that have ended, and grants on records that are gone.

Must not know what is on record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import models, router
from django.utils import timezone

from fsm_lifecycle.access import branches, stores, watching
from fsm_lifecycle.access.actors import System
from fsm_lifecycle.access.codenames import concrete, content_type, lifecycle_models
from fsm_lifecycle.access.delegations import ended
from fsm_lifecycle.access.event import because
from fsm_lifecycle.access.grant import GrantTerm
from fsm_lifecycle.access.granting import lock
from fsm_lifecycle.transactions import writing

PORTION: Final = 500
_SWEEPER: Final = System("end of a grant")
_RECONCILER: Final = System("lifecycle_roles --reconcile")


def sweep(using: str) -> int:
    """Remove every grant and delegation that has ended, and put it on record. Returns how many there were."""
    count = 0
    now = timezone.now()
    terms = stores.all_of(GrantTerm, using).filter(until__lte=now)
    for pk in list(terms.values_list("pk", flat=True)):
        count += _end(pk, using)
    for delegation in ended(using):
        until = delegation.until
        with writing(using, savepoint=True), because(_SWEEPER, road="sweep", action="expired", until=until):
            again = ended(using).filter(pk=delegation.pk)
            count += again.delete()[0]
    return count


def _end(pk: int, using: str) -> int:
    terms = stores.all_of(GrantTerm, using).filter(pk=pk)
    term = terms.select_related("user", "group", "permission").first()
    if term is None:
        return 0
    with (
        writing(using, savepoint=True),
        because(_SWEEPER, road="sweep", action="expired", until=term.until) as why,
    ):
        lock(term.user or term.group, using)
        term = terms.filter(until__lte=timezone.now()).select_related("user", "group", "permission").first()
        if term is None:
            return 0  # prolonged meanwhile
        if term.user is not None and term.group is not None:
            term.user.groups.remove(term.group)
        elif term.permission is not None and term.object_pk:
            watched: Any = watching.model_of(term.permission)
            rows = stores.user_rows(watched) if term.user is not None else stores.group_rows(watched)
            key = branches.key_field(watched).to_python(term.object_pk)
            found = stores.rows_on(rows, watched, key, using).filter(permission=term.permission)
            found.filter(**({"user": term.user} if term.user is not None else {"group": term.group})).delete()
        elif term.permission is not None and term.user is not None:
            term.user.user_permissions.remove(term.permission)
        elif term.permission is not None and term.group is not None:
            term.group.permissions.remove(term.permission)
        terms.delete()
        return len(why.written)


def remove_orphans(using: str, told: Callable[[int], None]) -> int:
    """Remove the grants on records that are gone, and put that on record. Returns how many there were."""
    count = 0
    models_of = {content_type(m, using).pk: m for m in dict.fromkeys(concrete(m) for m in lifecycle_models())}
    for rows in stores.object_models():
        if not stores.is_generic(rows) or not router.allow_migrate_model(using, rows):
            continue  # a foreign key has no orphans
        here = stores.all_of(rows, using).filter(content_type__in=list(models_of))
        for portion in portions(here):
            told(len(portion))
            keys: dict[int, set[str]] = {}
            for row in portion:
                keys.setdefault(row.content_type_id, set()).add(row.object_pk)
            for ctype, asked in keys.items():
                if gone := _gone(models_of[ctype], asked, using):
                    with (
                        writing(using, savepoint=True),
                        because(_RECONCILER, road="deletion", reason="The record is gone."),
                    ):
                        count += here.filter(content_type=ctype, object_pk__in=gone).delete()[0]
    return count


def _gone(model: type[models.Model], keys: set[str], using: str) -> set[str]:
    """Which of these keys name no record."""
    field = branches.key_field(model)
    wanted: dict[Any, str] = {}
    for key in keys:
        try:
            wanted[field.to_python(key)] = key
        except (ValueError, TypeError, ValidationError):
            continue  # what the field cannot read names nothing
    home = using if router.allow_migrate_model(using, model) else router.db_for_write(model)
    there = stores.all_of(model, home).filter(pk__in=list(wanted))
    return keys - {wanted[pk] for pk in there.values_list("pk", flat=True) if pk in wanted}


def portions(queryset: models.QuerySet[Any]) -> Iterator[list[Any]]:
    """The rows of a queryset in the order of their keys, a few hundred at a time."""
    last: Any = None
    ordered = queryset.order_by("pk")
    while True:
        portion = list((ordered if last is None else ordered.filter(pk__gt=last))[:PORTION])
        if not portion:
            return
        yield portion
        if len(portion) < PORTION:
            return
        last = portion[-1].pk
