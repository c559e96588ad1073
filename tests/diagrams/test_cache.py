"""Layouts are made once, and never handed to a table that looks different."""

from collections.abc import Iterator
from threading import Barrier, Thread

import pytest

from fsm_lifecycle.definition import Event, State, Table
from fsm_lifecycle.diagrams import cache, svg
from fsm_lifecycle.diagrams.layout import Flow, Layout, lay_out
from fsm_lifecycle.diagrams.machine import Machine, extract
from fsm_lifecycle.diagrams.style import FULL, Style

from .cases import drawn
from .lifecycles import TABLES
from .rendering import classed, parsed, word

pytestmark = pytest.mark.pure


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The layouts computed so far; the cache begins empty and is left so."""
    found: list[str] = []

    def counted(machine: Machine, flow: Flow, style: Style) -> Layout:
        found.append(machine.title)
        return lay_out(machine, flow, style)

    cache.clear()
    monkeypatch.setattr(cache, "lay_out", counted)
    yield found
    cache.clear()


def small(label: str, tone: str = "active") -> Table:
    a, b = State("a", initial=True), State("b", label=label, tone=tone)  # type: ignore[arg-type]
    return Table(type("Lifecycle", (), {"a": a, "b": b, "go": Event(a, to=b)}))


def test_the_same_diagram_is_laid_out_once(made: list[str]) -> None:
    assert svg(TABLES["refund"], standalone=True) == svg(TABLES["refund"], standalone=True)
    assert len(made) == 1


def test_every_path_through_a_lifecycle_shares_a_layout(made: list[str]) -> None:
    svg(TABLES["refund"], current="requested")
    svg(
        TABLES["refund"],
        path=[("approve", "requested", "approved")],
        current="approved",
        possible=["process"],
    )
    assert len(made) == 1


def test_labels_count_though_the_fingerprint_leaves_them_out(made: list[str]) -> None:
    assert small("Open").fingerprint == small("Offen").fingerprint
    for label in ("Open", "Offen"):
        nodes = classed(parsed(svg(small(label))), "node")
        assert [word(node) for node in nodes] == ["A", label]
    assert len(made) == 2


def test_tones_count_though_the_fingerprint_leaves_them_out(made: list[str]) -> None:
    for tone in ("wait", "alert"):
        assert len(classed(parsed(svg(small("B", tone))), "node", f"t-{tone}")) == 1


def test_it_does_not_grow_without_end(made: list[str]) -> None:
    for i in range(cache.SIZE + 20):
        cache.layout(extract(drawn(["A", f"B{i}"], [("A", "go", f"B{i}")])), "TD", FULL)
    assert len(cache._kept) == cache.SIZE
    assert cache._making == {}


def test_threads_wait_for_the_first_of_them(made: list[str]) -> None:
    machine = extract(TABLES["loan"])
    start, got = Barrier(6), []

    def ask() -> None:
        start.wait()
        got.append(cache.layout(machine, "TD", FULL))

    threads = [Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len({id(layout) for layout in got}) == 1


def test_a_layout_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*of: object) -> Layout:
        raise MemoryError

    cache.clear()
    monkeypatch.setattr(cache, "lay_out", fails)
    with pytest.raises(MemoryError):
        cache.layout(extract(TABLES["refund"]), "TD", FULL)
    assert cache._making == {}
