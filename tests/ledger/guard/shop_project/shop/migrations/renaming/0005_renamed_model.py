from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0004_renamed_column")]
    operations = [migrations.RenameModel("Ticket", "Issue")]
