"""Long SELECTs page by page: the same rows in the same order, however they are fetched."""

from __future__ import annotations

import pytest
from django.db import connection

from fsm_lifecycle.ledger import scanning
from fsm_lifecycle.ledger.scanning import any_text, scan
from tests.acting import ACTOR
from tests.testapp.models import Door, Light

pytestmark = pytest.mark.django_db

SELECT = "SELECT e.model_label, e.object_pk, e.sequence, e.kind FROM fsm_lifecycle_transitionlog e"
ORDER = ["e.model_label", "e.object_pk", "e.sequence"]


@pytest.fixture(autouse=True)
def _entries() -> None:
    for name in ("a", "C", "d ", "b", "ö", "E"):
        Door.objects.create(code=f"{name}!").fire("open_up", actor=ACTOR)
    for _ in range(3):
        light = Light.objects.create()
        for event in ("switch_on", "blink", "blink", "blink"):
            light.fire(event, actor=ACTOR)


@pytest.mark.parametrize("page", [1, 2, 3, 5, 1000])
def test_no_row_is_lost_between_pages(page: int) -> None:
    whole = list(scan(connection, SELECT, ORDER))
    assert len(whole) == 27
    assert list(scan(connection, SELECT, ORDER, page=page)) == whole
    assert [tuple(row) for row in scanning._pages(connection, SELECT, ORDER, "", [], page)] == whole


@pytest.mark.parametrize("page", [1, 2, 100])
def test_conditions_hold_on_every_page(page: int) -> None:
    where, parameters = "e.kind = %s OR e.kind = %s", ["created", "deleted"]
    found = [row[3] for row in scanning._pages(connection, SELECT, ORDER, where, parameters, page)]
    assert found == ["created"] * 9
    rows = scan(connection, SELECT, ORDER, where=where, parameters=parameters, page=page)
    assert [row[3] for row in rows] == found


def test_other_statements_may_run_between_rows() -> None:
    for number, _ in enumerate(scan(connection, SELECT, ORDER, page=2)):
        if number % 5 == 0:
            assert Light.objects.count() == 3


def test_text_that_is_no_text_can_be_read() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite stores it")
    with connection.cursor() as cursor, any_text(connection):
        cursor.execute("SELECT CAST(x'ff41' AS TEXT), 'ä'")
        assert cursor.fetchone() == ("\udcffA", "ä")
    with connection.cursor() as cursor:
        cursor.execute("SELECT 'ä'")
        assert cursor.fetchone() == ("ä",)
