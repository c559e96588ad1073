"""Owns the people, and the invoices of two of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model

from sample_project.billing.models import Invoice
from tests.sample.making import an_invoice, somebody


@pytest.fixture
def alice(db: None) -> Any:
    """Who writes an invoice; she owns it, and sees no other."""
    return somebody("alice")


@pytest.fixture
def bob(db: None) -> Any:
    """Another who writes invoices."""
    return somebody("bob")


@pytest.fixture
def clerk(db: None) -> Any:
    """May send, mark and cancel every invoice."""
    return somebody("carla", clerk=Invoice)


@pytest.fixture
def approver(db: None) -> Any:
    """May pay and refund every invoice."""
    return somebody("pia", approver=Invoice)


@pytest.fixture
def root(db: None) -> Any:
    return get_user_model().objects.create_superuser("root")


@pytest.fixture
def invoice(alice: Any) -> Invoice:
    """Alice's."""
    return an_invoice(alice, "A-1")


@pytest.fixture
def other(bob: Any) -> Invoice:
    """Bob's, which Alice may not see."""
    return an_invoice(bob, "B-1")
