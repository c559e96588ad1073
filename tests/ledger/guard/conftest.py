"""Owns what the tests of the protection share: tables with rows in them, and a database whose changes are committed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction
from pytest_django.plugin import DjangoDbBlocker

from fsm_lifecycle.ledger import protection
from fsm_lifecycle.models import AccessEvent
from tests.concurrency.conftest import empty_tables
from tests.ledger.guard.growing import fill
from tests.ledger.guard.shopping import Shop, new_shop


def _empty() -> None:
    empty_tables()
    with transaction.atomic(), protection.gate(connection, "delete"), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {connection.ops.quote_name(AccessEvent._meta.db_table)}")


@pytest.fixture
def filled(db: None) -> None:
    """Two rows at least in each table that only grows."""
    fill()


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """As pytest-django's: the database outside any transaction, empty before and after, protected again at its end.

    Emptying the tables in use is ten times faster than flushing all.
    """
    with django_db_blocker.unblock():
        protection.install(connection)
        _empty()
        yield
        protection.install(connection)
        _empty()


@pytest.fixture
def shop(transactional_db: None, tmp_path: Path) -> Iterator[Shop]:
    """A host project of its own, with an empty database."""
    with new_shop(tmp_path) as made:
        yield made
