from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0003_titled")]
    operations = [
        migrations.RemoveIndex("ticket", "shop_ticket_state_f0c8cc_idx"),
        migrations.RenameField("ticket", "state", "phase"),
    ]
