"""The models of agents under one roof, for ``fsm_lifecycle.models``. Must not know what is done with them."""

from fsm_lifecycle.agents.event import AgentEvent
from fsm_lifecycle.agents.message import AgentMessage
from fsm_lifecycle.agents.proposal import Proposal
from fsm_lifecycle.agents.run import AgentRun
from fsm_lifecycle.agents.seen import SeenRecord
from fsm_lifecycle.agents.token import McpToken

__all__ = ["AgentEvent", "AgentMessage", "AgentRun", "McpToken", "Proposal", "SeenRecord"]
