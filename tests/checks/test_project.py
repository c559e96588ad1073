"""What the settings and the installation may lack."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning

from fsm_lifecycle import conf
from fsm_lifecycle.access import LifecycleBackend
from fsm_lifecycle.checks import project as checks
from fsm_lifecycle.dispatch.celery import SOFT_TIME_LIMIT
from tests.checks.asking import ids
from tests.testapp.models import Light

pytestmark = pytest.mark.pure

ACTOR = "fsm_lifecycle.middleware.ActorMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


def only() -> CheckMessage:
    """The one thing that is wrong with the project."""
    (message,) = checks.check_project()
    assert message.hint
    return message


def test_a_sound_project_has_no_defect() -> None:
    assert checks.check_project() == []


def test_naive_times_are_an_error(settings: Any) -> None:
    settings.USE_TZ = False
    message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.E050", Error)
    assert message.hint == "Set USE_TZ = True."


def test_a_missing_middleware_is_a_warning(settings: Any) -> None:
    settings.MIDDLEWARE = [AUTHENTICATION]
    message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.W051", Warning)
    assert ACTOR in str(message.hint)


@pytest.mark.parametrize("order", [[AUTHENTICATION, ACTOR], [ACTOR, AUTHENTICATION]])
def test_the_order_does_not_matter_for_the_user_is_read_later(settings: Any, order: list[str]) -> None:
    settings.MIDDLEWARE = order
    assert checks.check_project() == []


OURS = "fsm_lifecycle.access.LifecycleBackend"
MODEL = "django.contrib.auth.backends.ModelBackend"
GUARDIAN = "guardian.backends.ObjectPermissionBackend"
STRANGER = "django.contrib.auth.backends.RemoteUserBackend"


class OwnBackend(LifecycleBackend):
    """What a project makes of ours."""


@pytest.mark.parametrize("backends", [[MODEL], [MODEL, GUARDIAN]])
def test_without_our_backend_has_perm_would_not_know_roles(settings: Any, backends: list[str]) -> None:
    settings.AUTHENTICATION_BACKENDS = backends
    message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.E057", Error)
    assert str([OURS, *backends]) in str(message.hint)


def test_without_roles_a_missing_backend_is_a_warning(settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = [MODEL]
    with mock.patch.object(checks, "apps", SimpleNamespace(get_models=lambda: [Light], is_installed=bool)):
        message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.W057", Warning)
    assert str([OURS, MODEL]) in str(message.hint)


@pytest.mark.parametrize(
    ("backends", "first"), [([MODEL, OURS, GUARDIAN], MODEL), ([GUARDIAN, OURS, MODEL], GUARDIAN)]
)
def test_our_backend_has_to_stand_first(settings: Any, backends: list[str], first: str) -> None:
    settings.AUTHENTICATION_BACKENDS = backends
    message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.E058", Error)
    assert first in message.msg
    assert f"[{OURS!r}" in str(message.hint)


def test_guardian_before_the_model_backend_is_a_warning(settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = [OURS, GUARDIAN, MODEL]
    message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.W058", Warning)
    assert str([OURS, MODEL, GUARDIAN]) in str(message.hint)


@pytest.mark.parametrize(
    "backends",
    [
        [OURS, MODEL, GUARDIAN],
        [OURS, MODEL],
        [STRANGER, OURS, MODEL, GUARDIAN],
        ["tests.checks.test_project.OwnBackend", MODEL, GUARDIAN],
    ],
)
def test_these_backends_are_sound(settings: Any, backends: list[str]) -> None:
    settings.AUTHENTICATION_BACKENDS = backends
    assert checks.check_project() == []


def test_a_missing_app_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"django.contrib.auth", "django.contrib.contenttypes"}
    monkeypatch.setattr(apps, "is_installed", lambda name: name in installed)
    message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.E060", Error)
    assert "guardian" in message.msg
    assert "guardian" in str(message.hint)


def test_django_fsm_beside_django_fsm_2_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def distribution(name: str) -> object:
        asked.append(name)
        if name != "django-fsm":
            raise PackageNotFoundError(name)
        return object()

    monkeypatch.setattr(checks, "distribution", distribution)
    message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.E053", Error)
    assert "pip uninstall django-fsm" in str(message.hint)
    assert "django-fsm" in asked


@pytest.mark.parametrize("value", [None, [], "MAX_CAUSE_DEPTH"])
def test_settings_that_are_no_dict_are_an_error(settings: Any, value: Any) -> None:
    settings.FSM_LIFECYCLE = value
    message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.E054", Error)
    assert type(value).__name__ in message.msg
    assert conf.max_cause_depth() == 16


def test_no_settings_are_fine(settings: Any) -> None:
    if hasattr(settings, "FSM_LIFECYCLE"):
        del settings.FSM_LIFECYCLE
    assert checks.check_project() == []


@pytest.mark.parametrize("key", sorted(conf.KEYS - {"MAX_CAUSE_DEPTH"}))
def test_every_documented_setting_is_known(settings: Any, key: str) -> None:
    settings.FSM_LIFECYCLE = {key: None}
    assert checks.check_project() == []


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("MAX_CAUSE_DEPT", "MAX_CAUSE_DEPTH"),
        ("max_cause_depth", "MAX_CAUSE_DEPTH"),
        ("LEDGER_ORIGINS", "LEDGER_ORIGIN"),
        ("WEBHOOK_TIME_OUT", "WEBHOOK_TIMEOUT"),
        ("DISPATCHER", "DISPATCH"),
    ],
)
def test_an_unknown_setting_is_a_warning_with_the_nearest_name(settings: Any, key: str, near: str) -> None:
    settings.FSM_LIFECYCLE = {key: 1}
    message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.W055", Warning)
    assert repr(key) in message.msg
    assert message.hint == f"Did you mean {near!r}?"


def test_an_unknown_setting_that_is_near_to_none_is_told_all_of_them(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"ZZZ": 1}
    message = only()
    assert message.id == "fsm_lifecycle.W055"
    assert all(key in str(message.hint) for key in conf.KEYS)


@pytest.mark.parametrize("depth", [0, -1, "16", 1.5, True, None])
def test_a_depth_that_is_no_whole_number_is_an_error(settings: Any, depth: Any) -> None:
    settings.FSM_LIFECYCLE = {"MAX_CAUSE_DEPTH": depth}
    message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.E056", Error)
    assert repr(depth) in message.msg


@pytest.mark.parametrize("days", [-1, "365", True, float("nan"), 400_000])
def test_days_that_cannot_be_used_are_an_error(settings: Any, days: Any) -> None:
    settings.FSM_LIFECYCLE = {"RETENTION_DAYS": {"refusals": days}}
    message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.E066", Error)
    assert f"'refusals': {days!r}" in message.msg
    assert "“deliveries”" in str(message.hint)


@pytest.mark.parametrize("value", [30, {"refusal": 30}])
def test_days_of_nothing_are_an_error(settings: Any, value: Any) -> None:
    settings.FSM_LIFECYCLE = {"RETENTION_DAYS": value}
    assert only().id == "fsm_lifecycle.E066"


def test_days_that_are_left_out_keep_their_default(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"RETENTION_DAYS": {"refusals": None, "runs": 0.5}}
    assert checks.check_project() == []
    kept = {kind: conf.retention_days(kind) for kind in conf.RETENTION_DAYS}
    assert kept == {
        "refusals": None,
        "deliveries": 30,
        "attempts": 30,
        "runs": 0.5,
        "idempotency": 1,
        "work": 30,
    }


def test_a_depth_is_read_when_it_is_asked_for(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"MAX_CAUSE_DEPTH": 3}
    assert conf.max_cause_depth() == 3
    settings.FSM_LIFECYCLE = {}
    assert conf.max_cause_depth() == 16


def test_a_project_without_lifecycles_is_left_alone(settings: Any) -> None:
    settings.USE_TZ = False
    with mock.patch.object(checks, "apps", SimpleNamespace(get_models=list)):
        assert checks.check_project() == []


def test_several_defects_are_all_named(settings: Any) -> None:
    settings.USE_TZ = False
    settings.MIDDLEWARE = []
    settings.FSM_LIFECYCLE = {"X": 1, "MAX_CAUSE_DEPTH": 0}
    assert ids(checks.check_project()) == ["E050", "E056", "W051", "W055"]


@pytest.mark.parametrize("mode", ["threads", "Celery", 1, ["thread"]])
def test_a_mode_of_dispatch_that_there_is_none_of_is_an_error(settings: Any, mode: Any) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": mode}
    message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.E068", Error)
    assert repr(mode) in message.msg
    assert "thread" in str(message.hint)


@pytest.mark.parametrize("lease", [0, -1, 1201, True, "60"])
def test_a_lease_that_is_no_useful_time_is_an_error(settings: Any, lease: Any) -> None:
    settings.FSM_LIFECYCLE = {"LEASE_SECONDS": lease}
    message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.E069", Error)
    assert repr(lease) in message.msg


def test_the_longest_lease_ends_before_the_tasks_of_celery_do(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"LEASE_SECONDS": 1200}
    assert checks.check_project() == []
    assert SOFT_TIME_LIMIT > 1200


def test_celery_without_an_app_is_a_warning(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.FSM_LIFECYCLE = {"DISPATCH": "celery"}
    monkeypatch.setattr(checks, "current_app", SimpleNamespace(main="default"))
    message = only()
    assert (message.id, type(message)) == ("fsm_lifecycle.W105", Warning)
    assert "__init__" in str(message.hint)
    monkeypatch.setattr(checks, "current_app", SimpleNamespace(main="shop"))
    assert checks.check_project() == []
