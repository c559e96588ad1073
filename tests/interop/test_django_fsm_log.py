"""django-fsm-log may be installed beside: it hears each firing and breaks nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("django_fsm_log", reason="django-fsm-log is not installed")

ROOT = Path(__file__).resolve().parent.parent.parent

PROJECT = """
    from django.conf import settings

    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.contenttypes", "django.contrib.auth", "guardian", "django_fsm_log", "fsm_lifecycle",
            "tests.testapp",
        ],
        AUTHENTICATION_BACKENDS=[
            "fsm_lifecycle.access.LifecycleBackend", "django.contrib.auth.backends.ModelBackend",
            "guardian.backends.ObjectPermissionBackend",
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        MIDDLEWARE=[
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "fsm_lifecycle.middleware.ActorMiddleware",
        ],
    )

    import django

    django.setup()

    from django.core.management import call_command

    call_command("check", fail_level="WARNING")
    call_command("migrate", verbosity=0)
    call_command("makemigrations", "fsm_lifecycle", check=True, dry_run=True)

    from django_fsm_log.models import StateLog
    from fsm_lifecycle import System
    from tests.testapp.models import Light

    light = Light.objects.create()
    light.switch_on(actor=System("robot"))
    light.switch_off(actor=System("robot"))
    try:
        light.switch_off(actor=System("robot"))
    except Exception as refused:
        print(type(refused).__name__)
    print([(log.transition, log.source_state, log.state) for log in StateLog.objects.order_by("id")])
    print(light.log.count(), light.replay().whole)
"""


@pytest.mark.once
def test_it_keeps_its_own_log_beside_ours() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(PROJECT)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[-3:]
    assert lines[0] == "InvalidTransition"
    assert lines[1] == "[('switch_on', 'off', 'on'), ('switch_off', 'on', 'off')]"
    assert lines[2] == "3 True"
