"""The verification of the ledger in the background: what is kept of it, and for whom it is made."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection

from fsm_lifecycle.dispatch import work_off
from fsm_lifecycle.engine import check_errand, errands
from fsm_lifecycle.ledger import protection
from fsm_lifecycle.models import Errand, TransitionLog
from tests.acting import ACTOR
from tests.testapp.models import Light

pytestmark = pytest.mark.django_db


def checked(user: User, *, deep: bool = False) -> Errand:
    errand = check_errand.order(user=user, using="default", deep=deep)
    assert errand is not None
    work_off("default")
    errand.refresh_from_db()
    return errand


def test_a_whole_ledger(root: User) -> None:
    for _ in range(3):
        Light.objects.create().fire("switch_on", actor=ACTOR)
    errand = checked(root)
    assert errand.status == Errand.DONE
    assert errand.result["whole"]
    assert errand.result["checked"]["entries"] == 6
    assert any("Bodies" in one for one in errand.result["not_checked"])
    assert check_errand.last("default") == errand
    assert not any("Bodies" in one for one in checked(root, deep=True).result["not_checked"])


def test_findings_are_counted_and_some_are_kept(root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_errand, "KEPT", 2)
    for _ in range(4):
        Light.objects.create().fire("switch_on", actor=ACTOR)
    with protection.gate(connection, "delete"):
        TransitionLog.objects.filter(event="switch_on")._raw_delete("default")
    errand = checked(root)
    assert errand.status == Errand.DONE
    assert not errand.result["whole"]
    assert errand.result["counts"]["HEAD_MISMATCH"] == 4
    kept = [one for one in errand.result["findings"] if one["code"] == "HEAD_MISMATCH"]
    assert len(kept) == 2
    assert kept[0]["record"].startswith("testapp.light:")


def test_one_at_a_time(root: User) -> None:
    assert check_errand.order(user=root, using="default", deep=False) is not None
    assert check_errand.order(user=root, using="default", deep=True) is None
    work_off("default")
    assert check_errand.order(user=root, using="default", deep=True) is not None


def test_a_check_that_was_stopped_or_cannot_be_made_says_nothing(root: User) -> None:
    errand = check_errand.order(user=root, using="default", deep=False)
    assert errand is not None
    errands.stop(errand)
    work_off("default")
    errand.refresh_from_db()
    assert (errand.status, errand.result) == (Errand.STOPPED, {})
    assert check_errand.last("default") is None
    User.objects.update(is_superuser=False)
    assert checked(root).status == Errand.STOPPED


@pytest.mark.django_db(transaction=True)
def test_its_progress_is_seen_from_outside_while_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reading transaction may not write: the progress is written beside it."""
    monkeypatch.setattr(check_errand, "BEAT", 0.01)
    root = User.objects.create_superuser("root")
    Light.objects.bulk_create(Light() for _ in range(1500))
    seen: list[tuple[int, int]] = []
    note = errands.Carrying.note

    def noted(self: errands.Carrying, done: int, **changes: object) -> None:
        note(self, done, **changes)
        seen.append((done, int(str(changes["total"]))))

    monkeypatch.setattr(errands.Carrying, "note", noted)
    errand = checked(root)
    assert errand.status == Errand.DONE
    assert errand.done == errand.total == 3000  # entries and leaves
    assert len(seen) > 1
    assert all(total in (0, 3000) for _, total in seen)
