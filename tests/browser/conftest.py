"""Owns what every browser test begins with: Chromium, the site as it was prepared, and a look at what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser import chromium
from tests.browser.site import Site, prepared, serving
from tests.browser.visitor import Windows

# A machine that runs the other tests beside these takes its time.
expect.set_options(timeout=60_000)


# Of the package, not of the session: while Playwright lives, an event loop runs in this thread, and Django's ORM and
# `asyncio.run` refuse to work beside it. Tests of other packages must not meet it.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = chromium.executable()
    if path is None:
        pytest.skip(chromium.ADVICE)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Site]:
    base = tmp_path_factory.getbasetemp()
    # Workers have folders of their own below that of the run.
    shared = base if worker_id == "master" else base.parent
    with serving(prepared(shared / "browser"), Path(tmp_path_factory.mktemp("served"))) as site:
        yield site


@pytest.fixture
def site(served: Site) -> Site:
    """The sample project, its database as it was prepared."""
    served.put_back()
    return served


@pytest.fixture
def windows(browser: Browser, site: Site) -> Iterator[Windows]:
    """Opens windows. A page that complains on the console, breaks the content policy or lacks a file fails the test."""
    opened = Windows(browser, site)
    yield opened
    opened.close()
    assert not opened.trouble, "\n".join(opened.trouble)
