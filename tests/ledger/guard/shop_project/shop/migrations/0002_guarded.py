import django.utils.timezone
from django.db import migrations, models

import fsm_lifecycle.fields


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_plain"), ("fsm_lifecycle", "0003_ledger")]
    operations = [
        migrations.AddField("ticket", "state", fsm_lifecycle.fields.StateField(default="open", max_length=64)),
        migrations.AddField(
            "ticket", "state_since", models.DateTimeField(default=django.utils.timezone.now, editable=False)
        ),
        migrations.AddField("ticket", "lifecycle_sequence", models.BigIntegerField(default=0, editable=False)),
        migrations.AddField(
            "ticket",
            "lifecycle_head",
            fsm_lifecycle.fields.ExactTextField(blank=True, default="", editable=False, max_length=64),
        ),
        migrations.AddIndex("ticket", models.Index(fields=["state", "state_since"], name="shop_ticket_state_f0c8cc_idx")),
    ]
