"""Settings that mypy's Django plugin reads: the test suite's, and the apps that the benchmarks measure."""

from tests import settings
from tests.settings import *  # noqa: F403

INSTALLED_APPS = [*settings.INSTALLED_APPS, "django_fsm_log", "benchmarks"]
