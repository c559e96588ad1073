from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('fsm_lifecycle', '0014_errands'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='agentrun',
            options={'default_permissions': ('view', 'change'), 'permissions': [('use_agents', 'Can let agents act in their name')], 'verbose_name': 'agent run'},
        ),
    ]
