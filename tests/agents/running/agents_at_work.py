"""Owns the agent of the tests in which processes die. It is declared where it is imported, in every process alike."""

from fsm_lifecycle.agents.budget import Budget
from fsm_lifecycle.agents.declaring import LifecycleAgent
from sample_project.billing.models import Invoice
from tests.agents.running.conftest import MODEL, NEVER


class Mortal(LifecycleAgent, register=False):
    lifecycle = Invoice
    key = "tests.mortal"
    model = MODEL
    approval = NEVER
    budget = Budget(turns=60, tokens=1_000_000)
