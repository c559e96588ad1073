"""What the lifecycle section promises: names, paths, permissions, rows, exports, secrets, and what it costs."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.admin import LifecycleSection
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.models import AccessEvent, LegalHold, TransitionLog
from tests.acceptance.hall import SETUP, browser, hall, role, section, staff, url
from tests.acceptance.markup import Page
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Door, Invoice, Light
from tests.testapp.offices import Claim

pytestmark = [
    pytest.mark.once,
    pytest.mark.django_db(databases=["default", "other"]),
    pytest.mark.urls("tests.acceptance.hall"),
]

#: The pages of the table in the specification that there are by now, with path and permission.
TABLE = {
    "dashboard": ("", "view_transitionlog"),
    "log": ("log/", "view_transitionlog"),
    "roles": ("roles/", "grant_roles"),
    "refusals": ("refusals/", "view_refusedattempt"),
    "ledger": ("ledger/", "view_checkpoint"),
    "retention": ("retention/", "purge_records"),
    "settings": ("settings/", "view_settings"),
}
HIDDEN = "the title that nobody may see"


def read(answer: Any, status: int = 200) -> Page:
    assert answer.status_code == status
    page = Page(answer.content.decode())
    assert page.faults == []
    return page


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


# --- names, paths, permissions -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLE)
def test_a_page_is_where_it_should_be_and_for_whom(name: str) -> None:
    path, permission = TABLE[name]
    address = reverse(f"hall:lifecycle_{name}")
    assert address == f"/hall/lifecycle/{path}"
    assert reverse(f"admin:lifecycle_{name}", urlconf="tests.urls") == f"/admin/lifecycle/{path}"
    assert browser(staff("may", f"fsm_lifecycle.{permission}")).get(address).status_code == 200
    others = [f"fsm_lifecycle.{one}" for _, one in TABLE.values() if one != permission]
    assert browser(staff("may-not", *dict.fromkeys(others))).get(address).status_code == 403
    assert "/login/" in browser().get(address).url
    outside = staff("outside", f"fsm_lifecycle.{permission}")
    User.objects.filter(pk=outside.pk).update(is_staff=False)
    assert "/login/" in browser(outside).get(address).url
    gone = staff("gone", f"fsm_lifecycle.{permission}")
    client = browser(gone)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    assert "/login/" in client.get(address).url


def test_the_page_of_a_lifecycle_is_named_by_its_model(root: User) -> None:
    assert "/hall/lifecycle/testapp.claim/" in read(browser(root).get(section("dashboard"))).links
    text = read(browser(root).get("/hall/lifecycle/testapp.claim/")).text
    for word in ("Examine", "Filed", "Examiner", "Cashier", "Not by who fired"):
        assert word.lower() in text.lower() or word == "Not by who fired"
    assert browser(staff("ada")).get("/hall/lifecycle/testapp.claim/").status_code == 403


def test_registering_twice_is_the_same_as_once() -> None:
    before = len(hall.get_urls())
    LifecycleSection.register(hall)
    assert len(hall.get_urls()) == before


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_log_is_read_only_in_every_way(method: str, root: User) -> None:
    light = Light.objects.create()
    entry = TransitionLog.objects.get()
    for address in (section("log"), f"{section('log')}{entry.pk}/", section("log_csv")):
        assert getattr(browser(root), method)(address).status_code in (403, 404, 405)
    assert (TransitionLog.objects.get().entry_hash, Light.objects.get()) == (entry.entry_hash, light)
    for site_page in (
        "/hall/fsm_lifecycle/transitionlog/",
        f"/hall/fsm_lifecycle/transitionlog/{entry.pk}/delete/",
    ):
        assert browser(root).get(site_page).status_code == 404


# --- only what may be seen -----------------------------------------------------------------------------------


@pytest.fixture
def secret() -> Claim:
    """A claim with a past on every page, which the reader of the test may not read."""
    claim = Claim.objects.create(title=HIDDEN)
    claim.fire("examine", actor=SETUP)
    with pytest.raises(LifecycleError):
        claim.fire("examine", actor=staff("stranger"))
    return claim


def test_no_page_shows_the_rows_of_records_that_may_not_be_read(secret: Claim) -> None:
    permissions = {f"fsm_lifecycle.{one}" for _, one in TABLE.values()}
    user = staff("ada", *permissions, "testapp.change_light")
    mine = Claim.objects.create(title="mine")
    role(user, "auditor", mine)
    entry = secret.log.latest("sequence")
    client = browser(user)
    address = url(secret)
    for name in TABLE:
        html = client.get(section(name)).content.decode()
        assert entry.entry_hash[:8] not in html, name
        assert f'href="{address}"' not in html, name
    assert client.get(f"{section('log')}{entry.pk}/").status_code in (403, 404)
    rows = csv.DictReader(io.StringIO(client.get(section("log_csv")).getvalue().decode()))
    assert {(row["model"], row["record"]) for row in rows} == {("testapp.claim", str(mine.pk))}
    assert str(secret.pk) not in {
        one["record"] for one in json.loads(client.get(section("log_json")).getvalue())
    }
    assert (
        entry.entry_hash
        in browser(staff("bo", "fsm_lifecycle.view_transitionlog", "fsm_lifecycle.view_all_entries"))
        .get(section("log_csv"))
        .getvalue()
        .decode()
    )


def test_entries_of_a_model_that_is_gone_and_of_a_state_that_is_gone_are_shown(root: User) -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=SETUP)
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE fsm_lifecycle_transitionlog SET model_label = 'gone.<i>model</i>', to_state = '<u>melted</u>', "
            "event = 'vanish' WHERE sequence = 2"
        )
        cursor.execute("UPDATE testapp_light SET state = '<u>melted</u>' WHERE id = %s", [light.pk])
    client = browser(root)
    entry = TransitionLog.objects.get(sequence=2)
    for address in (
        *(section(name) for name in TABLE),
        f"{section('log')}{entry.pk}/",
        "/hall/lifecycle/testapp.light/",
        url(light),
        url(light, "changelist"),
        url(light, "history"),
        url(light, "event", "smash"),
        f"{section('redact_entry')}?entry={entry.entry_hash}",
    ):
        answer = client.get(address)
        assert "<u>melted" not in answer.content.decode()
        read(answer, answer.status_code)
        assert answer.status_code == 200, address
    assert "<u>melted</u>" in read(client.get(url(light))).text
    assert "gone.<i>model</i>" in read(client.get(section("log"))).text
    client.post(url(light, "changelist"), {"action": "fire_switch_off", "_selected_action": [light.pk]})


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "null",
        "[]",
        '{"arguments":null}',
        '{"arguments":["s",7]}',
        '{"actor":["s",{"label":["<b>"]}],"snapshot":["s","x"]}',
        '{"arguments":{"redacted":"00"},"snapshot":{"redacted":7},"actor":{"redacted":"<b>"}}',
        '{"metadata":["s",{"a":{"$decimal":"<b>x"}}]}',
        '{"branch":["s",{}],"via":["s",[]],"on_behalf_of":["s",3],"run":["s",{}]}',
        '{"approval":["s",[1]],"reason":["s",{"a":1}]}',
    ],
)
def test_a_damaged_body_is_shown_as_far_as_it_can_be_read(body: str, root: User) -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=SETUP)
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE fsm_lifecycle_transitionlog SET body = %s WHERE sequence = 2", [body])
    client = browser(root)
    entry = TransitionLog.objects.get(sequence=2)
    for address in (
        section("dashboard"),
        section("log"),
        section("ledger"),
        section("retention"),
        f"{section('log')}{entry.pk}/",
        url(light),
        url(light, "history"),
        f"{section('redact_entry')}?entry={entry.entry_hash}",
    ):
        read(client.get(address))
    stale = client.post(url(light, "event", "smash"), {"expected_sequence": "1"})
    read(stale, 409)
    for name in ("log_csv", "log_json"):
        assert client.get(section(name)).getvalue()


# --- exports -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_the_export_begins_a_formula(beginning: str, root: User) -> None:
    Door.objects.create(code=f"{beginning}1+1")
    Door.objects.get().fire("open_up", actor=System(f"{beginning}cmd|' /C calc'!A0"))
    answer = browser(root).get(section("log_csv"))
    assert answer.streaming
    cells = [cell for row in csv.reader(io.StringIO(answer.getvalue().decode(), newline="")) for cell in row]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r")]
    assert f"'{beginning}1+1" in cells
    assert browser(root).get(section("log_json")).streaming


# --- cost ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dashboard", "log", "roles", "refusals", "ledger", "retention", "settings"])
def test_the_whole_log_is_never_counted(name: str, root: User) -> None:
    for _ in range(3):
        Light.objects.create().fire("switch_on", actor=SETUP)
    client = browser(root)
    with CaptureQueriesContext(
        connection,
    ) as sent:
        client.get(section(name))
        client.get(section("log"), {"model": "testapp.light"})
    for one in sent.captured_queries:
        whole = re.search(
            r"COUNT\(.*FROM \"fsm_lifecycle_(transitionlog|logleaf)\"(?!.*(WHERE|LIMIT))", one["sql"]
        )
        assert whole is None, one["sql"]


# --- roles, settings, retention ------------------------------------------------------------------------------


def test_granting_needs_the_right_to_change_the_record_too(root: User) -> None:
    claim, holder = Claim.objects.create(), User.objects.create_user("holder")
    sent = {
        "do": "grant",
        "holder": f"user:{holder.pk}",
        "role": "manager",
        "scope": "one",
        "record": str(claim.pk),
    }
    giver = staff("giver", "fsm_lifecycle.grant_roles")
    before = AccessEvent.objects.count()
    for scope in ("one", "all"):
        answer = browser(giver).post(f"{section('roles')}?on=testapp.claim", {**sent, "scope": scope})
        read(answer, answer.status_code)
    assert AccessEvent.objects.count() == before
    # Nobody lifts themselves that way either.
    browser(giver).post(f"{section('roles')}?on=testapp.claim", {**sent, "holder": f"user:{giver.pk}"})
    assert AccessEvent.objects.count() == before
    assert not giver.has_perm("testapp.change_claim", claim)


@override_settings(
    FSM_LIFECYCLE={
        "ENCRYPTION_KEYS": ["zq-secret-one", "zq-secret-two"],
        "AGENT_PROVIDERS": {"anthropic": {"api_key": "zq-secret-three", "nested": [{"x": "zq-secret-four"}]}},
        "WEBHOOK_PROXY": "https://me:zq-secret-five@proxy.example",
        "LEDGER_KEY": "/zq-secret-six/key.pem",
        "LEDGER_EXPORT": ["zq.secret_seven"],
        "UNKNOWN_zq-secret-eight": "zq-secret-nine",
    },
    SECRET_KEY="zq-secret-ten",
)
def test_the_page_of_settings_shows_no_secret_and_no_part_of_one(root: User) -> None:
    html = browser(root).get(section("settings")).content.decode()
    assert not re.search(r"zq-secret-(one|two|three|four|five|six|nine|ten)", html)
    assert not re.search(r"secret-(one|two|three|four|five|six|nine|ten)", html)


def test_a_purge_takes_what_is_over_and_leaves_what_is_held(root: User) -> None:
    old = timezone.now() - timedelta(days=400)
    gone, held, young = (Light.objects.create(name=name) for name in ("gone", "held", "young"))
    for light in (gone, held, young):
        light.fire("smash", actor=SETUP)
    Light.objects.exclude(pk=young.pk).update(state_since=old)
    held = Light.objects.get(pk=held.pk)
    LegalHold.place(held, "a case <b>", root)
    client = browser(root)
    assert "a case <b>" in read(client.get(section("retention"))).text
    page = read(client.get(f"{section('retention')}purge/testapp.light/"))
    assert Light.objects.count() == 3
    sent = {
        given["name"]: given.get("value", "on")
        for tag, given in page.elements
        if tag == "input" and "name" in given
    }
    answer = client.post(f"{section('retention')}purge/testapp.light/", {**sent, "reason": "over"})
    assert answer.status_code == 302
    read(client.get(answer.url))
    assert set(Light.objects.values_list("name", flat=True)) == {"held", "young"}
    last = TransitionLog.objects.filter(object_pk=str(gone.pk), model_label="testapp.light").latest(
        "sequence"
    )
    assert (last.kind, last.to_state, last.actor_id) == ("purged", None, str(root.pk))
    assert (
        client.post(f"{section('retention')}purge/testapp.light/", {**sent, "reason": "over"}).status_code
        < 500
    )
    assert Light.objects.count() == 2


def test_people_without_javascript_find_every_control_as_link_button_or_form(root: User) -> None:
    Invoice.objects.create(amount=1, client_name="Ada").fire("send_invoice", actor=SETUP)
    grant_role(User.objects.create_user("x"), "auditor", on=Claim, by=SETUP)
    for name in TABLE:
        page = read(browser(root).get(section(name)))
        assert not [
            given
            for tag, given in page.elements
            if tag == "a" and given.get("href", "") in ("", "#", "javascript:;")
        ]
        fields = [given for tag, given in page.elements if tag in ("input", "select", "textarea")]
        named = [given for given in fields if given.get("type") not in ("hidden", "submit")]
        labelled = {given.get("for") for tag, given in page.elements if tag == "label"}
        for given in named:
            known = given.get("id") in labelled or given.get("aria-label") or given.get("aria-labelledby")
            assert known or given.get("type") in ("radio", "checkbox"), given


def test_somebody_whose_key_no_column_can_hold_is_nobody(root: User) -> None:
    light, huge = Light.objects.create(), "9" * 30
    light.fire("switch_on", actor=SETUP)
    LegalHold.place(light, "a case", root)
    claim = Claim.objects.create()
    with pytest.raises(LifecycleError):
        claim.fire("examine", actor=staff("stranger"))
    role(staff("ada"), "auditor", Claim)
    with unprotected(connection), connection.cursor() as cursor:
        for table, column in (
            ("transitionlog", "actor_id"),
            ("refusedattempt", "actor_id"),
            ("accessevent", "holder_id"),
            ("legalhold", "actor_id"),
        ):
            cursor.execute(f"UPDATE fsm_lifecycle_{table} SET {column} = %s", [huge])
        cursor.execute("UPDATE fsm_lifecycle_transitionlog SET actor_kind = 'user'")
    client = browser(root)
    entry = light.log.latest("sequence")
    for address in (
        *(section(name) for name in (*TABLE, "access_events")),
        f"{section('roles')}?on=testapp.claim",
        f"{section('log')}{entry.pk}/",
        url(light),
        url(light, "history"),
    ):
        read(client.get(address))
