"""Owns the people of the tests of agents' pages, their invoices, and a script that answers instead of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from fsm_lifecycle.agents.providers import scripted
from sample_project.billing.models import Invoice
from tests.sample.making import an_invoice, somebody

CHAT = "/admin/lifecycle/billing.invoice/agent/chat/"
EXPLORER = "/admin/lifecycle/billing.invoice/agent/"


def permitted(user: User, *codenames: str) -> User:
    """The user, with permissions of the package."""
    for codename in codenames:
        found = Permission.objects.get(content_type__app_label="fsm_lifecycle", codename=codename)
        user.user_permissions.add(found)
    return User.objects.get(pk=user.pk)


@pytest.fixture(autouse=True)
def settled(settings: Any) -> None:
    """Nothing works beside the test, and the model is a script."""
    settings.FSM_LIFECYCLE = {"DISPATCH": "command", "AGENT_MODEL": "scripted/of-these-tests"}


Script = Callable[[Any], None]


@pytest.fixture
def says() -> Iterator[Callable[..., None]]:
    """Gives the script its lines: ``says(call("list_invoices"), "There are two.")``."""
    lines: list[Any] = []

    def talk(task: Any) -> Any:
        # It is run from its beginning for every request: it must not use its lines up.
        for line in lines[:-1]:  # noqa: UP028 - a list takes no results
            yield line
        return lines[-1]

    scripted.script("of-these-tests")(talk)
    yield lambda *new: lines.__setitem__(slice(None), new)
    del scripted._scripts["of-these-tests"]


@pytest.fixture
def clerk(db: None, says: Any) -> User:
    """Writes, sends, marks and cancels invoices, and lets agents do it."""
    return permitted(somebody("clara", clerk=Invoice), "use_agents", "view_transitionlog")


@pytest.fixture
def approver(db: None, says: Any) -> User:
    """Another clerk: may decide what Clara's agent asks for."""
    return permitted(somebody("carl", clerk=Invoice), "use_agents")


@pytest.fixture
def root(db: None, says: Any) -> User:
    return User.objects.create_superuser("root")


@pytest.fixture
def browsing() -> Callable[[User], Client]:
    """A browser in which somebody is logged in."""

    def open_for(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return open_for


@pytest.fixture
def invoice(clerk: User) -> Invoice:
    """Clara's, sent."""
    made = an_invoice(clerk, "2026-0041")
    made.fire("send_invoice", actor=clerk)
    return Invoice.objects.get(pk=made.pk)


def cancel(invoice: Invoice) -> dict[str, str]:
    """The arguments with which an agent cancels it."""
    return {"id": str(invoice.pk), "expected_state": "sent", "reason": "The order was withdrawn."}
