"""Owns the people who ask for errands, and small parts, so that few records make many."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.contrib.auth.models import User

from fsm_lifecycle.engine import bulk_errand
from fsm_lifecycle.engine.binding import SEQUENCE
from fsm_lifecycle.engine.errand import Errand

Asking = Callable[..., Errand]


@pytest.fixture
def root(db: None) -> User:
    """May do everything."""
    return User.objects.create_superuser("root")


@pytest.fixture(autouse=True)
def parts_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_errand, "PART", 3)


@pytest.fixture
def asked() -> Asking:
    """``asked(user, "switch_on", records)``: an errand that is begun, ``arguments`` in the form that a page has."""

    def ask(user: User, event: str, records: Iterable[Any], **arguments: Any) -> Errand:
        rows = list(records)
        model = type(rows[0])
        errand = bulk_errand.ask(
            model,
            model._lifecycle.table.events[event],
            [(row.pk, getattr(row, SEQUENCE), row.state) for row in rows],
            user=user,
            using="default",
            surface="admin",
        )
        assert bulk_errand.begin(errand, arguments, "")
        return errand

    return ask
