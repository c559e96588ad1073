"""The sample's API under a real ASGI server, started by the tests in a process of its own.

``STREAM_INTERVAL``, ``STREAM_HEARTBEAT`` and ``STREAM_LIFETIME`` shorten a stream's times.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.conf import settings  # noqa: E402

settings.ROOT_URLCONF = "sample_project.urls"

from django.core.asgi import get_asgi_application  # noqa: E402

from fsm_lifecycle.api.stream import StreamView  # noqa: E402

for name in ("interval", "heartbeat", "lifetime"):
    if seconds := os.environ.get(f"STREAM_{name.upper()}"):
        setattr(StreamView, name, float(seconds))

application = get_asgi_application()
