"""Owns the processes that race for records, and a database that is empty before and after each race.

Everything here is committed, and emptying the few tables in use takes milliseconds where Django's flush of all of them
takes a second.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection, models, transaction
from pytest_django.plugin import DjangoDbBlocker

from fsm_lifecycle.ledger import protection
from fsm_lifecycle.models import (
    Checkpoint,
    DailyCount,
    HoldRelease,
    LegalHold,
    LogCursor,
    LogLeaf,
    LogTile,
    RefusedAttempt,
    RoutineState,
    SealProgress,
    StateTotal,
    Timer,
    TransitionLog,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WorkItem,
)
from fsm_lifecycle.registry import lifecycles
from tests.concurrency.racers import Racers


def empty_tables() -> None:
    """Remove every record of the test app and the whole log; definitions stay, as they do on a real site."""
    used: list[type[models.Model]] = [TransitionLog, RefusedAttempt]
    used += [HoldRelease, LegalHold, LogCursor, RoutineState, Timer, WorkItem]
    used += [WebhookAttempt, WebhookDelivery, WebhookEndpoint]
    used += [Checkpoint, DailyCount, LogLeaf, LogTile, SealProgress, StateTotal]
    used += [model for model in lifecycles() if model._meta.app_label == "testapp"]
    # PostgreSQL checks at the end of the transaction, the others are told not to.
    with (
        transaction.atomic(),
        protection.gate(connection, "delete"),
        connection.constraint_checks_disabled(),
        connection.cursor() as cursor,
    ):
        for model in used:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """As pytest-django's of this name: the test's database, outside any transaction. Faster: see above."""
    with django_db_blocker.unblock():
        empty_tables()
        yield
        empty_tables()


@pytest.fixture(scope="session")
def all_racers(django_db_setup: None) -> Iterator[Racers]:
    racers = Racers(str(connection.settings_dict["NAME"]))
    yield racers
    racers.close()


@pytest.fixture
def racers(all_racers: Racers, transactional_db: None) -> Racers:
    """Eight processes with connections of their own to the test's database."""
    return all_racers


@pytest.fixture
def database(transactional_db: None) -> str:
    """The name of the test's database."""
    return str(connection.settings_dict["NAME"])
