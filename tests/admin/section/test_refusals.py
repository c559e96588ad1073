"""The page of refusals: every reason in full, for those who may see the record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.models import RefusedAttempt
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db]

PAGE = "/admin/lifecycle/refusals/"


def refused(claim: Claim, event: str, actor: Any) -> RefusedAttempt:
    with pytest.raises(LifecycleError):
        claim.fire(event, actor=actor)
    return RefusedAttempt.objects.latest("pk")


def test_every_reason_is_there_with_who_and_through_what(browser: Client, texts: Any) -> None:
    claim = Claim.objects.create()
    one = refused(claim, "pay", User.objects.create_user("dario"))
    assert len(one.denials) == 2
    text = texts(browser.get(PAGE))
    for denial in one.denials:
        assert denial["reason"] in text
    for words in (
        "Role missing",
        "Not from this state",
        "Today,",
        "dario",
        "through code",
        f"Claim {claim.pk}",
    ):
        assert words in text


def test_only_refusals_on_records_that_may_be_read(client: Client, staff: Any, texts: Any) -> None:
    mine, other = Claim.objects.create(), Claim.objects.create()
    for claim in (mine, other):
        refused(claim, "pay", System("test"))
    user = staff("reader", "view_refusedattempt")
    client.force_login(user)
    assert "Nothing here for you to see" in texts(client.get(PAGE))
    grant_role(user, "auditor", on=mine, by=System("test"))
    answer = client.get(PAGE)
    assert {row.attempt.object_pk for _, rows in answer.context["days"] for row in rows} == {str(mine.pk)}
    assert answer.context["summary"]["total"] == 1
    client.force_login(staff("auditor", "view_refusedattempt", "view_all_entries"))
    assert client.get(PAGE).context["summary"]["total"] == 2


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"model": "testapp.claim"}, 2),
        ({"model": "testapp.plate"}, 0),
        ({"event": "pay"}, 1),
        ({"code": "wrong_state"}, 1),
        ({"code": "access_denied"}, 1),
        ({"actor": "dario"}, 1),
        ({"actor": "Greco Dar"}, 1),
        ({"actor": "night job"}, 1),
        ({"actor": "nobody"}, 0),
        ({"surface": "code"}, 2),
        ({"surface": "api"}, 0),
        ({"since": "2026"}, 2),
        ({"until": "2020"}, 0),
        ({"record": "0"}, 0),
    ],
)
def test_filters(browser: Client, query: dict[str, str], found: int) -> None:
    claim = Claim.objects.create()
    dario = User.objects.create_user("dario", first_name="Dario", last_name="Greco")
    refused(claim, "pay", System("night job"))
    refused(claim, "examine", dario)
    answer = browser.get(PAGE, query)
    assert sum(len(rows) for _, rows in answer.context["days"]) == found
    assert len(answer.context["chips"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"model": "x"},
        {"event": "x"},
        {"code": "x"},
        {"surface": "\0"},
        {"since": "x"},
        {"until": "9" * 30},
        {"record": "\0"},
        {"record": "9" * 300},
        {"actor": "\0"},
        {"since": "2026", "until": "2025"},
    ],
)
def test_a_filter_that_cannot_be_read_shows_nothing_and_says_why(
    browser: Client, query: Any, texts: Any, described: Any
) -> None:
    refused(Claim.objects.create(), "pay", System("night job"))
    answer = browser.get(PAGE, query)
    assert answer.status_code == 200
    for field in answer.context["filter"]:
        for error in field.errors:
            assert f"{field.label}: {error}" in texts(answer)
    assert answer.context["filter"].errors
    described(answer)
    assert "The filter cannot be read" in texts(answer)
    assert not answer.context["days"]


def test_more_refusals_cost_no_more_statements(browser: Client, client: Client, staff: Any) -> None:
    user = staff("reader", "view_refusedattempt")
    client.force_login(user)

    def more() -> None:
        claim = Claim.objects.create()
        grant_role(user, "auditor", on=claim, by=System("test"))
        refused(claim, "pay", user)

    def cost() -> int:
        with CaptureQueriesContext(connection) as made:
            assert client.get(PAGE).context["slice"].rows
        return len(made)

    more()
    cost()
    few = cost()
    for _ in range(60):
        more()
    assert cost() == few


def test_pages(browser: Client) -> None:
    claim = Claim.objects.create()
    for _ in range(60):
        refused(claim, "pay", System("test"))
    first = browser.get(PAGE, {"code": "wrong_state"})
    assert len(first.context["slice"].rows) == 25
    second = browser.get(PAGE + first.context["slice"].older)
    assert len(second.context["slice"].rows) == 25
    assert second.context["chips"]


def test_what_stands_there_from_elsewhere_is_shown_as_text(browser: Client) -> None:
    RefusedAttempt.objects.create(
        model_label="gone.model",
        object_pk="<i>1</i>",
        event="<script>",
        state="lost",
        actor_kind="martian",
        actor_id="x",
        code="new_code",
        reason="<b>no</b>",
        denials={"not": "a list"},
        surface="toaster",
        recorded_at=timezone.now() - timedelta(days=40),
    )
    content = browser.get(PAGE).content.decode()
    assert "&lt;b&gt;no&lt;/b&gt;" in content
    assert "<script>" not in content.partition("lc-page")[2].partition("</main>")[0]


def test_an_empty_page_says_why(browser: Client, texts: Any) -> None:
    assert "Nothing was refused" in texts(browser.get(PAGE))
    assert "No refusal matches" in texts(browser.get(PAGE, {"code": "four_eyes"}))


def test_who_may_see_it(client: Client, staff: Any) -> None:
    assert client.get(PAGE).headers["Location"].startswith("/admin/login/")
    client.force_login(staff("nobody"))
    assert client.get(PAGE).status_code == 403
