"""Code that is not ours meets a database error inside a firing and goes on: nothing is told that did not happen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django_fsm.signals import post_transition

from fsm_lifecycle import StaleState
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR
from tests.testapp.models import Light

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor == "sqlite", reason="SQLite undoes the statement, not the transaction"
    ),
]


def _meets_an_error(**kwargs: Any) -> None:
    if connection.vendor == "postgresql":
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
    else:  # as the victim of a deadlock
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("ROLLBACK")
            cursor.execute("SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213")


@pytest.fixture
def light() -> Iterator[Light]:
    made = Light.objects.create()
    post_transition.connect(_meets_an_error, sender=Light)
    yield made
    post_transition.disconnect(_meets_an_error, sender=Light)


def test_a_commit_that_would_be_a_rollback_is_no_success(light: Light) -> None:
    with pytest.raises(StaleState, match="met a database error, so everything was rolled back"):
        light.fire("switch_on", actor=ACTOR)
    assert light.state == "off"
    assert Light.objects.get().state == "off"
    assert TransitionLog.objects.get().kind == "created"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the savepoint went with the transaction")
def test_the_callers_transaction_goes_on(light: Light) -> None:
    with transaction.atomic():
        with pytest.raises(StaleState):
            light.fire("switch_on", actor=ACTOR)
        assert Light.objects.get().state == "off"
        other = Light.objects.create()
    assert Light.objects.filter(pk=other.pk).exists()


def test_of_many_the_one_that_met_it_stays_as_it_was(light: Light) -> None:
    result = Light.objects.all().fire("switch_on", actor=ACTOR)
    assert (result.succeeded, result.failed) == (0, 1)
    assert Light.objects.get().state == "off"
    assert TransitionLog.objects.get().kind == "created"
