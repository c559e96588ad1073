"""A ticket and its lifecycle."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models

from fsm_lifecycle import CRUD, Event, Firing, Retention, Role, Snapshot, State, effect, guard
from fsm_lifecycle.models import LifecycleModel
from sample_project.helpdesk.forms import ReopenForm, SeriousnessForm, SolutionForm, WaitForm


def person(actor: Any) -> Any:
    """Who acts: the user, also behind an agent."""
    return getattr(actor, "user", actor)


@guard("You have this ticket in charge already.", label="Comes from somebody else")
def is_a_handover(ticket: Ticket, firing: Firing) -> bool:
    # Only a ticket in progress is handed over; one that waits or was resolved may be taken up again by anybody.
    if firing.source != Ticket.Lifecycle.in_progress or ticket.assignee_id is None:
        return True
    return ticket.assignee_id != getattr(person(firing.actor), "pk", None)


@guard("Assign a seriousness first: development works by it.")
def has_seriousness(ticket: Ticket) -> bool:
    return ticket.seriousness is not None


@guard("No software anomaly was created for this ticket.")
def has_anomaly(ticket: Ticket) -> bool:
    return ticket.has_anomaly


@effect("Puts down who has it in charge")
def note_assignee(ticket: Ticket, firing: Firing) -> None:
    who = person(firing.actor)
    ticket.assignee = who if isinstance(who, get_user_model()) else None
    ticket.save(update_fields=["assignee"])


@effect("Puts down that there is an anomaly")
def note_anomaly(ticket: Ticket, firing: Firing) -> None:
    if not ticket.has_anomaly:
        ticket.has_anomaly = True
        ticket.save(update_fields=["has_anomaly"])


class Ticket(LifecycleModel):
    """One request of a customer. The codes are those of the anonymised log."""

    number = models.PositiveIntegerField(unique=True)
    opened_at = models.DateTimeField(db_index=True)
    customer = models.CharField(max_length=40)
    product = models.CharField(max_length=40)
    seriousness = models.PositiveSmallIntegerField(null=True, blank=True)
    service_level = models.PositiveSmallIntegerField()
    service_type = models.PositiveSmallIntegerField()
    workgroup = models.CharField(max_length=40)
    responsible_section = models.PositiveSmallIntegerField()
    support_section = models.PositiveSmallIntegerField()
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="tickets"
    )
    has_anomaly = models.BooleanField("software anomaly", default=False)

    class Meta:
        ordering = ["-opened_at", "-number"]

    def __str__(self) -> str:
        return f"Ticket {self.number}"

    class Lifecycle:
        new = State(
            "new",
            initial=True,
            stuck_after=timedelta(days=1),
            description="It has arrived. Nobody has looked at it.",
        )
        classified = State(
            "classified",
            stuck_after=timedelta(days=3),
            description="Its seriousness is known. Nobody has it in charge.",
        )
        in_progress = State("in_progress", description="Somebody has it in charge and works on it.")
        waiting = State(
            "waiting",
            tone="wait",
            stuck_after=timedelta(days=14),
            description="The next move is the customer's.",
        )
        upgrade_required = State(
            "upgrade_required",
            tone="wait",
            stuck_after=timedelta(days=30),
            description="A newer version of the product solves it. The customer has to install it.",
        )
        intervention_planned = State(
            "intervention_planned",
            tone="wait",
            stuck_after=timedelta(days=30),
            description="Somebody will visit the customer.",
        )
        anomaly = State(
            "anomaly",
            tone="alert",
            stuck_after=timedelta(days=30),
            description="The product is at fault. Development has it.",
        )
        resolved = State(
            "resolved",
            tone="done",
            stuck_after=timedelta(days=30),
            description="There is a solution. The customer may still object.",
        )
        closed = State("closed", tone="stop", terminal=True, description="Nobody objected to the solution.")

        insert = Event(
            new,
            to=new,
            label="Insert ticket",
            description="Types in a request that came by telephone.",
        )
        assign_seriousness = Event(
            new,
            classified,
            to=classified,
            arguments=SeriousnessForm,
            stores=["seriousness"],
            description="Says how serious it is. May be corrected until somebody takes the ticket in charge.",
        )
        take_in_charge = Event(
            new,
            classified,
            in_progress,
            waiting,
            upgrade_required,
            intervention_planned,
            anomaly,
            resolved,
            to=in_progress,
            guards=[is_a_handover],
            effects=[note_assignee],
            description="Takes it, takes it over from somebody else, or takes it up again when the customer objects.",
        )
        wait = Event(
            classified,
            in_progress,
            waiting,
            upgrade_required,
            intervention_planned,
            to=waiting,
            arguments=WaitForm,
            description="Asks the customer something, or asks once more.",
        )
        require_upgrade = Event(
            in_progress,
            waiting,
            anomaly,
            to=upgrade_required,
            description="Tells the customer which version to install.",
        )
        schedule_intervention = Event(
            in_progress, waiting, to=intervention_planned, description="Agrees on a visit with the customer."
        )
        create_anomaly = Event(
            in_progress,
            waiting,
            upgrade_required,
            to=anomaly,
            guards=[has_seriousness],
            effects=[note_anomaly],
            label="Create SW anomaly",
            description="Hands the fault to development.",
        )
        resolve_anomaly = Event(
            anomaly,
            to=in_progress,
            label="Resolve SW anomaly",
            description="Development has mended the fault. The customer still has to be helped.",
        )
        resolve = Event(
            classified,
            in_progress,
            waiting,
            upgrade_required,
            intervention_planned,
            anomaly,
            to=resolved,
            arguments=SolutionForm,
            description="Gives the customer the solution.",
        )
        mark_fixed = Event(
            anomaly,
            resolved,
            to=resolved,
            guards=[has_anomaly],
            description="Development: the anomaly is mended.",
        )
        mark_verified = Event(
            anomaly,
            resolved,
            to=resolved,
            guards=[has_anomaly],
            not_by=[mark_fixed],
            description="Development: the mending was tested, by somebody else than who mended it.",
        )
        mark_invalid = Event(
            anomaly,
            resolved,
            to=resolved,
            guards=[has_anomaly],
            description="Development: this is not a fault.",
        )
        mark_duplicate = Event(
            anomaly,
            resolved,
            to=resolved,
            guards=[has_anomaly],
            description="Development: this fault is known.",
        )
        close = Event(
            resolved,
            to=closed,
            after=timedelta(days=30),
            description="Ends it. The customer has had time to object: after 30 days it ends by itself.",
        )
        reopen = Event(
            closed,
            to=in_progress,
            compensating=True,
            arguments=ReopenForm,
            description="Takes back the closing, because the trouble is still there.",
        )

        agent = Role(
            "agent",
            crud=CRUD.CREATE | CRUD.READ | CRUD.UPDATE,
            may=[
                insert,
                assign_seriousness,
                take_in_charge,
                wait,
                require_upgrade,
                schedule_intervention,
                create_anomaly,
                resolve,
            ],
            description="Works on tickets until there is a solution.",
        )
        supervisor = Role(
            "supervisor",
            crud=agent.crud,
            may=[*agent.may, close, reopen],
            description="An agent who also closes tickets, and takes that back.",
        )
        developer = Role(
            "developer",
            crud=CRUD.READ,
            may=[resolve_anomaly, mark_fixed, mark_verified, mark_invalid, mark_duplicate],
            description="Speaks for development: what became of an anomaly.",
        )
        auditor = Role("auditor", crud=CRUD.READ, description="Reads everything and changes nothing.")

        snapshot = Snapshot.terminal("customer", "product", "seriousness", "assignee", "has_anomaly")
        retention = Retention(after=timedelta(days=3653), states=[closed])
        api_fields = [
            "number",
            "opened_at",
            "customer",
            "product",
            "seriousness",
            "service_level",
            "service_type",
            "workgroup",
            "responsible_section",
            "support_section",
            "assignee",
            "has_anomaly",
        ]
