"""What can follow what, by the definition alone."""

from __future__ import annotations

from typing import Any

import pytest

from fsm_lifecycle.ledger.hashing import sha256_hex
from fsm_lifecycle.ledger.judging import DefinitionMismatch, StoredTable, misstep
from fsm_lifecycle.ledger.raw_entry import RawEntry
from tests.testapp.models import Invoice

pytestmark = pytest.mark.pure

TABLE = StoredTable(Invoice.lifecycle.json, Invoice.lifecycle.fingerprint)


def entry(kind: str, source: Any, target: Any, event: Any = None, compensating: Any = False) -> RawEntry:
    """An entry of which only the step matters."""
    values: dict[str, Any] = dict.fromkeys(RawEntry._fields)
    values |= {"kind": kind, "from_state": source, "to_state": target}
    values |= {"event": event, "compensating": compensating}
    return RawEntry(**values)


@pytest.mark.parametrize(
    ("step", "first"),
    [
        (entry("created", None, "draft"), True),
        (entry("adopted", None, "paid"), True),
        (entry("created", None, "draft"), False),
        (entry("transition", "draft", "sent", "send_invoice"), False),
        (entry("transition", "paid", "cancelled", "refund", True), False),
        (entry("redaction", "sent", "sent"), False),
        (entry("redaction", None, None), False),
        (entry("remapped", "sent", "renamed since"), False),
        (entry("deleted", "sent", None), False),
        (entry("purged", "sent", None), False),
        (entry("purged", None, None), False),
    ],
)
def test_what_can_happen(step: RawEntry, first: bool) -> None:
    assert misstep(step, step.from_state, first=first, table=TABLE) is None


@pytest.mark.parametrize(
    ("step", "first"),
    [
        (entry("created", None, "sent"), True),
        (entry("created", None, None), True),
        (entry("created", "draft", "draft"), False),
        (entry("adopted", None, "nowhere"), True),
        (entry("redaction", None, None), True),
        (entry("purged", None, None), True),
        (entry("deleted", None, None), False),
        (entry("deleted", "sent", "sent"), False),
        (entry("purged", "sent", "sent"), False),
        (entry("redaction", "sent", "paid"), False),
        (entry("redaction", "sent", None), False),
        (entry("remapped", None, "sent"), False),
        (entry("remapped", "sent", None), False),
        (entry("remapped", "sent", "paid", compensating=True), False),
        (entry("transition", "draft", "paid", "send_invoice"), False),
        (entry("transition", "paid", "sent", "send_invoice"), False),
        (entry("transition", "paid", "cancelled", "refund", False), False),
        (entry("transition", "draft", "sent", "send"), False),
        (entry("transition", "draft", "sent"), False),
        (entry("transition", None, "sent", "send_invoice"), False),
        (entry("transition", "draft", "sent", b"send_invoice"), False),
        (entry("created", None, "draft", "send_invoice"), True),
        (entry("moved", "draft", "sent"), False),
        (entry(b"created", None, "draft"), True),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_happen(step: RawEntry, first: bool) -> None:
    assert misstep(step, step.from_state, first=first, table=TABLE) is not None


def test_a_step_begins_where_the_one_before_ended() -> None:
    step = entry("transition", "draft", "sent", "send_invoice")
    assert misstep(step, "paid", first=False, table=TABLE) == ("a step from paid", "one from draft")


def test_without_a_table_only_what_holds_for_all_is_judged() -> None:
    assert misstep(entry("transition", "x", "y", "z"), "x", first=False, table=None) is None
    assert misstep(entry("created", None, "x"), None, first=True, table=None) is None
    assert misstep(entry("deleted", "x", "y"), "x", first=False, table=None) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"states":[],"events":[{}]}',
        '{"states":[{"value":[],"initial":true}],"events":[]}',
        '{"states":3,"events":[]}',
        "[" * 100_000,
    ],
)
def test_a_text_that_describes_no_lifecycle_is_no_definition(text: str) -> None:
    with pytest.raises(DefinitionMismatch):
        StoredTable(text, sha256_hex(text.encode()))


@pytest.mark.parametrize("text", [None, 7, b"{}", "\udcff", Invoice.lifecycle.json + " "])
def test_a_text_with_another_fingerprint_is_not_the_definition(text: Any) -> None:
    with pytest.raises(DefinitionMismatch):
        StoredTable(text, Invoice.lifecycle.fingerprint)
