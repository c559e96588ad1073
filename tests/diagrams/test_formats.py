"""Mermaid and DOT, read back by strict readers: they say the table, whatever the labels hold."""

import pytest

from fsm_lifecycle import Event, State, fires
from fsm_lifecycle.definition import Table
from fsm_lifecycle.diagrams import dot, mermaid, svg
from tests.testapp.models import Contract, Door, Invoice, Order

from .cases import cases, drawn
from .grammar import read_dot, read_mermaid
from .lifecycles import TABLES
from .rendering import SVG, classed, number, parsed, size, texts, word

pytestmark = pytest.mark.pure

ALL = {**TABLES, **cases()}
HOSTILE = [
    '"',
    "\\",
    "ends with a backslash \\",
    '\\"; evil [label="x"] //',
    "a\nb\r\nc\td",
    "<script>alert(1)</script>",
    "]]><!-- & &amp; &#60; -->",
    "#quot;#35;#",
    "end",
    "state x {",
    "}",
    "[*] --> s0",
    ": :: ::: ;",
    "%%{init: {}}%%",
    "note left of s0",
    "style classDef click",
    "\\N \\G \\l",
    "日本 مرحبا ñ 🙂 e\u0301",
    "\x00\x07\x1b",
    "{{ constructor }}",
    "`$(rm)`",
    "-->",
]


def one_line(text: str) -> str:
    """As every format has it: on one line, without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def rows_of(table: Table) -> list[tuple[str, str, str]]:
    return sorted(
        (one_line(str(t.source.label)), one_line(str(t.event.label)), one_line(str(t.target.label)))
        for t in table.transitions
    )


def hostile() -> Table:
    """Every hostile text as a state and as an event."""
    texts = list(HOSTILE)
    pairs = zip(texts, texts[1:] + texts[:1], texts[2:] + texts[:2], strict=True)
    return drawn(texts, [(a, event, b) for a, event, b in pairs])


def spaced(rows: list[tuple[str, str, str]]) -> list[tuple[str, ...]]:
    """An empty label is a non-breaking space in Mermaid."""
    return sorted(tuple(text.replace("\xa0", "") for text in row) for row in rows)


@pytest.mark.parametrize("name", ALL)
def test_mermaid_says_the_table(name: str) -> None:
    read = read_mermaid(mermaid(ALL[name]))
    assert spaced(read.labelled()) == rows_of(ALL[name])
    assert len(read.states) == len(ALL[name].states)
    assert len(read.initial) == sum(state.initial for state in ALL[name].states.values())
    assert len(read.final) == len(ALL[name].terminal)


@pytest.mark.parametrize("name", ALL)
def test_dot_says_the_table(name: str) -> None:
    read = read_dot(dot(ALL[name]))
    assert sorted(read.labelled()) == rows_of(ALL[name])
    assert len(read.states) == len(ALL[name].states)


def test_no_label_breaks_out_of_mermaid() -> None:
    assert spaced(read_mermaid(mermaid(hostile())).labelled()) == rows_of(hostile())


def test_no_label_breaks_out_of_dot() -> None:
    assert sorted(read_dot(dot(hostile())).labelled()) == rows_of(hostile())


def test_no_label_breaks_out_of_svg() -> None:
    for standalone in (False, True):
        root = parsed(svg(hostile(), standalone=standalone))
        said = sorted(word(node).strip() for node in classed(root, "node"))
        assert said == sorted(one_line(text) for text in HOSTILE)


def test_several_models_share_one_document() -> None:
    in_mermaid, in_dot = read_mermaid(mermaid(Invoice, Door)), read_dot(dot(Invoice, Door))
    assert in_mermaid.groups == in_dot.groups == ["Invoice", "Door"]
    both = sorted(rows_of(Invoice.lifecycle) + rows_of(Door.lifecycle))
    assert sorted(in_mermaid.labelled()) == sorted(in_dot.labelled()) == both


def joined(rows: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """The rows that join two records."""
    return [row for row in rows if " fires " in row[1]]


def test_a_firing_on_another_record_is_drawn_to_it() -> None:
    wanted = [("Placed", "Place fires Activate", "Contract"), ("Done", "Finish fires End", "Contract")]
    assert joined(read_mermaid(mermaid(Order)).labelled()) == wanted
    assert joined(read_dot(dot(Order)).labelled()) == wanted
    assert dot(Order).count('style="dashed"') == 3  # the other record, and two edges
    assert "class x0 elsewhere" in mermaid(Order)


def test_where_both_are_drawn_the_firing_joins_them() -> None:
    wanted = [("Placed", "Place fires Activate", "Active"), ("Done", "Finish fires End", "Ended")]
    assert joined(read_dot(dot(Order, Contract)).labelled()) == wanted
    assert joined(read_mermaid(mermaid(Contract, Order)).labelled()) == [
        ("Order", "Place fires Activate", "Contract"),
        ("Order", "Finish fires End", "Contract"),
    ]


def test_a_firing_on_what_is_not_named_is_drawn_as_another_record() -> None:
    class Lifecycle:
        a = State("a", initial=True)
        b = State("b")
        go = Event(a, to=b, effects=[fires(lambda record: None, "wake_up")])
        back = Event(b, to=a, effects=[fires(lambda record: None, "sleep", model="no.SuchModel")])

    table = Table(Lifecycle)
    for read in (read_dot(dot(table)), read_mermaid(mermaid(table))):
        assert joined(read.labelled()) == [
            ("B", "Go fires Wake up", "another record"),
            ("A", "Back fires Sleep", "SuchModel"),
        ]


def test_an_svg_marks_the_event_and_says_what_it_fires() -> None:
    for options in ({}, {"narrow": True}, {"standalone": True}, {"direction": "TD"}):
        root = parsed(svg(Order, **options))
        said = " ".join(" ".join(texts(root)).split())
        assert "Place ↗" in said
        assert "↗ Place also fires “Activate” on Contract" in said
        assert "↗ Finish also fires “End” on Contract" in said
        wide, high = size(root)
        for text in root.iter(f"{SVG}text"):
            assert number(text, "y") <= high
            assert number(text, "x") + float(text.get("textLength", "0")) / 2 <= wide
    assert "Place also fires “Activate” on Contract." in svg(Order)
    assert "↗" not in svg(Contract)
    assert "↗" not in svg(Order, current="open")


def test_the_readers_are_strict() -> None:
    with pytest.raises(ValueError, match="Mermaid does not take"):
        read_mermaid('stateDiagram-v2\n    state "a"b" as s0\n')
    with pytest.raises(ValueError, match="Mermaid does not take"):
        read_mermaid("stateDiagram-v2\n    s0 --> s1 : a; b\n")
    with pytest.raises(ValueError, match="DOT does not take"):
        read_dot('digraph "x" { s0 [label="a"b"] ; }')
