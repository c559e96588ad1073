"""A record's own pages in the hands of the people who work with it: what they can do, why not, and doing it."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.browser.visitor import Windows

pytestmark = pytest.mark.once

ENTRIES = "fsm_lifecycle_transitionlog"
REFUSALS = "fsm_lifecycle_refusedattempt"
SOLUTION = "Driver 4.1 drops pages. Rolled back to 4.0."


def ticket_url(site: Site, number: int) -> str:
    return f"/admin/helpdesk/ticket/{site.ticket(number)}/change/"


def event_url(site: Site, number: int, event: str) -> str:
    return f"/admin/helpdesk/ticket/{site.ticket(number)}/event/{event}/"


def reasons(page: Page, name: str) -> list[str]:
    """What stands beside a disabled button, found as a screen reader finds it."""
    button = page.locator(f'button[data-lifecycle-event="{name}"]')
    expect(button).to_be_disabled()
    described_by = button.get_attribute("aria-describedby")
    return page.locator(f"#{described_by} li").all_inner_texts()


def test_what_is_not_possible_is_shown_disabled_with_every_reason(windows: Windows, site: Site) -> None:
    anna, tomas = windows.open("anna"), windows.open("tomas")

    anna.goto(ticket_url(site, 2436))
    expect(anna.locator('a[data-lifecycle-event="resolve"]')).to_contain_text("Resolved")
    assert reasons(anna, "take_in_charge") == ["You have this ticket in charge already."]
    assert reasons(anna, "create_anomaly") == ["Assign a seriousness first: development works by it."]
    # Neither colour nor a tooltip: text that is seen.
    expect(anna.get_by_text("You have this ticket in charge already.")).to_be_visible()

    tomas.goto(ticket_url(site, 1201))
    assert reasons(tomas, "close") == ["Needs the role Supervisor on this ticket. Your role is Agent."]
    # Whether there was an anomaly is no business of somebody who could not say what became of it.
    assert reasons(tomas, "mark_fixed") == ["Needs the role Developer on this ticket. Your role is Agent."]


def test_an_event_asks_says_what_will_happen_and_fires_once(windows: Windows, site: Site) -> None:
    page = windows.open("anna")
    before = site.count(ENTRIES)

    page.goto(ticket_url(site, 2436))
    page.locator('a[data-lifecycle-event="resolve"]').click()
    expect(page.get_by_text("The ticket becomes Resolved.")).to_be_visible()
    expect(page.get_by_text("Yes. Take in charge leads back to In progress.")).to_be_visible()
    assert site.count(ENTRIES) == before

    # As a browser that does not check by itself.
    page.locator("form.lc-stack").evaluate("form => { form.noValidate = true }")
    page.get_by_label("Solution").fill("Too short.")
    page.get_by_label("Minutes spent").fill("45")
    page.get_by_role("button", name="Resolve ticket").click()
    expect(page.get_by_text("at least 20 characters (it has 10)")).to_be_visible()
    expect(page.get_by_label("Minutes spent")).to_have_value("45")
    assert not windows.findings(page)
    assert site.count(ENTRIES) == before

    page.get_by_label("Solution").fill(SOLUTION)
    page.get_by_role("button", name="Resolve ticket").click()

    expect(page.locator(".messagelist")).to_have_text("Ticket 2436 is Resolved.")
    expect(page.locator(".lc-timeline li").first).to_contain_text(SOLUTION)
    expect(page.locator(".lc-timeline li").first).to_contain_text("Anna Serra")
    assert site.state(2436) == "resolved"
    assert site.count(ENTRIES) == before + 1
    page.reload()
    assert site.count(ENTRIES) == before + 1


def test_a_refusal_names_the_remedy_and_whom_to_ask(windows: Windows, site: Site) -> None:
    page = windows.open("tomas")

    page.goto(event_url(site, 1201, "close"))

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Close is not possible now.")
    expect(alert).to_contain_text("Needs the role Supervisor on this ticket. Your role is Agent.")
    expect(page.get_by_role("button", name="Close ticket")).to_have_count(0)
    page.get_by_role("link", name="Back to the ticket").click()
    expect(page).to_have_url(f"{site.url}{ticket_url(site, 1201)}")


def test_what_a_guard_refuses_on_the_way_changes_nothing(windows: Windows, site: Site) -> None:
    """The form was opened while the invoice could be sent; meanwhile somebody corrected its amount."""
    page, other = windows.open("clara"), windows.open("clara")
    page.goto("/admin/billing/invoice/?q=DEMO-1")
    page.get_by_role("link", name="DEMO-1").click()
    invoice = page.url
    page.locator('a[data-lifecycle-event="send_invoice"]').click()
    expect(page.locator(".lc-warnline")).to_contain_text("It cannot be called back.")
    refusals = site.count(REFUSALS)

    other.goto(invoice)
    other.get_by_label("Amount:").fill("0")
    other.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Send invoice").click()

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Send invoice was refused. Nothing was changed.")
    expect(alert).to_contain_text("The invoice total must be positive.")
    assert not windows.findings(page)
    assert site.count(REFUSALS) == refusals + 1
    page.goto(invoice)
    expect(page.locator(".lifecycle-state.is-large")).to_have_text("Draft")


def test_somebody_elses_move_is_told_and_what_was_typed_is_kept(windows: Windows, site: Site) -> None:
    anna, sergio = windows.open("anna"), windows.open("sergio")
    anna.goto(event_url(site, 2436, "resolve"))
    anna.get_by_label("Solution").fill(SOLUTION)
    sergio.goto(event_url(site, 2436, "wait"))
    sergio.get_by_label("Reason").fill("The customer is on holiday.")
    sergio.get_by_role("button", name="Wait").click()
    before = site.count(ENTRIES)

    anna.get_by_role("button", name="Resolve ticket").click()

    alert = anna.get_by_role("alert")
    expect(alert).to_contain_text("This ticket has changed. Sergio Riva moved it to Waiting at")
    expect(alert).to_contain_text("Nothing was done.")
    expect(anna.locator(".lc-timeline")).to_contain_text("The customer is on holiday.")
    expect(anna.get_by_text(SOLUTION)).to_be_visible()
    assert not windows.findings(anna)
    assert not windows.findings(anna, scheme="dark")
    assert site.count(ENTRIES) == before
    assert site.state(2436) == "waiting"

    anna.get_by_role("button", name="Review and resolve from Waiting").click()
    expect(anna.get_by_label("Solution")).to_have_value(SOLUTION)
    assert site.count(ENTRIES) == before
    anna.get_by_role("button", name="Resolve ticket").click()
    expect(anna.locator(".messagelist")).to_have_text("Ticket 2436 is Resolved.")
    assert site.count(ENTRIES) == before + 1


def test_saving_fields_and_firing_are_never_mixed(windows: Windows, site: Site) -> None:
    page = windows.open("anna")
    before = site.count(ENTRIES)

    page.goto(ticket_url(site, 2436))
    assert page.locator("form [data-lifecycle-event]").count() == 0
    page.get_by_label("Customer:").fill("Ferrara Logistica")
    page.keyboard.press("Enter")

    expect(page.locator(".messagelist")).to_contain_text("was changed")
    assert site.count(ENTRIES) == before
    assert site.state(2436) == "in_progress"
