"""Whatever a server sends, a provider gives a whole message or says that there is none."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fsm_lifecycle.agents.providers import ModelFailure, Reply, provider_for
from tests.agents.test_providers_anthropic import NAME, asked
from tests.fakes import FakeAnthropic, Turn, calls

pytestmark = [pytest.mark.pure, pytest.mark.once]

GIVEN = {"id": "17", "expected_state": "sent", "reason": "They went out of business."}
WANTED = calls("cancel_invoice", GIVEN, saying="I cancel it now, as you asked me to do.")


class Garbling(FakeAnthropic):
    """Sends the frames of a turn in the order, and as often, as it is told."""

    def __init__(self, **more: Any) -> None:
        super().__init__(think=lambda body: WANTED, **more)
        self.order: list[int] = []
        self.cuts: dict[int, int] = {}

    def frames(self, turn: Turn, body: dict[str, Any], size: int) -> Iterator[bytes]:
        whole = list(super().frames(turn, body, size))
        for place in self.order:
            frame = whole[place % len(whole)]
            if place in self.cuts:
                frame = frame[: -(self.cuts[place] % len(frame)) or None] + b"\n\n"
            yield frame


@pytest.fixture(scope="module")
def garbling() -> Iterator[Garbling]:
    with Garbling() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment().items():
            patch.setenv(name, value)
        yield server


COUNT = len(list(FakeAnthropic().frames(WANTED, {"model": "claude-x", "max_tokens": 9}, 1)))
PLACES = st.integers(0, COUNT - 1)


def disturbed(draw: Any) -> list[int]:
    order = list(range(COUNT))
    for kind, first, second in draw(st.lists(st.tuples(st.sampled_from("dxs"), PLACES, PLACES), max_size=4)):
        if kind == "d" and order:
            order.pop(first % len(order))
        elif kind == "x":
            order.insert(second, first)
        elif order:
            one, other = first % len(order), second % len(order)
            order[one], order[other] = order[other], order[one]
    return order


@given(data=st.data(), cuts=st.dictionaries(PLACES, st.integers(1, 60), max_size=2))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_frames_lost_repeated_swapped_or_cut_never_make_another_call(
    garbling: Garbling, data: Any, cuts: dict[int, int]
) -> None:
    garbling.order, garbling.cuts = disturbed(data.draw), cuts
    try:
        *_, reply = provider_for(NAME).stream(asked(seconds=5.0))
    except ModelFailure:
        return
    assert isinstance(reply, Reply)
    for block in reply.content:
        assert block["type"] in ("text", "tool_use")
        if block["type"] == "tool_use" and reply.stop_reason == "tool_use":
            assert set(block["input"]) <= set(GIVEN)
            assert block["name"] == "cancel_invoice"


def test_undisturbed_it_is_the_message_that_was_meant(garbling: Garbling) -> None:
    garbling.order, garbling.cuts = list(range(COUNT)), {}
    *_, reply = provider_for(NAME).stream(asked())
    assert isinstance(reply, Reply)
    assert reply.content[1]["input"] == GIVEN
