"""`manage.py load_helpdesk`: the real log, fired event by event."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db.models import Count

from fsm_lifecycle.models import RefusedAttempt, TransitionLog
from sample_project.helpdesk import loading
from sample_project.helpdesk.log import read_log
from sample_project.helpdesk.models import Ticket
from sample_project.helpdesk.people import PEOPLE

pytestmark = pytest.mark.once

Load = Callable[..., str]


def test_each_case_becomes_a_ticket_and_each_event_an_entry_with_its_person_and_time(
    load_helpdesk: Load,
) -> None:
    load_helpdesk(limit=40)

    usual = ["assign_seriousness", "take_in_charge", "resolve", "close"]
    case = next(case for case in read_log() if [event.name for event in case.events] == usual)
    ticket = Ticket.objects.get(number=case.number)
    created, *entries = ticket.log
    assert created.kind == "created"
    assert created.actor_kind == "system"
    assert [entry.event for entry in entries] == usual
    assert [entry.occurred_at for entry in entries] == [event.at for event in case.events]
    usernames = dict(get_user_model().objects.values_list("pk", "username"))
    assert [usernames[int(entry.actor_id)] for entry in entries] == [
        PEOPLE[event.person - 1].username for event in case.events
    ]
    assert ticket.opened_at == case.events[0].at
    assert ticket.is_closed


def test_a_ticket_made_by_hand_finds_a_key_of_its_own(load_helpdesk: Load) -> None:
    load_helpdesk(limit=5)
    last = max(Ticket.objects.values_list("pk", flat=True))
    assert set(Ticket.objects.values_list("pk")) == set(Ticket.objects.values_list("number"))

    fields: Any = Ticket.objects.values("opened_at", "customer", "product", "workgroup").first() or {}
    codes = dict.fromkeys(["service_level", "service_type", "responsible_section", "support_section"], 1)
    ticket = Ticket.objects.create(number=9999, **fields, **codes)

    assert ticket.pk > last


def test_people_are_made_once_and_cannot_log_in(load_helpdesk: Load) -> None:
    load_helpdesk(limit=5)
    load_helpdesk(limit=10)

    people = get_user_model().objects.filter(username__contains=".")
    assert people.count() == 22
    assert not any(person.has_usable_password() for person in people)
    assert len({person.get_full_name() for person in people}) == 22


def test_a_second_run_adds_nothing(load_helpdesk: Load) -> None:
    load_helpdesk(limit=150)
    before = TransitionLog.objects.count(), RefusedAttempt.objects.count(), Ticket.objects.count()

    report = load_helpdesk(limit=150)

    assert (TransitionLog.objects.count(), RefusedAttempt.objects.count(), Ticket.objects.count()) == before
    assert report.startswith("Nothing to do: all 150 tickets were loaded before.")


def test_a_run_that_is_stopped_leaves_whole_tickets_and_the_next_one_goes_on(
    load_helpdesk: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    fire, fired = Ticket.fire, 0

    def fire_until_stopped(ticket: Ticket, *args: object, **options: object) -> object:
        nonlocal fired
        fired += 1
        if fired > 120:
            raise KeyboardInterrupt
        return fire(ticket, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(loading, "CASES_PER_TRANSACTION", 10)
    with monkeypatch.context() as stopped:
        stopped.setattr(Ticket, "fire", fire_until_stopped)
        with pytest.raises(
            CommandError, match=r"Stopped\. (\d+) tickets were loaded whole; run the command again"
        ):
            load_helpdesk(limit=60)
    loaded = Ticket.objects.count()
    assert 0 < loaded < 60
    assert loaded % 10 == 0

    report = load_helpdesk(limit=60)

    assert Ticket.objects.count() == 60
    assert f"{loaded} were there before" in report
    cases = {case.number: case for case in read_log()}
    tried = TransitionLog.objects.filter(kind="transition").count() + RefusedAttempt.objects.count()
    assert tried == sum(
        len(cases[number].events) for number in Ticket.objects.values_list("number", flat=True)
    )


def test_nothing_is_drawn_where_there_is_no_terminal(
    load_helpdesk: Load, capfd: pytest.CaptureFixture[str]
) -> None:
    report = load_helpdesk(limit=5)

    assert "\r" not in report
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_senseless_limit_is_refused_before_anything_happens(limit: str, db: None) -> None:
    with pytest.raises(CommandError, match="is not a whole number from 1"):
        call_command("load_helpdesk", f"--limit={limit}")

    assert not Ticket.objects.exists()


def test_the_report_says_what_happened(load_helpdesk: Load) -> None:
    report = load_helpdesk(limit=300)

    entries, refused = TransitionLog.objects.count(), RefusedAttempt.objects.count()
    accepted = entries - 300
    assert re.search(r"^Tickets loaded +300$", report, re.MULTILINE)
    assert re.search(rf"^Events tried +{accepted + refused:,}$", report, re.MULTILINE)
    assert re.search(rf"^  accepted +{accepted:,} +\d\d\.\d %$", report, re.MULTILINE)
    assert re.search(rf"^  refused +{refused:,}  +\d\.\d %$", report, re.MULTILINE)
    assert re.search(
        rf"^Log entries written +{entries:,}  in [\d.]+ s, [\d,]+ per second$", report, re.MULTILINE
    )
    assert re.search(r"^  Resolved +Resolve +\d+  not from this state$", report, re.MULTILINE)
    assert re.search(r"^  Closed +\d+ +0  -$", report, re.MULTILINE)
    assert re.search(r"^  In progress +\d+ +\d+  \d+ (days?|h|min)", report, re.MULTILINE)
    assert not [line for line in report.splitlines() if line != line.rstrip() or len(line) > 110]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_table_accepts_more_than_97_percent_of_the_whole_log_and_names_the_rest(
    load_helpdesk: Load,
) -> None:
    report = load_helpdesk()

    assert Ticket.objects.count() == 4580
    accepted = TransitionLog.objects.filter(kind="transition").count()
    refused = RefusedAttempt.objects.count()
    assert accepted + refused == 21348
    assert accepted / 21348 >= 0.97
    # Counted by a simulation of the table that shares no code with the package.
    assert (accepted, refused) == (20939, 409)
    pairs = {
        (row["state"], row["event"], row["code"]): row["times"]
        for row in RefusedAttempt.objects.values("state", "event", "code").annotate(times=Count("pk"))
    }
    assert pairs["resolved", "resolve", "wrong_state"] == 257
    assert pairs["in_progress", "take_in_charge", "guard_failed"] == 57
    assert pairs["closed", "close", "terminal_state"] == 15
    assert pairs["closed", "take_in_charge", "terminal_state"] == 2
    assert pairs["new", "close", "wrong_state"] == 3
    assert pairs["new", "resolve", "wrong_state"] == 4
    assert len(pairs) == 24
    in_states = dict(Ticket.objects.order_by().values_list("state").annotate(number=Count("pk")))
    assert in_states == {"closed": 4556, "resolved": 10, "new": 7, "waiting": 4, "upgrade_required": 3}
    assert "98.1 %" in report
    assert "All 409 refusals so far" in report
