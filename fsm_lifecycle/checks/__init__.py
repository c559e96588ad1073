"""System checks, one module for each subject. Must not mend anything."""

from __future__ import annotations

from django.core.checks import Tags, register

from fsm_lifecycle.checks.ledger import check_ledger, check_origin, check_protection
from fsm_lifecycle.checks.lifecycles import check_lifecycles, model_defects
from fsm_lifecycle.checks.project import check_project

__all__ = [
    "check_ledger",
    "check_lifecycles",
    "check_origin",
    "check_project",
    "check_protection",
    "model_defects",
    "register_all",
]


def register_all() -> None:
    """Register the checks. Called once, by ``AppConfig.ready``."""
    register(check_lifecycles, "fsm_lifecycle")
    register(check_project, "fsm_lifecycle")
    register(check_ledger, "fsm_lifecycle")
    register(check_origin, "fsm_lifecycle", deploy=True)
    register(check_protection, Tags.database)
