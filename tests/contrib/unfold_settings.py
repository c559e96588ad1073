"""Settings of a small project that has unfold for its admin, as docs/unfold.md says."""

from tests.settings import *  # noqa: F403

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
FSM_LIFECYCLE = {"ENCRYPTION_KEYS": ["a key for tests that is long enough to be one"], "DISPATCH": "command"}
ROOT_URLCONF = "tests.contrib.unfold_desk"
INSTALLED_APPS = [
    "fsm_lifecycle.contrib.unfold",
    "unfold",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.admin",
    "guardian",
    "fsm_lifecycle",
    "tests.testapp",
]
