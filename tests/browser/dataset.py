"""Owns the records that the browser meets: a small help desk, made by firing events as its people would.

Runs in a process of the sample project, see ``site``. Must not know the tests.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from fsm_lifecycle import acting_as
from fsm_lifecycle.engine import bulk_errand
from fsm_lifecycle.models import Errand, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WorkItem
from sample_project.demo import make_logins
from sample_project.helpdesk.models import Ticket
from sample_project.helpdesk.people import IMPORT, users_by_number

PASSWORD = "for the browser alone"
BRUNO, CHIARA, GIULIA = 2, 3, 7

Told = tuple[str, dict[str, Any]]


def make() -> dict[str, str]:
    """Fill the database that the settings name. Returns a session for each user who can log in."""
    quiet: dict[str, Any] = {"stdout": StringIO(), "verbosity": 0}
    call_command("migrate", **quiet)
    with transaction.atomic():
        people = users_by_number("default")
        make_tickets(people)
        logins = make_logins("default", PASSWORD)
        users = {login.user.get_username(): login.user for login in logins}
        make_tickets_of(users["anna"])
        make_errands(users["sergio"], users["demo"])
        make_webhooks()
    call_command("lifecycle_seal", once=True, stdout=StringIO())
    return {username: session_of(user) for username, user in users.items()}


def make_tickets(people: dict[int, Any]) -> None:
    """Tickets of the people of the log: one in each state, twelve that wait to be closed."""
    bruno, chiara, giulia = people[BRUNO], people[CHIARA], people[GIULIA]
    serious: Told = ("assign_seriousness", {"seriousness": 2})
    taken: Told = ("take_in_charge", {})
    solved: Told = ("resolve", {"solution": "Restarted the print service on both servers."})
    waits: Told = ("wait", {"reason": "Asked for the print service’s log files."})
    for number, by, days_ago, told in (
        (1101, chiara, 3, []),
        (1102, chiara, 9, [serious]),
        (1103, giulia, 20, [serious, taken]),
        (1104, giulia, 30, [serious, taken, waits]),
        (1105, bruno, 40, [serious, taken, ("require_upgrade", {})]),
        (1106, bruno, 12, [serious, taken, ("schedule_intervention", {})]),
        (1107, bruno, 15, [serious, taken, ("create_anomaly", {})]),
        (1108, chiara, 50, [serious, taken, waits, taken, solved, ("close", {})]),
        *((number, chiara, 5, [serious, taken, solved]) for number in range(1201, 1213)),
    ):
        a_ticket(number, by, days_ago, told)


def make_tickets_of(anna: Any) -> None:
    """What Anna has in charge: 2436, without a seriousness and with a history."""
    told: list[Told] = [
        ("take_in_charge", {}),
        ("wait", {"reason": "The customer tries another printer driver."}),
        ("take_in_charge", {}),
        ("wait", {"reason": "Asked for the print service’s log files."}),
        ("take_in_charge", {}),
    ]
    a_ticket(2436, anna, 25, told)


def make_errands(sergio: Any, demo: Any) -> None:
    """Long work: 1 waits for an answer, 2 is under way, 3 has ended with something of everything, 4 is a purge."""
    rows = list(Ticket.objects.values_list("pk", "lifecycle_sequence", "state"))
    events = Ticket._lifecycle.table.events
    for event in ("wait", "close", "close"):
        bulk_errand.ask(Ticket, events[event], rows, user=sergio, using="default", surface="admin")
    began = timezone.now() - timedelta(seconds=20)
    going: dict[str, Any] = {"status": Errand.GOING, "began_at": began}
    Errand.objects.filter(pk=2).update(**going, done=412, total=1200)
    keys = [str(pk) for pk, *_ in rows]
    result = {
        "moved": 84,
        "refused": 9,
        "changed": 3,
        "named": [[key, "resolved", "closed"] for key in keys[:4]],
        "groups": [
            {
                "stale": False,
                "reason": "This ticket is Waiting. “Close” starts from Resolved.",
                "number": 9,
                "records": [[key, "waiting"] for key in keys[4:8]],
            },
            {
                "stale": True,
                "reason": bulk_errand.CHANGED,
                "number": 3,
                "records": [[keys[8], "in_progress"]],
            },
        ],
    }
    ended = {"status": Errand.DONE, "finished_at": timezone.now(), "result": result}
    Errand.objects.filter(pk=3).update(**ended, done=96, total=96)
    Errand.objects.create(
        pk=4,
        kind="purge",
        asked_by=str(demo.pk),
        asked_at=timezone.now(),
        model_label="helpdesk.ticket",
        payload={"reason": "retention"},
        **going,
    )
    WorkItem.objects.create(
        kind="effect",
        payload={"model": "billing.invoice", "entry": "ab" * 32, "effect": "send_by_email"},
        status=WorkItem.DEAD,
        tries=8,
        error_class="smtplib.SMTPServerDisconnected",
        due_at=began,
        created_at=began,
        finished_at=began,
    )


def make_webhooks() -> None:
    """An endpoint for what does not happen here, with a delivery whose receiver says what it should not."""
    endpoint = WebhookEndpoint.objects.create(
        url="https://status.example.org/in", description="Status page", events=["billing.contract.*"]
    )
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        failures=5, paused_until=timezone.now() + timedelta(days=1)
    )
    delivery = WebhookDelivery.objects.create(
        endpoint=endpoint,
        type="billing.contract.sign",
        model_label="billing.contract",
        object_pk="1",
        sequence=2,
        entry_hash="cd" * 32,
        attempt=2,
        due_at=timezone.now() + timedelta(days=1),
    )
    for number, answer in ((1, {"status": 503}), (2, {"error_class": "DeadlineExceeded"})):
        WebhookAttempt.objects.create(
            delivery=delivery,
            number=number,
            elapsed=0.12,
            response_head="<h1>503</h1><script>alert('hostile')</script>",
            attempted_at=timezone.now(),
            **answer,
        )


def a_ticket(number: int, by: Any, days_ago: int, told: Iterable[Told]) -> None:
    """A ticket that was opened some days ago and moved once a day since, at noon."""
    at: datetime = timezone.now().replace(hour=0, minute=30, second=0, microsecond=0) - timedelta(
        days=days_ago
    )
    with acting_as(IMPORT):
        ticket = Ticket.objects.create(
            pk=number,
            number=number,
            opened_at=at,
            customer=f"Customer {number % 397}",
            product=f"Product {number % 21}",
            workgroup="Workgroup 1",
            service_level=2,
            service_type=1,
            responsible_section=1,
            support_section=1,
        )
    for day, (event, arguments) in enumerate(told, start=1):
        ticket.fire(
            event, actor=by, arguments=arguments, occurred_at=min(at + timedelta(days=day), timezone.now())
        )


def session_of(user: Any) -> str:
    """The key of a session in which the user is logged in."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[1]
    # As the user is stored: what demo_users holds in memory was saved.
    session[HASH_SESSION_KEY] = get_user_model().objects.get(pk=user.pk).get_session_auth_hash()
    session.save()
    return str(session.session_key)
