"""Settings of the sample project.

It runs as it is, for a developer on one machine. The environment changes it:

- `SAMPLE_DB`: `sqlite` (the default), `postgres` or `mariadb`; `SAMPLE_DB_NAME`, `SAMPLE_DB_HOST`, `SAMPLE_DB_PORT`,
  `SAMPLE_DB_USER`, `SAMPLE_DB_PASSWORD` say where and who.
- `SAMPLE_DEBUG`: `0` turns debugging off; then `SAMPLE_SECRET_KEY` must be set.
- `SAMPLE_ENCRYPTION_KEYS`: keys for the secrets of webhooks, separated by commas; with debugging off there is none
  otherwise.
- `SAMPLE_ALLOWED_HOSTS`: host names, separated by commas.
- `SAMPLE_DISPATCH`: who does the work in the background: `thread` (the default), `celery` (then `make worker`) or
  `command` (then `manage.py lifecycle_work`); `SAMPLE_BROKER`: where Celery's messages go, by default Redis on this
  machine.
- `SAMPLE_AGENT_MODEL`: the language model of agents, such as `openai/qwen3:8b@http://localhost:11434/v1`. Without it
  they use Claude where `ANTHROPIC_API_KEY` is set, and else a script that needs no key and is no model.
- `SAMPLE_LEDGER`: the folder of the signing key and the checkpoints, by default this project's.
"""

import os
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from fsm_lifecycle.dispatch.celery import CELERY_BEAT_SCHEDULE as LIFECYCLE_BEAT

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = os.environ.get("SAMPLE_DEBUG", "1") == "1"
SECRET_KEY = os.environ.get(
    "SAMPLE_SECRET_KEY", "a fixed key for development, worth nothing" if DEBUG else ""
)
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "Without SAMPLE_DEBUG=1 the sample needs a key of its own: set SAMPLE_SECRET_KEY."
    )
ALLOWED_HOSTS = os.environ.get("SAMPLE_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "guardian",
    "rest_framework",
    "drf_spectacular",
    "fsm_lifecycle",
    "sample_project.helpdesk",
    "sample_project.billing",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "sample_project.content_security.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "fsm_lifecycle.middleware.ActorMiddleware",  # needs the user: after AuthenticationMiddleware
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

AUTHENTICATION_BACKENDS = [
    "fsm_lifecycle.access.LifecycleBackend",  # first: it answers for lifecycle permissions, and the others do not
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
# The sample has no anonymous user with permissions of its own.
ANONYMOUS_USER_NAME = None

ROOT_URLCONF = "sample_project.urls"
# Where pages of an app's own send visitors: `startfsmapp` writes such apps.
LOGIN_URL = "admin:login"
WSGI_APPLICATION = "sample_project.wsgi.application"
ASGI_APPLICATION = "sample_project.asgi.application"

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


def _database(kind: str) -> dict[str, Any]:
    def said(what: str, default: str) -> str:
        return os.environ.get(f"SAMPLE_DB_{what}", default)

    if kind == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": said("NAME", str(BASE_DIR / "db.sqlite3")),
            "OPTIONS": {
                # A writer waits for its turn instead of failing at once; readers wait for nobody.
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    if kind not in ("postgres", "mariadb"):
        raise ImproperlyConfigured(f"SAMPLE_DB={kind!r} is not known. Use sqlite, postgres or mariadb.")
    postgres = kind == "postgres"
    return {
        "ENGINE": "django.db.backends.postgresql" if postgres else "django.db.backends.mysql",
        "NAME": said("NAME", "lifecycle_sample"),
        "HOST": said("HOST", "127.0.0.1"),
        "PORT": said("PORT", "5432" if postgres else "3306"),
        "USER": said("USER", "postgres" if postgres else "root"),
        "PASSWORD": said("PASSWORD", ""),
        "OPTIONS": {} if postgres else {"charset": "utf8mb4"},
    }


DATABASES = {"default": _database(os.environ.get("SAMPLE_DB", "sqlite"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# `make demo` makes the key. It and the checkpoints stay outside the database, which could not vouch for itself.
_LEDGER = Path(os.environ.get("SAMPLE_LEDGER", BASE_DIR))
_LEDGER_KEY = _LEDGER / "ledger.key"
_HAS_KEY = bool(os.environ.get("ANTHROPIC_API_KEY"))
_ENCRYPTION_KEYS = os.environ.get("SAMPLE_ENCRYPTION_KEYS") or (
    "a fixed key of a developer that is worth nothing" if DEBUG else ""
)
FSM_LIFECYCLE: dict[str, Any] = {
    "ENCRYPTION_KEYS": [key for key in _ENCRYPTION_KEYS.split(",") if key],
    "AGENT_MODEL": os.environ.get("SAMPLE_AGENT_MODEL")
    or ("anthropic/claude-sonnet-5-5" if _HAS_KEY else "scripted/sample_project.helper.helper"),
    "LEDGER_ORIGIN": f"localhost/sample-{DATABASES['default']['ENGINE'].rpartition('.')[2]}",
    "LEDGER_KEY": str(_LEDGER_KEY) if _LEDGER_KEY.exists() else None,
    "LEDGER_CHECKPOINT_DIR": _LEDGER / "checkpoints",
    "DISPATCH": os.environ.get("SAMPLE_DISPATCH", "thread"),
}

CELERY_BROKER_URL = os.environ.get("SAMPLE_BROKER", "redis://127.0.0.1:6379/0")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE = {**LIFECYCLE_BEAT}

# For `manage.py spectacular`; `/api/schema/` knows it by itself.
SPECTACULAR_SETTINGS = {"TITLE": "Sample project", "VERSION": "1", "OAS_VERSION": "3.1.0"}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "sample_project" / "static"]

# E-mails are printed, not sent.
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
DEFAULT_FROM_EMAIL = "billing@example.com"
