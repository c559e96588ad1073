"""Purges in the background go on behind the last record they tried, and count each once."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from fsm_lifecycle.dispatch import work_off
from fsm_lifecycle.engine import errands, purge_errand
from fsm_lifecycle.engine.legal_hold import place_hold
from fsm_lifecycle.models import Errand, TransitionLog
from tests.acting import ACTOR
from tests.retention.ageing import finished
from tests.testapp.models import Parcel

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge_errand, "PAGE", 2)
    monkeypatch.setattr(errands, "STINT", 0.0)


def ordered(user: User) -> Errand:
    return purge_errand.order(
        Parcel, user=user, using="default", reason="retention", redact_bodies=True, as_of=timezone.now()
    )


def test_all_that_may_go_goes_in_stints(root: User) -> None:
    parcels = [finished(Parcel) for _ in range(7)]
    young = finished(Parcel, 10)
    errand = ordered(root)
    assert errand.total == 7
    place_hold(parcels[3], reason="court case", by=ACTOR)
    work_off("default")
    errand.refresh_from_db()
    assert (errand.status, errand.result["done"]) == (Errand.DONE, 6)
    assert set(Parcel.objects.all()) == {parcels[3], young}
    assert len(errand.result["purged"]) == 6
    last = TransitionLog.objects.filter(kind="purged")[0]
    assert (last.actor_kind, last.actor_id) == ("user", str(root.pk))


def test_it_stops_when_the_right_is_gone(root: User) -> None:
    for _ in range(3):
        finished(Parcel)
    errand = ordered(root)
    User.objects.update(is_superuser=False)
    work_off("default")
    errand.refresh_from_db()
    assert errand.status == Errand.STOPPED
    assert "may not purge any more" in errand.why
    assert Parcel.objects.count() == 3
