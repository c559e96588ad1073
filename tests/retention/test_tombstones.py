"""Of a record that is gone its last entry stays, and is listed."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fsm_lifecycle import redact
from fsm_lifecycle.engine.retention import purge_eligible
from fsm_lifecycle.engine.tombstones import tombstones
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR
from tests.retention.ageing import finished
from tests.testapp.models import Door, Light, Parcel

pytestmark = pytest.mark.django_db


@pytest.fixture
def gone() -> list[tuple[str, str]]:
    """Label and kind of the ends there are, newest first."""
    Light.objects.create()
    for _ in range(3):
        finished(Light)
    purge_eligible(by=ACTOR)
    Door.objects.create(code="a").delete()
    Door.objects.create(code="a").delete()
    finished(Parcel)
    purge_eligible(by=ACTOR)
    light = ("testapp.light", "purged")
    return [("testapp.parcel", "purged"), *[("testapp.door", "deleted")] * 2, light, light, light]


def shown(entries: list[TransitionLog]) -> list[tuple[str, str]]:
    return [(entry.model_label, entry.kind) for entry in entries]


def test_newest_first(gone: list[Any]) -> None:
    found = tombstones()
    assert shown(found) == gone
    assert found[0].reason == "retention"
    assert found[0].actor_id == "tests"


def test_of_a_kind_or_a_model(gone: list[Any]) -> None:
    assert shown(tombstones(kinds=["deleted"])) == gone[1:3]
    assert shown(tombstones(model_labels=["testapp.light"])) == gone[3:]
    assert tombstones(model_labels=[]) == []


def test_pages_follow_each_other(gone: list[Any]) -> None:
    found: list[TransitionLog] = []
    before = None
    while page := tombstones(before=before, size=2):
        found += page
        before = (page[-1].recorded_at, page[-1].pk)
    assert shown(found) == gone
    assert len({entry.pk for entry in found}) == len(gone)


def test_a_redaction_after_the_end_is_no_end(gone: list[Any]) -> None:
    assert redact(tombstones()[0], ["actor"], reason="asked for", by=ACTOR) is not None
    assert shown(tombstones()) == gone


def test_an_index_of_the_ends_alone_finds_them(gone: list[Any]) -> None:
    with connection.cursor() as cursor:
        table = TransitionLog._meta.db_table
        index = connection.introspection.get_constraints(cursor, table)["fsm_lifecycle_log_ends"]
        # Of a few rows PostgreSQL would rather read the table.
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        with CaptureQueriesContext(connection) as captured:
            tombstones(size=2)
        prefix = connection.ops.explain_query_prefix()
        cursor.execute(f"{prefix} {captured.captured_queries[0]['sql']}")
        plan = str(cursor.fetchall())
    every = [] if connection.features.supports_partial_indexes else ["to_state"]
    assert index["columns"] == [*every, "recorded_at", "id"]
    assert "fsm_lifecycle_log_ends" in plan
    assert "sort" not in plan.lower()
