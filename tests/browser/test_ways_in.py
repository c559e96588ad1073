"""The same work with a keyboard alone, without JavaScript, in the dark."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.dataset import PASSWORD
from tests.browser.site import Site
from tests.browser.test_records import ENTRIES, SOLUTION, event_url, ticket_url
from tests.browser.visitor import PHONE, Windows

pytestmark = pytest.mark.once

FOCUSED = "() => document.activeElement.outerHTML.slice(0, 300)"


def tab_to(page: Page, part: str, most: int = 80) -> list[str]:
    """Press Tab until the focus is on what contains a text; the focus is seen everywhere on the way."""
    passed: list[str] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        passed.append(str(page.evaluate(FOCUSED)))
        assert page.evaluate(
            """() => {
                const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
                const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
                return (outlined || style.boxShadow !== 'none' || one.matches('input, select, textarea, #nav-sidebar *,'
                    + ' #header *, .breadcrumbs *, .skip-to-content-link, .toggle-nav-sidebar, .object-tools *'))
                    && box.width > 0 && box.height > 0;
            }"""
        ), f"The focus cannot be seen on {passed[-1]}"
        if part in passed[-1]:
            return passed
    raise AssertionError(f"Tab never came to {part}:\n" + "\n".join(passed))


def test_a_ticket_is_resolved_with_the_keyboard_alone(windows: Windows, site: Site) -> None:
    page = windows.open("anna")
    before = site.count(ENTRIES)
    page.goto(ticket_url(site, 2436))

    passed = tab_to(page, 'data-lifecycle-event="resolve"')
    # Events come in the order in which they are read; what is denied is no stop on the way.
    events = [one for one in passed if "data-lifecycle-event" in one]
    assert [name for one in events for name in ("wait", "resolve") if f'"{name}"' in one] == [
        "wait",
        "resolve",
    ]
    assert not any("disabled" in one for one in events)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What will happen")).to_be_visible()
    # Nothing on this page is chosen yet: Enter fires nothing.
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What will happen")).to_be_visible()
    assert site.count(ENTRIES) == before

    tab_to(page, 'name="solution"')
    page.keyboard.type(SOLUTION)
    tab_to(page, "Resolve ticket")
    page.keyboard.press("Enter")

    expect(page.locator(".messagelist")).to_have_text("Ticket 2436 is Resolved.")
    assert site.count(ENTRIES) == before + 1


def test_everything_works_without_javascript(windows: Windows, site: Site) -> None:
    page = windows.open(javascript=False)
    page.goto(f"/admin/login/?next={ticket_url(site, 1201)}")
    page.get_by_label("Username:").fill("sergio")
    page.get_by_label("Password:").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()

    page.locator('a[data-lifecycle-event="close"]').click()
    page.get_by_role("button", name="Close ticket").click()
    expect(page.locator(".messagelist")).to_have_text("Ticket 1201 is Closed.")
    expect(page.locator(".lc-figure svg.lc-graph")).to_be_visible()

    page.goto("/admin/helpdesk/ticket/")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="1202", exact=True))
    row.get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option("fire_close")
    page.locator("button[name=index]").click()
    page.get_by_role("button", name="Close: 1 ticket").click()
    expect(page.get_by_text("1 of 1 tickets is Closed.")).to_be_visible()

    page.goto("/admin/lifecycle/roles/")
    page.get_by_label("Person or group", exact=True).fill("novak")
    page.get_by_role("button", name="Find person or group").click()
    page.get_by_label("Supervisor", exact=True).check()
    page.get_by_role("button", name="Grant role").click()
    expect(page.locator(".messagelist")).to_contain_text("Tomas Novak is Supervisor")

    page.goto("/admin/lifecycle/log/?model=helpdesk.ticket&event=transition:close")
    expect(page.get_by_role("region", name="Log entries")).to_contain_text("Close")


def test_the_theme_is_switched_by_hand_and_kept(windows: Windows, site: Site) -> None:
    page = windows.open("anna")
    page.goto(ticket_url(site, 2436))
    badge = page.locator(".lifecycle-state.is-large")

    def colours() -> list[str]:
        return [
            str(page.evaluate("() => getComputedStyle(document.body).backgroundColor")),
            str(badge.evaluate("badge => getComputedStyle(badge).backgroundColor")),
            str(page.locator(".lc-card").first.evaluate("card => getComputedStyle(card).backgroundColor")),
        ]

    light = colours()
    toggle = page.locator("#user-tools .theme-toggle, .theme-toggle").first
    for _ in range(3):
        if page.locator("html").get_attribute("data-theme") == "dark":
            break
        toggle.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = colours()
    assert dark[0] != light[0]
    assert dark[1] != light[1]
    assert not windows.findings(page, scheme="dark")
    # Chosen by hand, it holds against what the system says.
    page.emulate_media(color_scheme="light")
    assert colours() == dark
    page.goto(event_url(site, 2436, "resolve"))
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_on_a_phone_the_path_is_told_in_words_and_controls_are_large_enough(
    windows: Windows, site: Site
) -> None:
    page = windows.open("anna", width=PHONE)
    page.goto(ticket_url(site, 2436))

    expect(page.get_by_role("list", name="Path taken")).to_be_visible()
    expect(page.locator(".lc-figure svg.lc-graph")).to_be_hidden()
    for button in page.locator(".lc-btn").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 40
    page.locator('a[data-lifecycle-event="wait"]').click()
    page.get_by_label("Reason").fill("Asked once more.")
    page.get_by_role("button", name="Wait").click()
    expect(page.locator(".messagelist")).to_have_text("Ticket 2436 is Waiting.")
