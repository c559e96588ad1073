"""Reading the log: narrowing it, opening an entry, taking it away as a file."""

import csv
import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.site import Site
from tests.browser.test_records import ENTRIES
from tests.browser.visitor import Windows

pytestmark = pytest.mark.once


def test_an_auditor_narrows_the_log_and_takes_it_along(windows: Windows, site: Site) -> None:
    page = windows.open("audrey")
    page.goto("/admin/lifecycle/")
    page.get_by_role("navigation", name="Lifecycle section").get_by_role("link", name="Log").click()

    page.get_by_label("Lifecycle", exact=True).select_option(label="Ticket")
    page.get_by_label("Who").fill("Anna Serra")
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Event").select_option(label="Wait")
    page.get_by_role("button", name="Filter").click()

    entries = page.get_by_role("region", name="Log entries").locator("tbody tr:not(.is-group)")
    expect(entries).to_have_count(3)
    for shown in entries.all_inner_texts():
        assert "Wait" in shown
        assert "Anna" in shown or "anna" in shown
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    with download.value.path().open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["event"] for row in rows] == ["wait", "wait", "wait"]
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON", exact=True).click()
    assert len(json.loads(download.value.path().read_text())) == 3

    entries.first.locator("code.lc-hash").click()
    expect(page.get_by_text("Asked for the print service’s log files.")).to_be_visible()

    page.go_back()
    page.get_by_role("link", name="Clear all").click()
    expect(page.get_by_role("link", name=re.compile("^Remove filter"))).to_have_count(0)


def test_somebody_sees_the_entries_of_the_records_they_may_read(windows: Windows, site: Site) -> None:
    clara, audrey = windows.open("clara"), windows.open("audrey")
    for page in (clara, audrey):
        page.goto("/admin/lifecycle/log/")

    log = "Log entries"
    expect(clara.get_by_role("region", name=log)).to_contain_text("Invoice")
    expect(clara.get_by_role("region", name=log)).not_to_contain_text("Ticket")
    expect(audrey.get_by_role("region", name=log)).to_contain_text("Ticket")


def test_the_log_offers_no_way_to_change_it(windows: Windows, site: Site) -> None:
    page = windows.open("demo")
    before = site.count(ENTRIES)

    page.goto("/admin/lifecycle/log/")

    assert page.locator("#content form[method=post]").count() == 0
    page.get_by_role("region", name="Log entries").locator("code.lc-hash").first.click()
    expect(page.get_by_role("heading", name="Hashes")).to_be_visible()
    assert page.locator("#content form[method=post]").count() == 0
    assert site.count(ENTRIES) == before


def test_nothing_found_says_so_and_what_to_do(windows: Windows, site: Site) -> None:
    page = windows.open("audrey")

    page.goto("/admin/lifecycle/log/?model=helpdesk.ticket&event=transition:close&actor=dora")

    expect(page.get_by_role("heading", name="No entry matches")).to_be_visible()
    page.locator(".lc-empty").get_by_role("link", name="Clear filters").click()
    expect(page.get_by_role("region", name="Log entries")).to_be_visible()
