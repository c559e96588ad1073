"""Owns how an installation stands, as a page tells it: databases, checks, versions, keys of providers.

Looks and mends nothing. Must not show a value that a check quotes: it may be a secret in the wrong place.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import django
from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connections, router

from fsm_lifecycle import __version__, conf
from fsm_lifecycle.admin.section.guarding import Guarded, guarded, merge_delay
from fsm_lifecycle.ledger.census import Census, census
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.definitions import LifecycleDefinition
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.registry import lifecycles

#: The variables in which providers' own libraries look for their keys.
PROVIDERS: Final = {
    "Anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    "OpenAI": ("OPENAI_API_KEY",),
    "Google": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
}
#: What is named of the packages below.
PACKAGES: Final = (
    "django-fsm-2",
    "django-guardian",
    "cryptography",
    "djangorestframework",
    "celery",
    "anthropic",
)
_MIDDLEWARE: Final = (
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "fsm_lifecycle.middleware.ActorMiddleware",
)


@dataclass(frozen=True, slots=True)
class Stands:
    """How one database stands."""

    alias: str
    vendor: str
    guarded: Guarded
    census: Census | None
    """``None`` where the database does not say."""
    sealed_at: datetime | None
    """When the last checkpoint was made."""
    late: bool
    """Whether entries wait for their seal for too long."""
    unstored: list[str]
    """Lifecycles whose table in force is not stored."""


def databases(now: datetime) -> Iterator[Stands]:
    """Every database that has a log."""
    for alias in connections:
        if not router.allow_migrate_model(alias, TransitionLog):
            continue
        try:
            counted = census(alias)
            last = Checkpoint.objects.using(alias).order_by("-tree_size", "-id").first()
            unstored = list(_unstored(alias))
        except DatabaseError:
            yield Stands(alias, connections[alias].vendor, guarded(alias), None, None, False, [])
            continue
        waits = (now - counted.waiting_since).total_seconds() if counted.waiting_since else 0
        yield Stands(
            alias=alias,
            vendor=connections[alias].vendor,
            guarded=guarded(alias),
            census=counted,
            sealed_at=last.created_at if last is not None else None,
            late=waits > merge_delay(),
            unstored=unstored,
        )


def _unstored(alias: str) -> Iterator[str]:
    known = set(LifecycleDefinition.objects.using(alias).values_list("model_label", "fingerprint"))
    for model in lifecycles():
        stored = (model._lifecycle.label, model.lifecycle.fingerprint) in known
        if router.allow_migrate_model(alias, model) and not stored:
            yield str(model._meta.label)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a system check found."""

    id: str
    serious: bool
    what: str
    hint: str


def findings() -> list[Finding]:
    """What the package's own system checks find, without those that ask the database."""
    found = checks.run_checks(tags=["fsm_lifecycle"], include_deployment_checks=True)
    return [_finding(one) for one in found if not one.is_silenced()]


def _finding(one: Any) -> Finding:
    serious = one.level >= checks.ERROR
    if "FSM_LIFECYCLE" not in one.msg:
        subject = f"{one.obj._meta.label}: " if hasattr(one.obj, "_meta") else ""
        return Finding(one.id, serious, f"{subject}{one.msg}", one.hint or "")
    # Such a sentence quotes what stands there.
    key = next((f"{key} in " for key in sorted(conf.KEYS) if f"[{key!r}]" in one.msg), "")
    return Finding(
        one.id, serious, f"{key}FSM_LIFECYCLE is not right.", "manage.py check says what stands there."
    )


def providers() -> list[tuple[str, bool]]:
    """Each provider, and whether this process has a key for it. Never the key."""
    return [(name, any(os.environ.get(key) for key in keys)) for name, keys in PROVIDERS.items()]


def versions() -> list[tuple[str, str]]:
    """What this runs on."""
    found = [
        ("fsm-lifecycle", __version__),
        ("Python", platform.python_version()),
        ("Django", django.get_version()),
    ]
    for package in PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            found.append((package, "not installed"))
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """A class of the project's settings, by its dotted path."""

    name: str
    path: str
    there: bool


def order() -> list[tuple[str, list[Part]]]:
    """What stands in an order that matters: middleware and backends, each with whether it is there."""
    middleware, backends = list(settings.MIDDLEWARE), list(settings.AUTHENTICATION_BACKENDS)
    in_order = sorted(
        _MIDDLEWARE, key=lambda name: middleware.index(name) if name in middleware else len(middleware)
    )
    return [
        ("Middleware", [_part(name, name in middleware) for name in in_order]),
        ("Authentication backends", [_part(str(name), True) for name in backends]),
    ]


def _part(dotted: str, there: bool) -> Part:
    path, _, name = dotted.rpartition(".")
    return Part(name, path, there)
