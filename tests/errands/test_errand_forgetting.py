"""Erasing a record or a person reaches what errands keep of them, and leaves the counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from fsm_lifecycle.dispatch import work_off
from fsm_lifecycle.engine.errand import Errand, ErrandPart
from fsm_lifecycle.ledger import clearing
from tests.acting import ACTOR
from tests.errands.conftest import Asking
from tests.testapp.models import Light

pytestmark = pytest.mark.django_db


@pytest.fixture
def errand(root: User, asked: Asking) -> Errand:
    """One record moved, another was refused; with a word of Ada's in the reason, and in what was typed."""
    lights = [Light.objects.create(), Light.objects.create()]
    lights[1].fire("smash", actor=ACTOR)
    errand = asked(root, "switch_on", lights)
    work_off("default")
    for row in (Errand.objects.get(), *ErrandPart.objects.all()):
        for name in ("result", "outcome"):
            if hasattr(row, name):
                setattr(row, name, _with_ada(getattr(row, name)))
        row.save()
    Errand.objects.update(
        payload={**errand.payload, "sent": "remark=Ada+Lovelace"}, why="Ada Lovelace said so."
    )
    errand.refresh_from_db()
    return errand


def _with_ada(tree: Any, name: str = "") -> Any:
    if isinstance(tree, dict):
        return {key: _with_ada(value, key) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_with_ada(value, name) for value in tree]
    return f"{tree} Ask Ada." if isinstance(tree, str) and name in ("reason", "reasons") else tree


def everything() -> str:
    rows = [*Errand.objects.values(), *ErrandPart.objects.values()]
    return repr(rows)


def test_a_record_takes_the_reasons_with_it(errand: Errand) -> None:
    key = ErrandPart.objects.earliest("number").records[0][0]
    assert clearing.clear_record(connection, "testapp.light", key) >= 2
    assert "Ask Ada" not in everything()
    assert "Lovelace" not in Errand.objects.get().payload["sent"]
    result = Errand.objects.get().result
    assert (result["moved"], result["refused"]) == (1, 1)


def test_another_record_takes_nothing(errand: Errand) -> None:
    before = everything()
    assert clearing.clear_record(connection, "testapp.light", "987654") == 0
    assert everything() == before


def test_a_person_takes_what_names_them(errand: Errand) -> None:
    ada: Any = SimpleNamespace(
        id="4711", named_in=lambda text: "Ada" in text, may_be_named_in=lambda raw: "Ada" in raw
    )
    assert clearing.clear_person(connection, ada) >= 2
    assert "Ada" not in everything()
    assert Errand.objects.get().result["refused"] == 1
    assert clearing.clear_person(connection, ada) == 0
