"""Settings of the shop: as small as a host project's can be. The database comes from the test that runs it."""

import os

from tests import databases

DATABASES = {"default": databases.configured(os.environ.get("DATABASE", "sqlite"))}
if os.environ.get("DATABASE", "sqlite") == "sqlite":
    # As most projects have it: in memory. Django copies a file without its write-ahead log.
    DATABASES["default"]["TEST"] = {}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = "for tests alone"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "guardian",
    "fsm_lifecycle",
    "tests.ledger.guard.shop_project.shop",
]
if os.environ.get("SHOP_WITHOUT_MIGRATIONS"):
    MIGRATION_MODULES = dict.fromkeys(("contenttypes", "auth", "guardian", "fsm_lifecycle", "shop"))
AUTHENTICATION_BACKENDS = [
    "fsm_lifecycle.access.LifecycleBackend",
    "django.contrib.auth.backends.ModelBackend",
]
ANONYMOUS_USER_NAME = None
FSM_LIFECYCLE = {"LEDGER_ORIGIN": "example.com/shop"}
