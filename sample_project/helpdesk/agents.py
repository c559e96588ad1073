"""The agent of the help desk."""

from __future__ import annotations

from typing import Any

from django.db.models import Count

from fsm_lifecycle.agents import LifecycleAgent, tool
from fsm_lifecycle.models import AgentRun
from sample_project.helpdesk.models import Ticket


class TicketAgent(LifecycleAgent):
    """Sorts and moves tickets. Closing one is for people."""

    lifecycle = Ticket
    instructions = (
        "Keep tickets moving. Say which ticket you mean by its number. Resolve a ticket only with a solution that the "
        "user has given you."
    )
    events = (
        "assign_seriousness",
        "take_in_charge",
        "wait",
        "require_upgrade",
        "schedule_intervention",
        "create_anomaly",
        "resolve_anomaly",
        "resolve",
    )
    fields = ("label", "number", "opened_at", "product", "seriousness", "workgroup", "has_anomaly")
    # No event leads back to where a ticket was new, so the table takes these for risky. They are everyday work here.
    approval = {"assign_seriousness": "never", "take_in_charge": "never", "wait": "never"}
    examples = (
        "Which products have the most tickets in progress?",
        "Take the oldest new ticket in charge.",
        "Resolve the oldest ticket in progress: the print service was restarted.",
    )

    @tool
    def busiest_products(self, run: AgentRun, state: str = "in_progress") -> list[dict[str, Any]]:
        """The ten products with the most tickets in a state."""
        tickets = Ticket.objects.visible_to(run.user).in_state(state).order_by()
        counted = tickets.values_list("product").annotate(tickets=Count("pk")).order_by("-tickets", "product")
        return [{"product": product, "tickets": number} for product, number in counted[:10]]
