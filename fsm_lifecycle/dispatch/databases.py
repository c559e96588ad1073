"""Owns which databases hold work. Must not know what it is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, Error, connections, router

from fsm_lifecycle.dispatch.work_item import WorkItem

logger = logging.getLogger("fsm_lifecycle")

#: Databases that were seen to have the tables, by alias and name. "No" is not kept: they may be made later.
_seen: set[tuple[str, str]] = set()


def with_work() -> list[str]:
    """The databases that have the tables for work: what the routers allow and ``migrate`` has made."""
    return [alias for alias in connections if has_work(alias)]


def has_work(using: str) -> bool:
    """Whether a database has the tables for work."""
    known = (using, str(connections[using].settings_dict["NAME"]))
    if known in _seen:
        return True
    if not router.allow_migrate_model(using, WorkItem):
        return False
    try:
        with connections[using].cursor() as cursor:
            found = WorkItem._meta.db_table in connections[using].introspection.table_names(cursor)
    except DatabaseError:
        return False
    if found:
        _seen.add(known)
    return found


@contextmanager
def may_be_away(using: str) -> Iterator[None]:
    """Inside, a database that cannot be asked is told of in the log: it stops no work in the others."""
    try:
        yield
    except Error:
        if connections[using].in_atomic_block:
            raise
        logger.warning("The database %s cannot be asked for work; it is tried again.", using, exc_info=True)
        connections[using].close()  # one that broke is not used again


def let_go() -> None:
    """Close connections that are broken or have had their time. Not one whose transaction is open: it is a caller's."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
