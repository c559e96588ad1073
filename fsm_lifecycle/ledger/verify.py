"""Owns verification: the whole ledger of one database, read at one moment, and everything that is wrong with it.

Goes on after each fault, keeps no more than a page in memory, and says what it did not look at. Must not know how
findings are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain

from django.db import connections

from fsm_lifecycle import conf
from fsm_lifecycle.ledger import protection
from fsm_lifecycle.ledger.finding import Finding
from fsm_lifecycle.ledger.identity import is_copy
from fsm_lifecycle.ledger.reading import reading
from fsm_lifecycle.ledger.scanning import any_text
from fsm_lifecycle.ledger.verify_chains import since_text, verify_chains
from fsm_lifecycle.ledger.verify_checkpoints import CannotVerify, Marks
from fsm_lifecycle.ledger.verify_definitions import verify_definitions
from fsm_lifecycle.ledger.verify_records import Records
from fsm_lifecycle.ledger.verify_scope import Progress, Scope
from fsm_lifecycle.ledger.verify_sealing import Late, verify_record_sealed, verify_sealed
from fsm_lifecycle.ledger.verify_tree import verify_tree

__all__ = ["CannotVerify", "Verification", "verify"]


class Verification:
    """One run. Iterate over it once; what was checked and whether it is whole is known at the end."""

    def __init__(
        self,
        using: str,
        *,
        deep: bool,
        record: tuple[str, str] | None,
        since: datetime | None,
        against: str | None,
        progress: Progress | None,
    ) -> None:
        self.using = using
        self._asked = {
            "deep": deep,
            "record": record,
            "since": since,
            "progress": progress,
        }
        self._against = against
        self.checked: dict[str, int] = {}
        """How many of each kind of thing were looked at."""
        self.not_checked: list[str] = []
        """What was not looked at, and why: a sentence each."""
        self.found = 0
        """How many findings there were."""
        self.finished = False

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong with what was checked. ``False`` until everything was read."""
        return self.finished and self.found == 0

    def __iter__(self) -> Iterator[Finding]:
        self.found = 0
        marks = Marks(self.using, self._against)
        # The catalogue is no part of the snapshot, and on MariaDB reading it would spoil a transaction's savepoints.
        unprotected = protection.missing(connections[self.using])
        with reading(self.using) as connection, any_text(connection):
            scope = Scope(connection, **self._asked)  # type: ignore[arg-type]
            for finding in chain(_everything(scope, marks), _unprotected(unprotected)):
                self.found += 1
                yield finding
        self.checked = dict(scope.checked)
        self.not_checked = scope.not_checked
        self.finished = True


def verify(
    using: str = "default",
    *,
    deep: bool = False,
    record: tuple[str, str] | None = None,
    since: datetime | None = None,
    against: str | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Check a ledger. The result is iterated over for its findings, which are made as they are found.

    - ``deep``: also bodies.
    - ``record``: only this one, ``("app.model", "pk")``, and what its entries rest on.
    - ``since``: only entries recorded from then on; those before are taken for granted.
    - ``against``: the text of a checkpoint that was kept elsewhere.

    Raises ``CannotVerify`` while it is iterated over, when the keys, the folder of checkpoints or the one given
    cannot be read.
    """
    return Verification(using, deep=deep, record=record, since=since, against=against, progress=progress)


def _everything(scope: Scope, marks: Marks) -> Iterator[Finding]:
    late = Late(scope)
    _tell_what_is_left_out(scope)
    scope.begin()
    records = Records(scope)
    yield from verify_definitions(scope)
    yield from verify_chains(scope, records)
    yield from records.unlogged()
    if scope.record is None:
        yield from verify_tree(scope, marks)
        yield from verify_sealed(scope, late)
    else:
        yield from verify_record_sealed(scope, late, marks)
        if not (scope.checked["entries"] or scope.checked["rows"]):
            label, pk = scope.record
            raise CannotVerify(f"There is no record {label}:{pk}, and no entry of one.")
    if scope.unverifiable_digests:
        scope.leave_out(
            f"{scope.unverifiable_digests:,} idempotency digests: the arguments they were made of are redacted."
        )
    scope.end()


def _tell_what_is_left_out(scope: Scope) -> None:
    if not scope.deep:
        scope.leave_out(
            "Bodies, and the idempotency keys and digests beside them: a check with bodies (--deep) reads them."
        )
    if scope.record is not None:
        scope.leave_out(
            "Everything but the one record: other records, their leaves, and the tree as a whole."
        )
    if scope.since is not None:
        scope.leave_out(
            f"Entries recorded before {since_text(scope.since)}, other than as leaves; also those that were given an "
            "earlier time."
        )
    if not conf.database_guard():
        scope.leave_out("The database's protection: FSM_LIFECYCLE['DATABASE_GUARD'] is off.")
    elif is_copy(scope.connection.alias):
        scope.leave_out(
            "The database's protection: this is a copy that is only read; the original's is checked there."
        )
    elif not protection.possible(scope.connection):
        scope.leave_out("The database's protection: there is none for this kind of database.")


def _unprotected(sentences: list[str]) -> Iterator[Finding]:
    for what in sentences:
        yield Finding(
            "PROTECTION_MISSING", None, None, "triggers that keep the ledger whole", what.rstrip(".")
        )
