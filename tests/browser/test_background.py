"""What goes on in the background: asked for, followed with and without JavaScript, stopped, done again."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.site import Prepared, Site, prepared, serving
from tests.browser.test_records import ENTRIES
from tests.browser.visitor import Windows

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Site]:
    """The sample project, where more than five records at once go in the background."""
    base = tmp_path_factory.getbasetemp()
    made: Prepared = prepared((base if worker_id == "master" else base.parent) / "browser")
    few = {"DJANGO_SETTINGS_MODULE": "tests.browser.few_at_once"}
    with serving(made, Path(tmp_path_factory.mktemp("few")), also=few) as site:
        yield site


@pytest.fixture
def windows(browser: Browser, site: Site) -> Iterator[Windows]:
    opened = Windows(browser, site)
    yield opened
    opened.close()
    assert not opened.trouble, "\n".join(opened.trouble)


def close_all_resolved(page: Page, site: Site) -> int:
    """Choose every resolved ticket to be closed; how many there are."""
    number = site.count("helpdesk_ticket", "state = 'resolved'")
    page.goto("/admin/helpdesk/ticket/?state=resolved")
    for box in page.locator("input.action-select").all():
        box.check()
    page.get_by_label("Action:").select_option("fire_close")
    page.get_by_role("button", name=re.compile("^(Go|Run)")).click()
    expect(page.get_by_text(f"{number} tickets chosen.")).to_be_visible()
    return number


def test_the_page_follows_the_work_and_shows_the_result_by_itself(windows: Windows, site: Site) -> None:
    page = windows.open("sergio")
    before = site.count(ENTRIES)
    number = close_all_resolved(page, site)
    page.get_by_role("button", name=f"Close: {number} tickets").click()
    expect(page.get_by_text("Waits for a worker")).to_be_visible()
    assert not windows.findings(page)
    assert site.count(ENTRIES) == before

    site.work()

    expect(page.get_by_text(f"{number} of {number} tickets are Closed.")).to_be_visible()
    assert not windows.findings(page)
    assert site.count(ENTRIES) == before + number
    page.reload()
    expect(page.get_by_text("Reloading this page does nothing again.")).to_be_visible()
    assert site.count(ENTRIES) == before + number
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert len(download.value.path().read_text().splitlines()) == 1 + number


def test_the_same_without_javascript(windows: Windows, site: Site) -> None:
    page = windows.open("sergio", javascript=False)
    number = close_all_resolved(page, site)
    page.get_by_role("button", name=f"Close: {number} tickets").click()
    expect(page.get_by_text("Waits for a worker")).to_be_visible()

    site.work()

    expect(page.get_by_text(f"{number} of {number} tickets are Closed.")).to_be_visible()


def test_it_can_be_stopped_from_the_page_of_work(windows: Windows, site: Site) -> None:
    page, wim = windows.open("sergio"), windows.open("demo")
    number = close_all_resolved(page, site)
    page.get_by_role("button", name=f"Close: {number} tickets").click()
    expect(page.get_by_text("Waits for a worker")).to_be_visible()

    wim.goto("/admin/lifecycle/work/")
    wim.get_by_role("button", name="Stop Close: tickets").first.click()
    expect(wim.locator(".messagelist")).to_contain_text("It stops after the piece that is at work now.")
    site.work()

    expect(page.get_by_text("It was told to stop.")).to_be_visible()
    assert site.count("helpdesk_ticket", "state = 'resolved'") == number


def test_the_ledger_is_checked_while_one_looks_on(windows: Windows, site: Site) -> None:
    page = windows.open("audrey")
    page.goto("/admin/lifecycle/ledger/")
    page.get_by_role("button", name="Check with bodies").click()
    expect(page.get_by_text("Waits for a worker")).to_be_visible()
    assert not windows.findings(page)

    site.work()

    expect(page.get_by_text("What was checked is whole")).to_be_visible()
    assert not windows.findings(page)
    assert not windows.findings(page, scheme="dark")


def test_dead_work_is_tried_again_or_dropped_by_keyboard(windows: Windows, site: Site) -> None:
    page = windows.open("demo", javascript=False)
    page.goto("/admin/lifecycle/work/")
    page.get_by_role("link", name=re.compile("^Drop effect")).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("^Drop effect"))).to_be_visible()
    expect(page.get_by_text("it will never be done")).to_be_visible()
    page.get_by_role("button", name="Drop it").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("is dropped. It will not be done.")
    assert site.count("fsm_lifecycle_workitem", "status = 'dead'") == 0


def test_an_endpoint_is_added_and_its_secret_seen_once(windows: Windows, site: Site) -> None:
    page = windows.open("demo")
    page.goto("/admin/lifecycle/webhooks/")
    page.get_by_role("link", name="Add endpoint").click()
    page.get_by_label("Name").fill("Billing bridge")
    page.get_by_label("Address").fill("http://billing.example.com/hooks")
    page.get_by_role("button", name="Add endpoint").click()
    expect(page.locator(".lc-field-error")).to_be_visible()
    assert not windows.findings(page)
    page.get_by_label("Address").fill("https://billing.example.com/hooks")
    page.get_by_label("Events").fill("helpdesk.ticket.*")
    page.get_by_role("button", name="Add endpoint").click()

    secret = page.locator("pre.lc-hash")
    expect(secret).to_contain_text("whsec_")
    assert not windows.findings(page)
    with closing(site.connect()) as database:
        (stored,) = database.execute(
            "SELECT secret FROM fsm_lifecycle_webhookendpoint WHERE description = 'Billing bridge'"
        ).fetchone()
    assert str(secret.text_content()) not in stored
    page.reload()
    expect(page.get_by_role("heading", name="Billing bridge")).to_be_visible()
    expect(secret).to_have_count(0)
