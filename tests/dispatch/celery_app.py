"""The Celery app of processes that tests start, made as a host project makes its own."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.dispatch.settings")

from fsm_lifecycle.dispatch.celery import CELERY_BEAT_SCHEDULE
from tests.dispatch import settings

app = Celery("tests")
# The first app of a process is the one that all its threads use; here that is the sample project's.
app.set_default()
app.conf.update(
    broker_url=settings.BROKER,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 10},
    task_default_queue=settings.BROKER_QUEUE,
    beat_schedule={
        name: {**entry, "schedule": 0.5, "options": {"expires": 30}}
        for name, entry in CELERY_BEAT_SCHEDULE.items()
    },
    worker_hijack_root_logger=False,
)
app.autodiscover_tasks()
