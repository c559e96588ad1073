"""What holds on every page: nobody is kept out, nothing runs off the side, in light and dark, on a desk and a phone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.site import Site
from tests.browser.visitor import DESKTOP, PHONE, Windows, overflow

pytestmark = pytest.mark.once


def ticket(number: int, rest: str) -> Callable[[Site], str]:
    return lambda site: f"/admin/helpdesk/ticket/{site.ticket(number)}/{rest}"


def section(rest: str = "") -> Callable[[Site], str]:
    return lambda site: f"/admin/lifecycle/{rest}"


PAGES: dict[str, tuple[str, Callable[[Site], str]]] = {
    "landing page": ("", lambda site: "/"),
    "login": ("", lambda site: "/admin/login/"),
    "index": ("demo", lambda site: "/admin/"),
    "list": ("sergio", lambda site: "/admin/helpdesk/ticket/"),
    "record": ("anna", ticket(2436, "change/")),
    "final record": ("audrey", ticket(1108, "change/")),
    "history": ("anna", ticket(2436, "history/")),
    "event with answers": ("anna", ticket(2436, "event/resolve/")),
    "event that is denied": ("tomas", ticket(1201, "event/close/")),
    "event that reaches outside": ("clara", lambda site: "/admin/billing/invoice/1/event/send_invoice/"),
    "list of invoices": ("clara", lambda site: "/admin/billing/invoice/"),
    "invoice": ("clara", lambda site: "/admin/billing/invoice/1/change/"),
    "history of an invoice": ("clara", lambda site: "/admin/billing/invoice/1/history/"),
    "dashboard": ("demo", section()),
    "lifecycle": ("demo", section("helpdesk.ticket/")),
    "lifecycle with branches": ("audrey", section("billing.expensereport/")),
    "log": ("audrey", section("log/?model=billing.expensereport")),
    "log, nothing found": ("audrey", section("log/?record=none&model=helpdesk.ticket")),
    "roles": ("sergio", section("roles/?q=an")),
    "roles of invoices": ("demo", section("roles/?on=billing.invoice")),
    "entry": ("audrey", section("log/40/")),
    "access events": ("sergio", section("roles/events/")),
    "delegation": ("sergio", section("roles/delegate/")),
    "refusals": ("demo", section("refusals/")),
    "agents": ("anna", section("agents/")),
    "explorer": ("anna", section("helpdesk.ticket/agent/?tool=resolve_ticket")),
    "explorer of two lifecycles": ("demo", section("billing.contract/agent/")),
    "chat": ("anna", section("helpdesk.ticket/agent/chat/")),
    "ledger": ("audrey", section("ledger/")),
    "redacting an entry": ("demo", section("ledger/redact/entry/")),
    "redacting a person": ("demo", section("ledger/redact/person/")),
    "retention": ("demo", section("retention/")),
    "legal hold": ("demo", section("retention/hold/")),
    "purged": ("demo", section("retention/purged/")),
    "settings": ("audrey", section("settings/")),
    "purge in the background": ("demo", section("retention/purging/4/")),
    "work": ("demo", section("work/")),
    "work to be dropped": ("demo", section("work/?drop=1")),
    "many, asked": ("sergio", lambda site: "/admin/helpdesk/ticket/_errand/1/"),
    "many, under way": ("sergio", lambda site: "/admin/helpdesk/ticket/_errand/2/"),
    "many, result": ("sergio", lambda site: "/admin/helpdesk/ticket/_errand/3/"),
    "webhooks": ("demo", section("webhooks/")),
    "webhook endpoint": ("demo", section("webhooks/1/?ask=rotate")),
    "webhook delivery": ("demo", section("webhooks/1/deliveries/1/")),
    "adding a webhook endpoint": ("demo", section("webhooks/add/")),
    "changing a webhook endpoint": ("demo", section("webhooks/1/edit/")),
    "purge": ("demo", section("retention/purge/helpdesk.ticket/")),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_is_open_to_everybody(windows: Windows, site: Site, name: str) -> None:
    username, path = PAGES[name]
    page = windows.open(username)
    answer = page.goto(path(site))
    assert answer is not None
    assert answer.status == 200
    assert_open(windows, page)


def assert_open(windows: Windows, page: Page) -> None:
    """No serious finding of axe, no sideways scroll; in light and dark, on a desk and on a phone."""
    found: list[str] = []
    for width in (DESKTOP, PHONE):
        page.set_viewport_size({"width": width, "height": 900})
        assert overflow(page) <= 0, f"{overflow(page)} px too wide at {width}"
        for scheme in ("light", "dark"):
            found += [f"{width} {finding}" for finding in windows.findings(page, scheme=scheme)]
    assert not found, "\n".join(found)


def test_what_is_wrong_has_a_red_border_and_the_present_tab_is_in_sight(windows: Windows, site: Site) -> None:
    page = windows.open("demo", width=PHONE)
    page.goto("/admin/lifecycle/retention/hold/")
    place = page.locator("[aria-current=page]").first.bounding_box()
    assert place is not None
    assert place["x"] + place["width"] <= PHONE
    page.get_by_role("button", name="Place hold").click()
    border = "input => getComputedStyle(input).borderColor"
    wrong, error = page.locator("#id_reason"), page.locator(".lc-field-error").last
    assert wrong.evaluate(border) == error.evaluate("error => getComputedStyle(error).color")
