"""Which entries a user sees: those of records that may be read, in both forms, for every kind of key."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection, models

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.engine import visible_log
from fsm_lifecycle.engine.visible_log import sight
from fsm_lifecycle.models import TransitionLog
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Light
from tests.testapp.offices import Appeal, Binder, Claim, Dossier, Filing, Plate

pytestmark = pytest.mark.django_db

ROOT = System("test")
Place = tuple[str, str]


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("reader")


@pytest.fixture(params=["few records", "many records"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Only models with roles; then every record counts as one of many, or as one of few."""
    monkeypatch.setattr(visible_log, "lifecycles", lambda: [Claim, Dossier, Plate, Binder])
    if request.param == "many records":
        monkeypatch.setattr(visible_log, "FEW", 0)
    return str(request.param)


@pytest.fixture
def granted(user: User) -> set[Place]:
    """Two records of each kind of key; the user may read the first of each."""
    found = set()
    offices: list[tuple[Any, str]] = [
        (Claim, "auditor"),
        (Dossier, "auditor"),
        (Plate, "auditor"),
        (Binder, "clerk"),
    ]
    for model, role in offices:
        keys = [{"code": f"Ä-{place} b"} if model is Plate else {} for place in (1, 2)]
        first, _ = [model.objects.create(**key) for key in keys]
        grant_role(user, role, on=first, by=ROOT)
        found.add((model._lifecycle.label, str(first.pk)))
    Claim.objects.get(pk=next(pk for label, pk in found if label == "testapp.claim")).fire(
        "examine", actor=ROOT
    )
    return found


def seen_by(user: User) -> list[Place]:
    return list(sight(user).entries(TransitionLog.objects.all()).values_list("model_label", "object_pk"))


def test_entries_of_records_that_may_be_read(form: str, user: User, granted: set[Place]) -> None:
    assert sight(user).few == (form == "few records")
    assert set(seen_by(user)) == granted
    assert len(seen_by(user)) == 5  # one was fired


def test_entries_of_a_record_that_is_gone_are_not(form: str, user: User, granted: set[Place]) -> None:
    Dossier.objects.get(pk=next(pk for label, pk in granted if label == "testapp.dossier")).delete()
    assert {label for label, _ in seen_by(user)} == {"testapp.claim", "testapp.plate", "testapp.binder"}


def test_a_role_on_all_records_shows_all_entries_of_the_model(
    form: str, user: User, granted: set[Place]
) -> None:
    grant_role(user, "auditor", on=Claim, by=ROOT)
    own = TransitionLog.objects.filter(model_label="testapp.claim").count()
    assert [label for label, _ in seen_by(user)].count("testapp.claim") == own == 3
    assert sight(user).sees(Claim)
    assert not sight(user).sees(Plate)


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("on_all", [True, False])
def test_who_may_read_a_child_sees_the_entries_of_its_records(
    user: User, monkeypatch: pytest.MonkeyPatch, on_all: bool, few: bool
) -> None:
    monkeypatch.setattr(visible_log, "lifecycles", lambda: [Appeal, Filing])
    if not few:
        monkeypatch.setattr(visible_log, "FEW", 0)
    filing, other, appeal = Filing.objects.create(), Filing.objects.create(), Appeal.objects.create()
    if not on_all:
        Appeal.objects.create()
    grant_role(user, "auditor", on=Appeal if on_all else appeal, by=ROOT)
    assert sight(user).few == few
    assert seen_by(user) == [("testapp.filing", str(appeal.pk))]
    assert sight(user).some_of(Appeal)
    assert not sight(user).some_of(Filing)
    grant_role(user, "auditor", on=filing, by=ROOT)
    assert set(seen_by(user)) == {("testapp.filing", str(one.pk)) for one in (filing, appeal)}
    grant_role(user, "auditor", on=Filing, by=ROOT)
    assert ("testapp.filing", str(other.pk)) in seen_by(user)


def test_nobody_without_a_role_sees_anything(form: str, granted: set[Place]) -> None:
    stranger = User.objects.create_user("stranger")
    assert sight(stranger).nothing
    assert seen_by(stranger) == []


def test_the_permission_shows_everything_also_what_is_gone(
    form: str, user: User, granted: set[Place]
) -> None:
    user.user_permissions.add(Permission.objects.get(codename="view_all_entries"))
    user = User.objects.get(pk=user.pk)
    Plate.objects.all().delete()
    assert len(seen_by(user)) == TransitionLog.objects.count()


def test_an_entry_that_names_no_key_is_hidden_and_breaks_nothing(
    form: str, user: User, granted: set[Place]
) -> None:
    for label in ("testapp.claim", "testapp.dossier"):
        row = TransitionLog.objects.filter(model_label=label).values().first()
        assert row is not None
        values = row | {"id": None, "object_pk": "'; nothing", "entry_hash": label[::-1].ljust(64, "0")}
        with unprotected(connection):
            models.Model.save_base(TransitionLog(**values), force_insert=True)
    assert set(seen_by(user)) == granted


@pytest.mark.once
def test_models_without_roles_are_seen_by_everybody(user: User) -> None:
    light = Light.objects.create()
    assert ("testapp.light", str(light.pk)) in seen_by(user)


@pytest.mark.once
def test_keys_never_leave_the_database(
    user: User, granted: set[Place], form: str, django_assert_num_queries: Any
) -> None:
    found = sight(user)
    with django_assert_num_queries(1):
        assert found.entries(TransitionLog.objects.all()).recent()[:3]
