import os
from typing import Any

from django.db import migrations, models

import fsm_lifecycle.fields


def add_row(apps: Any, schema_editor: Any) -> None:
    """A row that tests may rely on, where they ask for one."""
    if os.environ.get("SHOP_WITH_ROW"):
        apps.get_model("shop", "Ticket").objects.using(schema_editor.connection.alias).create(title="from a migration")


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_guarded")]
    operations = [
        migrations.AlterField("ticket", "title", models.CharField(default="", max_length=40)),
        migrations.AlterField("ticket", "state", fsm_lifecycle.fields.StateField(default="open", max_length=80)),
        migrations.AlterField("ticket", "lifecycle_head", fsm_lifecycle.fields.ExactTextField(default="", max_length=80)),
        migrations.AddField("ticket", "priority", models.IntegerField(default=0)),
        migrations.RunPython(add_row, migrations.RunPython.noop),
    ]
