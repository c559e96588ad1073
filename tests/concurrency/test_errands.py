"""Workers on an errand are killed at random points, two at a time: every record is fired once, and counted once."""

from __future__ import annotations

import random
import signal
import time

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db.models import Count

from fsm_lifecycle.engine import bulk_errand
from fsm_lifecycle.models import Errand, TransitionLog, WorkItem
from tests.concurrency.errand_workers import LEASE, work_until_killed
from tests.concurrency.outcomes import assert_whole
from tests.concurrency.racers import CONTEXT, PATIENCE
from tests.testapp.models import Light

RECORDS, KILLS, AT_ONCE = 80, 16, 2


def test_no_record_is_fired_twice_whoever_is_killed_when(database: str) -> None:
    part, bulk_errand.PART = bulk_errand.PART, 2  # type: ignore[misc]
    try:
        errand = ordered()
    finally:
        bulk_errand.PART = part  # type: ignore[misc]
    killed = 0
    try:
        for _ in range(KILLS // AT_ONCE):
            workers = [
                CONTEXT.Process(
                    target=work_until_killed, args=(database, random.randint(1, 250)), daemon=True
                )
                for _ in range(AT_ONCE)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join(PATIENCE)
                killed += worker.exitcode == -signal.SIGKILL
            WorkItem.objects.update(due_at="2026-01-01T00:00Z", tries=0)  # no pause is waited for
            time.sleep(LEASE + 0.05)
        assert killed > KILLS / 3, "they were killed while there was work"
        errand.refresh_from_db()
        while errand.status == Errand.GOING:
            last = CONTEXT.Process(target=work_until_killed, args=(database, None), daemon=True)
            last.start()
            last.join(PATIENCE)
            errand.refresh_from_db()
            WorkItem.objects.update(due_at="2026-01-01T00:00Z", tries=0)
        assert_all_once(errand)
    finally:
        Errand.objects.all().delete()
        WorkItem.objects.all().delete()
        LogEntry.objects.all().delete()
        User.objects.filter(username="wim").delete()


def ordered() -> Errand:
    lights = Light.objects.bulk_create(Light(name="shared") for _ in range(RECORDS))
    user = User.objects.create_superuser("wim")
    errand = bulk_errand.ask(
        Light,
        Light._lifecycle.table.events["switch_on"],
        [(light.pk, 1, "off") for light in lights],
        user=user,
        using="default",
        surface="admin",
    )
    bulk_errand.begin(errand, {}, "")
    return errand


def assert_all_once(errand: Errand) -> None:
    assert (errand.status, errand.done) == (Errand.DONE, RECORDS)
    result = errand.result
    assert (result["moved"], result["refused"], result["changed"]) == (RECORDS, 0, 0)
    fired = TransitionLog.objects.filter(event="switch_on")
    assert fired.count() == RECORDS
    assert not fired.values("object_pk").annotate(number=Count("id")).filter(number__gt=1).exists()
    assert LogEntry.objects.count() == RECORDS
    assert_whole(Light)
