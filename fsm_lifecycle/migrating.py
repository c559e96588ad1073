"""What happens around ``migrate``: protection steps aside and comes back, definitions and roles are stored.

Must not change rows of the host's own tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections, router, transaction

from fsm_lifecycle.access import answers, sync
from fsm_lifecycle.ledger import definitions, protection
from fsm_lifecycle.registry import lifecycles


def store_definitions(using: str) -> None:
    """Store every table in force on this database, each once."""
    connection = connections[using]
    model = definitions.LifecycleDefinition
    here = router.allow_migrate_model(using, model)
    if not here or model._meta.db_table not in connection.introspection.table_names():
        definitions.forget(using)
        return
    definitions.recall(connection)
    with transaction.atomic(using=using):
        for lifecycle in lifecycles():
            if router.allow_migrate_model(using, lifecycle):
                definitions.ensure(connection, lifecycle._lifecycle.label, lifecycle.lifecycle)


def make_roles(using: str) -> None:
    """Make the permissions and groups that the tables ask for, where they are missing."""
    if sync.possible(using):
        sync.sync(using)
        answers.forget(using)


def step_aside(using: str, plan: Sequence[tuple[Any, bool]], before: Any) -> None:
    """Take away the triggers on tables of the apps that are about to be migrated: they would be in the way.

    ``plan`` and ``before`` are what ``pre_migrate`` brings: the migrations, and the apps as they were.
    """
    labels = {migration.app_label for migration, _ in plan}
    if not labels:
        return
    models = [*before.get_models(), *(model._lifecycle.owner for model in lifecycles())]
    tables = {m._meta.db_table for m in models if m._meta.app_label in labels}
    _aside[using] = protection.remove(connections[using], tables)


#: What stepped aside in each database, until ``post_migrate``.
_aside: dict[str, list[Any]] = {}


def protect(using: str) -> None:
    """Install the protection that is missing or outdated, where the ledger's own tables are."""
    if router.allow_migrate_model(using, definitions.LifecycleDefinition):
        protection.install(connections[using], before=_aside.pop(using, ()))
