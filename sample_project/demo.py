"""Owns who `demo_users` makes: people with different roles, and records for them to look at.

Must not know how that is printed. Everything goes through the package's API, as an app would do it; a second run finds
what the first one made and leaves it alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.utils import timezone
from django.utils.formats import date_format

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.access import delegate, grant_role, roles_of
from fsm_lifecycle.models import AccessEvent, Delegation, LifecycleModel
from sample_project.billing.models import Contract, ExpenseReport, Invoice
from sample_project.helpdesk.models import Ticket

MODELS = (Ticket, Invoice, Contract, ExpenseReport)

SETUP = System("demo setup")
SUPERUSER = "demo"
SOME_WEEKS = timedelta(days=30)
HOLIDAY = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Held:
    """A role for all records of some models."""

    role: str
    on: tuple[type[LifecycleModel], ...]
    lasts: timedelta | None = None
    """``None``: no end."""


# Which pages of the admin's lifecycle section a job opens: permissions of fsm_lifecycle, carried by a group.
# Whose entries are shown there is still said by the roles on records.
OPERATIONS = "Operations"
SUPERVISION = "Supervision"
AUDIT = "Audit"
OPENS = {
    OPERATIONS: ("view_transitionlog", "use_agents"),
    SUPERVISION: ("view_transitionlog", "view_refusedattempt", "grant_roles", "use_agents"),
    AUDIT: (
        "view_transitionlog",
        "view_all_entries",
        "view_refusedattempt",
        "view_checkpoint",
        "view_settings",
    ),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody to log in as."""

    username: str
    name: str
    holds: tuple[Held, ...] = ()
    job: str = ""
    """One of ``OPENS``."""


PEOPLE = (
    Person(SUPERUSER, "Demo User"),
    Person("anna", "Anna Serra", (Held("agent", (Ticket,)),), job=OPERATIONS),
    Person("sergio", "Sergio Riva", (Held("supervisor", (Ticket,)),), job=SUPERVISION),
    Person("elisa", "Elisa Longo", (Held("agent", (Ticket,)),), job=OPERATIONS),
    Person("tomas", "Tomas Novak", (Held("agent", (Ticket,), SOME_WEEKS),)),
    Person("dora", "Dora Lindt", (Held("developer", (Ticket,)),)),
    Person(
        "clara",
        "Clara Weiss",
        (Held("clerk", (Invoice, Contract, ExpenseReport)), Held("employee", (ExpenseReport,))),
        job=OPERATIONS,
    ),
    Person(
        "paul",
        "Paul Meyer",
        (Held("approver", (Invoice, Contract, ExpenseReport)), Held("employee", (ExpenseReport,))),
    ),
    Person("erik", "Erik Lund", (Held("employee", (ExpenseReport,)),)),
    Person("audrey", "Audrey Blanc", (Held("auditor", MODELS),), job=AUDIT),
)
# Who is a supervisor on one ticket only, and who stands in for whom.
ON_ONE_TICKET = "elisa"
AWAY, STAND_IN = "sergio", "anna"


@dataclass(slots=True)
class Login:
    """One of the people as they now are."""

    user: Any
    may: list[str] = field(default_factory=list)
    """What their roles are, a line for each."""


def make_logins(using: str, password: str) -> list[Login]:
    """Make the people that are missing, grant what they lack, and give all of them this password."""
    # Hashed once: it is meant to take long, and this is no secret.
    hashed = make_password(password)
    logins = {person.username: _login(person, using, hashed) for person in PEOPLE}
    for person in PEOPLE:
        login = logins[person.username]
        if person.job:
            # Added, not set: roles are carried by groups as well. Django asks nobody who does it.
            with acting_as(SETUP):
                login.user.groups.add(_group(person.job, using))
        for held in person.holds:
            login.may += _hold(login.user, held, using)
    logins[SUPERUSER].may.append("everything, as a superuser")
    logins[ON_ONE_TICKET].may += _hold_one_ticket(logins[ON_ONE_TICKET].user, using)
    logins[STAND_IN].may.append(_stand_in(logins[AWAY].user, logins[STAND_IN].user, using))
    people = {name: login.user for name, login in logins.items()}
    make_billing_records(people, using)
    work_on_a_ticket(people["anna"], using)
    return list(logins.values())


def _login(person: Person, using: str, hashed: str) -> Login:
    model = get_user_model()
    user = model._default_manager.using(using).filter(username=person.username).first()
    if user is None:
        user = model(username=person.username)
        user.first_name, user.last_name = person.name.split(" ", 1)
    user.is_active = user.is_staff = True
    user.is_superuser = person.username == SUPERUSER
    user.password = hashed
    user.save(using=using)
    return Login(user)


def _group(job: str, using: str) -> Group:
    group, made = Group.objects.using(using).get_or_create(name=job)
    if made:
        opened = Permission.objects.using(using).filter(content_type__app_label="fsm_lifecycle")
        group.permissions.set(opened.filter(codename__in=OPENS[job]))
    return group


def _hold(user: Any, held: Held, using: str) -> Iterator[str]:
    """Grant what is missing; say what is held, models that share a role together."""
    until = timezone.now() + held.lasts if held.lasts else None
    for model in held.on:
        # Granting again would move the end.
        if held.role not in roles_of(user, on=model):
            grant_role(user, held.role, on=model, by=SETUP, until=until)
    names = [str(model._meta.verbose_name_plural) for model in held.on]
    label = held.on[0].lifecycle.roles[held.role].label
    end = ""
    if held.lasts and (granted := _last_grant(user, held.on[0], using)) and granted.until:
        end = f" until {_day(granted.until)}"
    yield f"{label} on all {_listed(names)}{end}"


def _hold_one_ticket(user: Any, using: str) -> Iterator[str]:
    """Supervisor on the one ticket of an earlier run, else on one that waits to be closed."""
    tickets = Ticket.objects.using(using)
    before = _last_grant(user, Ticket, using, on_one=True)
    ticket = tickets.filter(pk=before.object_pk).first() if before else None
    ticket = ticket or tickets.in_state(Ticket.Lifecycle.resolved).first()
    if ticket is None:
        yield "(Supervisor on one ticket, once load_helpdesk has brought some)"
        return
    grant_role(user, "supervisor", on=ticket, by=SETUP)
    yield f"Supervisor on {str(ticket).lower()} ({ticket.get_state_display()})"


def _last_grant(user: Any, model: Any, using: str, *, on_one: bool = False) -> AccessEvent | None:
    granted = AccessEvent.objects.using(using).filter(
        action="granted", holder_kind="user", holder_id=str(user.pk), model_label=model._meta.label_lower
    )
    granted = granted.exclude(object_pk="") if on_one else granted.filter(object_pk="")
    return granted.order_by("-pk").first()


def _stand_in(away: Any, stand_in: Any, using: str) -> str:
    """A delegation, made by who is away."""
    lasting = Delegation.objects.using(using).filter(
        from_user=away, to_user=stand_in, until__gt=timezone.now()
    )
    found = lasting.first() or delegate(
        away, stand_in, "supervisor", until=timezone.now() + HOLIDAY, reason="On leave.", by=away
    )
    return f"Supervisor for {away.get_username()}, who is on leave, until {_day(found.until)}"


def _day(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "j M Y")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def make_billing_records(people: dict[str, Any], using: str) -> None:
    """Contracts, invoices and reports, each moved by those whose work it is. Those that are there stay as they are."""
    _make_invoices(people["clara"], people["paul"], using)
    _make_reports(people["erik"], people["paul"], people["clara"], using)


def work_on_a_ticket(agent: Any, using: str) -> None:
    """One ticket that nobody had looked at, taken in charge and asked about; once there are tickets."""
    tickets = Ticket.objects.using(using)
    if tickets.filter(assignee=agent).exists():
        return
    ticket = tickets.in_state(Ticket.Lifecycle.new).first()
    if ticket is None:
        return
    for event, arguments in (
        ("take_in_charge", {}),
        ("wait", {"reason": "Asked for the log files of the print service."}),
        ("take_in_charge", {}),
    ):
        ticket.fire(event, actor=agent, arguments=arguments)


def _make_invoices(clerk: Any, approver: Any, using: str) -> None:
    today = timezone.localdate()
    invoices = Invoice.objects.using(using)
    known = set(invoices.filter(number__startswith="DEMO-").values_list("number", flat=True))
    for number, amount, due_in, client, events in (
        ("DEMO-1", 480, 30, "Ferrara Logistica", []),
        ("DEMO-2", 1250, 14, "Ferrara Logistica", ["send_invoice"]),
        ("DEMO-3", 310, -10, "Vela Sport", ["send_invoice", "mark_overdue"]),
        ("DEMO-4", 2600, 3, "Vela Sport", ["send_invoice", "pay"]),
        # For the agent to find: one is long past its due date, one is not.
        ("DEMO-5", 760, -45, "Ferrara Logistica", ["send_invoice"]),
        ("DEMO-6", 195, -4, "Vela Sport", ["send_invoice"]),
    ):
        if number in known:
            continue
        with acting_as(clerk):
            contract = Contract.objects.using(using).filter(client_name=client).first()
            contract = contract or Contract.objects.using(using).create(client_name=client)
            invoice = invoices.create(
                number=number,
                client_name=client,
                client_email="office@example.com",
                amount=Decimal(amount),
                due_on=today + timedelta(days=due_in),
                contract=contract,
                created_by=clerk,
            )
        for event in events:
            if event == "pay":
                invoice.fire(event, actor=approver, arguments={"paid_on": today})
            else:
                invoice.fire(event, actor=clerk)


def _make_reports(employee: Any, approver: Any, clerk: Any, using: str) -> None:
    reports = ExpenseReport.objects.using(using)
    for writer, purpose, amount, events in (
        (employee, "Train to Bologna", "84.50", ["submit", "reimburse"]),
        (employee, "Trade fair in Milan", "1240.00", ["submit"]),
        # Nobody approves their own: this one waits for another approver.
        (approver, "Conference in Lisbon", "6100.00", ["submit"]),
        # For the agent to submit.
        (clerk, "Stamps and envelopes", "46.20", []),
    ):
        if reports.filter(purpose=purpose, created_by=writer).exists():
            continue
        with acting_as(writer):
            report = reports.create(purpose=purpose, amount=Decimal(amount), created_by=writer)
        for event in events:
            report.fire(event, actor=writer if event == "submit" else clerk)
