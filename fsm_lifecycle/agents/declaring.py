"""Owns how an agent is declared: ``class InvoiceAgent(LifecycleAgent)``. Must not know how an agent works."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from fsm_lifecycle.agents.budget import Budget

if TYPE_CHECKING:
    from fsm_lifecycle.agents.run import AgentRun


class LifecycleAgent:
    """An agent. Put subclasses into ``agents.py`` of an app, where they are found by themselves.

    The class says what the agent is; it is never asked to decide anything: the engine does.
    """

    lifecycle: ClassVar[Any] = ()
    """The model with the lifecycle it works on, or several."""
    key: ClassVar[str] = ""
    """How tokens, runs and the log call it; by default from app and class: ``billing.invoice_agent``."""
    label: ClassVar[str] = ""
    """How people call it; by default the class's name in words."""
    model: ClassVar[str] = ""
    """The language model; by default ``FSM_LIFECYCLE["AGENT_MODEL"]``."""
    instructions: ClassVar[str] = ""
    """What the model is told beside what the table says."""
    events: ClassVar[Sequence[Any] | None] = None
    """The events it may fire, by name or ``Event``; ``None`` for all that its user may."""
    fields: ClassVar[Sequence[str] | None] = None
    """The fields it may read, beside id and state; ``"label"`` is the record's text. ``None``: the label alone."""
    approval: ClassVar[Mapping[Any, str]] = {}
    """By event: ``never``, ``always`` or ``four_eyes``. What is not named goes by its risk."""
    budget: ClassVar[Budget] = Budget()
    examples: ClassVar[Sequence[str]] = ()
    """Prompts that the chat offers to begin with."""

    @classmethod
    def run(cls, prompt: str, *, user: Any) -> AgentRun:
        """Run in this process until the agent has answered, has to stop, or waits for a person.

        What became of it is in the run's ``status``, ``stop_reason`` and ``answer``. Raises ``ValueError`` for an empty
        prompt and ``ActorRequired`` where ``user`` is no saved user.
        """
        from fsm_lifecycle.agents.runs import run_to_the_end

        return run_to_the_end(cls, prompt, user=user)

    def __init_subclass__(cls, register: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if register and cls.lifecycle not in ((), None):
            from fsm_lifecycle.agents import registry

            registry.register(cls)


def snake(name: str) -> str:
    """``InvoiceAgent`` → ``invoice_agent``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
