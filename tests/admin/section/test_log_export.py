"""The log's exports: the same entries as on the page, written while they are read, with no cell that is a formula."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.admin.section import log_export
from fsm_lifecycle.admin.section.log_export import COLUMNS, cell
from fsm_lifecycle.models import TransitionLog
from tests.testapp.models import Door, Light
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db]

LOG = "/admin/lifecycle/log/"
ACTOR = System("tests")


def as_csv(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode())))


def test_both_have_every_entry_in_the_order_of_the_page(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_export, "_PAGE", 4)
    for _ in range(9):
        Light.objects.create()
    Light.objects.latest("pk").fire("switch_on", actor=ACTOR)
    hashes = [entry.entry_hash for entry in TransitionLog.objects.recent()]
    answer = browser.get(f"{LOG}export.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="log.csv"'
    rows = as_csv(answer)
    assert [row["entry_hash"] for row in rows] == hashes
    assert tuple(rows[0]) == COLUMNS
    assert (rows[0]["event"], rows[0]["actor"], rows[0]["from_state"], rows[0]["cause"]) == (
        "switch_on",
        "tests",
        "off",
        "",
    )
    answer = browser.get(f"{LOG}export.json")
    assert answer["Content-Type"] == "application/json"
    found = json.loads(answer.getvalue())
    assert [row["entry_hash"] for row in found] == hashes
    assert (found[-1]["event"], found[-1]["to_state"], found[-1]["sequence"]) == (None, "off", 1)


def test_the_filter_and_the_rights_of_the_page(browser: Client, client: Client, staff: Any) -> None:
    mine, _ = Claim.objects.create(), Claim.objects.create()
    Light.objects.create()
    assert len(as_csv(browser.get(f"{LOG}export.csv?model=testapp.claim"))) == 2
    user: User = staff("auditor", "view_transitionlog")
    grant_role(user, "auditor", on=mine, by=ACTOR)
    client.force_login(user)
    assert [row["record"] for row in as_csv(client.get(f"{LOG}export.csv?model=testapp.claim"))] == [
        str(mine.pk)
    ]


def test_a_key_that_is_a_formula_is_none_in_the_file(browser: Client) -> None:
    Door.objects.create(code="=HYPERLINK(A1)")
    (row,) = as_csv(browser.get(f"{LOG}export.csv"))
    assert row["record"] == "'=HYPERLINK(A1)"
    (found,) = json.loads(browser.get(f"{LOG}export.json").getvalue())
    assert found["record"] == "=HYPERLINK(A1)"


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])  # noqa: RUF001
@pytest.mark.parametrize("before", ["", " ", "\n", " \n ", "\ufeff", "\u00a0"])
def test_no_cell_begins_a_formula(first: str, before: str) -> None:
    assert cell(f"{before}{first}1+1") == f"'{before}{first}1+1"


@pytest.mark.parametrize("value", ["", "a=b", "1-2", "  x", "'", 7, -7, True])
def test_other_cells_stay_as_they_are(value: Any) -> None:
    assert cell(value) == value
    assert cell(None) == ""


def test_memory_stays_flat(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_export, "_PAGE", 50)
    Light.objects.bulk_create(Light() for _ in range(600))

    def peak(query: str) -> int:
        answer = browser.get(f"{LOG}export.csv{query}")
        tracemalloc.start()
        for _ in answer.streaming_content:  # type: ignore[attr-defined]
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak("")
    few = peak(f"?record={Light.objects.latest('pk').pk}")
    assert few
    assert peak("") < 1_500_000
