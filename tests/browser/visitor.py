"""Owns a browser window in the hands of one user, and what no page may do in it: complain, load from elsewhere, fail.

Must not know the pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files

from playwright.sync_api import Browser, ConsoleMessage, Page, Response

from tests.browser.site import Site

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
#: How messages begin that are no fault of a page.
NO_TROUBLE = (
    "Failed to load resource",  # a document that is refused (403, 409) is a page like another
    "Autofocus processing was blocked",  # a test typed into a field before the page put the cursor there
)
DESKTOP, PHONE = 1280, 390


@dataclass
class Windows:
    """Every window of one test, and what went wrong in them."""

    browser: Browser
    site: Site
    trouble: list[str] = field(default_factory=list)

    def open(
        self,
        username: str = "",
        *,
        width: int = DESKTOP,
        scheme: str = "light",
        javascript: bool = True,
    ) -> Page:
        """A window of a fresh browser, with the session of a user."""
        context = self.browser.new_context(
            base_url=self.site.url,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=javascript,
            reduced_motion="reduce",
        )
        context.set_default_timeout(60_000)
        if username:
            session = self.site.made.sessions[username]
            context.add_cookies([{"name": "sessionid", "value": session, "url": self.site.url}])
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.trouble.append(f"error: {error}"))
        page.on("response", self._answered)
        return page

    def findings(self, page: Page, *, scheme: str = "light") -> list[str]:
        """What axe finds serious or critical on the page, a line for each place; in the dark, of its contrast alone."""
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        heard = len(self.trouble)
        # The colours of links and buttons fade from one to the other.
        page.evaluate("() => document.getAnimations().forEach(change => change.finish())")
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(AXE)
        rules = {"runOnly": ["color-contrast"]} if scheme == "dark" else {}
        found = page.evaluate(
            "options => axe.run(document, options)",
            {"resultTypes": ["violations"], "preload": False, **rules},
        )
        # axe itself puts styles on the page, which the policy forbids.
        del self.trouble[heard:]
        return [
            f"{scheme}: {violation['id']}: {' '.join(map(str, node['target']))}  {node['html'][:120]}"
            for violation in found["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]

    def close(self) -> None:
        for context in self.browser.contexts:
            context.close()

    def _heard(self, message: ConsoleMessage) -> None:
        if not message.text.startswith(NO_TROUBLE):
            self.trouble.append(f"console: {message.text} ({message.location.get('url')})")

    def _answered(self, response: Response) -> None:
        of_a_page = response.request.resource_type == "document"
        if response.status >= (500 if of_a_page else 400):
            self.trouble.append(f"{response.status}: {response.url}")


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(page.evaluate("() => document.scrollingElement.scrollWidth - window.innerWidth"))
