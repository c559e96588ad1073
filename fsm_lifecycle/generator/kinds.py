"""The types a field may have on the command line, and what each is in code.

Must not know which model a field belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REFERENCES: Final = "references"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One type."""

    field: str
    """The class in ``django.db.models``."""
    options: tuple[str, ...] = ()
    """Its arguments, as code."""
    empty_text: bool = False
    """Whether nothing is stored as an empty text, and not as NULL."""
    sample: str
    """A value in the generated tests, as code."""
    posted: str
    """The same value, as a browser sends it."""
    imports: tuple[str, ...] = ()
    """What the sample needs imported."""


KINDS: Final[dict[str, Kind]] = {
    "string": Kind(
        field="CharField", options=("max_length=200",), empty_text=True, sample='"A name"', posted="A name"
    ),
    "text": Kind(field="TextField", empty_text=True, sample='"A few words."', posted="A few words."),
    "integer": Kind(field="IntegerField", sample="7", posted="7"),
    "decimal": Kind(
        field="DecimalField",
        options=("max_digits=12", "decimal_places=2"),
        sample='decimal.Decimal("12.50")',
        posted="12.50",
        imports=("decimal",),
    ),
    "float": Kind(field="FloatField", sample="2.5", posted="2.5"),
    "boolean": Kind(field="BooleanField", options=("default=False",), sample="True", posted="on"),
    "date": Kind(
        field="DateField", sample="dt.date(2026, 1, 31)", posted="2026-01-31", imports=("datetime as dt",)
    ),
    "datetime": Kind(
        field="DateTimeField",
        sample="dt.datetime(2026, 1, 31, 9, 30, tzinfo=dt.UTC)",
        posted="2026-01-31T09:30",
        imports=("datetime as dt",),
    ),
    "time": Kind(field="TimeField", sample="dt.time(9, 30)", posted="09:30", imports=("datetime as dt",)),
    "uuid": Kind(
        field="UUIDField",
        options=("default=uuid4",),
        sample='uuid.UUID("12345678-1234-5678-1234-567812345678")',
        posted="12345678-1234-5678-1234-567812345678",
        imports=("uuid",),
    ),
    "email": Kind(field="EmailField", empty_text=True, sample='"ann@example.com"', posted="ann@example.com"),
    "url": Kind(
        field="URLField", empty_text=True, sample='"https://example.com/"', posted="https://example.com/"
    ),
    "json": Kind(field="JSONField", sample='{"key": "value"}', posted='{"key": "value"}'),
}

#: Every type, as messages list them.
LISTED: Final = ", ".join([*KINDS, f"{REFERENCES}:app.Model"])
