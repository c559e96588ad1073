"""A lifecycle's own page: its table, its records, who may do what, its versions; and its diagram as a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, models
from django.test import Client
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.access.stores import permission_of
from fsm_lifecycle.admin.section import lifecycle
from fsm_lifecycle.admin.section.connections import connections
from fsm_lifecycle.admin.section.matrix import direct_grants, matrix
from fsm_lifecycle.admin.section.versions import changes, versions
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import LifecycleDefinition
from sample_project.helpdesk.models import Ticket
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Contract, Invoice, Light, Order
from tests.testapp.offices import Binder, Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db]

PAGE = "/admin/lifecycle/"
ACTOR = System("tests")
Texts = Callable[[Any], str]
Staff = Callable[..., User]


def test_the_table_in_words_and_as_a_drawing(browser: Client, texts: Texts) -> None:
    answer = browser.get(f"{PAGE}testapp.invoice/")
    text = texts(answer)
    assert "6 events, 8 transitions" in text
    assert "Pay Sent Overdue Paid Not in the future none" in text
    assert "Refund compensating Paid Cancelled none none" in text
    assert "post_to_ledger email_client , after commit" in text
    assert "Dotted lines" in text
    assert 'class="lc-graph' in answer.content.decode()
    assert "No roles" in text


def test_numbers_of_records_and_how_long_they_stayed(browser: Client, texts: Texts) -> None:
    lights = [Light.objects.create() for _ in range(3)]
    for light in lights[:2]:
        light.fire("switch_on", actor=ACTOR, occurred_at=timezone.now() + timedelta(hours=2))
    seal()
    text = texts(browser.get(f"{PAGE}testapp.light/"))
    assert "3 open of 3. 5 entries since" in text
    assert "Off 1 On 2 Broken 0 final" in text
    assert "Off 2 h 2 h 2" in text
    assert "From the latest 2 moves" in text
    assert ": 2. Most in a week: 2. Last 28 days: 2." in text


def test_stuck_records_first_few_then_all(browser: Client, texts: Texts) -> None:
    for _ in range(7):
        Light.objects.create()
    Light.objects.update(state_since=timezone.now() - timedelta(days=30))
    few = texts(browser.get(f"{PAGE}testapp.light/"))
    assert few.count("Off 30 days") == 5
    assert "All 7" in few
    assert texts(browser.get(f"{PAGE}testapp.light/?stuck=all")).count("Off 30 days") == 7


def test_with_many_states_the_fullest_come_first(
    browser: Client, texts: Texts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "MANY", 2)
    monkeypatch.setattr(lifecycle, "FULLEST", 1)
    for _ in range(2):
        Light.objects.create().fire("switch_on", actor=ACTOR)
    Light.objects.create()
    text = texts(browser.get(f"{PAGE}testapp.light/"))
    assert "3 states Off On Broken Diagram" in text
    assert "On 2 All 3" in text
    assert "The fullest first." in text


@pytest.mark.parametrize(
    "label", ["testapp.nothing", "auth.user", "x.y", "testapp.Light", "testapp.light.x", "testapp", "a.b%00"]
)
def test_what_has_no_lifecycle_has_no_page(browser: Client, label: str) -> None:
    assert browser.get(f"{PAGE}{label}/").status_code == 404
    assert browser.get(f"{PAGE}{label}/diagram.svg").status_code == 404


def test_every_lifecycle_has_a_page(browser: Client) -> None:
    from fsm_lifecycle.registry import lifecycles

    for model in lifecycles():
        assert browser.get(f"{PAGE}{model._meta.label_lower}/").status_code == 200, model


def test_as_many_statements_for_sixty_records_as_for_one(
    browser: Client, django_assert_num_queries: Any
) -> None:
    counted: list[int] = []
    for number in (1, 60):
        for _ in range(number):
            Light.objects.create().fire("switch_on", actor=ACTOR)
        Light.objects.update(state_since=timezone.now() - timedelta(days=9))
        seal()
        with django_assert_num_queries(counted[0] if counted else 22) as found:
            browser.get(f"{PAGE}testapp.light/")
        counted.append(len(found))


# --- diagrams -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "kind", "begin"),
    [
        ("svg", "image/svg+xml", "<svg"),
        ("mmd", "text/plain", "stateDiagram"),
        ("dot", "text/vnd.graphviz", "digraph"),
        ("json", "application/json", "{"),
    ],
)
def test_downloads(browser: Client, ending: str, kind: str, begin: str) -> None:
    answer = browser.get(f"{PAGE}testapp.invoice/diagram.{ending}")
    assert answer["Content-Type"].startswith(kind)
    assert f'filename="testapp.invoice.{ending}"' in answer["Content-Disposition"]
    assert begin in answer.content.decode()[:400]
    if ending == "json":
        assert json.loads(answer.content)


def test_no_other_format(browser: Client) -> None:
    assert browser.get(f"{PAGE}testapp.invoice/diagram.exe").status_code == 404


# --- who may do what ----------------------------------------------------------------------------------------


def test_the_matrix_has_roles_and_direct_grants_apart(browser: Client, texts: Texts) -> None:
    rights = {right.label: right for right in matrix(Claim)}
    roles = list(Claim.lifecycle.roles)
    assert [name for name, may in zip(roles, rights["Examine"].roles, strict=True) if may] == [
        "examiner",
        "manager",
    ]
    assert [name for name, may in zip(roles, rights["Update"].roles, strict=True) if may] == [
        "owner",
        "manager",
    ]
    permission = permission_of(Claim, "fire_examine", "default")
    User.objects.create_user("a").user_permissions.add(permission)
    Group.objects.create(name="g").permissions.add(permission)
    grant_role(User.objects.create_user("b"), "examiner", on=Claim, by=ACTOR)
    assert direct_grants(Claim)["fire_examine"] == 2
    assert "Examine may not may may not may not may not may 2" in texts(
        browser.get(f"{PAGE}testapp.claim/")
    ).replace("– ", "").replace(" direct grants", "")


def test_direct_grants_in_tables_of_the_models_own() -> None:
    from guardian.shortcuts import assign_perm

    binder, user = Binder.objects.create(), User.objects.create_user("a")
    permission_of(Binder, "fire_close", "default")
    assign_perm("testapp.fire_close", user, binder)
    assert direct_grants(Binder)["fire_close"] == 1
    assert Permission.objects.filter(codename="fire_close").exists()


def test_the_definition_is_shown_and_the_records_are_not(client: Client, staff: Staff, texts: Texts) -> None:
    Ticket.objects.count()
    client.force_login(staff("auditor", "view_transitionlog"))
    text = texts(client.get(f"{PAGE}helpdesk.ticket/"))
    assert "Nothing here for you to see" in text
    assert "Assign seriousness" in text
    assert "Stuck longest" not in text
    assert "Throughput" not in text


def test_who_may_read_some_records_sees_their_numbers(client: Client, staff: Staff, texts: Texts) -> None:
    mine, _ = Claim.objects.create(), Claim.objects.create()
    user = staff("auditor", "view_transitionlog")
    grant_role(user, "auditor", on=mine, by=ACTOR)
    client.force_login(user)
    text = texts(client.get(f"{PAGE}testapp.claim/"))
    assert "1 open of 1." in text
    assert "entries since" not in text
    assert "Not measured for you" in text


def test_strangers_and_those_without_the_permission(client: Client, staff: Staff) -> None:
    for path in ("testapp.light/", "testapp.light/diagram.svg"):
        assert client.get(PAGE + path).status_code == 302
    client.force_login(staff("idle"))
    for path in ("testapp.light/", "testapp.light/diagram.svg"):
        assert client.get(PAGE + path).status_code == 403


# --- connections and versions -------------------------------------------------------------------------------


def test_connections_in_both_directions(browser: Client, texts: Texts) -> None:
    own = [(link.source_label, link.target_label, link.refused) for link in connections(Order)]
    assert own == [
        ("Order: Place", "Contract: Activate", "If that is refused, the order stays where it is."),
        (
            "Order: Finish",
            "Contract: End",
            "If that is not allowed, the order moves without it.",
        ),
    ]
    assert [link.source_label for link in connections(Contract)] == ["Order: Place", "Order: Finish"]
    assert connections(Invoice) == []
    assert "Order: Place fires Contract: Activate" in texts(browser.get(f"{PAGE}testapp.contract/"))
    answer = browser.get(f"{PAGE}testapp.order/")
    assert (
        'Fires <a href="/admin/lifecycle/testapp.contract/">Contract: Activate</a>' in answer.content.decode()
    )
    assert "Dotted lines" not in texts(answer)


def test_earlier_versions_say_what_changed(browser: Client, texts: Texts) -> None:
    Light.objects.create()
    now = Light.lifecycle.to_dict()
    before = json.loads(json.dumps(now))
    before["events"] = [event for event in before["events"] if event["name"] != "smash"]
    before["events"][0]["guards"] = ["is_dark"]
    with unprotected(connection):
        row = LifecycleDefinition(
            fingerprint="a" * 64,
            model_label="testapp.light",
            json=json.dumps(before),
            first_seen=timezone.now() - timedelta(days=900),
        )
        models.Model.save_base(row, force_insert=True)
    newest, oldest = versions("testapp.light", Light.lifecycle.fingerprint)
    assert newest.current
    assert not oldest.current
    assert set(newest.changes) == {"event Smash added", "guard Is dark removed from Blink"}
    text = texts(browser.get(f"{PAGE}testapp.light/"))
    assert "Last change event Smash added; guard Is dark removed from Blink" in text
    assert "Earlier versions (1)" in text
    assert "aaaaaaaa" in text


def test_changes_of_states_roles_and_of_nothing() -> None:
    table = Claim.lifecycle.to_dict()
    assert list(changes(table, table)) == []
    other = json.loads(json.dumps(table))
    other["states"][0]["terminal"] = not other["states"][0]["terminal"]
    other["roles"][0]["may"] = ["pay"]
    other["roles"].append({"value": "guest", "crud": [], "may": [], "default": False})
    told = list(changes(table, other))
    assert "role Guest added" in told
    assert any("is final" in one or "no longer final" in one for one in told)
    assert any("may no longer" in one for one in told)
    assert list(changes({}, {"events": []})) == []
