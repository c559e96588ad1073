"""The sample's Celery app: `make worker` runs it, with the beat inside.

Background work needs it only with `SAMPLE_DISPATCH=celery`; without it a thread of each process does the same.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sample_project.settings")

app = Celery("sample_project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
