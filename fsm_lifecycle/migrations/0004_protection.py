from typing import Any

from django.db import migrations


def protect(apps: Any, schema_editor: Any) -> None:
    """Install the triggers of the package's own tables; ``post_migrate`` adds those of the host's."""
    from fsm_lifecycle.ledger import protection
    from fsm_lifecycle.ledger.protection.rules import append_only_models

    protection.install(schema_editor.connection, {model._meta.db_table for model in append_only_models()})


def step_aside(apps: Any, schema_editor: Any) -> None:
    """Without its triggers a table can be removed; what is still protected belongs to no version before this."""
    from fsm_lifecycle.ledger import protection

    protection.remove(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("fsm_lifecycle", "0003_ledger")]

    operations = [migrations.RunPython(protect, step_aside, elidable=False)]
