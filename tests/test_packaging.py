"""The wheel: built from the source distribution, installed where nothing else is, and put to work."""

import fcntl
import os
import subprocess
import sys
import textwrap
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parent.parent

HOST = {
    "manage.py": """
        import os, sys
        os.environ["DJANGO_SETTINGS_MODULE"] = "shop_settings"
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)
    """,
    "shop_settings.py": """
        SECRET_KEY = "x"
        USE_TZ = True
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
        INSTALLED_APPS = [
            "django.contrib.contenttypes", "django.contrib.auth", "guardian", "fsm_lifecycle", "shop",
        ]
        MIDDLEWARE = [
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "fsm_lifecycle.middleware.ActorMiddleware",
        ]
        AUTHENTICATION_BACKENDS = [
            "django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend",
        ]
    """,
    "shop/__init__.py": "",
    "shop/models.py": """
        from django.db import models
        from fsm_lifecycle import Event, State
        from fsm_lifecycle.models import LifecycleModel

        class Order(LifecycleModel):
            number = models.CharField(max_length=20)

            class Lifecycle:
                open = State("open", initial=True)
                shipped = State("shipped", terminal=True)
                ship = Event(open, to=shipped)
    """,
    "shop/management/__init__.py": "",
    "shop/management/commands/__init__.py": "",
    "shop/management/commands/ship.py": """
        import fsm_lifecycle
        from django.core.management import BaseCommand
        from fsm_lifecycle import System
        from shop.models import Order

        class Command(BaseCommand):
            def handle(self, **options):
                order = Order.objects.create(number="7")
                entry = order.fire("ship", actor=System("smoke test"))
                kinds = " ".join(order.log.values_list("kind", flat=True))
                print(fsm_lifecycle.__file__, order.state, entry.sequence, kinds, sep="|")
    """,
}


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that knows nothing of this checkout. Returns what it prints."""
    ours = ("PYTHON", "DJANGO")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run([*command], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    # Without --wheel the wheel is built from the source distribution: what MANIFEST.in forgets is missing from both.
    # It is put together inside the checkout, so two workers of one run must not do it at the same time.
    with (ROOT / "setup.cfg").open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = ROOT / "fsm_lifecycle"
    files = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == files
    assert "fsm_lifecycle/py.typed" in packed
    assert any(name.startswith("fsm_lifecycle/migrations/0001_") for name in packed)


def test_the_wheel_alone_migrates_and_fires_an_event(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, cwd=tmp_path)
    host = tmp_path / "host"
    for name, text in HOST.items():
        (host / name).parent.mkdir(parents=True, exist_ok=True)
        (host / name).write_text(textwrap.dedent(text))
    run(python, "manage.py", "makemigrations", "shop", cwd=host)
    run(python, "manage.py", "migrate", cwd=host)
    run(python, "manage.py", "check", "--fail-level", "ERROR", cwd=host)

    printed = run(python, "manage.py", "ship", cwd=host).splitlines()[-1]
    origin, state, sequence, kinds = printed.split("|")

    assert Path(origin).is_relative_to(tmp_path / "venv")
    assert (state, sequence, kinds) == ("shipped", "2", "created transition")
