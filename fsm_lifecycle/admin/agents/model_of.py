"""Owns what is said of an agent's language model: which it is, whether it has its key, and whether it is one at all.

Must not show a key.
"""

from __future__ import annotations

from dataclasses import dataclass

from fsm_lifecycle import conf
from fsm_lifecycle.admin.section.in_force import SET, model_told
from fsm_lifecycle.agents.profile import Profile
from fsm_lifecycle.agents.providers import key_of
from fsm_lifecycle.agents.runs import shown


@dataclass(frozen=True, slots=True)
class Model:
    """A language model as people are told of it."""

    name: str
    """As rows keep it: ``anthropic/claude-sonnet-5-5``."""
    provider: str
    model: str
    present: bool
    """Whether it has the key that it needs."""
    where: str
    """Where its key was found, or what to set."""
    scripted: bool
    """Whether it is a script, and no model."""
    enabled: bool
    """Whether agents are switched on."""

    @property
    def works(self) -> bool:
        """Whether a message can be answered at all."""
        return self.present and self.enabled


def model_of(profile: Profile) -> Model:
    """The language model of an agent."""
    given = profile.language_model if isinstance(profile.language_model, str) else ""
    name = model_told(shown(given))
    key = key_of(given)
    provider, _, model = name.partition("/")
    return Model(
        name=name,
        provider=provider,
        model=model or name,
        present=key.present,
        where=key.where if key.present or name != SET else "AGENT_MODEL names no provider.",
        scripted=provider == "scripted",
        enabled=conf.agents_enabled(),
    )
