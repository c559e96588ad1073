"""The benchmarks run from beginning to end and write their page. Says nothing about how fast anything is."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.timeout(900)]

# The peers come with the `bench` extra, which nothing else needs.
for peer in ("django_fsm_log", "statemachine", "viewflow"):
    if find_spec(peer) is None:
        pytest.skip(f"{peer} is not installed: pip install fsm-lifecycle[bench]", allow_module_level=True)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=840,
    )


def test_a_quick_run_on_sqlite_measures_every_section_and_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    finished = run("--database", "sqlite", "--quick", "--rounds", "1", "--write", str(page))
    assert finished.returncode == 0, finished.stderr
    written = page.read_text(encoding="utf-8")
    for heading in (
        "## Machine",
        "## Targets",
        "## A transition on SQLite",
        "## Asking what may happen",
        "## Loading",
        "## 100 records at once",
        "## 8 processes racing for one record",
        "## Which records a user may see, on SQLite",
        "## A page of 50 records with their events",
        "## A user with 300 grants on records",
        "## A transition with roles",
        "## Delivering 50 webhooks",
        "## 60 timers that are due at once",
        "## Requests to the REST API",
        "## What the guard of states costs",
        "## What the chain costs 8 processes that write",
        "## Sealing 200 entries",
        "## Verifying them",
        "## Proving one of 20,100 entries",
        "## Reading a log of 20,100 entries on SQLite",
    ):
        assert heading in written
    assert written in finished.stdout


def test_every_race_has_one_winner_and_one_log_row_and_no_error(tmp_path: Path) -> None:
    finished = run("--database", "sqlite", "--quick", "--only", "racing")
    assert finished.returncode == 0, finished.stderr
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in finished.stdout.splitlines()
        if line.startswith("| SQLite, ")
    ]
    assert [row[0] for row in rows] == ["SQLite, fire()", "SQLite, hand-written ORM"]
    for _, records, winners, log_rows, refused, errors, _ in rows:
        assert records == winners == log_rows == "3"
        assert refused == "21"
        assert errors == "0"


def test_what_roles_may_add_in_statements_is_counted_and_kept() -> None:
    finished = run("--database", "sqlite", "--quick", "--only", "access")
    assert finished.returncode == 0, finished.stderr
    verdicts = {
        cells[0]: cells[1:]
        for line in finished.stdout.splitlines()
        if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 5
    }
    for target, limit in (
        ("visible_to(): the most statements", "1"),
        ("permission queries of a page of 50: available_events() of each", "2"),
        ("permission queries of a page of 50: the same in a request", "2"),
        ("fire(), a role on the model: statements more than without", "2"),
        ("fire(), a role on the record: statements more than without", "2"),
    ):
        where, at_most, _, verdict = verdicts[target]
        assert (where, at_most, verdict) == ("SQLite", limit, "met")


def test_an_unknown_database_is_refused_by_name() -> None:
    finished = run("--database", "oracle")
    assert finished.returncode == 2
    assert "oracle is not among sqlite, postgres" in finished.stderr
