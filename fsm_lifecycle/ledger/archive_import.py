"""Owns reading an exported log into the archive: all of it or nothing, and nothing twice.

The file is read twice: once to check it, then to store it, in one transaction. Must not write into the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from django.db import IntegrityError, connections, models
from django.db.models import Count, Exists, F, Max, OuterRef
from django.utils import timezone

from fsm_lifecycle.append_only import milliseconds
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger.archive import ArchivedEntry, as_redacted_as
from fsm_lifecycle.ledger.chain import COLUMNS
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.log_check import FileFault, FileReport, LogCheck
from fsm_lifecycle.ledger.log_lines import Line, Newer, Unreadable, lines
from fsm_lifecycle.transactions import writing

MOST_FAULTS = 100
BATCH = 500
_TIMES = (COLUMNS.index("recorded_at"), COLUMNS.index("occurred_at"))

Progress = Callable[[int, int], Any]


class ArchiveUnreadable(LifecycleError):
    """The file cannot be read, or is no exported log."""

    code = "archive_unreadable"


class ArchiveBroken(LifecycleError):
    """The file is not what was exported, or contradicts what the archive has. Nothing was imported."""

    code = "archive_broken"

    def __init__(self, message: str, faults: list[FileFault]) -> None:
        super().__init__(message)
        self.faults = faults
        """What is wrong, in the order of the file; ``MOST_FAULTS`` at most."""


@dataclass(slots=True)
class Imported:
    """What an import did."""

    report: FileReport
    added: int = 0
    known: int = 0
    """Entries that were in the archive already."""
    redacted: int = 0
    """Archived entries of which the file says that more is redacted now, and so it is."""
    sealed_since: int = 0
    """Archived entries that were not sealed when they came and have their leaf index now."""


def import_archive(using: str, path: Path, *, progress: Progress | None = None) -> Imported:
    """Check an exported log and put its entries into the archive. Importing it again adds nothing.

    What is redacted in the archive, or in the log of this database, stays redacted. Raises ``ArchiveUnreadable``,
    or ``ArchiveBroken`` naming everything that is wrong; then nothing was written.
    """
    try:
        total = path.stat().st_size * 2
        with path.open("rb") as file:
            told = _Told(file, total, progress)
            report = _checked(told, path)
            file.seek(0)
            return _stored(using, told, report, path)
    except OSError as error:
        raise ArchiveUnreadable(f"{path} cannot be read: {error.strerror}. Nothing was imported.") from None
    except Newer as error:
        raise ArchiveUnreadable(f"{path} cannot be judged. {error} Nothing was imported.") from None
    except Unreadable as error:
        raise ArchiveUnreadable(
            f"{path} is not a whole export of a log. {error} Nothing was imported."
        ) from None


class _Told:
    """A file that says how far it is read."""

    def __init__(self, file: BinaryIO, total: int, progress: Progress | None) -> None:
        self.file, self.total, self.progress = file, total, progress
        self.read = 0

    def readline(self, limit: int) -> bytes:
        data = self.file.readline(limit)
        self.read += len(data)
        if self.progress is not None:
            self.progress(min(self.read, self.total), self.total)
        return data


def _checked(file: Any, path: Path) -> FileReport:
    check = LogCheck(file)
    faults = list(islice(check.faults(), MOST_FAULTS))
    if faults:
        raise _broken(path, faults)
    return check.report


def _broken(path: Path, faults: list[FileFault]) -> ArchiveBroken:
    many = f"At least {len(faults)}" if len(faults) >= MOST_FAULTS else str(len(faults))
    thing = "thing is" if len(faults) == 1 else "things are"
    return ArchiveBroken(f"{many} {thing} wrong with {path}. Nothing was imported.", faults)


def _stored(using: str, file: Any, report: FileReport, path: Path) -> Imported:
    done = Imported(report)
    try:
        with writing(using, savepoint=True):
            top = _archived(using).aggregate(top=Max("id"))["top"] or 0
            whole = hashlib.sha256()
            entries = _entries(lines(file), whole)
            while batch := list(islice(entries, BATCH)):
                if conflicts := list(_store(using, batch, done)):
                    raise _broken(path, conflicts[:MOST_FAULTS])
            if whole.hexdigest() != report.digest:
                raise ArchiveUnreadable(f"{path} was changed while it was read. Nothing was imported.")
            if done.added and (conflicts := list(_contradictions(using, report.origin, top))):
                raise _broken(path, conflicts[:MOST_FAULTS])
    except IntegrityError:
        raise ArchiveUnreadable(
            f"Another import wrote entries of {path} at the same time. Nothing was imported; run it again."
        ) from None
    return done


def _entries(found: Iterator[Line], whole: Any) -> Iterator[Line]:
    for line in found:
        whole.update(line.data)
        if line.kind == "entry":
            yield line


def _archived(using: str) -> models.QuerySet[ArchivedEntry]:
    return models.QuerySet(ArchivedEntry, using=using)


def _store(using: str, batch: list[Line], done: Imported) -> Iterator[FileFault]:
    """Add what the archive does not have; say what contradicts it."""
    hashes = [line.row["entry_hash"] for line in batch]
    known = {row.entry_hash: row for row in _archived(using).filter(entry_hash__in=hashes)}
    log = TransitionLog.objects.using(using).filter(entry_hash__in=hashes)
    bodies = dict(log.values_list("entry_hash", "body"))
    new: list[list[Any]] = []
    moment = connections[using].ops.adapt_datetimefield_value
    now = moment(milliseconds(timezone.now()))
    origin = done.report.origin
    for line in batch:
        row = line.row
        old = known.get(row["entry_hash"])
        if old is None:
            row["body"] = as_redacted_as(row["body"], bodies.get(row["entry_hash"], row["body"]))
            values = [row[name] for name in COLUMNS]
            for place in _TIMES:
                values[place] = moment(values[place])  # nothing stays nothing
            new.append([origin, row["leaf_index"], now, *values])
        elif why := _conflict(old, row, origin):
            yield FileFault("CONFLICT", line.number, why)
        else:
            done.known += 1
            _bring_up(using, old, row, done)
    if new:
        _insert(using, new)
    done.added += len(new)


def _insert(using: str, rows: list[list[Any]]) -> None:
    """Insert rows on the cursor: preparing them as model instances takes longer than all the checking."""
    connection = connections[using]
    quote = connection.ops.quote_name
    columns = ("source", "leaf_index", "imported_at", *COLUMNS)
    table, names = quote(ArchivedEntry._meta.db_table), ", ".join(map(quote, columns))
    values = ", ".join(["%s"] * len(columns))
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({values})", rows)  # noqa: S608 - our own table


def _conflict(old: ArchivedEntry, row: dict[str, Any], origin: str) -> str:
    """Why an archived entry with the same hash is not the same; empty when it is."""
    name = f"{row['model_label']}:{row['object_pk']} entry {row['sequence']}"
    if old.source != origin:
        return f"{name} is in the archive already, as one of {old.source}."
    if old.leaf_index is not None and row["leaf_index"] not in (None, old.leaf_index):
        return f"{name} is leaf {row['leaf_index']} here and leaf {old.leaf_index} in the archive."
    if old.idempotency_digest != row["idempotency_digest"]:
        return f"{name} has another idempotency_digest in the archive."
    return ""


def _bring_up(using: str, old: ArchivedEntry, row: dict[str, Any], done: Imported) -> None:
    """What a later export of the same entry knows better."""
    changed: dict[str, Any] = {}
    if (body := as_redacted_as(old.body, row["body"])) != old.body:
        changed["body"] = body
        done.redacted += 1
    if old.leaf_index is None and row["leaf_index"] is not None:
        changed["leaf_index"] = row["leaf_index"]
        done.sealed_since += 1
    if changed:
        _archived(using).filter(pk=old.pk).update(**changed)


def _contradictions(using: str, source: str, top: int) -> Iterator[FileFault]:
    """Where new entries, those above ``top``, do not go with older ones of the same ledger."""
    mine = _archived(using).filter(source=source)
    new = mine.filter(id__gt=top)
    same = mine.filter(model_label=OuterRef("model_label"), object_pk=OuterRef("object_pk"))
    twins = same.filter(sequence=OuterRef("sequence")).exclude(pk=OuterRef("pk"))
    before = same.filter(sequence=OuterRef("sequence") - 1).exclude(entry_hash=OuterRef("prev_hash"))
    after = same.filter(sequence=OuterRef("sequence") + 1).exclude(prev_hash=OuterRef("entry_hash"))
    for others, what in (
        (twins, "The archive has another {}."),
        (before, "{} does not follow from the entry before it in the archive."),
        (after, "The entry after it in the archive does not follow from {}."),
    ):
        rows = new.filter(Exists(others)).order_by("id").values_list("model_label", "object_pk", "sequence")
        for label, pk, sequence in rows[:MOST_FAULTS]:
            yield FileFault("CONFLICT", None, what.format(f"{label}:{pk} entry {sequence}"))
    leaves = mine.filter(leaf_index__isnull=False).order_by().values_list("leaf_index")
    twice = leaves.annotate(times=Count("id")).filter(times__gt=1)
    for index, _ in twice.order_by(F("leaf_index"))[:MOST_FAULTS]:
        yield FileFault("CONFLICT", None, f"Leaf {index} is another entry in the archive.")
