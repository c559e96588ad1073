"""Owns how an installation stands, as a page tells it: databases, checks, versions, keys of providers.

Looks and mends nothing. Must not show a value that a check quotes: it may be a secret in the wrong place.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import django
from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connections, router

from fsm_lifecycle import __version__
from fsm_lifecycle.admin.section.guarding import Guarded, guarded, merge_delay
from fsm_lifecycle.admin.section.in_force import model_told
from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.providers import key_of
from fsm_lifecycle.agents.runs import shown
from fsm_lifecycle.dispatch import routines
from fsm_lifecycle.dispatch.databases import with_work
from fsm_lifecycle.dispatch.figures import standings
from fsm_lifecycle.dispatch.routine_state import RoutineState
from fsm_lifecycle.dispatch.work_item import WorkItem
from fsm_lifecycle.engine import check_errand
from fsm_lifecycle.engine.errand import Errand
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


@dataclass(frozen=True, slots=True)
class AtWork:
    """How the background work of one database stands."""

    alias: str
    due: int
    whole: bool
    """Whether all that is due was counted."""
    oldest: datetime | None
    dead: bool
    """Whether anything was given up."""
    failing: list[str]
    """Routines that failed the last time."""
    checked: Errand | None
    """The last check of the ledger that came to its end."""


def background() -> Iterator[AtWork]:
    """Every database that has work."""
    labels = {one.name: one.label for one in routines.all_routines()}
    for alias in with_work():
        found = list(standings(alias))
        states = RoutineState.objects.using(alias).filter(failed_at__isnull=False).order_by("name")
        yield AtWork(
            alias=alias,
            due=sum(one.due for one in found),
            whole=all(one.whole for one in found),
            oldest=min((one.oldest for one in found if one.oldest is not None), default=None),
            dead=WorkItem.objects.using(alias).filter(status=WorkItem.DEAD).exists(),
            failing=[labels[one.name] for one in states if one.name in labels],
            checked=check_errand.last(alias),
        )


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
    # A sentence on the settings quotes what stands there, but for those that begin so.
    if "FSM_LIFECYCLE" not in one.msg or one.msg.startswith("FSM_LIFECYCLE: "):
        subject = f"{one.obj._meta.label}: " if hasattr(one.obj, "_meta") else ""
        return Finding(one.id, serious, f"{subject}{one.msg}", one.hint or "")
    named = re.match(r"FSM_LIFECYCLE\[['\"](\w+)['\"]\]", one.msg)
    if named is None:
        return Finding(
            one.id, serious, "FSM_LIFECYCLE is not right.", "manage.py check says what stands there."
        )
    return Finding(one.id, serious, f"{named[1]} in FSM_LIFECYCLE is not right.", one.hint or "")


def providers() -> list[tuple[str, bool]]:
    """Each provider, and whether this process has a key for it. Never the key."""
    return [(name, any(os.environ.get(key) for key in keys)) for name, keys in PROVIDERS.items()]


def models() -> list[tuple[str, bool]]:
    """Each language model that agents use, and whether it has what it needs here."""
    names = [one.language_model for one in registry.profiles()]
    known = dict.fromkeys(name for name in names if isinstance(name, str))
    return [(model_told(shown(name)), key_of(name).present) for name in known]


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
