"""The way in."""

import pytest
from playwright.sync_api import expect

from tests.browser.dataset import PASSWORD
from tests.browser.visitor import Windows

pytestmark = pytest.mark.once


def test_somebody_logs_in_and_finds_their_work(windows: Windows) -> None:
    page = windows.open()

    page.goto("/")
    page.get_by_role("link", name="Admin", exact=True).click()
    page.get_by_label("Username:").fill("anna")
    page.get_by_label("Password:").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()

    expect(page.locator("#site-name")).to_have_text("Operations")
    expect(page.get_by_role("link", name="Tickets").first).to_be_visible()
