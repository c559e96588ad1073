"""Owns the check of bodies: against their hash, against the columns that repeat them, and what was redacted.

Must not know the chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fsm_lifecycle.ledger.body import MAX_BYTES, BodyField, BodyMismatch, hash_of, read_body
from fsm_lifecycle.ledger.canonical import Unrecordable
from fsm_lifecycle.ledger.entry import TransitionLog
from fsm_lifecycle.ledger.finding import shown
from fsm_lifecycle.ledger.folding import Fault
from fsm_lifecycle.ledger.hashing import request_digest
from fsm_lifecycle.ledger.raw_entry import RawEntry
from fsm_lifecycle.ledger.verify_scope import Scope

_HEX: Final = frozenset("0123456789abcdef")


class Bodies:
    """The bodies of one record's entries. ``step`` takes them one by one, oldest first; then comes ``finish``."""

    __slots__ = ("_begun_later", "_named", "_redacted", "_scope")

    def __init__(self, scope: Scope, *, begun_later: bool = False) -> None:
        self._scope = scope
        self._begun_later = begun_later
        """Whether earlier entries are taken for granted."""
        self._redacted: dict[Any, tuple[int, frozenset[str]]] = {}
        """By entry hash: its sequence and the fields that are gone."""
        self._named: dict[str, tuple[int, set[str]]] = {}
        """By entry hash: the sequence of the last redaction that names it, and the fields that any of them names."""

    def step(self, entry: RawEntry) -> list[Fault]:
        """Read one body, and say what is wrong with it."""
        self._scope.checked["bodies"] += 1
        sequence = entry.sequence
        try:
            text = self._text(entry)
            computed = hash_of(text)
            if computed != entry.body_hash:
                return [
                    _mismatch(
                        sequence, f"a body with the hash {shown(entry.body_hash)}", f"one with {computed}"
                    )
                ]
            fields = read_body(text)
        except BodyMismatch as error:
            return [_mismatch(sequence, "a body as version 1 writes it", shown(f"another: {error}"))]
        gone = frozenset(name for name, field in fields.items() if field.redacted)
        if gone:
            self._redacted[entry.entry_hash] = (sequence, gone)
        faults = self._repeated(entry, fields)
        if entry.kind == "redaction":
            faults += self._claim(entry, fields)
        return faults

    def finish(self) -> list[Fault]:
        """What is gone without a redaction, and what is there in spite of one."""
        faults = []
        for hash_, (sequence, gone) in self._redacted.items():
            named = self._named.get(hash_, (0, set()))[1]
            for name in sorted(gone - named):
                faults.append(
                    Fault("BODY_MISSING", sequence, f"the field {name}, or a redaction of it", "neither")
                )
        for hash_, (sequence, names) in () if self._begun_later else self._named.items():
            for name in sorted(names - self._redacted.get(hash_, (0, frozenset[str]()))[1]):
                faults.append(
                    _mismatch(
                        sequence, f"the field {name} of the entry {hash_} to be redacted", "that it is not"
                    )
                )
        return faults

    def _text(self, entry: RawEntry) -> str:
        """The body, read by itself where it is large."""
        text: Any = entry.body
        if text is None:
            if not isinstance(entry.body_size, int) or entry.body_size > MAX_BYTES:
                raise BodyMismatch(
                    f"The body has {shown(str(entry.body_size))} bytes, and {MAX_BYTES} is the most."
                )
            sql = f"SELECT body FROM {self._scope.table(TransitionLog)} WHERE id = %s"  # noqa: S608
            text = self._scope.rows(sql, [entry.id])[0][0]
        if not isinstance(text, str):
            raise BodyMismatch(f"The body is stored as {type(text).__name__}, not as text.")
        return text

    def _repeated(self, entry: RawEntry, fields: Mapping[str, BodyField]) -> list[Fault]:
        """The idempotency key and digest stand in columns that the entry's hash does not cover."""
        field = fields.get("idempotency_key")
        key = None if field is None else field.value
        if key != entry.idempotency_key:
            return [
                _mismatch(
                    entry.sequence,
                    f"the idempotency key of the body: {shown(key)}",
                    f"that of the column: {shown(entry.idempotency_key)}",
                )
            ]
        arguments = fields.get("arguments")
        if key is None:
            expected = None
        elif arguments is None:
            expected = request_digest(entry.event, "", {})
        elif arguments.redacted:
            if _is_hash(entry.idempotency_digest):
                self._scope.unverifiable_digests += 1
                return []
            expected = "the digest of arguments that were redacted"
        else:
            try:
                expected = request_digest(entry.event, arguments.salt or "", arguments.value)
            except Unrecordable as error:  # an event that is no text
                expected = shown(f"a digest that can be computed: {error}")
        if entry.idempotency_digest != expected:
            return [
                _mismatch(
                    entry.sequence,
                    f"the idempotency digest {shown(expected)}",
                    shown(entry.idempotency_digest),
                )
            ]
        return []

    def _claim(self, entry: RawEntry, fields: Mapping[str, BodyField]) -> list[Fault]:
        """What a redaction says it erased."""
        field = fields.get("arguments")
        value: Any = None if field is None else field.value
        if isinstance(value, dict) and value.keys() == {"entry", "fields"}:
            hash_, names = value["entry"], value["fields"]
            if _is_hash(hash_) and _are_names(names):
                self._named.setdefault(hash_, (entry.sequence, set()))[1].update(names)
                return []
        return [
            _mismatch(
                entry.sequence, "the redacted entry and its fields in the arguments", "no or other arguments"
            )
        ]


def _mismatch(sequence: int, expected: str, found: str) -> Fault:
    return Fault("BODY_MISMATCH", sequence, expected, found)


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and _HEX.issuperset(value)


def _are_names(value: object) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(name, str) for name in value)
        and value == sorted(set(value))
    )
