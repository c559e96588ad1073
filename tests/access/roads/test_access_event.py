"""An access event is written once, by the package, and outlives everything it names."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import FieldDoesNotExist

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.append_only import ImmutableEntry
from fsm_lifecycle.models import AccessEvent
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db]


@pytest.fixture
def event(ada: User, claim: Claim) -> AccessEvent:
    event = grant_role(ada, "approver", on=claim, by=System("tests"), reason="at first")
    assert event is not None
    return event


def edited(event: AccessEvent) -> AccessEvent:
    copy = AccessEvent.objects.get(pk=event.pk)
    copy.reason = "afterwards"
    return copy


@pytest.mark.parametrize(
    "act",
    [
        lambda event: edited(event).save(),
        lambda event: edited(event).save(update_fields=["reason"]),
        lambda event: edited(event).save(force_insert=True),
        lambda event: edited(event).delete(),
        lambda event: AccessEvent.objects.update(reason="afterwards"),
        lambda event: AccessEvent.objects.filter(pk=event.pk).update(reason="afterwards"),
        lambda event: AccessEvent._default_manager.filter(pk=event.pk).delete(),
        lambda event: AccessEvent.objects.all().delete(),
        lambda event: AccessEvent.objects.bulk_update([edited(event)], ["reason"]),
        lambda event: AccessEvent.objects.bulk_create([AccessEvent(action="granted")]),
        lambda event: AccessEvent.objects.create(action="granted"),
        lambda event: AccessEvent(action="granted").save(),
        lambda event: AccessEvent.objects.update_or_create(pk=event.pk, defaults={"reason": "afterwards"}),
        lambda event: AccessEvent.objects.get_or_create(action="granted", reason="another"),
    ],
)
def test_nothing_changes_or_removes_it(event: AccessEvent, act: Any) -> None:
    with pytest.raises(ImmutableEntry):
        act(event)
    stored = AccessEvent.objects.get()
    assert (stored.pk, stored.reason) == (event.pk, "at first")


def test_it_points_at_nothing() -> None:
    """No foreign key could drag it along, or keep what it names from going."""
    assert [field.name for field in AccessEvent._meta.get_fields() if field.is_relation] == []


def test_it_has_a_field_for_everything() -> None:
    names = (
        "action road holder_kind holder_id holder_label role permission group_id group_label model_label object_pk "
        "delegate_id delegate_label actor_kind actor_id actor_label reason until recorded_at"
    )
    missing = []
    for name in names.split():
        try:
            AccessEvent._meta.get_field(name)
        except FieldDoesNotExist:
            missing.append(name)
    assert missing == []


def test_long_names_and_reasons_are_kept(claim: Claim) -> None:
    long = User.objects.create(username="é" * 150)
    reason = "Weil " * 200
    event = grant_role(long, "approver", on=claim, by=System("s" * 200), reason=reason)
    assert event is not None
    event = AccessEvent.objects.get(pk=event.pk)
    assert event.holder_label == "é" * 150
    assert event.reason == reason
    assert event.actor_id == "s" * 200


def test_only_reading_can_be_permitted() -> None:
    assert AccessEvent._meta.default_permissions == ("view",)
