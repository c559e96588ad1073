"""Whatever was left behind by runs that were stopped, what a model is sent is a conversation that its API takes."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fsm_lifecycle.agents.loop.conversation import mended
from tests.fakes.anthropic_api import faults_of_messages

pytestmark = [pytest.mark.pure, pytest.mark.once]

TEXT = {"type": "text", "text": "word"}


def a_run(calls: int, answered: int, ends: str) -> list[tuple[str, list[Any]]]:
    """The rows of a run with one message of so many calls, of which so many were answered."""
    names = [f"toolu_{n}" for n in range(calls)]
    rows: list[tuple[str, list[Any]]] = [("user", [TEXT])]
    if ends == "prompt":
        return rows
    rows.append(
        ("assistant", [TEXT, *({"type": "tool_use", "id": n, "name": "x", "input": {}} for n in names)])
    )
    if ends == "call":
        return rows
    if names:
        done = names[: max(1, answered)]
        rows.append(("user", [{"type": "tool_result", "tool_use_id": n, "content": "{}"} for n in done]))
    if ends == "answer":
        rows.append(("assistant", [TEXT]))
    return rows


RUNS = st.builds(
    a_run,
    calls=st.integers(0, 3),
    answered=st.integers(0, 3),
    ends=st.sampled_from(["prompt", "call", "results", "answer"]),
)


@given(st.lists(RUNS, max_size=5))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_conversation_that_goes_on_is_always_whole(runs: list[list[tuple[str, list[Any]]]]) -> None:
    talk = mended([row for run in runs for row in run] + [("user", [TEXT])])
    assert list(faults_of_messages(talk)) == []
    roles = [message["role"] for message in talk]
    assert all(one != other for one, other in itertools.pairwise(roles))
    assert sum(block["type"] == "text" for message in talk for block in message["content"]) == 1 + sum(
        block["type"] == "text" for run in runs for _, content in run for block in content
    )


def test_rows_are_not_changed_by_being_sent() -> None:
    rows: list[tuple[str, list[Any]]] = [("user", [TEXT]), ("user", [TEXT])]
    assert len(mended(rows)[0]["content"]) == 2
    assert rows == [("user", [TEXT]), ("user", [TEXT])]
