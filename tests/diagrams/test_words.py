"""What a diagram says to those who do not see it."""

import pytest

from fsm_lifecycle.diagrams import svg, text_alternative
from fsm_lifecycle.diagrams.journey import Move
from tests.testapp.models import Invoice

from .cases import cases
from .lifecycles import TABLES
from .rendering import SVG, parsed

pytestmark = pytest.mark.pure


def told(drawing: str) -> tuple[str, str]:
    root = parsed(drawing)
    return root.findtext(f"{SVG}title", ""), root.findtext(f"{SVG}desc", "")


def test_a_lifecycle_is_told_in_two_sentences() -> None:
    title, said = told(svg(Invoice))
    assert title == "Lifecycle of Invoice"
    assert said == (
        "Five states and six events. Begins as Draft. Final: Paid, Cancelled. "
        "The table of events says the same in words."
    )


def test_a_path_is_told_in_the_order_it_was_taken() -> None:
    path: list[Move] = [("send_invoice", "draft", "sent"), ("mark_overdue", "sent", "overdue")]
    assert told(svg(Invoice, path=path, current="overdue", possible=["pay", "remind"])) == (
        "Path of Invoice",
        "Draft, Sent, Overdue. Possible now: Pay or Remind.",
    )


def test_a_long_path_is_cut_in_the_middle() -> None:
    path: list[Move] = [("pause", "active", "paused"), ("resume", "paused", "active")] * 40
    _, said = told(svg(TABLES["subscription"], path=path, current="active"))
    assert said.startswith("Active, 61 more, ")
    assert len(said.split(",")) == 21


def test_own_words_take_their_place() -> None:
    assert told(svg(Invoice, title="Invoice <4>", description="All of it & more")) == (
        "Invoice <4>",
        "All of it & more",
    )


def test_control_characters_in_given_words_do_no_harm() -> None:
    assert told(svg(Invoice, title="Invoice\x00\x1b 4\n", standalone=True))[0] == "Invoice 4"


def test_a_table_without_a_model_is_called_a_record() -> None:
    assert told(svg(TABLES["order"]))[0] == "Lifecycle of Record"


def test_an_empty_table_is_told_too() -> None:
    assert told(svg(cases()["nothing at all"]))[1].startswith("No states and no events.")


def test_one_is_not_told_as_many() -> None:
    assert told(svg(cases()["one state"]))[1].startswith("One state and no events.")


def test_the_table_beside_a_diagram_says_the_same() -> None:
    rows = text_alternative(Invoice)
    assert [row.event for row in rows] == [str(e.label) for e in Invoice.lifecycle.events.values()]
    assert rows[1] == ("Pay", ("Sent", "Overdue"), ("Paid",))
    event, sources, targets = rows[0]
    assert (event, sources, targets) == ("Send invoice", ("Draft",), ("Sent",))


def test_a_record_is_drawn_as_its_model() -> None:
    assert told(svg(Invoice())) == told(svg(Invoice))
