"""Settings of the awkward host: the test suite's, with one app more and a database in memory."""

from tests import settings
from tests.settings import *  # noqa: F403

INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.acceptance.odd"]
ROOT_URLCONF = "tests.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
FSM_LIFECYCLE = {
    "ENCRYPTION_KEYS": ["odd-secret-key"],
    "AGENT_PROVIDERS": {"anthropic": {"key": "odd-secret-key"}},
}
