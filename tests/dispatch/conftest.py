"""Owns kinds, queues and routines of a test's own, gone when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fsm_lifecycle.dispatch import kinds, queues, routines
from fsm_lifecycle.dispatch.kinds import Kind
from tests.concurrency.conftest import transactional_db
from tests.testapp import gates

__all__ = ["transactional_db"]


@pytest.fixture
def registries() -> Iterator[None]:
    """What is registered is as before when the test ends."""
    found: list[dict[str, Any]] = [kinds._kinds, queues._queues, routines._routines]
    before = [dict(registry) for registry in found]
    yield
    for registry, kept in zip(found, before, strict=True):
        registry.clear()
        registry.update(kept)


@pytest.fixture
def doing(registries: None) -> Callable[..., Kind]:
    """Make work called “test” do what a function says."""

    def register(run: Callable[[Any], Any], **options: Any) -> Kind:
        return kinds.register(Kind(name="test", label="Test", run=run, **options))

    return register


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What effects of gates saw and were told is gone when the test ends."""
    yield
    gates.SEEN.clear()
    gates.ORDERS.clear()
