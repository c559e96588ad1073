"""The log's page: filtered, in pages, read-only, and only what the user may see."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from fsm_lifecycle import System, acting_as
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.admin.section import windows
from fsm_lifecycle.admin.section.days import by_day
from fsm_lifecycle.engine import visible_log
from fsm_lifecycle.engine.causes import Link, chain_of
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import TransitionLog
from sample_project.helpdesk.models import Ticket
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Light
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db]

LOG = "/admin/lifecycle/log/"
ACTOR = System("night run")
Staff = Callable[..., User]


def hashes(answer: Any) -> list[str]:
    """The entries that a page shows, in order."""
    return re.findall(r'<code class="lc-hash">(\w{8})</code>', answer.content.decode())


def newest(*entries: TransitionLog) -> list[str]:
    return [entry.entry_hash[:8] for entry in entries]


def made(number: int = 1) -> list[Light]:
    return [Light.objects.create(name=str(place)) for place in range(number)]


# --- what is shown ------------------------------------------------------------------------------------------


def test_entries_newest_first_in_days(browser: Client, texts: Any) -> None:
    (light,) = made()
    entry = light.fire("switch_on", actor=ACTOR)
    answer = browser.get(LOG)
    assert hashes(answer) == newest(entry, light.log.get(sequence=1))
    text = texts(answer)
    assert "Today, " in text
    assert "Switch on" in text
    assert "night run" in text
    assert "2 entries, from" in text


def test_what_was_recorded_later_says_when_it_happened(browser: Client, texts: Any) -> None:
    (light,) = made()
    assert "happened" not in texts(browser.get(LOG))
    light.fire("switch_on", actor=ACTOR, occurred_at=datetime(2013, 1, 11, 15, 7, tzinfo=UTC))
    assert texts(browser.get(LOG)).count("happened 11 Jan 2013, 15:07") == 1


def test_days_near_by_are_called_by_their_names() -> None:
    with time_machine.travel(datetime(2026, 12, 15, 9, tzinfo=UTC), tick=False):
        rows = [SimpleNamespace(recorded_at=timezone.now() - timedelta(days=days)) for days in range(3)]
        assert [day for day, _ in by_day(rows)] == [
            "Today, 15 Dec 2026",
            "Yesterday, 14 Dec 2026",
            "13 Dec 2026",
        ]


def test_people_are_called_by_their_names_of_today(browser: Client, texts: Any) -> None:
    ada = User.objects.create_user("al-17")
    (light,) = made()
    light.fire("switch_on", actor=ada)
    assert "Person: al-17" in texts(browser.get(LOG))
    User.objects.update(first_name="Ada", last_name="Lovelace")
    assert "Person: Ada Lovelace" in texts(browser.get(LOG))


def test_names_of_strangers_are_escaped(browser: Client) -> None:
    (light,) = made()
    light.fire("switch_on", actor=System("<script>alert(1)</script>"))
    assert "<script>alert" not in browser.get(LOG).content.decode()


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", ["", "1/", "export.csv", "export.json"])
def test_it_is_read_only(browser: Client, method: str, path: str) -> None:
    assert getattr(browser, method)(LOG + path).status_code == 405


def test_as_many_statements_for_sixty_rows_as_for_one(
    browser: Client, django_assert_num_queries: Any
) -> None:
    made(1)
    browser.get(LOG)
    with django_assert_num_queries(6) as counted:
        browser.get(LOG)
    made(60)
    with django_assert_num_queries(len(counted)):
        assert len(hashes(browser.get(LOG))) == windows.SIZE


# --- the filter ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("model=testapp.light", 4),
        ("model=testapp.light&record={pk}", 3),
        ("record={pk}", 3),
        ("event=transition:switch_on", 2),
        ("event=transition:switch_off", 0),
        ("event=created", 3),
        ("actor=night run", 1),
        ("actor=ada", 1),
        ("actor=Lovelace Ada", 1),
        ("actor={ada}", 1),
        ("actor=nobody at all", 0),
        ("kind=user", 1),
        ("kind=agent", 0),
        ("since=2000&until=2001", 0),
        ("since=2000", 5),
        ("model=testapp.claim", 1),
        ("until=1 Jan 2001, 10:00", 0),
    ],
)
@pytest.mark.parametrize("sealed", [False, True])
def test_each_field_narrows(browser: Client, query: str, found: int, sealed: bool) -> None:
    ada = User.objects.create_user("ada", first_name="Ada", last_name="Lovelace")
    light, _ = made(2)
    light.fire("switch_on", actor=ACTOR)
    light.fire("blink", actor=ada)
    Claim.objects.create()
    TransitionLog.objects.latest("pk")
    if sealed:
        seal()
    if query in ("event=transition:switch_on",):
        found = 1
    answer = browser.get(f"{LOG}?{query.format(pk=light.pk, ada=ada.pk)}")
    expected = found
    if query.startswith("record="):  # the claim and the lights may share a key
        expected = TransitionLog.objects.filter(object_pk=str(light.pk)).count()
    assert len(hashes(answer)) == expected
    if expected == 0:
        assert "No entry matches" in answer.content.decode()


def test_what_an_entry_caused_is_found_by_its_hash(browser: Client) -> None:
    (light, other) = made(2)
    cause = light.fire("switch_on", actor=ACTOR)
    with chain_of((Link(cause.entry_hash, "testapp.light", str(light.pk), "switch_on"),)):
        effect = other.fire("switch_on", actor=ACTOR)
    assert effect.cause == cause.entry_hash
    made(2)
    for text in (cause.entry_hash, cause.entry_hash[:12], cause.entry_hash[:8].upper()):
        assert hashes(browser.get(LOG, {"cause": text})) == newest(effect)


def test_chips_say_what_is_filtered_and_remove_it(browser: Client, texts: Any) -> None:
    made()
    answer = browser.get(LOG, {"model": "testapp.light", "kind": "unknown", "since": "2020-11-01"})
    assert "Remove filter Light" in texts(answer)
    assert "Unknown actors" in texts(answer)
    assert "since 1 Nov 2020" in texts(answer)
    content = answer.content.decode()
    assert f'href="{LOG}?model=testapp.light&amp;since=2020-11-01"' in content
    assert f'href="{LOG}"' in content


def test_what_matches_nothing_offers_a_way_out(browser: Client, texts: Any) -> None:
    made()
    text = texts(browser.get(LOG, {"event": "transition:switch_on", "until": "2001"}))
    assert "Switch on to 31 Dec 2001: there is none" in text
    assert "Widen to all time" in text
    assert "Clear filters" in text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("since=tomorrow", "This is no date."),
        ("since=2026-13-45", "This is no date."),
        ("since=99999", "This is no date."),
        ("until=0001-01-01T00:00:00%2B23:59", "This is no date."),
        ("until=9999", "This is no date."),
        ("since=0001", "The log holds the years"),
        ("since=2026&until=2025", "This comes before the beginning."),
        ("model=auth.user", "There is no such one."),
        ("event=';drop", "There is no such one."),
        ("kind=god", "There is no such one."),
        ("record=%00", "Null characters"),
        ("actor=%00", "Null characters"),
        ("since=%00", "Null characters"),
        ("cause=%00abcdefgh", "Null characters"),
        ("cause=xyz", "digits 0 to 9 and a to f"),
        ("cause=%D9%A1%D9%A2%D9%A3%D9%A4%D9%A5%D9%A6%D9%A7%D9%A8", "digits 0 to 9 and a to f"),
        ("cause=" + "a" * 64, "No entry has this hash."),
        ("cause=" + "a" * 65, "at most 64 characters"),
        ("record=" + "9" * 300, "at most 255 characters"),
    ],
)
def test_strange_input_is_an_error_beside_its_field(browser: Client, query: str, said: str) -> None:
    made()
    answer = browser.get(f"{LOG}?{query}")
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not hashes(answer)
    export = browser.get(f"{LOG}export.csv?{query}")
    assert export.status_code == 400
    assert said in export.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "before=1", "before=x.y", "before=" + "9" * 400, "after=-5.3", "before=9999999999999999.9223372036854775808",
        "before=%00", "before=1.%D9%A1", "after=" + "9" * 16 + ".1", "before=-9999999999999999.1",
        "record=" + "9" * 200, "record=%F0%9F%92%A9", "actor=%25", "actor=_", "page=2&foo=bar", "record=%FF%FE",
    ],
)  # fmt: skip
def test_no_address_breaks_the_page(browser: Client, query: str) -> None:
    made()
    assert browser.get(f"{LOG}?{query}").status_code == 200
    assert browser.get(f"{LOG}export.json?{query}").status_code == 200


# --- pages --------------------------------------------------------------------------------------------------


def links(answer: Any) -> dict[str, str]:
    found = re.findall(r'<a class="lc-btn is-small"[^>]*href="([^"]+)">(\w+)</a>', answer.content.decode())
    return {word: address.replace("&amp;", "&") for address, word in found}


def test_pages_go_older_newer_and_back(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    known: Any = windows.window.__kwdefaults__
    monkeypatch.setattr(windows.window, "__kwdefaults__", {**known, "size": 3})
    made(8)
    everything = newest(*TransitionLog.objects.recent())
    first = browser.get(f"{LOG}?model=testapp.light")
    second = browser.get(links(first)["Older"])
    third = browser.get(links(second)["Older"])
    assert [hashes(page) for page in (first, second, third)] == [
        everything[:3],
        everything[3:6],
        everything[6:],
    ]
    assert "Newer" not in links(first)
    assert "Older" not in links(third)
    assert hashes(browser.get(links(third)["Newer"])) == everything[3:6]
    made(1)
    assert hashes(browser.get(links(second)["Newer"])) == everything[:3]
    assert hashes(browser.get(links(third)["Newest"]))[1:] == everything[:2]
    assert "model=testapp.light" in links(third)["Newest"]


def test_what_is_rare_is_looked_for_in_windows(
    browser: Client, monkeypatch: pytest.MonkeyPatch, texts: Any
) -> None:
    monkeypatch.setattr(windows, "WINDOW", 5)
    (light,) = made()
    light.fire("switch_on", actor=ACTOR)
    made(12)
    found = browser.get(f"{LOG}?actor=night run")
    looked = 1
    while not hashes(found):
        assert "No entry matches so far" in texts(found)
        (address,) = re.findall(r'href="([^"]+)">Look further back</a>', found.content.decode())
        found = browser.get(address.replace("&amp;", "&"))
        looked += 1
    assert looked == 3
    assert hashes(found) == newest(light.log.get(sequence=2))


def test_the_rollup_says_where_to_begin(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    (light,) = made()
    entry = light.fire("switch_on", actor=ACTOR)
    seal()
    with unprotected(connection):
        for one in TransitionLog.objects.all():
            connection.cursor().execute(
                "UPDATE fsm_lifecycle_transitionlog SET recorded_at = %s WHERE id = %s",
                [(timezone.now() - timedelta(days=30)).replace(tzinfo=None), one.pk],
            )
        connection.cursor().execute(
            "UPDATE fsm_lifecycle_dailycount SET day = %s", [timezone.now().date() - timedelta(days=30)]
        )
    made(12)
    seal()
    monkeypatch.setattr(windows, "WINDOW", 5)
    assert hashes(browser.get(f"{LOG}?event=transition:switch_on")) == newest(entry)
    answer = browser.get(f"{LOG}?event=transition:smash")
    assert "No entry matches</h3>" in answer.content.decode()
    light.fire("smash", actor=ACTOR)
    assert len(hashes(browser.get(f"{LOG}?event=transition:smash"))) == 1


# --- who may see what ---------------------------------------------------------------------------------------


def test_strangers_log_in_and_others_are_refused(client: Client, staff: Staff) -> None:
    for path in ("", "export.csv", "export.json", "1/"):
        assert client.get(LOG + path).status_code == 302
    client.force_login(User.objects.create_user("customer"))
    assert client.get(LOG).status_code == 302
    client.force_login(staff("idle"))
    for path in ("", "export.csv", "export.json", "1/"):
        assert client.get(LOG + path).status_code == 403


def test_the_page_without_a_role_says_whom_to_ask(
    client: Client, staff: Staff, texts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visible_log, "lifecycles", lambda: [Claim])
    Claim.objects.create()
    chief = staff("chief", "grant_roles")
    chief.first_name, chief.last_name = "Chiara", "Fontana"
    chief.save()
    client.force_login(staff("auditor", "view_transitionlog"))
    answer = client.get(LOG)
    assert not hashes(answer)
    assert "Nothing here for you to see" in texts(answer)
    assert "Chiara Fontana" in texts(answer)
    assert client.get(f"{LOG}export.json").getvalue() == b"[]\n"


def test_entries_of_own_records_only(client: Client, staff: Staff) -> None:
    user = staff("auditor", "view_transitionlog")
    mine, other = Claim.objects.create(), Claim.objects.create()
    grant_role(user, "auditor", on=mine, by=ACTOR)
    client.force_login(user)
    assert hashes(client.get(f"{LOG}?model=testapp.claim")) == newest(mine.log.get())
    assert client.get(f"{LOG}{other.log.get().pk}/").status_code == 404
    assert client.get(f"{LOG}{mine.log.get().pk}/").status_code == 200


def test_who_sees_all_entries_sees_those_of_what_is_gone(client: Client, staff: Staff) -> None:
    claim = Claim.objects.create()
    claim.delete()
    client.force_login(staff("chief", "view_transitionlog", "view_all_entries"))
    assert len(hashes(client.get(f"{LOG}?model=testapp.claim"))) == 2


def test_records_are_linked_for_who_may_read_them(client: Client, staff: Staff) -> None:
    with acting_as(ACTOR):
        ticket = Ticket.objects.create(
            number=7, opened_at=timezone.now(), customer="c", product="p", service_level=1, service_type=1,
            workgroup="w", responsible_section=1, support_section=1,
        )  # fmt: skip
    all_seeing = staff("all", "view_transitionlog", "view_all_entries")
    client.force_login(all_seeing)
    address = f'href="/admin/helpdesk/ticket/{ticket.pk}/change/">Ticket 7</a>'
    assert address not in client.get(LOG).content.decode()
    assert f"Ticket {ticket.pk}" in client.get(LOG).content.decode()
    grant_role(all_seeing, "auditor", on=Ticket, by=ACTOR)
    assert address in client.get(LOG).content.decode()


def test_the_time_of_a_chip_is_that_of_the_site(browser: Client, texts: Any) -> None:
    made()
    now = timezone.localtime()
    answer = browser.get(LOG, {"since": f"{now - timedelta(minutes=5):%Y-%m-%d %H:%M}"})
    assert len(hashes(answer)) == 1
    assert isinstance(now, datetime)
    assert f"since {now - timedelta(minutes=5):%-d %b %Y, %H:%M}" in texts(answer)
