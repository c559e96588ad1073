"""Who may do what in the sample: each role as the people who hold it meet it."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from fsm_lifecycle import CRUD, acting_as
from fsm_lifecycle.access import authorize, delegate, grant_role, revoke_role, roles_of, who_can
from fsm_lifecycle.exceptions import AccessDenied
from fsm_lifecycle.models import AccessEvent, RefusedAttempt
from sample_project.billing.models import Contract, ExpenseReport, Invoice
from sample_project.helpdesk.log import read_log
from sample_project.helpdesk.models import Ticket
from sample_project.helpdesk.people import PEOPLE
from tests.sample.making import MODELS, SETUP, a_ticket, an_invoice, somebody

pytestmark = [pytest.mark.once, pytest.mark.django_db]


def names(users: Any) -> set[str]:
    return {user.get_username() for user in users}


def events_for(user: Any, record: Any) -> set[str]:
    return {event.name for event in record.available_events(user)}


# The help desk.


def test_an_agent_resolves_and_a_supervisor_closes() -> None:
    agent, supervisor = somebody("alice", agent=Ticket), somebody("chiara", supervisor=Ticket)
    ticket = a_ticket(1, "take_in_charge")

    ticket.fire("resolve", actor=agent)
    with pytest.raises(AccessDenied) as refused:
        ticket.fire("close", actor=agent)
    ticket.fire("close", actor=supervisor)

    assert refused.value.code == "access_denied"
    assert ticket.is_closed
    attempt = RefusedAttempt.objects.get()
    assert (attempt.event, attempt.code, attempt.actor_id) == ("close", "access_denied", str(agent.pk))


def test_the_refusal_names_the_role_that_is_missing_and_the_one_there_is() -> None:
    agent = somebody("alice", agent=Ticket)
    ticket = a_ticket(1, "take_in_charge", "resolve")

    (denial,) = ticket.decide("close", actor=agent).denials

    assert denial.reason == "Needs the role Supervisor on this ticket. Your role is Agent."


def test_a_supervisor_on_one_ticket_closes_that_one_only() -> None:
    agent = somebody("alice", agent=Ticket)
    mine, other = (a_ticket(number, "take_in_charge", "resolve") for number in (1, 2))

    grant_role(agent, "supervisor", on=mine, by=SETUP)

    assert roles_of(agent, on=mine) == {"agent", "supervisor"}
    assert roles_of(agent, on=other) == roles_of(agent, on=Ticket) == {"agent"}
    assert agent.has_perm("helpdesk.fire_close", mine)
    assert not agent.has_perm("helpdesk.fire_close", other)
    assert [events_for(agent, ticket) for ticket in (mine, other)] == [
        {"take_in_charge", "close"},
        {"take_in_charge"},
    ]


def test_development_says_what_became_of_an_anomaly_and_who_mended_it_does_not_verify_it() -> None:
    dora, zeno = somebody("dora", developer=Ticket), somebody("zeno", developer=Ticket)
    ticket = a_ticket(1)
    ticket.fire("assign_seriousness", actor=SETUP, arguments={"seriousness": 1})
    ticket.fire("take_in_charge", actor=SETUP)
    ticket.fire("create_anomaly", actor=SETUP)

    ticket.fire("mark_fixed", actor=dora)
    with pytest.raises(AccessDenied) as refused:
        ticket.fire("mark_verified", actor=dora)
    ticket.fire("mark_verified", actor=zeno)

    assert refused.value.code == "four_eyes"
    assert not dora.has_perm("helpdesk.change_ticket", ticket)


def test_nobody_but_a_superuser_deletes_a_ticket() -> None:
    for role in Ticket.lifecycle.roles:
        somebody(role, **{role: Ticket})
    get_user_model().objects.create_superuser("root")

    assert names(who_can(CRUD.DELETE, on=a_ticket())) == {"root"}


def test_an_auditor_sees_everything_and_moves_nothing() -> None:
    auditor = get_user_model().objects.create_user("audrey")
    for model in MODELS:
        grant_role(auditor, "auditor", on=model, by=SETUP)
    ticket, invoice = a_ticket(), an_invoice(None)

    assert list(Ticket.objects.visible_to(auditor)) == [ticket]
    assert list(Invoice.objects.visible_to(auditor)) == [invoice]
    assert events_for(auditor, ticket) == events_for(auditor, invoice) == set()
    for right in (CRUD.CREATE, CRUD.UPDATE, CRUD.DELETE):
        with pytest.raises(AccessDenied):
            authorize(auditor, right, invoice)


def test_somebody_without_a_role_sees_and_moves_nothing() -> None:
    nobody = somebody("nobody")
    ticket, invoice = a_ticket(), an_invoice(None)

    assert not Ticket.objects.visible_to(nobody).exists()
    assert not Invoice.objects.visible_to(nobody).exists()
    assert events_for(nobody, ticket) == events_for(nobody, invoice) == set()


# Billing.


def test_who_writes_an_invoice_owns_that_one() -> None:
    alice, bruno = somebody("alice"), somebody("bruno")

    mine, theirs = an_invoice(alice, "A-1"), an_invoice(bruno, "B-1")

    assert roles_of(alice, on=mine) == {"owner"}
    assert list(Invoice.objects.visible_to(alice)) == [mine]
    assert events_for(alice, mine) == {"send_invoice", "cancel"}
    assert events_for(alice, theirs) == set()
    event = AccessEvent.objects.get(holder_id=str(alice.pk))
    assert (event.action, event.road, event.role, event.object_pk) == (
        "granted",
        "default",
        "owner",
        str(mine.pk),
    )


def test_who_sent_an_invoice_neither_takes_the_payment_nor_gives_it_back() -> None:
    both = somebody("alice", clerk=Invoice, approver=Invoice)
    approver = somebody("bruno", approver=Invoice)
    invoice = an_invoice(None)
    today = {"paid_on": timezone.localdate()}
    invoice.fire("send_invoice", actor=both)

    with pytest.raises(AccessDenied) as payment:
        invoice.fire("pay", actor=both, arguments=today)
    invoice.fire("pay", actor=approver, arguments=today)
    with pytest.raises(AccessDenied) as refund:
        invoice.fire("refund", actor=both, arguments={"reason": "Broken."})
    invoice.fire("refund", actor=approver, arguments={"reason": "Broken."})

    assert (payment.value.code, refund.value.code) == ("four_eyes", "four_eyes")
    assert invoice.is_refunded


def test_a_superuser_does_not_approve_their_own_report_either() -> None:
    root = get_user_model().objects.create_superuser("root")
    report = ExpenseReport.objects.create(purpose="Fair", amount=Decimal(900), created_by=root)
    report.fire("submit", actor=root)

    with pytest.raises(AccessDenied) as refused:
        report.fire("approve", actor=root)

    assert refused.value.code == "four_eyes"


def test_a_report_that_was_revised_may_be_approved_by_who_submitted_it_before() -> None:
    author, helper = somebody("erik"), somebody("paul", approver=ExpenseReport)
    report = ExpenseReport.objects.create(purpose="Fair", amount=Decimal(900), created_by=author)
    grant_role(helper, "owner", on=report, by=SETUP)
    report.fire("submit", actor=helper)
    assert not report.can_fire("approve", actor=helper)

    report.fire("reject", actor=helper, arguments={"reason": "Receipt missing."})
    report.fire("revise", actor=author)
    report.fire("submit", actor=author)
    report.fire("approve", actor=helper)

    assert report.is_approved


def test_an_employee_writes_reports_and_sees_their_own() -> None:
    erik, lena = somebody("erik", employee=ExpenseReport), somebody("lena", employee=ExpenseReport)

    authorize(erik, CRUD.CREATE, ExpenseReport)
    with acting_as(erik):
        mine = ExpenseReport.objects.create(purpose="Train", amount=Decimal(20))

    assert list(ExpenseReport.objects.visible_to(erik)) == [mine]
    assert not ExpenseReport.objects.visible_to(lena).exists()
    with pytest.raises(AccessDenied):
        authorize(lena, CRUD.UPDATE, mine)


def test_a_payment_activates_the_contract_when_its_approver_may() -> None:
    payer = somebody("bruno", approver=Invoice)
    contract = Contract.objects.create(client_name="Ferrara Logistica")
    first, second = (an_invoice(None, number, contract=contract) for number in ("A-1", "A-2"))
    today = {"paid_on": timezone.localdate()}
    for invoice in (first, second):
        invoice.fire("send_invoice", actor=SETUP)

    first.fire("pay", actor=payer, arguments=today)
    contract.refresh_from_db()
    assert contract.is_offered

    grant_role(payer, "approver", on=Contract, by=SETUP)
    second.fire("pay", actor=payer, arguments=today)
    contract.refresh_from_db()
    assert contract.is_active


def test_a_role_that_was_revoked_counts_for_nothing() -> None:
    clerk = somebody("alice", clerk=Invoice)
    invoice = an_invoice(None)
    assert invoice.can_fire("send_invoice", actor=clerk)

    revoke_role(clerk, "clerk", on=Invoice, by=SETUP)

    with pytest.raises(AccessDenied):
        invoice.fire("send_invoice", actor=clerk)


def test_who_stands_in_acts_with_the_roles_of_who_is_away() -> None:
    sergio, anna = somebody("sergio", supervisor=Ticket), somebody("anna", agent=Ticket)
    ticket = a_ticket(1, "take_in_charge", "resolve")

    delegate(sergio, anna, "supervisor", until=timezone.now() + timedelta(days=1), by=sergio)
    entry = ticket.fire("close", actor=anna)

    assert entry.actor_id == str(anna.pk)
    assert entry.on_behalf_of is not None
    assert entry.on_behalf_of["id"] == str(sergio.pk)


# The 22 people of the log.


def test_each_person_of_the_log_may_do_what_the_log_shows_and_has_no_role_for_nothing() -> None:
    tried: dict[int, Counter[str]] = {}
    for case in read_log():
        for event in case.events:
            tried.setdefault(event.person, Counter())[event.name] += 1

    roles = Ticket.lifecycle.roles
    for number, person in enumerate(PEOPLE, start=1):
        rights = {role: set(map(str, roles[role].may)) for role in person.roles}
        assert set(tried[number]) <= set().union(*rights.values()), person.name
        for role in person.roles:
            others = set().union(*(may for name, may in rights.items() if name != role))
            assert set(tried[number]) & rights[role] - others, f"{person.name} never needs {role}"


def test_the_replay_is_decided_with_the_roles_of_its_people(load_helpdesk: Callable[..., str]) -> None:
    load_helpdesk(limit=40)

    users = {user.get_username(): user for user in get_user_model().objects.all()}
    people = [users[person.username] for person in PEOPLE]
    assert [roles_of(user, on=Ticket) for user in people] == [set(person.roles) for person in PEOPLE]
    assert not any(user.is_superuser for user in people)
    granted = AccessEvent.objects.filter(action="granted", model_label="helpdesk.ticket")
    assert granted.count() == sum(len(person.roles) for person in PEOPLE)
    assert {(event.actor_kind, event.actor_id) for event in granted} == {("system", "help desk import")}
    assert not RefusedAttempt.objects.filter(code__in=["access_denied", "four_eyes"]).exists()


def test_loading_again_grants_nothing_twice(load_helpdesk: Callable[..., str]) -> None:
    load_helpdesk(limit=2)
    before = AccessEvent.objects.count()

    load_helpdesk(limit=4)

    assert AccessEvent.objects.count() == before


# The people of `make demo`.
