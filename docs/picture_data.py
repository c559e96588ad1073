"""Owns what pictures of background work, webhooks and agents show: made in a copy of the demo, sent nowhere."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.test import override_settings
from django.utils import timezone

from fsm_lifecycle import conf
from fsm_lifecycle.agents.providers.scripted import call, script
from fsm_lifecycle.agents.runs import run_to_the_end
from fsm_lifecycle.dispatch import items
from fsm_lifecycle.dispatch.working import drain
from fsm_lifecycle.engine import check_errand
from fsm_lifecycle.models import Errand, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WorkItem
from sample_project.helpdesk.models import Ticket


def make() -> None:
    """Fill the database that the settings name."""
    now = timezone.now()
    users = get_user_model().objects
    check_errand.order(user=users.get(username="audrey"), using="default", deep=False)
    drain(items.QUEUE, "default")
    work(now)
    webhooks(now)
    conversations()


def conversations() -> None:
    """Two conversations of Anna's with the agent of tickets: one is over, one waits for her."""
    anna = get_user_model().objects.get(username="anna")
    ticket = Ticket.objects.in_state("in_progress").filter(assignee=anna).first()
    assert ticket is not None
    mine = {"id": str(ticket.pk), "expected_state": "in_progress"}
    solution = "Driver 4.1 drops pages after the first. Rolled back to 4.0 on both print servers."

    @script("pictures")
    def pictures(task: Any) -> Any:
        if "busiest" in task.prompt:
            yield call("busiest_products", "Let me count.")
            return "Product 21 has most of them, by far."
        yield call("list_tickets", "Let me look at what you have in charge.", state="in_progress")
        yield call("take_in_charge_ticket", id=str(ticket.pk), expected_state="new")
        yield call(
            "transition_history_for_ticket", "It is yours already. I read its history.", id=str(ticket.pk)
        )
        yield call("resolve_ticket", "The last note says what mended it, so I propose to resolve it.", **mine,
                   solution=solution, minutes=45)  # fmt: skip
        return "Done."

    with override_settings(FSM_LIFECYCLE={**conf.configured(), "AGENT_MODEL": "scripted/pictures"}):
        for prompt in ("Which products are busiest?", f"Resolve ticket {ticket.number} if it is solved."):
            run_to_the_end(Ticket, prompt, user=anna, surface="chat")


def work(now: Any) -> None:
    """Two pieces that were given up, and two things that people have under way."""
    dead: dict[str, Any] = {"status": WorkItem.DEAD, "kind": "effect", "due_at": now, "created_at": now}
    WorkItem.objects.create(
        payload={"model": "billing.invoice", "entry": secrets.token_hex(32), "effect": "send_by_email"},
        tries=8,
        error_class="smtplib.SMTPServerDisconnected",
        finished_at=now - timedelta(hours=3),
        **dead,
    )
    WorkItem.objects.create(
        payload={"model": "billing.invoice", "entry": secrets.token_hex(32), "effect": "tell_accounting"},
        tries=1,
        error_class="GiveUp",
        result={"why": "The record was deleted."},
        finished_at=now - timedelta(hours=30),
        **dead,
    )
    users = get_user_model().objects
    going: dict[str, Any] = {"status": Errand.GOING, "asked_at": now - timedelta(seconds=15)}
    going["began_at"] = now - timedelta(seconds=14)
    Errand.objects.create(
        kind="bulk",
        model_label="helpdesk.ticket",
        payload={"event": "close"},
        asked_by=str(users.get(username="sergio").pk),
        done=412,
        total=1200,
        **going,
    )
    Errand.objects.create(
        kind="purge",
        model_label="helpdesk.ticket",
        asked_by=str(users.get(username="demo").pk),
        done=890,
        total=3020,
        **going,
    )


def webhooks(now: Any) -> None:
    """Three endpoints: one well, one paused, one gone."""
    owner = get_user_model().objects.get(username="demo")
    archive = "https://archive.northern-district.regional-administration.example.net/v1/incoming/help-desk"
    gone = WebhookEndpoint.objects.create(url=archive, description="Legacy archive", events=["*"])
    paused = WebhookEndpoint.objects.create(
        url="https://status.example.org/in",
        description="Status page",
        events=["*.resolve", "*.reopen"],
        payload="full",
    )
    well = WebhookEndpoint.objects.create(
        url="https://billing.example.com/hooks/helpdesk",
        description="Billing bridge",
        events=["helpdesk.ticket.*"],
        owner=owner,
    )
    tickets = list(Ticket.objects.order_by("-number")[:12])
    for place in range(12):
        delivered(gone, tickets[place], "close", now - timedelta(days=16, minutes=place), 410)
    for place in range(20):
        ticket = tickets[place % 12]
        minutes = timedelta(minutes=240 - 11 * place)
        if place % 4 == 3:
            delivered(paused, ticket, "resolve", now - minutes, 200 if place < 11 else 503)
        delivered(well, ticket, ("close", "resume", "wait")[place % 3], now - minutes, 204)
    endpoints = WebhookEndpoint.objects
    endpoints.filter(pk=gone.pk).update(active=False, disabled_reason="gone")
    endpoints.filter(pk=paused.pk).update(failures=5, paused_until=now + timedelta(minutes=28), pauses=1)


def delivered(endpoint: WebhookEndpoint, ticket: Any, event: str, at: Any, status: int) -> None:
    """A delivery, as one try with this answer has left it."""
    ended: dict[str, Any] = {"status": WebhookDelivery.PENDING, "due_at": at + timedelta(hours=5)}
    if status != 503:
        ended = {"status": WebhookDelivery.DELIVERED, "due_at": at, "settled_at": at}
    if status == 410:
        ended |= {"status": WebhookDelivery.DEAD, "reason": "endpoint_gone"}
    delivery = WebhookDelivery.objects.create(
        endpoint=endpoint,
        entry_hash=secrets.token_hex(32),
        type=f"helpdesk.ticket.{event}",
        model_label="helpdesk.ticket",
        object_pk=str(ticket.pk),
        sequence=3,
        attempt=4 if status == 503 else 1,
        created_at=at,
        **ended,
    )
    WebhookAttempt.objects.create(
        delivery=delivery, number=1, status=status, elapsed=0.2 + ticket.pk % 7 / 20, attempted_at=at
    )
