"""Owns the reading of checkpoints that a tree is held against: those stored, those kept outside, the one given.

Each becomes a mark: at this size the tree must have this root. Must not know the tree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path
from typing import Any, Final

from fsm_lifecycle import conf
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger.checkpoint import Checkpoint
from fsm_lifecycle.ledger.checkpoints import known_keys, origin_of
from fsm_lifecycle.ledger.finding import Finding, shown
from fsm_lifecycle.ledger.note import NoteMismatch, VerifierKey, parse_checkpoint, signed_by
from fsm_lifecycle.ledger.outside import OutsideFolder
from fsm_lifecycle.ledger.scanning import Row, scan
from fsm_lifecycle.ledger.verify_scope import Scope

#: Longer notes are not read: a hundred signatures take a quarter of it.
_LONGEST: Final = 65_536
_ALL: Final = 2**31


class CannotVerify(LifecycleError):
    """Something that the verification rests on cannot be had, so that nothing can be said."""

    code = "cannot_verify"


@dataclass(slots=True)
class Mark:
    """What a tree must be at one size, by one checkpoint."""

    size: int
    root: str | None
    """64 hex characters; ``None`` where the checkpoint cannot be read."""
    place: str
    """Which checkpoint it is."""
    outside: bool
    """Whether it was kept where who rewrote the database could not reach it."""
    findings: list[Finding] = field(default_factory=list)
    """What is wrong with the checkpoint itself."""


class Marks:
    """All checkpoints of one ledger.

    Made before the database is read: the leaves of a checkpoint that is outside by then are surely there. Raises
    ``CannotVerify`` when the keys, the folder or the checkpoint that was given cannot be read.
    """

    def __init__(self, using: str, against: str | None) -> None:
        self.using = using
        self.origin = origin_of(using)
        try:
            self.keys: list[VerifierKey] = known_keys(using)
            configured = conf.ledger_checkpoint_dir()
        except (LifecycleError, NoteMismatch, ValueError, TypeError) as error:
            raise CannotVerify(f"The ledger's key or its folder cannot be used: {error}") from error
        self._given = None if against is None else self._read_given(against)
        self._folder = None if configured is None else OutsideFolder(configured, self.origin)
        self._files = self._listed()
        self._excused: Counter[str] = Counter()
        """How many signatures are not asked for, by why."""

    def ascending(self, scope: Scope) -> Iterator[Mark]:
        """Every checkpoint, the smallest tree first."""
        if not self.keys:
            scope.leave_out(
                "Signatures: FSM_LIFECYCLE['LEDGER_KEY'] is not set, so checkpoints are unsigned and anybody can make "
                "one."
            )
        if self._given is None and not self._files:
            scope.leave_out(
                "Whether everything was rewritten at once: no checkpoint from outside the database was at hand. "
                + (
                    "Give one with --against, or set FSM_LIFECYCLE['LEDGER_CHECKPOINT_DIR']."
                    if self._folder is None
                    else f"There is none in {self._folder.folder}. Give one with --against."
                )
            )
        given = [] if self._given is None else [self._given]
        yield from merge(self._stored(scope), self._kept(), given, key=lambda mark: mark.size)
        for why, number in self._excused.items():
            scope.leave_out(f"The signatures of {number:,} early checkpoints: {why}.")

    def newest(self, scope: Scope) -> Mark | None:
        """The checkpoint that was given, else the newest that is stored; ``None`` without either."""
        if self._given is not None:
            return self._given
        rows = scope.rows(f"{self._select(scope)} ORDER BY tree_size DESC, id DESC LIMIT 1", [])
        return self._stored_mark(scope, rows[0], early=False) if rows else None

    # --- the one given --------------------------------------------------------------------------------------

    def _read_given(self, text: str) -> Mark:
        note = text.strip("\n") + "\n"  # copied by a person
        try:
            head, _ = parse_checkpoint(note)
        except NoteMismatch as error:
            raise CannotVerify(f"The checkpoint that was given cannot be read: {error}") from None
        if head.origin != self.origin:
            raise CannotVerify(
                f"The checkpoint that was given is of the ledger {head.origin!r}, and the database {self.using!r} is "
                f"{self.origin!r}. Give one of this ledger, or set FSM_LIFECYCLE['LEDGER_ORIGIN']."
            )
        return self._mark(head.tree_size, note, "the checkpoint that was given", outside=True)

    # --- those kept outside ---------------------------------------------------------------------------------

    def _listed(self) -> dict[int, Path]:
        """The files by size, the smallest first."""
        if self._folder is None:
            return {}
        try:
            return {int(path.stem): path for path in reversed(self._folder.newest(_ALL))}
        except OSError as error:
            raise CannotVerify(
                f"The folder of checkpoints {self._folder.folder} cannot be read: {error}"
            ) from error

    def _kept(self) -> Iterator[Mark]:
        first = self._first_signed((size, _text(path)) for size, path in self._files.items())
        for size, path in self._files.items():
            early = first is not None and size < first[1]
            yield self._mark(size, _text(path), str(path), outside=True, early=early)

    # --- those stored ---------------------------------------------------------------------------------------

    def _select(self, scope: Scope) -> str:
        table = scope.table(Checkpoint)
        return f"SELECT tree_size, id, root_hash, substr(note, 1, {_LONGEST + 1}) FROM {table}"  # noqa: S608

    def _rows(self, scope: Scope) -> Iterator[Row]:
        return scan(scope.connection, self._select(scope), ["tree_size", "id"], page=50)

    def _stored(self, scope: Scope) -> Iterator[Mark]:
        first = self._first_signed((row[0], row[3]) for row in self._rows(scope))
        # What is kept outside says since when the ledger has been signed under this name.
        kept = self._first_signed((size, _text(path)) for size, path in self._files.items())
        for place, row in enumerate(self._rows(scope)):
            early = first is not None and place < first[0]
            if early and kept is not None:
                early = type(row[0]) is int and row[0] <= kept[1]
            yield self._stored_mark(scope, row, early=early)

    def _stored_mark(self, scope: Scope, row: Row, *, early: bool) -> Mark:
        scope.checked["checkpoints"] += 1
        size, key, root, note = row
        name = f"checkpoint {shown(str(key))} of the database"
        mark = self._mark(size, note, name, outside=False, early=early)
        if type(size) is not int or size < 0:
            mark.findings.append(
                Finding("ROOT_MISMATCH", None, None, f"{name} to have a size", shown(str(size)))
            )
            mark.size, mark.root = 0, None
        elif mark.root is not None and root != mark.root:
            expected = f"{name} to have the root of its note, {mark.root}"
            mark.findings.append(Finding("ROOT_MISMATCH", None, None, expected, shown(root)))
        return mark

    # --- what a note says -----------------------------------------------------------------------------------

    def _first_signed(self, notes: Iterable[tuple[Any, Any]]) -> tuple[int, Any] | None:
        """Place and size of the first of (size, note) with a good signature.

        Until then the ledger was unsigned, or had another name; the signed one speaks for those before it, too.
        """
        for place, (size, note) in enumerate(notes if self.keys else ()):
            if self._is_signed(note):
                return place, size
        return None

    def _is_signed(self, note: Any) -> bool:
        try:
            return isinstance(note, str) and bool(signed_by(note, self.keys))
        except NoteMismatch:
            return False

    def _mark(self, size: int, note: Any, place: str, *, outside: bool, early: bool = False) -> Mark:
        mark = Mark(size, None, place, outside)
        if not isinstance(note, str) or len(note) > _LONGEST:
            mark.findings.append(_unsigned(place, shown(note)))
            return mark
        try:
            head, signatures = parse_checkpoint(note)
            mark.root = head.root_hash.hex()
            if head.tree_size != size:
                code = "CHECKPOINT_FORK" if outside else "ROOT_MISMATCH"
                expected = f"{place} to say {shown(str(size))} entries"
                mark.findings.append(Finding(code, None, None, expected, str(head.tree_size)))
                mark.root = None
            if self.keys and not signed_by(note, self.keys):
                if early and not signatures:
                    self._excused["the ledger was not signed yet"] += 1
                elif early and not outside and head.origin != self.origin:
                    self._excused[f"they are of the ledger {shown(head.origin)}"] += 1
                else:
                    mark.findings.append(_unsigned(place, "no signature by one"))
        except NoteMismatch as error:
            mark.findings.append(_unsigned(place, shown(str(error))))
        return mark


def _unsigned(place: str, found: str) -> Finding:
    return Finding("CHECKPOINT_SIGNATURE", None, None, f"{place} to be signed by a known key", found)


def _text(path: Path) -> Any:
    """A kept note; what cannot be read as one, as bytes or error."""
    try:
        data = path.read_bytes() if path.stat().st_size <= 4 * _LONGEST else b""
        return data.decode()
    except UnicodeDecodeError:
        return data[:64]
    except OSError as error:
        return error
