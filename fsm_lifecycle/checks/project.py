"""System checks of the project: its settings and the installation. Must not mend anything."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

import django
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

from fsm_lifecycle import conf
from fsm_lifecycle.access.backend import LifecycleBackend
from fsm_lifecycle.definition.defect import listed
from fsm_lifecycle.dispatch.waking import MODES
from fsm_lifecycle.models import LifecycleModel

BACKEND = "fsm_lifecycle.access.LifecycleBackend"
LATER_BACKENDS = ("django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend")
ACTOR_MIDDLEWARE = "fsm_lifecycle.middleware.ActorMiddleware"


def check_project(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """The settings and the installation, once there is a lifecycle to protect."""
    found: list[CheckMessage] = []
    if not any(issubclass(m, LifecycleModel) for m in apps.get_models()):
        return found
    if not settings.USE_TZ:
        found.append(
            Error(
                "USE_TZ is False, so the log could not say when anything happened.",
                hint="Set USE_TZ = True.",
                id="fsm_lifecycle.E050",
            )
        )
    found += _apps()
    found += _backends()
    found += _middleware()
    found += _unknown_settings()
    if _installed("django-fsm"):
        found.append(
            Error(
                "django-fsm is installed beside django-fsm-2, and both are the package django_fsm.",
                hint="Run: pip uninstall django-fsm && pip install --force-reinstall django-fsm-2",
                id="fsm_lifecycle.E053",
            )
        )
    return found


def _apps() -> Iterator[CheckMessage]:
    missing = [
        name
        for name in ("django.contrib.auth", "django.contrib.contenttypes", "guardian")
        if not apps.is_installed(name)
    ]
    if missing:
        yield Error(
            f"{listed(missing)} is not installed, and roles are stored there.",
            hint=f"Add {' and '.join(map(repr, missing))} to INSTALLED_APPS and run migrate.",
            id="fsm_lifecycle.E060",
        )


def _backends() -> Iterator[CheckMessage]:
    """Without ours, or with another before it, ``has_perm`` and ``fire()`` would not say the same."""
    backends = list(settings.AUTHENTICATION_BACKENDS)
    wanted = [BACKEND, *(b for b in backends if b != BACKEND)]
    ours = [place for place, name in enumerate(backends) if _is_ours(name)]
    hint = f"Write AUTHENTICATION_BACKENDS = {wanted}."
    if not ours:
        with_roles = any(m._lifecycle.table.roles for m in apps.get_models() if issubclass(m, LifecycleModel))
        yield (Error if with_roles else checks.Warning)(
            "LifecycleBackend is not in AUTHENTICATION_BACKENDS, so user.has_perm() does not know lifecycles.",
            hint=hint,
            id="fsm_lifecycle.E057" if with_roles else "fsm_lifecycle.W057",
        )
        return
    before = [name for name in backends[: ours[0]] if name in LATER_BACKENDS]
    model, guardian = (backends.index(name) if name in backends else None for name in LATER_BACKENDS)
    if before:
        yield Error(
            f"LifecycleBackend stands after {listed(before)}, which would say yes to grants that have ended.",
            hint=hint,
            id="fsm_lifecycle.E058",
        )
    elif model is not None and guardian is not None and guardian < model:
        yield checks.Warning(
            "guardian's backend stands before ModelBackend, so permissions for all records cost its queries first.",
            hint=f"Write AUTHENTICATION_BACKENDS = {[BACKEND, *LATER_BACKENDS]}.",
            id="fsm_lifecycle.W058",
        )


def _is_ours(name: str) -> bool:
    try:
        found = import_string(name)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, LifecycleBackend)


def _middleware() -> Iterator[CheckMessage]:
    middleware = list(settings.MIDDLEWARE)
    if ACTOR_MIDDLEWARE not in middleware:
        yield checks.Warning(
            "ActorMiddleware is not in MIDDLEWARE, so fire() needs actor=... in every view.",
            hint=f'Add "{ACTOR_MIDDLEWARE}" after AuthenticationMiddleware.',
            id="fsm_lifecycle.W051",
        )


def _unknown_settings() -> Iterator[CheckMessage]:
    value = getattr(settings, "FSM_LIFECYCLE", {})
    if not isinstance(value, dict):
        yield Error(
            f"FSM_LIFECYCLE is a {type(value).__name__}, not a dict.",
            hint='Write FSM_LIFECYCLE = {"MAX_CAUSE_DEPTH": 16}.',
            id="fsm_lifecycle.E054",
        )
        return
    for key in value:
        if key not in conf.KEYS:
            near = difflib.get_close_matches(str(key).upper(), conf.KEYS, 1, 0.5)
            yield checks.Warning(
                f"FSM_LIFECYCLE has {key!r}, which nothing reads.",
                hint=f"Did you mean {near[0]!r}?"
                if near
                else f"The keys are {', '.join(sorted(conf.KEYS))}.",
                id="fsm_lifecycle.W055",
            )
    depth = value.get("MAX_CAUSE_DEPTH", 16)
    if not isinstance(depth, int) or isinstance(depth, bool) or depth < 1:
        yield Error(
            f"FSM_LIFECYCLE['MAX_CAUSE_DEPTH'] is {depth!r}.",
            hint="Give a whole number from 1; the default is 16.",
            id="fsm_lifecycle.E056",
        )
    yield from _dispatch(value)
    yield from _retention_days(value.get("RETENTION_DAYS") or {})


def _dispatch(value: dict[str, Any]) -> Iterator[CheckMessage]:
    mode = value.get("DISPATCH") or "thread"
    if mode not in MODES or (mode == "tasks" and django.VERSION < (6, 0)):
        tasks = " “tasks” needs Django 6.0." if mode == "tasks" else ""
        yield Error(
            f"FSM_LIFECYCLE['DISPATCH'] is {mode!r}.{tasks}",
            hint=f"Choose one of {listed(MODES)}; the default is 'thread'.",
            id="fsm_lifecycle.E068",
        )
    if mode == "celery" and current_app.main == "default":
        yield checks.Warning(
            "FSM_LIFECYCLE['DISPATCH'] is 'celery', and no Celery app is loaded, so messages would go nowhere.",
            hint="Import the project's Celery app in the project package's __init__.py: from .celery import app",
            id="fsm_lifecycle.W105",
        )
    lease = 60 if value.get("LEASE_SECONDS") is None else value["LEASE_SECONDS"]
    if isinstance(lease, bool) or not isinstance(lease, int | float) or not 1 <= lease <= 1200:
        yield Error(
            f"FSM_LIFECYCLE['LEASE_SECONDS'] is {lease!r}.",
            hint="Give seconds from 1 to 1200, below the time limit of Celery's tasks; the default is 60.",
            id="fsm_lifecycle.E069",
        )


def _retention_days(value: Any) -> Iterator[CheckMessage]:
    days = value if isinstance(value, dict) else {}
    wrong = [
        f"{key!r}: {kept!r}"
        for key, kept in days.items()
        if key not in conf.RETENTION_DAYS or not _days(kept)
    ]
    if wrong or not isinstance(value, dict):
        yield Error(
            f"FSM_LIFECYCLE['RETENTION_DAYS'] holds {', '.join(wrong) or repr(value)}.",
            hint=f"Give days from 0, or None for ever, for any of {listed(conf.RETENTION_DAYS)}.",
            id="fsm_lifecycle.E066",
        )


def _days(kept: Any) -> bool:
    number = isinstance(kept, int | float) and not isinstance(kept, bool)
    return kept is None or (number and 0 <= kept <= 365_000)


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
