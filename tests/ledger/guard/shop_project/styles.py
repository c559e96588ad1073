"""How host projects test: every style of Django and pytest-django, with the protection on.

Run in processes of their own, by ``manage.py test`` and by pytest.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.test import LiveServerTestCase, TestCase, TransactionTestCase

from fsm_lifecycle import System, adopting
from fsm_lifecycle.ledger import protection
from fsm_lifecycle.models import LifecycleDefinition, TransitionLog

Ticket: Any = apps.get_app_config("shop").get_model("Ticket")
ACTOR = System("the shop's tests")


def make(**values: Any) -> Any:
    """A factory."""
    return Ticket.objects.create(**values)


def fire_and_close() -> Any:
    """A record that has moved, and whose entries name a table that is stored."""
    ticket = make()
    entry = ticket.fire("close", actor=ACTOR)
    assert LifecycleDefinition.objects.filter(fingerprint=entry.definition).exists()
    return ticket


def assert_guarded() -> None:
    """All protection is there, and refuses."""
    assert protection.missing(connection) == []
    assert protection.outdated(connection) == []
    make()
    for sql in ("UPDATE shop_ticket SET state = 'nowhere'", "DELETE FROM fsm_lifecycle_transitionlog"):
        with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
        assert protection.is_refusal(caught.value), caught.value


def assert_only(*tickets: Any) -> None:
    """Nothing is left of other tests, and each record has its log."""
    assert sorted(Ticket.objects.values_list("pk", flat=True)) == sorted(ticket.pk for ticket in tickets)
    keys = set(TransitionLog.objects.values_list("object_pk", flat=True))
    assert keys == {str(ticket.pk) for ticket in tickets}


class InATransaction(TestCase):
    """Each test is rolled back."""

    ticket: Any

    @classmethod
    def setUpTestData(cls) -> None:
        cls.ticket = make(title="for all")

    def test_fire(self) -> None:
        self.ticket.fire("close", actor=ACTOR)
        assert self.ticket.log.count() == 2

    def test_fire_again(self) -> None:
        self.ticket.fire("close", actor=ACTOR)
        self.ticket.fire("reopen", actor=ACTOR)
        assert self.ticket.log.count() == 3

    def test_adopting_factory(self) -> None:
        with adopting("a factory"):
            ticket = make(state="closed")
        assert ticket.log.get().kind == "adopted"

    def test_guarded(self) -> None:
        assert_guarded()

    def test_deletion(self) -> None:
        self.ticket.delete()
        assert TransitionLog.objects.latest("id").kind == "deleted"


class Flushed(TransactionTestCase):
    """Each test is followed by a flush."""

    def test_one(self) -> None:
        ticket = fire_and_close()
        assert_only(ticket)

    def test_two(self) -> None:
        assert_only()
        assert_guarded()

    def test_three(self) -> None:
        tickets = [make(), make()]
        Ticket.objects.all().fire("close", actor=ACTOR)
        assert_only(*tickets)


class FlushedWithSequences(TransactionTestCase):
    """Keys begin at 1 again, and so do chains."""

    reset_sequences = True

    def test_one(self) -> None:
        assert make().pk == 1

    def test_two(self) -> None:
        assert make().pk == 1
        assert_guarded()


class FlushedOfSomeApps(TransactionTestCase):
    """Only some apps are there, and the flush cascades."""

    available_apps = [
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "guardian",
        "fsm_lifecycle",
        "tests.ledger.guard.shop_project.shop",
    ]

    def test_one(self) -> None:
        fire_and_close()

    def test_two(self) -> None:
        assert TransitionLog.objects.count() == 0
        fire_and_close()


class FlushedOfSomeAppsNext(TransactionTestCase):
    """After a flush of some apps nothing is put back before this one begins."""

    def test_one(self) -> None:
        fire_and_close()


class WithFixtures(TestCase):
    fixtures = ["tickets"]

    def test_adopted(self) -> None:
        ticket = Ticket.objects.get(pk=71)
        assert (ticket.state, ticket.log.get().kind) == ("closed", "adopted")
        ticket.fire("reopen", actor=ACTOR)

    def test_again(self) -> None:
        assert Ticket.objects.get(pk=72).log.count() == 1


class FlushedWithFixtures(TransactionTestCase):
    fixtures = ["tickets"]

    def test_one(self) -> None:
        Ticket.objects.get(pk=71).fire("reopen", actor=ACTOR)

    def test_two(self) -> None:
        assert Ticket.objects.get(pk=71).state == "closed"
        assert TransitionLog.objects.count() == 2


class Served(LiveServerTestCase):
    """A server in another thread shares SQLite's connection."""

    def test_one(self) -> None:
        fire_and_close()
        assert self.live_server_url


@pytest.mark.django_db
def test_db() -> None:
    fire_and_close()
    assert_guarded()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("again", range(2))
def test_transactional_db(again: int) -> None:
    ticket = fire_and_close()
    assert_only(ticket)


@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_reset_sequences() -> None:
    assert make().pk == 1
