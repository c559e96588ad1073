from collections import Counter

import fsm_lifecycle.fields
from django.db import migrations, models
from django.db.models import Sum


def add_up(apps, schema_editor):
    """What the daily rollup has counted so far, by state."""
    alias = schema_editor.connection.alias
    came, went = Counter(), Counter()
    rows = apps.get_model("fsm_lifecycle", "DailyCount").objects.using(alias).order_by()
    for label, source, target, number in rows.values_list("model_label", "from_state", "to_state").annotate(
        number=Sum("entries")
    ):
        came[label, target] += number
        went[label, source] += number
    total = apps.get_model("fsm_lifecycle", "StateTotal")
    total.objects.using(alias).bulk_create(
        total(model_label=label, state=state, came=came[label, state], went=went[label, state])
        for label, state in sorted(came.keys() | went.keys())
    )


class Migration(migrations.Migration):

    dependencies = [
        ('fsm_lifecycle', '0006_retention'),
    ]

    operations = [
        migrations.CreateModel(
            name='StateTotal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('model_label', fsm_lifecycle.fields.ExactTextField(max_length=100)),
                ('state', fsm_lifecycle.fields.ExactTextField(default='', max_length=64)),
                ('came', models.BigIntegerField(default=0)),
                ('went', models.BigIntegerField(default=0)),
            ],
            options={
                'verbose_name': 'state total',
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('model_label', 'state'), name='fsm_lifecycle_state_total')],
            },
        ),
        migrations.RunPython(add_up, migrations.RunPython.noop),
    ]
