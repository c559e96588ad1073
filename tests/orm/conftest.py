"""The same fixtures as the engine's tests."""

from tests.engine.conftest import _empty_journals, journal, seen, user

__all__ = ["_empty_journals", "journal", "seen", "user"]
