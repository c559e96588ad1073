"""The section's first page: every lifecycle that the user may see, from counts that do not grow with the log."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.admin.section import charts, dashboard, populations
from fsm_lifecycle.admin.section.daily import daily
from fsm_lifecycle.admin.section.populations import population, stuck
from fsm_lifecycle.engine import visible_log
from fsm_lifecycle.engine.visible_log import sight
from fsm_lifecycle.ledger import census as census_module
from fsm_lifecycle.ledger.census import census
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import DailyCount, RefusedAttempt
from tests.testapp.models import Invoice, Light
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db]

PAGE = "/admin/lifecycle/"
ACTOR = System("tests")
Texts = Callable[[Any], str]
Staff = Callable[..., User]


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretend that there are no other lifecycles."""

    def pretend(*models: Any) -> None:
        monkeypatch.setattr(visible_log, "lifecycles", lambda: list(models))
        monkeypatch.setattr(dashboard, "lifecycles", lambda: list(models))

    return pretend


def lit(number: int) -> list[Light]:
    made = [Light.objects.create() for _ in range(number)]
    for light in made:
        light.fire("switch_on", actor=ACTOR)
    return made


def test_every_lifecycle_with_its_records_and_firings(browser: Client, texts: Texts, only: Any) -> None:
    only(Light, Invoice, Claim)
    lit(3)
    Light.objects.create()
    Invoice.objects.create()
    answer = browser.get(PAGE)
    text = texts(answer)
    assert "4 open of 4" in text
    assert re.search(r"Off 1 On 3", text)
    assert "Open records 5 of 5" in text
    assert "Firings today 3 median 0 a day" in text
    assert "Claim 0 open of 0 no record" in text
    assert 'href="/admin/lifecycle/testapp.light/"' in answer.content.decode()
    assert 'aria-label="3 firings in 30 days"' in answer.content.decode()
    assert "Switch on to On" in text


def test_the_numbers_stand_in_a_table_too(browser: Client, texts: Texts, only: Any) -> None:
    only(Light)
    light = lit(2)[0]
    with pytest.raises(Exception, match="Switch on"):
        light.fire("switch_on", actor=ACTOR)
    text = texts(browser.get(PAGE))
    assert RefusedAttempt.objects.count() == 1
    assert "2 firings, 1 refusals" in browser.get(PAGE).content.decode()
    assert f"{datetime.now(UTC).date():%-d %b %Y} 2 1" in text


def test_refusals_are_for_those_who_may_see_them(
    client: Client, staff: Staff, texts: Texts, only: Any
) -> None:
    only(Light)
    client.force_login(staff("auditor", "view_transitionlog"))
    assert "efusal" not in texts(client.get(PAGE)).replace("Refusals", "", 0)
    client.force_login(staff("other", "view_transitionlog", "view_refusedattempt"))
    assert "Refusals today 0" in texts(client.get(PAGE))


def test_what_is_stuck_is_shown_longest_first(browser: Client, texts: Texts, only: Any) -> None:
    only(Light)
    first, second, _ = lit(3)
    assert "Nothing is stuck" in texts(browser.get(PAGE))
    Light.objects.filter(pk=first.pk).update(state_since=timezone.now() - timedelta(days=9))
    Light.objects.filter(pk=second.pk).update(state_since=timezone.now() - timedelta(days=800))
    text = texts(browser.get(PAGE))
    assert "Stuck 2 oldest 2 years" in text
    assert text.index(f"{second} On 2 years") < text.index(f"{first} On 9 days")


@pytest.mark.parametrize("few", [0, 1000])
def test_stuck_records_are_the_same_one_by_one_and_by_state(
    few: int, monkeypatch: pytest.MonkeyPatch, root: User
) -> None:
    monkeypatch.setattr(populations, "FEW", few)
    made = lit(4)
    made[3].fire("switch_off", actor=ACTOR)
    for place, light in enumerate(made):
        Light.objects.filter(pk=light.pk).update(state_since=timezone.now() - timedelta(days=20 - place))
    found = stuck(Light, sight(root), 3)
    assert [one.record.pk for one in found.longest] == [light.pk for light in made[:3]]
    assert found.shown == ("0+" if few == 0 else "4")


# --- where the numbers come from ----------------------------------------------------------------------------


def test_few_records_are_counted_as_they_are(root: User) -> None:
    lit(2)
    found = population(Light, sight(root), census())
    assert (found.total, found.counted) == (2, True)


def test_many_come_from_the_census_and_their_age_is_told(
    root: User, monkeypatch: pytest.MonkeyPatch, browser: Client, texts: Texts, only: Any
) -> None:
    only(Light)
    lit(3)
    seal()
    lit(1)
    monkeypatch.setattr(populations, "FEW", 2)
    found = population(Light, sight(root), census())
    assert ([(one.badge.value, one.number) for one in found.present], found.counted) == ([("on", 4)], False)
    assert "Counts as of now." in texts(browser.get(PAGE))
    monkeypatch.setattr(census_module, "MOST", 1)
    assert population(Light, sight(root), census()).total == 3
    assert re.search(r"Counts as of the last seal, \d+ seconds? ago\.", texts(browser.get(PAGE)))


def test_many_in_a_log_that_was_never_sealed_are_counted(root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    lit(4)
    monkeypatch.setattr(populations, "FEW", 2)
    monkeypatch.setattr(census_module, "MOST", 1)
    found = population(Light, sight(root), census())
    assert (found.total, found.counted) == (4, True)


def test_firings_of_days_are_those_of_the_rollup_and_what_waits() -> None:
    lit(2)
    seal()
    DailyCount.objects.update(day=datetime.now(UTC).date() - timedelta(days=3))
    lit(1)
    found = daily(["testapp.light"], census(), days=5)
    assert found.fired["testapp.light"] == [0, 2, 0, 0, 1]
    assert found.fired_in_all == [0, 2, 0, 0, 1]
    assert found.firings("testapp.light", 2) == [0, 1]
    assert [row[1:] for row in found.table()] == [(1, 0), (2, 0)]


def test_how_far_the_log_is_sealed(browser: Client, texts: Texts) -> None:
    assert "Ledger Not sealed no entry yet" in texts(browser.get(PAGE))
    lit(1)
    assert "Not sealed 2 entries are chained alone" in texts(browser.get(PAGE))
    seal()
    assert "Ledger Sealed all 2 entries, not signed" in texts(browser.get(PAGE))
    Light.objects.create()
    assert re.search(r"Ledger 1 waiting oldest \d+ seconds?; sealed up to", texts(browser.get(PAGE)))


def test_the_seal_is_for_those_who_may_see_checkpoints(client: Client, staff: Staff, texts: Texts) -> None:
    client.force_login(staff("auditor", "view_transitionlog"))
    assert "sealed" not in texts(client.get(PAGE))
    client.force_login(staff("keeper", "view_transitionlog", "view_checkpoint"))
    assert "Not sealed" in texts(client.get(PAGE))


def test_as_many_statements_for_sixty_records_as_for_one(
    browser: Client, django_assert_num_queries: Any, only: Any
) -> None:
    only(Light, Claim)
    lit(1)
    seal()
    with django_assert_num_queries(19) as counted:
        browser.get(PAGE)
    lit(60)
    seal()
    Light.objects.update(state_since=timezone.now() - timedelta(days=9))
    with django_assert_num_queries(len(counted) + 1):  # the one that reads what is stuck
        browser.get(PAGE)


# --- who sees what ------------------------------------------------------------------------------------------


def test_strangers_and_those_without_the_permission(client: Client, staff: Staff) -> None:
    assert client.get(PAGE)["Location"].startswith("/admin/login/")
    client.force_login(staff("idle"))
    assert client.get(PAGE).status_code == 403


def test_without_a_role_there_is_nothing(client: Client, staff: Staff, texts: Texts, only: Any) -> None:
    only(Claim)
    Claim.objects.create(title="Secret")
    client.force_login(staff("auditor", "view_transitionlog"))
    text = texts(client.get(PAGE))
    assert "Nothing here for you to see" in text
    assert "Claim" not in text


def test_with_a_role_on_one_record_only_that_one_counts(
    client: Client, staff: Staff, texts: Texts, only: Any
) -> None:
    only(Claim)
    mine, _ = Claim.objects.create(), Claim.objects.create()
    user = staff("auditor", "view_transitionlog")
    grant_role(user, "auditor", on=mine, by=ACTOR)
    client.force_login(user)
    text = texts(client.get(PAGE))
    assert "1 open of 1" in text
    assert "for those who may read all" in text
    assert "Firings" not in text.replace(
        "Firings, 30 days", ""
    )  # those of others are not counted, nor are none claimed


def test_no_lifecycle_says_how_to_begin(browser: Client, texts: Texts, only: Any) -> None:
    only()
    assert "No lifecycle yet" in texts(browser.get(PAGE))


def test_no_inline_style_or_script(browser: Client) -> None:
    lit(2)
    for path in ("", "testapp.light/", "log/", f"log/{Light.objects.latest('pk').log.latest('pk').pk}/"):
        content = browser.get(PAGE + path).content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", content), path


# --- charts -------------------------------------------------------------------------------------------------


def test_bars_are_as_high_as_their_numbers() -> None:
    bars = charts.spark([0, 5, 10], width=30, height=20)
    assert [(bar.x, bar.y, bar.height) for bar in bars] == [("10.8", "10", "10"), ("20.8", "0", "20")]
    assert charts.spark([0, 0]) == []
    assert charts.spark([]) == []


@pytest.mark.parametrize(
    ("most", "texts"),
    [
        (0, []),
        (1, ["1"]),
        (3, ["2"]),
        (19, ["10"]),
        (20, ["10", "20"]),
        (9000, ["5,000"]),
        (12_000, ["5k", "10k"]),
        (21_000, ["10k", "20k"]),
    ],
)
def test_the_grid_has_round_numbers(most: int, texts: list[str]) -> None:
    assert [mark.text for mark in charts.days(date(2026, 1, 1), [most, 0], [0, 0]).grid] == texts


def test_refusals_stand_on_firings_and_days_have_names() -> None:
    drawn = charts.days(date(2026, 9, 22), [10] * 60, [0] * 59 + [10])
    fired, refused = drawn.bars[-2:]
    assert (fired.kind, refused.kind) == ("fired", "refused")
    assert float(refused.y) + float(refused.height) < float(fired.y)
    assert [mark.text for mark in drawn.days] == ["22 Sep", "6 Oct", "20 Oct", "3 Nov", "20 Nov"]


def test_a_scale_of_time_holds_every_length() -> None:
    lengths = [timedelta(0), timedelta(seconds=5), timedelta(days=4000)]
    drawn = charts.ranges([("a", "new", low, high) for low in lengths for high in lengths if low <= high])
    for row in drawn.rows:
        assert 100 < float(row.median) <= float(row.ninety) <= 420
    assert charts.ranges([]).rows == []


@pytest.mark.parametrize(
    ("length", "said"),
    [(0, "0 s"), (59, "59 s"), (300, "5 min"), (17_640, "4.9 h"), (86_400, "1 d"), (950_400, "11 d"),
     (40_000_000, "1.3 y")],
)  # fmt: skip
def test_lengths_in_one_number(length: int, said: str) -> None:
    assert charts.short(timedelta(seconds=length)) == said
