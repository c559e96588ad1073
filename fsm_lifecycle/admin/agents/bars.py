"""Owns how far a run has used up its budget, as bars. Must not know how it is counted."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from fsm_lifecycle import conf
from fsm_lifecycle.agents.budget import Budget
from fsm_lifecycle.agents.loop.accounting import used_today
from fsm_lifecycle.agents.profile import Profile
from fsm_lifecycle.agents.run import AgentRun

#: From this share on a bar turns amber.
AMBER: Final = 80


@dataclass(frozen=True, slots=True)
class Bar:
    """One limit."""

    label: str
    words: str
    """``168,400 of 200,000``."""
    share: str | None
    """Of 100, for the drawing; ``None`` where there is no limit."""
    tone: str
    """``accent``, or ``wait`` when little is left."""


def bars(profile: Profile, run: AgentRun | None) -> list[Bar]:
    """The bars of an agent's budget, for a run or before there is one."""
    budget = profile.budget
    used = run or AgentRun()
    found = [
        _bar("Turns", used.turns, budget.turns),
        _bar("Tool calls", used.tool_calls, budget.tool_calls),
        _bar("Tokens", used.tokens, budget.tokens),
    ]
    if budget.cost is not None:
        cost = Decimal(budget.cost)
        found.append(_drawn("Cost", f"{used.cost:.2f} of {cost:.2f}", float(used.cost), float(cost)))
    if budget.seconds is None:
        found.append(Bar("Time", f"{_clock(used.seconds)}, no limit", None, "accent"))
    else:
        words = f"{_clock(used.seconds)} of {_clock(budget.seconds)}"
        found.append(_drawn("Time", words, used.seconds, budget.seconds))
    daily = conf.agent_user_daily_tokens()
    if daily is not None and run is not None:
        found.append(_bar("Your tokens today", used_today(run), daily))
    return found


def in_words(budget: Budget) -> str:
    """``20 turns, 60 calls, 200,000 tokens, 2.00 dollars, 5:00 min``."""
    parts = [
        f"{number:,} {word}"
        for number, word in (
            (budget.turns, "turns"),
            (budget.tool_calls, "calls"),
            (budget.tokens, "tokens"),
        )
        if number is not None
    ]
    if budget.cost is not None:
        parts.append(f"{Decimal(budget.cost):.2f} dollars")
    if budget.seconds is not None:
        parts.append(f"{_clock(budget.seconds)} min")
    return ", ".join(parts) or "no limit"


def _bar(label: str, used: int, limit: int | None) -> Bar:
    if limit is None:
        return Bar(label, f"{used:,}, no limit", None, "accent")
    return _drawn(label, f"{used:,} of {limit:,}", used, limit)


def _drawn(label: str, words: str, used: float, limit: float) -> Bar:
    share = min(100.0, 100 * used / limit) if limit else 100.0
    return Bar(label, words, f"{share:.1f}", "wait" if share >= AMBER else "accent")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"
