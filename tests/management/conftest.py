"""Owns what the tests of commands share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connections


@pytest.fixture(autouse=True)
def open_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command closes every connection at its end, and with it the test's transaction."""
    monkeypatch.setattr(connections, "close_all", lambda: None)


@pytest.fixture
def bare() -> Iterator[str]:
    """The alias of a database that was never migrated."""
    connections.settings["bare"] = {**connections.settings["other"], "NAME": ":memory:"}
    connections["bare"].connect()
    yield "bare"
    connections["bare"].close()
    del connections["bare"], connections.settings["bare"]
