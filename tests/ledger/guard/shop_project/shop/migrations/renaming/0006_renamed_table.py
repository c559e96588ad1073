from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0005_renamed_model")]
    operations = [migrations.AlterModelTable("issue", "Shop Issues")]
