"""Owns an entry's body: its named fields, each with its own salt, and what remains when one is redacted.

A body is the only place of the log for personal data. Each field is hashed with a random salt, so that the
digest left by a redaction gives nothing away, and the body's hash is made of the digests alone, so that it
outlives every redaction.

Must not know: entries, the chain, the database, what the fields mean, who may redact.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn

from .canonical import Json, Unrecordable, dump, plain, restore
from .hashing import BODY, FIELD, body_hash, field_digest, new_salts, sha256_hex
from .strict_json import strict_decoder

FIELD_NAMES = frozenset(
    {
        "actor",
        "approval",
        "arguments",
        "branch",
        "idempotency_key",
        "metadata",
        "observations",
        "on_behalf_of",
        "reason",
        "run",
        "snapshot",
        "snapshot_reason",
        "via",
    }
)
"""The fields a body may have in version 1."""

UNREDACTABLE = frozenset({"idempotency_key"})
"""Fields that also stand in a column of the entry, so that redacting the body would hide nothing."""

MAX_BYTES = 2**20
"""The largest body that is written, in bytes of UTF-8."""

EMPTY = "{}"
"""The text of a body without fields."""

_EMPTY_HASH = body_hash({})
_is_salt = re.compile("[A-Za-z0-9_-]{21}[AQgw]").fullmatch  # 128 bits leave four letters for the last place
_is_digest = re.compile("[0-9a-f]{64}").fullmatch


class BodyMismatch(ValueError):
    """A stored body is not one that this package can have written."""

    code: ClassVar[str] = "BODY_MISMATCH"


@dataclass(frozen=True, slots=True)
class BodyField:
    """One field of a body as it was read."""

    name: str
    salt: str | None
    """22 characters of base64url; ``None`` once redacted."""
    value: object
    """The recorded value (see ``canonical.restore``); ``None`` once redacted."""
    redacted_digest: str | None
    """The field digest, which is all that a redaction leaves; ``None`` while the value is there."""

    @property
    def redacted(self) -> bool:
        """Whether value and salt are gone."""
        return self.redacted_digest is not None


# --- writing ------------------------------------------------------------------------------------------------


def make_body(fields: Mapping[str, object], salts: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Return a body's text and its hash.

    ``fields`` maps names of ``FIELD_NAMES`` to values; each gets a fresh salt unless ``salts`` has one for
    it. Raises ``Unrecordable``, naming the place, for an unknown field, a value without canonical form, and
    a body over ``MAX_BYTES``; ``ValueError`` for a salt that is not 16 bytes in base64url or has no field.
    """
    return Draft(fields).seal(salts)


class Draft:
    """The fields of a body, written out once and sealed with fresh salts as often as needed.

    Each entry has salts of its own: with shared ones, a redacted value could be read off another entry that has
    the same digest. Raises ``Unrecordable`` as ``make_body`` does.
    """

    __slots__ = ("_parts", "dumped")

    def __init__(self, fields: Mapping[str, object], base: Draft | None = None) -> None:
        self.dumped: dict[str, bytes] = dict(base.dumped) if base is not None else {}
        for name, value in fields.items():
            if name not in FIELD_NAMES:
                raise Unrecordable(
                    name, "a body has no such field", f"Use one of {', '.join(sorted(FIELD_NAMES))}"
                )
            self.dumped[name] = dump(plain(value, name))
        _check_size(self.dumped)
        # Names and salts need no escaping. For each field: what stands before the salt in the hashed bytes, in the
        # text and in the body of digests, and what stands behind it in both.
        self._parts = [
            (name, FIELD + f'["{name}","'.encode(), f'"{name}":["', f'"{name}":"', b'",' + value + b"]")
            for name, value in sorted(self.dumped.items())
        ]

    def seal(self, salts: Mapping[str, str] | None = None) -> tuple[str, str]:
        """Return the body's text and hash. Fresh salts, but for those given."""
        if salts and not (salts.keys() <= self.dumped.keys() and all(map(_is_salt, salts.values()))):
            _refuse_salts(salts, self.dumped)
        if not self._parts:
            return EMPTY, _EMPTY_HASH
        texts: list[str] = []
        digests: list[str] = []
        for (name, hashed, written, digested, value), salt in zip(
            self._parts, new_salts(len(self._parts)), strict=True
        ):
            if salts and name in salts:
                salt = salts[name].encode("ascii")
            salted = salt + value
            texts.append(written + salted.decode())
            digests.append(f'{digested}{sha256_hex(hashed + salted)}"')
        # Names are sorted and digests are hex, so these are the bytes that body_hash() hashes.
        return "{" + ",".join(texts) + "}", sha256_hex(b"%b{%b}" % (BODY, ",".join(digests).encode("ascii")))


def _check_size(dumped: Mapping[str, bytes]) -> None:
    # A field is written "name":["22 characters of salt",value] and a comma; around all stand two braces.
    size = sum(len(name) + len(value) + 31 for name, value in dumped.items()) + 1
    if size > MAX_BYTES:
        largest = max(dumped, key=lambda name: len(dumped[name]))
        raise Unrecordable(
            largest,
            f"the entry's body would take {size:,} bytes and {MAX_BYTES:,} is the most",
            "Keep large values in your own tables and record a reference to them",
        )


def _refuse_salts(salts: Mapping[str, str], fields: Mapping[str, object]) -> NoReturn:
    strangers = sorted(set(salts) - set(fields))
    if strangers:
        raise ValueError(f"There are salts for {', '.join(strangers)}, but no such fields. Leave them out.")
    wrong = sorted(name for name, salt in salts.items() if not _is_salt(salt))
    raise ValueError(
        f"The salt of {', '.join(wrong)} is not 16 bytes in 22 characters of unpadded base64url."
    )


def redacted(text: str, names: Iterable[str]) -> str:
    """Return a body's text with the named fields replaced by their digests; its hash stays the same.

    A field that is redacted already stays as it is. Raises ``ValueError`` for a name that the body does not
    have or that cannot be redacted, ``BodyMismatch`` for a text that is no body.
    """
    fields = _parse(text)
    wanted = set(names)
    if wanted & UNREDACTABLE:
        which = ", ".join(sorted(wanted & UNREDACTABLE))
        raise ValueError(f"{which} cannot be redacted: the entry's own column holds it too. Leave it out.")
    if not wanted <= fields.keys():
        which = ", ".join(sorted(wanted - fields.keys()))
        has = ", ".join(sorted(fields)) or "no fields"
        raise ValueError(f"The body has no field {which}. It has {has}.")
    tree: dict[str, Json] = {
        name: {"redacted": _digest(name, field)} if name in wanted else field
        for name, field in fields.items()
    }
    return dump(tree).decode()


# --- reading ------------------------------------------------------------------------------------------------


def read_body(text: str) -> Mapping[str, BodyField]:
    """Return the fields of a stored body by name. Raises ``BodyMismatch`` for anything but a body."""
    return MappingProxyType({name: _field(name, field) for name, field in _parse(text).items()})


def digests_of(text: str) -> dict[str, str]:
    """Return the hex field digests of a stored body by name. Raises ``BodyMismatch``."""
    return {name: _digest(name, field) for name, field in _parse(text).items()}


def hash_of(text: str) -> str:
    """Return the hex body hash of a stored body, redacted or not. Raises ``BodyMismatch``."""
    return _EMPTY_HASH if text == EMPTY else body_hash(digests_of(text))


def _field(name: str, field: Any) -> BodyField:
    if isinstance(field, dict):
        return BodyField(name, None, None, field["redacted"])
    salt, tree = field
    try:
        return BodyField(name, salt, restore(tree), None)
    except ValueError as error:
        raise BodyMismatch(f"The body's field {name!r} holds no recorded value: {error}.") from None


def _digest(name: str, field: Any) -> str:
    if isinstance(field, dict):
        digest: str = field["redacted"]
        return digest
    return field_digest(name, field[0], field[1])


def _parse(text: str) -> dict[str, Any]:
    """Return the body's fields, of the right names and shapes, from a text in canonical form."""
    try:
        body = _decode(text)
        canonical = dump(body) == text.encode()
    except BodyMismatch:
        raise
    except RecursionError:
        raise BodyMismatch("The body nests too deep to be read.") from None
    except UnicodeEncodeError:
        raise BodyMismatch("The body contains a lone surrogate, which is not a character.") from None
    except (ValueError, TypeError) as error:
        raise BodyMismatch(f"The body is not JSON: {error}.") from None
    if not isinstance(body, dict):
        raise BodyMismatch(f"The body is a JSON {type(body).__name__}, not an object.")
    for name, field in body.items():
        if name not in FIELD_NAMES:
            raise BodyMismatch(f"The body has a field {name!r:.60}, which version 1 does not know.")
        _check_shape(name, field)
    if not canonical:
        raise BodyMismatch("The body is not in canonical form: spaces, the order of keys or escapes differ.")
    return body


def _check_shape(name: str, field: Any) -> None:
    if isinstance(field, list):
        if len(field) == 2 and isinstance(field[0], str) and _is_salt(field[0]):
            return
    elif isinstance(field, dict) and field.keys() == {"redacted"}:
        if name in UNREDACTABLE:
            raise BodyMismatch(f"The body's field {name!r} is redacted, and it cannot be.")
        if isinstance(field["redacted"], str) and _is_digest(field["redacted"]):
            return
    raise BodyMismatch(
        f"The body's field {name!r} is neither [salt of 22 characters, value] nor "
        '{"redacted": "64 hexadecimal characters"}.'
    )


_decode = strict_decoder("The body", BodyMismatch)
