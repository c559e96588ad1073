"""Tests whose database is restored to what migrations made of it: they need a run of their own, as Django says.

https://docs.djangoproject.com/en/5.2/topics/testing/overview/#rollback-emulation
"""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import TransactionTestCase

from tests.ledger.guard.shop_project.styles import Ticket, assert_guarded, fire_and_close


class Restored(TransactionTestCase):
    """What the migrations put there comes back before each test."""

    serialized_rollback = True

    def test_one(self) -> None:
        assert_only_the_first()
        fire_and_close()

    def test_two(self) -> None:
        assert_only_the_first()
        assert_guarded()


def assert_only_the_first() -> None:
    """Django restores what migrations made; where there were none, nothing."""
    found = list(Ticket.objects.values_list("title", "state"))
    was_migrated = "django_migrations" in connection.introspection.table_names()
    assert found == ([("from a migration", "open")] if was_migrated else [])


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize("again", range(2))
def test_serialized_rollback(again: int) -> None:
    assert_only_the_first()
    fire_and_close()
