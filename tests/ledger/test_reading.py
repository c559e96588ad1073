"""Reading at one moment while others write."""

from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, connection, connections, transaction

from fsm_lifecycle.ledger.reading import reading
from tests.testapp.models import Light


def elsewhere() -> None:
    """Make a record on a connection of its own, and wait until it is committed."""
    failed: list[BaseException] = []

    def write() -> None:
        try:
            Light.objects.create()
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=write)
    thread.start()
    thread.join(120)
    assert not thread.is_alive()
    assert failed == []


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_meanwhile_is_not_seen_and_not_blocked() -> None:
    Light.objects.create()
    with reading("default"):
        assert Light.objects.count() == 1
        elsewhere()
        assert Light.objects.count() == 1
    assert Light.objects.count() == 2
    with transaction.atomic():  # the next transaction is an ordinary one again
        Light.objects.create()
    assert Light.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_nothing_can_be_written_where_the_database_can_refuse_it() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has no transaction that only reads")
    with pytest.raises(DatabaseError), reading("default"):
        Light.objects.create()


@pytest.mark.django_db
def test_inside_an_open_transaction_it_sees_what_that_has_written() -> None:
    with transaction.atomic():
        Light.objects.create()
        with reading("default"):
            assert Light.objects.count() == 1
