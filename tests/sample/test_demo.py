"""The people that make demo makes, and what the admin offers them."""

import io
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from fsm_lifecycle.access import roles_of
from fsm_lifecycle.models import AccessEvent, Delegation, RefusedAttempt, TransitionLog
from sample_project.billing.models import Contract, ExpenseReport, Invoice
from sample_project.demo import PEOPLE as DEMO_PEOPLE
from sample_project.helpdesk.models import Ticket
from tests.sample.making import MODELS, a_ticket, an_invoice, somebody

pytestmark = [pytest.mark.once, pytest.mark.django_db]


def demo_users(**options: Any) -> dict[str, list[str]]:
    """What the command prints, by user: the password, then what they are."""
    printed = io.StringIO()
    call_command("demo_users", stdout=printed, **options)
    lines = printed.getvalue().splitlines()
    header = next(line for line in lines if line.split() == ["Username", "Password", "Is"])
    password, is_ = header.index("Password"), header.index("Is")
    found: dict[str, list[str]] = {}
    for line in lines[lines.index(header) + 1 :]:
        if not line:
            break
        username = line[:password].strip()
        if username:
            found[username] = [line[password:is_].strip()]
            current = found[username]
        current.append(line[is_:])
    return found


def test_the_demo_makes_people_with_different_roles_who_can_log_in() -> None:
    ticket = a_ticket(7, "take_in_charge", "resolve")

    printed = demo_users()

    assert list(printed) == [person.username for person in DEMO_PEOPLE]
    for username, (password, *_) in printed.items():
        user = authenticate(username=username, password=password)
        assert user is not None
        assert user.is_staff
        assert user.is_superuser == (username == "demo")
    elisa, tomas, anna = (get_user_model().objects.get(username=name) for name in ("elisa", "tomas", "anna"))
    assert printed["elisa"][1:] == ["Agent on all tickets", "Supervisor on ticket 7 (Resolved)"]
    assert roles_of(elisa, on=ticket) == {"agent", "supervisor"}
    assert roles_of(elisa, on=Ticket) == {"agent"}
    assert "Agent on all tickets until " in printed["tomas"][1]
    assert roles_of(tomas, on=Ticket) == {"agent"}
    assert roles_of(anna, on=Ticket) == {"agent", "supervisor"}


def test_the_demo_says_what_each_role_means() -> None:
    printed = io.StringIO()
    call_command("demo_users", stdout=printed)

    told = printed.getvalue().partition("What the roles mean")[2]
    for model in MODELS:
        for role in model.lifecycle.roles.values():
            assert role.description
            assert f"{role.label} " in told
            assert str(role.description) in told
    assert not [line for line in printed.getvalue().splitlines() if line != line.rstrip() or len(line) > 110]


def test_the_demo_has_somebody_at_work_on_a_ticket_that_was_new() -> None:
    ticket = a_ticket(7)

    demo_users()

    ticket.refresh_from_db()
    assert ticket.is_in_progress
    assert str(ticket.assignee) == "anna"
    assert [entry.event for entry in ticket.log][1:] == ["take_in_charge", "wait", "take_in_charge"]


def test_the_demo_may_be_made_again() -> None:
    a_ticket(7)
    first = demo_users()
    kept = counted()

    again = demo_users(password="the same for all")

    assert counted() == kept
    assert [line[1:] for line in first.values()] == [line[1:] for line in again.values()]
    assert {password for password, *_ in again.values()} == {"the same for all"}
    assert authenticate(username="clara", password="the same for all") is not None
    assert len({password for password, *_ in first.values()}) == 1


def test_the_demo_opens_the_pages_of_the_section_to_whose_job_it_is() -> None:
    demo_users()

    def opened(username: str) -> set[str]:
        user = get_user_model().objects.get(username=username)
        return {name for name in PAGES if user.has_perm(f"fsm_lifecycle.{name}")}

    assert opened("demo") == set(PAGES)
    assert opened("anna") == opened("clara") == {"view_transitionlog"}
    assert opened("sergio") == {"view_transitionlog", "view_refusedattempt", "grant_roles"}
    assert opened("audrey") == {*PAGES} - {"grant_roles", "redact_entries"}
    assert opened("erik") == set()


PAGES = [
    "view_transitionlog",
    "view_all_entries",
    "view_refusedattempt",
    "view_checkpoint",
    "view_settings",
    "grant_roles",
    "redact_entries",
]


def test_the_log_of_access_knows_who_made_the_demo() -> None:
    demo_users()

    assert AccessEvent.objects.filter(group_label="Operations", action="granted").exists()
    assert not AccessEvent.objects.filter(actor_kind="unknown").exists()


def counted() -> list[int]:
    models = (
        get_user_model(),
        AccessEvent,
        Delegation,
        TransitionLog,
        RefusedAttempt,
        Invoice,
        ExpenseReport,
    )
    return [model._default_manager.count() for model in models]


def test_the_demo_leaves_billing_records_in_different_states() -> None:
    demo_users()

    assert dict(Invoice.objects.values_list("number", "state")) == {
        "DEMO-1": "draft",
        "DEMO-2": "sent",
        "DEMO-3": "overdue",
        "DEMO-4": "paid",
        "DEMO-5": "sent",
        "DEMO-6": "sent",
    }
    assert sorted(Contract.objects.values_list("client_name", "state")) == [
        ("Ferrara Logistica", "offered"),
        ("Vela Sport", "active"),
    ]
    assert sorted(ExpenseReport.objects.values_list("purpose", "state")) == [
        ("Conference in Lisbon", "director_review"),
        ("Stamps and envelopes", "draft"),
        ("Trade fair in Milan", "manager_review"),
        ("Train to Bologna", "reimbursed"),
    ]
    assert not TransitionLog.objects.filter(kind="transition", actor_kind="system").exists()
    paul = get_user_model().objects.get(username="paul")
    own = ExpenseReport.objects.get(purpose="Conference in Lisbon")
    assert [denial.code for denial in own.decide("approve", actor=paul).denials] == ["four_eyes"]


# Django's own admin, which asks for the permissions that roles carry.


@pytest.mark.usefixtures("sample_site")
def test_the_admin_offers_what_a_role_for_all_records_allows(client: Client) -> None:
    demo_users()
    invoice = Invoice.objects.get(number="DEMO-1")
    pages = {
        "list": reverse("admin:billing_invoice_changelist"),
        "add": reverse("admin:billing_invoice_add"),
        "change": reverse("admin:billing_invoice_change", args=[invoice.pk]),
        "delete": reverse("admin:billing_invoice_delete", args=[invoice.pk]),
        "tickets": reverse("admin:helpdesk_ticket_changelist"),
    }

    def statuses(username: str) -> dict[str, int]:
        client.force_login(get_user_model().objects.get(username=username), backend=MODEL_BACKEND)
        return {name: client.get(url).status_code for name, url in pages.items()}

    assert statuses("clara") == {"list": 200, "add": 200, "change": 200, "delete": 403, "tickets": 403}
    assert statuses("audrey") == {"list": 200, "add": 403, "change": 200, "delete": 403, "tickets": 200}
    assert 'name="_save"' not in client.get(pages["change"]).content.decode()
    assert statuses("anna") == {"list": 403, "add": 403, "change": 403, "delete": 403, "tickets": 200}
    assert set(statuses("demo").values()) == {200}


MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.mark.usefixtures("sample_site")
def test_a_report_that_somebody_adds_in_the_admin_is_theirs(client: Client) -> None:
    erik = somebody("erik", employee=ExpenseReport)
    client.force_login(erik, backend=MODEL_BACKEND)

    done = client.post(reverse("admin:billing_expensereport_add"), {"purpose": "Train", "amount": "20"})

    assert done.status_code == 302
    assert roles_of(erik, on=ExpenseReport.objects.get()) == {"employee", "owner"}


@pytest.mark.usefixtures("sample_site")
def test_the_admin_lists_and_saves_the_records_on_which_somebody_has_a_role(client: Client) -> None:
    alice = somebody("alice")
    mine, theirs = an_invoice(alice, "A-1"), an_invoice(None, "B-1")
    client.force_login(alice, backend=MODEL_BACKEND)

    index = client.get(reverse("admin:index")).content.decode()
    listed = client.get(reverse("admin:billing_invoice_changelist")).content.decode()
    page = client.get(reverse("admin:billing_invoice_change", args=[mine.pk])).content.decode()
    other = client.get(reverse("admin:billing_invoice_change", args=[theirs.pk]))

    assert reverse("admin:billing_invoice_changelist") in index
    assert reverse("admin:billing_invoice_add") not in index
    assert reverse("admin:helpdesk_ticket_changelist") not in index
    assert "A-1" in listed
    assert "B-1" not in listed
    assert 'name="_save"' in page
    assert "deletelink" not in page
    assert other.status_code == 302
    assert other["Location"] == reverse("admin:index")


@pytest.mark.django_db(databases=["default", "other"])
def test_another_database_has_its_own_people_with_their_own_roles() -> None:
    call_command("load_helpdesk", limit=5, database="other", stdout=io.StringIO())
    call_command("demo_users", database="other", stdout=io.StringIO())

    users = get_user_model()._default_manager
    assert not users.filter(username="clara").exists()
    assert not AccessEvent.objects.exists()
    clara = users.using("other").get(username="clara")
    assert roles_of(clara, on=Invoice) == {"clerk"}
    assert roles_of(clara, on=Invoice.objects.using("other").first() or Invoice) == {"clerk", "owner"}
    assert Ticket.objects.using("other").count() == 5
