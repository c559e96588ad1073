"""`make test`: what cannot run is named, and fails where CI asks for everything."""

import socket
import sys
from collections.abc import Iterator

import pytest

from tests.browser import chromium
from tests.everything import Everything, missing

pytestmark = pytest.mark.once


@pytest.fixture
def closed_port() -> Iterator[str]:
    """A port on which nothing listens, and nobody else can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield str(taken.getsockname()[1])


def test_a_server_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, closed_port: str) -> None:
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", closed_port)
    assert missing("postgres") == f"nothing answers on 127.0.0.1:{closed_port}"


def test_a_browser_is_looked_for_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    assert chromium.executable() is None
    monkeypatch.setenv("CHROMIUM", sys.executable)
    assert chromium.executable() == sys.executable


def test_what_is_left_out_is_told_and_passes_on_a_developers_machine(
    capfd: pytest.CaptureFixture[str],
) -> None:
    everything = Everything(strict=False)
    everything.leave_out("pytest on MariaDB", "nothing answers", needed=True)
    everything.summarise()
    assert everything.failed == []
    assert "left out pytest on MariaDB: nothing answers" in capfd.readouterr().out


def test_what_is_left_out_fails_in_ci() -> None:
    everything = Everything(strict=True)
    everything.leave_out("pytest on MariaDB", "nothing answers", needed=True)
    assert everything.failed == ["pytest on MariaDB"]


def test_what_no_machine_needs_may_be_left_out_in_ci() -> None:
    everything = Everything(strict=True)
    everything.leave_out("pytest on a newer Python", "no command for it", needed=False)
    assert everything.failed == []


def test_a_part_that_fails_does_not_stop_the_others(capfd: pytest.CaptureFixture[str]) -> None:
    everything = Everything(strict=True)
    assert not everything.run("first", [sys.executable, "-c", "raise SystemExit(1)"])
    assert everything.run("second", [sys.executable, "-c", "print('it ran')"])
    assert everything.failed == ["first"]
    assert "it ran" in capfd.readouterr().out
