"""Records with keys that a person chose: whatever letters such a key has, what leads to the record leads there."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import unquote_plus

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client

from fsm_lifecycle import InvalidTransition
from fsm_lifecycle.dispatch import work_off
from fsm_lifecycle.engine.legal_hold import place_hold
from tests.acting import ACTOR
from tests.admin.people import client_of
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Door

pytestmark = [
    pytest.mark.once,
    pytest.mark.urls("tests.admin.desk"),
    pytest.mark.django_db(databases=["default", "other"]),
]

KEYS = [
    "a/b",
    "a_b",
    "a_2Fb",
    "two  words",
    " at the edges ",
    "50%",
    "%2F",
    "a&b=c?d#e",
    "a+b",
    "<b>'\"é",
    "add",
]

SECTION = "/desk/lifecycle/"
LINK = re.compile(r'href="([^"]+)"')


@pytest.fixture
def browser(db: None) -> Client:
    return client_of(User.objects.create_superuser("root"))


@pytest.fixture(params=KEYS)
def door(request: pytest.FixtureRequest) -> Door:
    made = Door.objects.create(code=request.param)
    made.fire("open_up", actor=ACTOR)
    return made


def links(answer: Any) -> list[str]:
    return [html.unescape(link) for link in LINK.findall(answer.content.decode())]


def of_record(answer: Any) -> set[str]:
    """The addresses of a record's own page on a page."""
    return {link for link in links(answer) if re.fullmatch(r"/desk/testapp/door/.+/change/", link)}


def test_the_log_and_an_entry_lead_to_the_record(door: Door, browser: Client) -> None:
    log = browser.get(SECTION + "log/")
    [address] = of_record(log)
    assert browser.get(address).context["original"] == door
    entry = browser.get(next(link for link in links(log) if re.fullmatch(r".*/log/\d+/", link)))
    assert of_record(entry) == {address}


def test_a_records_page_leads_to_its_log_history_and_events(door: Door, browser: Client) -> None:
    page = browser.get(f"/desk/testapp/door/{quote(door.pk)}/change/")
    [log] = [link for link in links(page) if "/log/?" in link]
    assert len(browser.get(log).context["rows"]) == 2
    Door.objects.create(code="another").fire("open_up", actor=ACTOR)
    assert {row.entry.object_pk for row in browser.get(log).context["rows"]} == {door.pk}
    for link in links(page):
        if re.search(r"/(history|event/\w+)/$", link):
            assert browser.get(link).status_code == 200, link


def test_refusals_lead_to_the_record(door: Door, browser: Client) -> None:
    with pytest.raises(InvalidTransition):
        door.fire("open_up", actor=ACTOR)
    page = browser.get(SECTION + "refusals/")
    [address] = of_record(page)
    assert browser.get(address).context["original"] == door
    assert len(browser.get(SECTION + "refusals/", {"record": door.pk}).context["slice"].rows) == 1


def test_a_hold_leads_to_the_record(door: Door, browser: Client) -> None:
    place_hold(door, reason="dispute", by=ACTOR)
    [address] = of_record(browser.get(SECTION + "retention/"))
    assert browser.get(address).context["original"] == door


def test_a_finding_leads_to_the_record_and_its_log(door: Door, browser: Client) -> None:
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE testapp_door SET position = 'closed'")
    browser.post(SECTION + "ledger/", {"what": "check"})
    work_off("default")
    page = browser.get(SECTION + "ledger/")
    [address] = of_record(page)
    assert browser.get(address).context["original"] == door
    [log] = [link for link in links(page) if "/log/?" in link]
    assert len(browser.get(log).context["rows"]) == 2


def test_many_of_them_are_fired_from_the_list(door: Door, browser: Client) -> None:
    browser.post("/desk/testapp/door/", {"action": "fire_close", "_selected_action": [door.pk]})
    door.refresh_from_db()
    assert door.position == "closed"


def test_the_commands_find_the_record(door: Door) -> None:
    call_command("lifecycle_verify", "--record", f"testapp.door:{door.pk}", verbosity=0)
    call_command("lifecycle_replay", f"testapp.door:{door.pk}", verbosity=0)
    call_command("lifecycle_redact", "--record", f"testapp.door:{door.pk}", "--reason", "x", verbosity=0)


def test_a_states_number_leads_to_its_records(door: Door, browser: Client) -> None:
    for page in ("", "testapp.door/"):
        [address] = {link for link in links(browser.get(SECTION + page)) if link.endswith("?position=open")}
        assert list(browser.get(address).context["cl"].result_list) == [door]
    assert unquote_plus(address).startswith("/desk/testapp/door/")
