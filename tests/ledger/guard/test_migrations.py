"""Migrations of a host project: the protection steps aside, comes back, and never stands where it does not fit."""

from __future__ import annotations

import pytest

from tests.ledger.guard.shopping import Shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

EMPTY = {"unrelated": "passes", "log": "passes"}
GUARDED = {"unrelated": "passes", "illegal": "refused", "log": "refused"}


def test_a_model_gains_a_lifecycle(shop: Shop) -> None:
    """Where the package is migrated alone, the code is ahead of the shop's table for a while."""
    plain = shop.steps("plain", "migrate fsm_lifecycle", "migrate shop 0001", "make", "look", "missing")
    assert plain == ["done", "done", "passes", EMPTY, []]
    ahead = shop.steps(
        "guarded", "migrate fsm_lifecycle", "look", "migrate shop 0002", "make", "look", "missing"
    )
    assert ahead == ["done", EMPTY, "done", "passes", GUARDED, []]
    back = shop.steps("guarded", "migrate shop 0001", "look", "migrate shop 0002", "make", "look", "missing")
    assert back == ["done", {**EMPTY, "log": "refused"}, "done", "passes", GUARDED, []]


def test_a_guarded_table_is_changed_renamed_and_removed(shop: Shop) -> None:
    """Columns altered and added (SQLite rebuilds the table), the state's column, the model and the table renamed."""
    first = shop.steps("guarded", "migrate fsm_lifecycle", "migrate shop 0002", "make", "look", "missing")
    assert first == ["done", "done", "passes", GUARDED, []]
    titled = shop.steps("titled", "migrate shop 0003", "look", "make", "fire close", "missing", "outdated")
    assert titled == ["done", GUARDED, "passes", "passes", [], []]
    column = shop.steps(
        "renamed column", "migrate fsm_lifecycle", "migrate shop 0004", "look", "make", "missing"
    )
    assert column == ["done", "done", GUARDED, "passes", []]
    behind = shop.steps(
        "renamed column",
        "migrate shop 0003",
        "look",
        "migrate shop 0004",
        "look",
        "fire close",
        "missing",
        "outdated",
    )
    assert behind[0] == "done"
    assert behind[1] == {"unrelated": "passes", "illegal": "passes", "log": "refused"}
    assert behind[2:] == ["done", GUARDED, "passes", [], []]
    model = shop.steps("renamed model", "migrate shop 0005", "look", "make", "fire close", "missing", "ours")
    assert model[:5] == ["done", GUARDED, "passes", "passes", []]
    assert "shop_ticket" not in model[5]
    table = shop.steps(
        "renamed table", "migrate shop 0006", "look", "make", "fire close", "missing", "outdated"
    )
    assert table == ["done", GUARDED, "passes", "passes", [], []]
    gone = shop.steps("removed", "migrate shop 0007", "look", "missing", "ours")
    assert gone[:3] == ["done", {"log": "refused"}, []]
    assert not [name for name in gone[3] if name.lower().startswith("shop")]


def test_everything_is_taken_back_and_done_again(shop: Shop) -> None:
    start = ["migrate fsm_lifecycle", "migrate shop 0003", "make", "fire close", "look", "missing"]
    first = shop.steps("titled", *start, "command sqlflush", "migrate shop zero", "look", "ours", *start[1:])
    assert first[:6] == ["done", "done", "passes", "passes", GUARDED, []]
    assert "fsm_lifecycle_transitionlog" in first[6]
    assert first[7:9] == ["done", {"log": "refused"}]
    assert "shop_ticket" not in first[9]
    assert first[10:] == ["done", "passes", "passes", GUARDED, []]
    without = shop.steps("titled", "migrate fsm_lifecycle zero", "ours", "look")
    assert without[0] == "done"
    assert not [name for name in without[1] if name.startswith("fsm_lifecycle")]
    assert without[2]["unrelated"] == "passes"
    again = shop.steps("titled", "migrate fsm_lifecycle 0003", *start)
    assert again == ["done", "done", "done", "passes", "passes", GUARDED, []]


def test_tables_made_without_migrations_are_guarded(shop: Shop) -> None:
    steps = ["migrate --run-syncdb", "make", "fire close", "look", "missing"]
    made = shop.steps("titled", *steps, SHOP_WITHOUT_MIGRATIONS="1")
    assert made == ["done", "passes", "passes", GUARDED, []]


def test_programs_of_the_old_table_go_on_while_a_rollout_runs(shop: Shop) -> None:
    """The new table has an event less; whether or not the deployment also brings a migration."""
    start = shop.steps(
        "guarded", "migrate fsm_lifecycle", "migrate shop 0002", "make", "fire close", "raw open"
    )
    assert start == ["done", "done", "passes", "passes", "passes"]
    shop.steps("guarded", "raw closed")
    rollout = shop.steps(
        "one way", "migrate shop 0003", "raw open", "raw closed", "look", "missing", "outdated"
    )
    assert rollout[:5] == ["done", "passes", "passes", GUARDED, []]
    assert "closed → open" in rollout[5][0]
    assert shop.steps("one way", "migrate shop 0003", "raw open", "raw closed") == [
        "done",
        "passes",
        "passes",
    ]
