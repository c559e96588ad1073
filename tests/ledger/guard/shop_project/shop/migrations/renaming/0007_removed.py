from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0006_renamed_table")]
    operations = [migrations.DeleteModel("Issue")]
