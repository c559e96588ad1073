"""Owns a host project on disk, as small as one can be that has the admin: apps are generated into it.

Must not know which apps.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.browser.site import PATIENCE, address_of
from tests.databases import run_folder

ROOT = Path(__file__).resolve().parents[2]

FILES = {
    "manage.py": '''
        """The command line of the host."""

        import os
        import sys

        from django.core.management import execute_from_command_line

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
        execute_from_command_line(sys.argv)
    ''',
    "shop/__init__.py": "",
    "shop/settings.py": '''
        """The settings of the host."""

        from pathlib import Path

        BASE_DIR = Path(__file__).resolve().parent.parent
        SECRET_KEY = "for tests alone"  # noqa: S105
        ALLOWED_HOSTS = ["*"]
        USE_TZ = True
        ROOT_URLCONF = "shop.urls"
        STATIC_URL = "/static/"
        LOGIN_URL = "admin:login"
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        DATABASES = {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": BASE_DIR / "db.sqlite3",
                "OPTIONS": {
                    "transaction_mode": "IMMEDIATE",
                    "timeout": 20,
                    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
                },
            }
        }
        PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
        ANONYMOUS_USER_NAME = None

        INSTALLED_APPS = [
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.staticfiles",
            "guardian",
            "fsm_lifecycle",  # ours come below
        ]
        MIDDLEWARE = [
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "fsm_lifecycle.middleware.ActorMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ]
        AUTHENTICATION_BACKENDS = [
            "fsm_lifecycle.access.LifecycleBackend",
            "django.contrib.auth.backends.ModelBackend",
            "guardian.backends.ObjectPermissionBackend",
        ]
        TEMPLATES = [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [BASE_DIR / "templates"],
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ]
    ''',
    "shop/urls.py": '''
        """The addresses of the host."""

        from django.contrib import admin
        from django.urls import path

        urlpatterns = [
            path("admin/", admin.site.urls),
        ]
    ''',
}


class Host:
    """A project in a folder of its own."""

    def __init__(self, folder: Path, *, made: bool = False) -> None:
        self.folder = folder
        if made:
            return
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> Path:
        """Make a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
        return path

    def read(self, name: str) -> str:
        """The text of a file."""
        return (self.folder / name).read_text(encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """What a process of the project has: nothing of the tests' own."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "DATABASE"))
        }
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        # Compiled once for all hosts, and nothing of it in their folders.
        compiled = str(run_folder() / "compiled")
        return {**kept, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": compiled}

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run Python in the project."""
        return subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=500,
        )

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve the project, static files too. Gives its address."""
        command = [sys.executable, "-u", "manage.py", "runserver", "--noreload", "--insecure", "127.0.0.1:0"]
        said = self.folder / "server.log"
        with (
            said.open("w") as log,
            subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=log
            ) as server,
        ):
            try:
                yield address_of(server, said, PATIENCE)
            finally:
                server.terminate()

    def manage(self, *arguments: str) -> str:
        """Run a command that has to succeed. What it prints."""
        done = self.run("manage.py", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def refused(self, *arguments: str) -> str:
        """Run a command that has to be refused. What it says."""
        done = self.run("manage.py", *arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def snapshot(self) -> dict[str, bytes]:
        """Every file with its bytes."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }
