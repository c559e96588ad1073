"""Owns what a model's tokens cost, by ``AGENT_PRICES``. Must not know how many were used."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_UP, Decimal, InvalidOperation
from typing import Final

from fsm_lifecycle import conf

_MILLION: Final = Decimal(1_000_000)
_CENT_OF_A_CENT: Final = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal

    def of(self, input_tokens: int, output_tokens: int) -> Decimal:
        """What so many tokens cost, rounded up to the millionth of a dollar."""
        cost = (input_tokens * self.input + output_tokens * self.output) / _MILLION
        return cost.quantize(_CENT_OF_A_CENT, rounding=ROUND_UP)

    def output_for(self, dollars: Decimal) -> int | None:
        """How many tokens of output these dollars buy; ``None``: any number."""
        if self.output <= 0:
            return None
        return max(0, int(dollars * _MILLION / self.output))


def price_of(model: str) -> Price | None:
    """The price of a provider's model, by its whole name (``anthropic/claude-sonnet-5-5``) or the model's alone."""
    prices = conf.agent_prices()
    _, _, rest = model.partition("/")
    for name in (model, rest, rest.partition("@http")[0]):
        if name and name in prices:
            return _price(prices[name])
    return None


def _price(given: object) -> Price | None:
    if not isinstance(given, dict):
        return None
    try:
        found = Price(Decimal(str(given["input"])), Decimal(str(given["output"])))
    except (KeyError, InvalidOperation):
        return None
    finite = found.input.is_finite() and found.output.is_finite()
    return found if finite and found.input >= 0 and found.output >= 0 else None
