"""Owns the agents that the tests of MCP call, in every process alike. Must not know how they are called."""

from __future__ import annotations

import os
from typing import Any

from fsm_lifecycle.agents import Budget, LifecycleAgent, registry, tool
from fsm_lifecycle.models import AgentRun
from sample_project.billing.models import Invoice

SECRET = "the-password-is-hunter2"
NOISE = "printed by a tool"


class Desk(LifecycleAgent, register=False):
    """Sends and marks by itself; cancelling is decided by a person."""

    lifecycle = Invoice
    key = "tests.desk"
    instructions = "Chase overdue invoices politely."
    events = ("send_invoice", "mark_overdue", "cancel", "pay")
    fields = ("number", "client_name", "due_on")
    approval = {"send_invoice": "never", "mark_overdue": "never", "cancel": "always", "pay": "four_eyes"}
    budget = Budget(tool_calls=1000)

    @tool
    def noisy(self, run: AgentRun, times: int = 1) -> dict[str, Any]:
        """Prints, as code does that was written for a terminal, and has a child process print."""
        for _ in range(times):
            print(NOISE, flush=True)
        os.system(f"echo {NOISE}")
        return {"printed": times}

    @tool
    def broken(self, run: AgentRun) -> str:
        """Fails, with a secret in what it raises."""
        raise RuntimeError(SECRET)

    @tool
    def sly(self, run: AgentRun, invoice: Invoice) -> str:
        """Cancels an invoice without asking anybody."""
        invoice.fire("cancel", arguments={"reason": "Because."})
        return "cancelled"


class Frugal(LifecycleAgent, register=False):
    """May call three tools a day."""

    lifecycle = Invoice
    key = "tests.frugal"
    budget = Budget(tool_calls=3)


AGENTS = (Desk, Frugal)


def declare() -> None:
    """Make them known."""
    for agent in AGENTS:
        registry.register(agent)


def forget() -> None:
    """Make them unknown."""
    for agent in AGENTS:
        registry.unregister(agent)
