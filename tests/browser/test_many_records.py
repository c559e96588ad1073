"""An event on many records at once, from the list."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.browser.test_records import ENTRIES, event_url
from tests.browser.visitor import Windows

pytestmark = pytest.mark.once


def choose(page: Page, action: str, *names: str) -> None:
    for name in names:
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))
        row.get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option(action)
    page.get_by_role("button", name=re.compile("^(Go|Run)")).click()


def test_many_are_closed_at_once_and_a_reload_closes_nothing(windows: Windows, site: Site) -> None:
    page = windows.open("sergio")
    before = site.count(ENTRIES)

    page.goto("/admin/helpdesk/ticket/")
    resolved = site.count("helpdesk_ticket", "state = 'resolved'")
    page.get_by_role("link", name=f"Resolved ({resolved})").click()
    page.locator("#action-toggle").check()
    page.get_by_label("Action:").select_option("fire_close")
    page.get_by_role("button", name=re.compile("^(Go|Run)")).click()
    expect(page.get_by_text("Nothing has happened yet.")).to_be_visible()
    assert site.count(ENTRIES) == before
    page.get_by_role("button", name=f"Close: {resolved} tickets").click()

    expect(page.get_by_text(f"{resolved} of {resolved} tickets are Closed.")).to_be_visible()
    assert site.count(ENTRIES) == before + resolved
    page.reload()
    expect(page.get_by_text("Reloading this page does nothing again.")).to_be_visible()
    assert site.count(ENTRIES) == before + resolved


def test_what_stayed_is_grouped_by_reason_and_what_changed_is_tried_again(
    windows: Windows, site: Site
) -> None:
    page, other = windows.open("anna"), windows.open("sergio")
    page.goto("/admin/helpdesk/ticket/")
    choose(page, "fire_wait", "1103", "1104", "1106", "1201", "1202")
    expect(page.get_by_text("3 of 5 tickets can be moved. 2 stay as they are")).to_be_visible()
    stays = page.get_by_role("region", name="Records that stay as they are")
    expect(stays.get_by_role("link", name="Ticket 1201")).to_be_visible()
    # While it is thought over, somebody takes one of them in charge.
    other.goto(event_url(site, 1106, "take_in_charge"))
    other.get_by_role("button", name="Take in charge").click()
    expect(other.locator(".messagelist")).to_contain_text("In progress")
    before = site.count(ENTRIES)

    assert not windows.findings(page)
    page.get_by_label("Reason").fill("Asked for the log files.")
    page.get_by_role("button", name="Wait: 3 tickets").click()

    expect(page.get_by_text("2 of 5 tickets are Waiting. 3 stayed as they were.")).to_be_visible()
    assert not windows.findings(page)
    assert not windows.findings(page, scheme="dark")
    assert site.count(ENTRIES) == before + 2
    page.reload()
    assert site.count(ENTRIES) == before + 2
    stayed = page.get_by_role("region", name="Records not moved")
    expect(stayed.locator("tr.is-group")).to_have_count(2)
    for name in ("Ticket 1106", "Ticket 1201", "Ticket 1202"):
        expect(stayed.get_by_role("link", name=name)).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert len(download.value.path().read_text().splitlines()) == 1 + 5

    page.get_by_role("button", name="Try the 1 changed one again").click()

    expect(page.get_by_text("1 of 1 tickets is Waiting.")).to_be_visible()
    assert site.state(1106) == "waiting"
    page.get_by_role("link", name="Ticket 1106").click()
    expect(page.locator(".lc-timeline li").first).to_contain_text("Asked for the log files.")


def test_answers_are_given_once_for_all(windows: Windows, site: Site) -> None:
    page = windows.open("anna")
    page.goto("/admin/helpdesk/ticket/")

    choose(page, "fire_wait", "1103", "1106")
    page.get_by_label("Reason").fill("Christmas. The customers are away.")
    page.get_by_role("button", name="Wait: 2 tickets").click()

    expect(page.get_by_text("2 of 2 tickets are Waiting.")).to_be_visible()
    page.get_by_role("link", name="Ticket 1103").click()
    expect(page.locator(".lc-timeline li").first).to_contain_text("Christmas. The customers are away.")


def test_nothing_is_offered_for_nothing_chosen(windows: Windows, site: Site) -> None:
    page = windows.open("sergio")
    page.goto("/admin/helpdesk/ticket/")

    choose(page, "fire_close")

    expect(page.locator(".messagelist")).to_contain_text("Items must be selected")
