"""Records of another database are held, found, purged and remembered there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from fsm_lifecycle import UnderLegalHold
from fsm_lifecycle.engine.eligibility import eligible
from fsm_lifecycle.engine.legal_hold import place_hold
from fsm_lifecycle.engine.retention import purge_eligible
from fsm_lifecycle.engine.tombstones import tombstones
from fsm_lifecycle.models import HoldRelease, LegalHold
from tests.acting import ACTOR, statements
from tests.testapp.models import Light

pytestmark = [pytest.mark.once, pytest.mark.django_db(databases=["default", "other"])]


def old() -> Any:
    light = Light.objects.using("other").create()
    light.fire("smash", actor=ACTOR)
    Light.objects.using("other").update(state_since=timezone.now() - timedelta(days=400))
    light.refresh_from_db()
    return light


def test_everything_happens_there() -> None:
    held, free = old(), old()
    with statements() as asked_of_default:
        hold = place_hold(held, reason="dispute", by=ACTOR)
        assert list(eligible(Light, using="other")) == [free]
        with pytest.raises(UnderLegalHold):
            held.delete()
        assert purge_eligible(Light, by=ACTOR, using="other").done == 1
        hold.release("settled", by=ACTOR)
        assert purge_eligible(Light, by=ACTOR, using="other").done == 1
        assert len(tombstones(using="other")) == 2
        assert not LegalHold.objects.using("other").active().exists()
        assert HoldRelease.objects.using("other").get().hold == hold.pk
    assert asked_of_default == []


def test_a_hold_in_one_database_is_none_in_another() -> None:
    there = old()
    here = Light.objects.create(pk=there.pk)
    place_hold(there, reason="dispute", by=ACTOR)
    here.delete()
    assert not Light.objects.exists()
