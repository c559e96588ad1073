"""System checks, one module for each subject. Must not mend anything."""

from __future__ import annotations

from django.core.checks import Tags, register

from fsm_lifecycle.checks.agents import agent_defects, check_agents
from fsm_lifecycle.checks.api import check_api
from fsm_lifecycle.checks.ledger import check_ledger, check_origin, check_protection
from fsm_lifecycle.checks.lifecycles import check_lifecycles, model_defects
from fsm_lifecycle.checks.mcp import check_mcp, check_mcp_deployed
from fsm_lifecycle.checks.project import check_project
from fsm_lifecycle.checks.webhooks import check_webhooks, check_webhooks_deployed

__all__ = [
    "agent_defects",
    "check_agents",
    "check_api",
    "check_ledger",
    "check_lifecycles",
    "check_mcp",
    "check_mcp_deployed",
    "check_origin",
    "check_project",
    "check_protection",
    "check_webhooks",
    "check_webhooks_deployed",
    "model_defects",
    "register_all",
]


def register_all() -> None:
    """Register the checks. Called once, by ``AppConfig.ready``."""
    register(check_lifecycles, "fsm_lifecycle")
    register(check_agents, "fsm_lifecycle")
    register(check_project, "fsm_lifecycle")
    register(check_ledger, "fsm_lifecycle")
    register(check_webhooks, "fsm_lifecycle")
    register(check_api, "fsm_lifecycle")
    register(check_mcp, "fsm_lifecycle")
    register(check_origin, "fsm_lifecycle", deploy=True)
    register(check_webhooks_deployed, "fsm_lifecycle", deploy=True)
    register(check_mcp_deployed, "fsm_lifecycle", deploy=True)
    register(check_protection, Tags.database)
