"""Snapshot policies: how they are written, and what is refused."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from fsm_lifecycle import Snapshot

pytestmark = pytest.mark.pure


def test_each_policy_has_its_reason_and_fields() -> None:
    day = timedelta(days=1)
    assert Snapshot.every("x", "y") == Snapshot("every", ("x", "y"))
    assert Snapshot.every_nth(3, "x") == Snapshot("nth", ("x",), n=3)
    assert Snapshot.interval(day, "x") == Snapshot("interval", ("x",), period=day)
    assert Snapshot.terminal("x") == Snapshot("terminal", ("x",))
    assert Snapshot.manual("x") == Snapshot("manual", ("x",))


@pytest.mark.parametrize(
    "policy",
    [
        Snapshot.every(),
        Snapshot.every_nth(1),
        Snapshot.interval(timedelta(1)),
        Snapshot.terminal(),
        Snapshot.manual(),
    ],
)
def test_no_fields_stand_for_all_of_them(policy: Snapshot) -> None:
    assert policy.fields == ()


@pytest.mark.parametrize("n", [0, -1, 1.5, "3", None, True])
def test_every_nth_wants_a_whole_number_from_one(n: Any) -> None:
    with pytest.raises(ValueError, match=r"every_nth\(.*\): n must be a whole number from 1"):
        Snapshot.every_nth(n)


@pytest.mark.parametrize("period", [timedelta(0), timedelta(-1), 60, None, "1 day"])
def test_an_interval_wants_a_positive_timedelta(period: Any) -> None:
    with pytest.raises(ValueError, match=r"interval\(.*\): the period must be a positive timedelta"):
        Snapshot.interval(period)


def test_a_policy_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Snapshot.every().fields = ("x",)  # type: ignore[misc]
