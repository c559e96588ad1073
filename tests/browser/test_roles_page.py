"""Giving and taking roles, and that they count at once."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.browser.test_records import reasons, ticket_url
from tests.browser.visitor import Windows

pytestmark = pytest.mark.once

EVENTS_OF_ACCESS = "fsm_lifecycle_accessevent"
CLOSE = 'a[data-lifecycle-event="close"]'


def look_for(page: Page, name: str) -> None:
    page.get_by_label("Person or group", exact=True).fill(name)
    page.get_by_role("button", name="Find person or group").click()


def test_a_role_that_is_granted_counts_at_once_and_one_that_is_revoked_no_more(
    windows: Windows, site: Site
) -> None:
    sergio, tomas = windows.open("sergio"), windows.open("tomas")
    tomas.goto(ticket_url(site, 1201))
    assert reasons(tomas, "close") == ["Needs the role Supervisor on this ticket. Your role is Agent."]
    before = site.count(EVENTS_OF_ACCESS)

    sergio.goto("/admin/lifecycle/roles/")
    look_for(sergio, "novak")
    expect(sergio.get_by_label("Tomas Novak (tomas)")).to_be_checked()
    sergio.get_by_label("Supervisor", exact=True).check()
    sergio.get_by_label("Until").fill(f"{timezone.now() + timedelta(days=7):%Y-%m-%dT%H:%M}")
    sergio.get_by_label("Reason").fill("Christmas.")
    assert site.count(EVENTS_OF_ACCESS) == before
    sergio.get_by_role("button", name="Grant role").click()
    expect(sergio.locator(".messagelist")).to_have_text(
        "Tomas Novak is Supervisor on all tickets from now on."
    )
    assert site.count(EVENTS_OF_ACCESS) == before + 1
    sergio.reload()
    assert site.count(EVENTS_OF_ACCESS) == before + 1

    tomas.reload()
    expect(tomas.locator(CLOSE)).to_be_visible()
    expect(
        sergio.get_by_role("row").filter(has_text="Tomas Novak").filter(has_text="Supervisor")
    ).to_contain_text("days left")

    sergio.get_by_role("link", name="Revoke Supervisor from Tomas Novak").click()
    expect(sergio.get_by_role("heading", name="Revoke Supervisor from Tomas Novak?")).to_be_visible()
    assert not windows.findings(sergio)
    sergio.get_by_role("button", name="Revoke Supervisor").click()
    expect(sergio.locator(".messagelist")).to_contain_text("Tomas Novak is no longer Supervisor")
    tomas.reload()
    expect(tomas.locator(CLOSE)).to_have_count(0)
    assert reasons(tomas, "close") == ["Needs the role Supervisor on this ticket. Your role is Agent."]


def test_enter_in_a_field_looks_for_a_person_and_grants_nothing(windows: Windows, site: Site) -> None:
    page = windows.open("sergio")
    before = site.count(EVENTS_OF_ACCESS)
    page.goto("/admin/lifecycle/roles/")

    page.get_by_label("Person or group", exact=True).fill("novak")
    page.get_by_label("Supervisor", exact=True).check()
    page.get_by_label("Reason").fill("In a hurry.")
    page.keyboard.press("Enter")

    expect(page.get_by_label("Tomas Novak (tomas)")).to_be_visible()
    expect(page.get_by_label("Supervisor", exact=True)).to_be_checked()
    expect(page.get_by_label("Reason")).to_have_value("In a hurry.")
    assert site.count(EVENTS_OF_ACCESS) == before


def test_a_role_of_elsewhere_is_not_somebodys_to_grant(windows: Windows, site: Site) -> None:
    """Sergio may grant roles, but holds none on invoices."""
    page = windows.open("sergio")
    before = site.count(EVENTS_OF_ACCESS)

    page.goto("/admin/lifecycle/roles/?on=billing.invoice")
    look_for(page, "novak")
    page.get_by_label("Approver", exact=True).check()
    page.get_by_role("button", name="Grant role").click()

    expect(page.get_by_role("alert")).to_be_visible()
    assert site.count(EVENTS_OF_ACCESS) == before


def test_whose_job_it_is_not_sees_no_roles(windows: Windows) -> None:
    page = windows.open("anna")

    answer = page.goto("/admin/lifecycle/roles/")

    assert answer is not None
    assert answer.status == 403
