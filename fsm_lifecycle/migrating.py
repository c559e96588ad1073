"""What ``post_migrate`` does: the definitions in force are stored. Must not touch the host's own tables."""

from __future__ import annotations

from django.db import connections, router, transaction

from fsm_lifecycle.ledger import definitions
from fsm_lifecycle.registry import lifecycles


def store_definitions(using: str) -> None:
    """Store every table in force on this database, each once."""
    definitions.forget(using)
    connection = connections[using]
    model = definitions.LifecycleDefinition
    if not router.allow_migrate_model(using, model):
        return
    if model._meta.db_table not in connection.introspection.table_names():
        return
    with transaction.atomic(using=using):
        for lifecycle in lifecycles():
            if router.allow_migrate_model(using, lifecycle):
                definitions.ensure(connection, lifecycle._lifecycle.label, lifecycle.lifecycle)
