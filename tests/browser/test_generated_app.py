"""An app that `startfsmapp` has written, in a site with a base template of its own, as people meet it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.site import Site, environment, manage, serving
from tests.browser.test_every_page import assert_open
from tests.browser.visitor import Windows

pytestmark = pytest.mark.once

SETTINGS = """
from sample_project.settings import *
INSTALLED_APPS = [*INSTALLED_APPS, "parcels"]
ROOT_URLCONF = "host_urls"
"""
URLS = """
from django.urls import include, path
from sample_project.urls import urlpatterns
urlpatterns = [*urlpatterns, path("parcels/", include("parcels.urls"))]
"""
PARCELS = [
    *("--fields", "label:string", "weight:decimal", "sent_on:date?"),
    *("--states", "packed:initial,sent,delivered:terminal,lost:terminal"),
    *("--events", "send:packed>sent", "deliver:sent>delivered", "lose:sent>lost"),
]


@pytest.fixture
def host(served: Site, tmp_path: Path) -> Iterator[Site]:
    """The sample project with the generated app in it."""
    variables = environment(served.made.folder, tmp_path / "unused.sqlite3")
    variables["PYTHONPATH"] = f"{tmp_path}:{variables['PYTHONPATH']}"
    manage(variables, "startfsmapp", "parcels", *PARCELS, "--into", str(tmp_path))
    (tmp_path / "host_settings.py").write_text(SETTINGS)
    (tmp_path / "host_urls.py").write_text(URLS)
    also = {"PYTHONPATH": variables["PYTHONPATH"], "DJANGO_SETTINGS_MODULE": "host_settings"}
    with serving(served.made, tmp_path, also, migrate=True) as site:
        yield site


def test_a_parcel_is_made_sent_and_delivered(browser: Browser, host: Site) -> None:
    windows = Windows(browser, host)
    page = windows.open("anna")

    page.goto("/parcels/")
    assert_open(windows, page)
    page.get_by_role("link", name="New parcel").first.click()
    assert_open(windows, page)
    page.get_by_label("Label").fill("Spare parts")
    page.get_by_label("Weight").fill("2.5")
    page.get_by_role("button").last.click()
    expect(page.get_by_role("heading", name="Spare parts")).to_be_visible()
    assert_open(windows, page)
    page.locator('a[data-lifecycle-event="send"]').click()
    assert_open(windows, page)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_contain_text("Sent")
    expect(page.locator(".lifecycle-state.is-large")).to_have_text("Sent")
    page.locator('a[data-lifecycle-event="deliver"]').click()
    page.get_by_role("button", name="Deliver").click()
    expect(page.get_by_text("Delivered is final. No event leaves it.")).to_be_visible()
    assert_open(windows, page)

    windows.close()
    assert not windows.trouble, "\n".join(windows.trouble)
