"""Sets Django up when it is imported: what the server of racing processes loads before it forks them."""

import django
from django.apps import apps

if not apps.ready:
    django.setup()
