"""Owns which database a page is about: that of the log, or another that the address names.

Must not know what the page shows of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from django.db import router

from fsm_lifecycle.dispatch.databases import with_work
from fsm_lifecycle.ledger.entry import TransitionLog


def home() -> str:
    """The database whose log the section shows."""
    return router.db_for_write(TransitionLog)


def chosen(params: Mapping[str, str]) -> str:
    """The database that an address or a form names; the section's own where it names none there is."""
    alias = params.get("database", "")
    return alias if alias in with_work() else home()


def choices() -> list[str]:
    """The databases to choose from; none where there is one alone."""
    found = with_work()
    return found if len(found) > 1 else []


def at(url: str, using: str) -> str:
    """An address, for a database."""
    return url if using == home() else f"{url}?{urlencode({'database': using})}"
