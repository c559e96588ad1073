"""Redaction: what of an entry may be erased, what tells of a person, and how a body loses its fields.

Value and salt go, the digest stays, so the entry's hash stays what it is. Must not know who redacts, nor how the
record's chain goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet

from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger import clearing
from fsm_lifecycle.ledger.archive import ArchivedEntry
from fsm_lifecycle.ledger.body import UNREDACTABLE, BodyField, BodyMismatch, read_body, redacted
from fsm_lifecycle.ledger.canonical import RecordRef
from fsm_lifecycle.ledger.clearing import Change, Erased, Subject
from fsm_lifecycle.ledger.entry import TransitionLog

KIND: Final = "redaction"

#: The fields that name people by key: where one is the person, the field goes whatever it is called there.
_PEOPLE: Final = ("approval", "on_behalf_of")


class NotRedactable(LifecycleError):
    """Something cannot be redacted: an unknown field, one that must stay, an entry that is none."""

    code = "not_redactable"


def name_of(entry: Any) -> str:
    """An entry as messages name it."""
    return f"entry {entry.sequence} of {entry.model_label}:{entry.object_pk}"


def fields_of(entry: Any) -> Mapping[str, BodyField]:
    """The fields of an entry's body as they stand there. Raises ``NotRedactable`` when it is not a body."""
    try:
        return read_body(entry.body)
    except BodyMismatch as error:
        raise NotRedactable(
            f"The body of {name_of(entry)} is damaged, so nothing of it can be redacted: {error} Run "
            f"manage.py lifecycle_verify --deep."
        ) from None


def must_stay(kind: str, name: str) -> str:
    """Why a field of an entry of this kind cannot be redacted; empty when it can."""
    if name in UNREDACTABLE:
        return "a column of the entry holds it too, so erasing it here would hide nothing"
    if kind == KIND and name == "arguments":
        return "it says what was redacted, and without it the other entry could not be verified"
    return ""


def wanted(entry: Any, names: Iterable[str]) -> tuple[str, ...]:
    """Those of the named fields that are still there, sorted; none when all are redacted already.

    Raises ``NotRedactable`` naming the field that the entry does not have, or that must stay.
    """
    asked = sorted({names} if isinstance(names, str) else set(names))
    if not asked:
        raise NotRedactable("No field is named. Name those to redact, for example fields=['metadata'].")
    fields = fields_of(entry)
    for name in asked:
        if why := must_stay(entry.kind, name):
            raise NotRedactable(f"“{name}” of {name_of(entry)} cannot be redacted: {why}.")
        if name not in fields:
            has = ", ".join(fields) or "no fields"
            raise NotRedactable(f"There is no field “{name}” in {name_of(entry)}. It has {has}.")
    return tuple(name for name in asked if not fields[name].redacted)


def everything(entry: Any) -> tuple[str, ...]:
    """The fields of an entry that tell of the record and are still there.

    None of a redaction's own: it tells who redacted and why, so that redacting a record comes to an end.
    """
    if entry.kind == KIND:
        return ()
    return tuple(
        name
        for name, field in fields_of(entry).items()
        if not field.redacted and not must_stay(entry.kind, name)
    )


def about(entry: Any, person: Subject) -> tuple[str, ...]:
    """The fields of an entry that tell of a person and are still there.

    The actor where the person fired, alone or through an agent; ``on_behalf_of`` and ``approval`` where they name the
    person's key; every field with a text that names the person.
    """
    own = is_own(entry, person)
    if (
        not own
        and not person.may_be_named_in(entry.body)
        and not any(f'"{n}":[' in entry.body for n in _PEOPLE)
    ):
        return ()
    return tuple(
        name
        for name, field in fields_of(entry).items()
        if not field.redacted
        and not must_stay(entry.kind, name)
        and ((own and name == "actor") or tells_of(field, person))
    )


def is_own(entry: Any, person: Subject) -> bool:
    """Whether the person fired, alone or through an agent."""
    return entry.actor_kind in ("user", "agent") and entry.actor_id == person.id


def tells_of(field: BodyField, person: Subject) -> bool:
    """Whether a field that is still there names the person."""
    if field.name in _PEOPLE and person.id in _keys(field.value):
        return True
    return any(map(person.named_in, texts(field.value)))


def texts(value: Any) -> Iterator[str]:
    """Every text in a recorded value, keys of objects too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, RecordRef):
        yield value.pk
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from texts(inner)
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for inner in value:
            yield from texts(inner)


def _keys(value: Any) -> Iterator[str]:
    """The keys of the people that a value names: what its objects call ``id``."""
    if isinstance(value, Mapping):
        if "id" in value:
            yield str(value["id"])
        for inner in value.values():
            yield from _keys(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _keys(inner)


def stays(entry: Any, person: Subject) -> tuple[str, ...]:
    """The columns in which an entry names the person and must go on doing so."""
    columns = ("object_pk", "actor_id", "idempotency_key")
    return tuple(name for name in columns if (text := getattr(entry, name)) and person.named_in(text))


# --- writing ------------------------------------------------------------------------------------------------


def locked_entries(connection: BaseDatabaseWrapper, keys: Iterable[Any]) -> dict[Any, TransitionLog]:
    """Entries by key as the database holds them, locked where there are row locks."""
    rows: QuerySet[TransitionLog] = QuerySet(TransitionLog, using=connection.alias).filter(pk__in=list(keys))
    if connection.features.has_select_for_update:
        rows = rows.select_for_update()
    return {entry.pk: entry for entry in rows.order_by("pk")}


def rewrite(
    connection: BaseDatabaseWrapper, chosen: Sequence[tuple[TransitionLog, tuple[str, ...]]]
) -> list[Erased]:
    """Erase the named fields of locked entries.

    The transaction, the gate ``redact`` and the entries that say so are the caller's.
    """
    for entry, names in chosen:
        forget(entry, redacted(entry.body, names))
    quote = connection.ops.quote_name
    table = quote(TransitionLog._meta.db_table)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {table} SET {quote('body')} = %s WHERE {quote('id')} = %s",  # noqa: S608 - constants
            [(entry.body, entry.pk) for entry, _ in chosen],
        )
    return [
        Erased(entry.entry_hash, entry.model_label, entry.object_pk, tuple(names)) for entry, names in chosen
    ]


def forget(entry: TransitionLog, body: str) -> None:
    """Give an entry in memory its new body."""
    entry.body = body
    entry.__dict__.pop("fields", None)


# --- the archive: copies of entries, of this ledger or another ------------------------------------------------

_NAMED = ("kind", "model_label", "object_pk", "sequence", "actor_kind", "actor_id", "body", "idempotency_key")


def _archived_copies(using: str, erased: Sequence[Erased], /) -> Iterator[Change]:
    fields = {one.entry_hash: set(one.fields) for one in erased}
    copies: QuerySet[ArchivedEntry] = (
        QuerySet(ArchivedEntry, using=using).filter(entry_hash__in=list(fields)).only("body", "entry_hash")
    )
    for copy in copies:
        there = {name for name, field in fields_of(copy).items() if not field.redacted}
        if names := there & fields[copy.entry_hash]:
            yield ArchivedEntry, copy.pk, {"body": redacted(copy.body, names)}


def _archived_record(using: str, model_label: str, object_pk: str, /) -> Iterator[Change]:
    rows: QuerySet[ArchivedEntry] = QuerySet(ArchivedEntry, using=using).filter(
        model_label=model_label, object_pk=object_pk
    )
    for copy in rows:
        if names := everything(copy):
            yield ArchivedEntry, copy.pk, {"body": redacted(copy.body, names)}


def _archived_person(using: str, person: Subject, /) -> Iterator[Change]:
    for key, *values in clearing.rows_of(ArchivedEntry, using, *_NAMED):
        copy = ArchivedEntry(pk=key, **dict(zip(_NAMED, values, strict=True)))
        if names := about(copy, person):
            yield ArchivedEntry, key, {"body": redacted(copy.body, names)}


clearing.register("archive", entries=_archived_copies, record=_archived_record, person=_archived_person)
