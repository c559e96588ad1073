"""Talking to an agent as a person does: a real loop, the real SDK, and a fake of the model's API behind it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.site import Site, prepared, serving
from tests.browser.test_every_page import assert_open
from tests.browser.visitor import PHONE, Windows
from tests.fakes import FakeAnthropic, calls, says

pytestmark = pytest.mark.once

CHAT = "/admin/lifecycle/helpdesk.ticket/agent/chat/"
EXPLORER = "/admin/lifecycle/helpdesk.ticket/agent/"
SOLUTION = "Restarted the print service on both servers."
RESOLVE = {"id": "2436", "expected_state": "in_progress", "solution": SOLUTION}
#: A thread of the server works on the runs, as in the demo.
WORKS = {"SAMPLE_DISPATCH": "thread"}
HOSTILE = '<img src="http://evil.example/x.png" onerror="document.title=1"><script>document.title=2</script> [a](http://evil.example)'


@dataclass
class Desk:
    """A site whose agents ask a fake model, and windows on it."""

    fake: FakeAnthropic
    site: Site
    windows: Windows

    def open(self, username: str = "anna", **how: object) -> Page:
        return self.windows.open(username, **how)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[tuple[FakeAnthropic, Site]]:
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    with FakeAnthropic() as fake:
        folder = Path(tmp_path_factory.mktemp("asking"))
        with serving(prepared(shared / "browser"), folder, {**WORKS, **fake.environment()}) as site:
            yield fake, site


@pytest.fixture
def desk(browser: Browser, asking: tuple[FakeAnthropic, Site]) -> Iterator[Desk]:
    fake, site = asking
    site.put_back()
    fake.script.clear()
    fake.complaints.clear()
    fake.go_on.clear()
    windows = Windows(browser, site)
    yield Desk(fake, site, windows)
    windows.close()
    assert not windows.trouble, "\n".join(windows.trouble)
    assert fake.complaints == []


def write(page: Page, text: str) -> None:
    """Write to the agent, and press Enter."""
    page.get_by_label("Message").fill(text)
    page.get_by_label("Message").press("Enter")


def status(page: Page, text: str) -> None:
    """What a screen reader is told."""
    expect(page.locator("[data-status]")).to_have_text(text)


def test_text_and_tools_come_as_they_happen_and_stay_after_a_reload(desk: Desk) -> None:
    desk.fake.script += [
        calls(
            "list_tickets", {"state": "waiting"}, saying="Let me look at those that wait. " * 8, pause=0.05
        ),
        says("One waits: 1104. " * 12, held_after=6),
    ]
    page = desk.open()
    page.goto(CHAT)
    write(page, "Which tickets wait?")
    expect(page).to_have_url(re.compile(r"/chat/[0-9a-f-]{36}/"))
    expect(page.locator(".lc-acting")).to_contain_text("Acting as anna.")
    # In the middle: it is being written, it can be stopped, nothing more can be sent.
    answer = page.locator(".lc-said-text.is-writing")
    expect(answer).to_contain_text("One waits")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    page.reload()
    desk.fake.go_on.set()
    expect(page.locator(".lc-tool code")).to_have_text("list_tickets")
    expect(page.locator(".lc-said-text").last).to_have_text(("One waits: 1104. " * 12).strip())
    status(page, "Answer complete.")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(page.locator(".lc-said-text.is-writing")).to_have_count(0)
    expect(page.locator("[data-bars]")).to_contain_text("2 of 20")
    card = page.locator(".lc-tool")
    expect(card).not_to_have_attribute("open", "")
    card.locator("summary").click()
    expect(card).to_contain_text('{"state": "waiting"}')
    # The thread itself is no live region: a screen reader is told how it stands, not every word.
    assert page.locator(".lc-thread[aria-live], .lc-thread [aria-live]").count() == 0
    # A conversation goes on, and knows what was said.
    desk.fake.script.append(says("Since 30 days."))
    write(page, "Since when?")
    expect(page.locator(".lc-said-text").last).to_have_text("Since 30 days.")
    sent = desk.fake.bodies[-1]["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user", "assistant", "user"]


def test_a_person_approves_in_the_conversation(desk: Desk) -> None:
    desk.fake.script += [
        calls("resolve_ticket", RESOLVE, saying="I will resolve it."),
        says("It is resolved."),
    ]
    page = desk.open()
    page.goto(CHAT)
    write(page, "Resolve 2436")
    card = page.locator(".lc-ask")
    expect(card).to_contain_text("Resolve ticket")
    expect(card).to_contain_text(SOLUTION)
    expect(card.locator(".lc-move")).to_contain_text("Resolved")
    status(page, "Waits for a decision.")
    # Never the focus from the beginning, never by Enter in the composer.
    approve = page.get_by_role("button", name="Approve and resolve ticket")
    expect(approve).not_to_be_focused()
    write(page, "yes")
    page.get_by_label("Message").press("Control+Enter")
    page.wait_for_timeout(500)
    assert desk.site.state(2436) == "in_progress"
    expect(approve).not_to_be_focused()
    first = page.get_by_text("Decide above first, or stop.")
    expect(first).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 700})
    approve.click(trial=True)  # nothing lies over it
    page.set_viewport_size({"width": 1280, "height": 900})
    approve.click()
    expect(page.locator(".lc-ask.is-approved")).to_contain_text("approved by you")
    expect(first).to_be_hidden()
    expect(page.locator(".lc-said-text").last).to_have_text("It is resolved.")
    status(page, "Answer complete.")
    assert desk.site.state(2436) == "resolved"
    page.locator(".lc-ask").get_by_role("link", name="Entry in the log").click()
    expect(page.locator("#content")).to_contain_text("approved by Anna Serra")


def test_what_is_to_be_decided_is_never_behind_the_composer(desk: Desk) -> None:
    desk.fake.script += [
        calls("list_tickets", {"state": "waiting"}, saying="Let me look at those that wait. " * 90),
        calls("resolve_ticket", RESOLVE, saying="I will resolve it. " * 20),
    ]
    page = desk.open()
    page.goto(CHAT)
    write(page, "Resolve 2436")
    approve = page.get_by_role("button", name="Approve and resolve ticket")
    expect(approve).to_be_visible()
    # Opened anew, it begins where something is to be decided.
    second = desk.open()
    second.goto(page.url)
    approve = second.get_by_role("button", name="Approve and resolve ticket")
    expect(approve).to_be_in_viewport()
    comes_in_sight(approve)
    # Nor is it when the focus comes to it by the keyboard.
    second.locator(".lc-ask h2 a").evaluate("link => link.focus({preventScroll: true})")
    approve.evaluate(
        "button => window.scrollBy(0, button.getBoundingClientRect().bottom - window.innerHeight + 9)"
    )
    assert not in_sight(approve)
    for _ in range(8):
        second.keyboard.press("Tab")
        if second.evaluate("() => document.activeElement.value") == "approve":
            break
    expect(approve).to_be_focused()
    comes_in_sight(approve)


def comes_in_sight(place: Locator) -> None:
    """At the latest when the page has come to rest."""
    until = time.monotonic() + 60
    while not in_sight(place):
        assert time.monotonic() < until, "It stays out of sight."
        place.page.wait_for_timeout(100)


def in_sight(place: Locator) -> bool:
    """Whether the middle of something is what a person sees there."""
    return bool(
        place.evaluate(
            "one => { const at = one.getBoundingClientRect(); const top = document.elementFromPoint("
            "at.x + at.width / 2, at.y + at.height / 2); return one === top || one.contains(top); }"
        )
    )


def test_a_person_declines_and_the_agent_is_told_why(desk: Desk) -> None:
    desk.fake.script += [calls("resolve_ticket", RESOLVE), says("As you wish.")]
    page = desk.open()
    page.goto(CHAT)
    write(page, "Resolve 2436")
    page.locator("summary", has_text="Decline…").click()
    page.get_by_role("button", name="Decline").click()
    expect(page.locator(".lc-ask [data-said]")).to_have_text("Say why. The agent is told, and can do better.")
    page.get_by_label("Why? The agent is told.").fill("The customer has not answered.")
    page.get_by_role("button", name="Decline").click()
    expect(page.locator(".lc-ask.is-declined")).to_contain_text("“The customer has not answered.”")
    expect(page.locator(".lc-ask")).to_contain_text("Nothing was changed.")
    expect(page.locator(".lc-said-text").last).to_have_text("As you wish.")
    assert "The customer has not answered." in desk.fake.seen
    assert desk.site.state(2436) == "in_progress"


def test_a_second_tab_follows_and_stops(desk: Desk) -> None:
    desk.fake.script.append(says("And on and on. " * 400, pause=0.5))  # for minutes
    first = desk.open()
    first.goto(CHAT)
    write(first, "Talk")
    expect(first.locator(".lc-said-text.is-writing")).to_contain_text("And on")
    second = desk.open()
    second.goto(first.url)
    expect(second.locator(".lc-said-text.is-writing")).to_contain_text("And on")
    second.get_by_role("button", name="Stop").click()
    for page in (first, second):
        expect(page.locator(".lc-note", has_text="Stopped by you.")).to_be_visible()
        expect(page.locator(".lc-msg.is-broken")).to_contain_text("Broken off here")
        expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    status(first, "Stopped: by a person.")
    # What the first one begins anew, the second sees without being touched.
    desk.fake.script.append(says("Here I am."))
    write(first, "Again")
    for page in (first, second):
        expect(page.locator(".lc-said-text").last).to_have_text("Here I am.")


def test_a_budget_that_runs_out_stops_it_and_says_which(desk: Desk) -> None:
    desk.fake.script.append(calls("list_tickets", {}, input_tokens=199_900))
    page = desk.open()
    page.goto(CHAT)
    write(page, "Look at everything")
    expect(page.locator(".lc-note", has_text="Stopped: tokens")).to_contain_text("the tokens of its budget")
    status(page, "Stopped: tokens.")
    tokens = page.locator("[data-bars] li", has_text="Tokens")
    expect(tokens).to_contain_text("of 200,000")
    expect(tokens.locator(".t-wait")).to_be_visible()


def test_what_a_model_writes_is_text_and_nothing_is_fetched(desk: Desk) -> None:
    desk.fake.script += [calls("get_ticket", {"id": HOSTILE}, saying=HOSTILE), says(HOSTILE, pause=0.05)]
    page = desk.open()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(CHAT)
    title = page.title()
    write(page, HOSTILE)
    expect(page.locator(".lc-said-text").last).to_have_text(HOSTILE)
    status(page, "Answer complete.")
    expect(page.locator(".lc-tool[open]")).to_contain_text("refused:")
    page.reload()
    expect(page.locator(".lc-said-text").first).to_have_text(HOSTILE)
    assert page.title() == title
    assert page.locator(".lc-thread img, .lc-thread script, .lc-thread a[href*=evil]").count() == 0
    assert [url for url in asked if not url.startswith(desk.site.url)] == []


def test_everything_works_without_javascript(desk: Desk) -> None:
    desk.fake.script += [calls("resolve_ticket", RESOLVE), says("It is resolved.")]
    page = desk.open(javascript=False)
    page.goto(CHAT)
    page.get_by_label("Message").fill("Resolve 2436")
    page.get_by_role("button", name="Send").click()
    # The page loads itself anew until there is something to decide.
    expect(page.locator(".lc-ask")).to_contain_text(SOLUTION)
    page.get_by_role("button", name="Approve and resolve ticket").click()
    expect(page.locator(".messagelist")).to_contain_text("was approved and is done")
    expect(page.locator(".lc-said-text").last).to_have_text("It is resolved.")
    assert desk.site.state(2436) == "resolved"


def test_with_the_keyboard_alone(desk: Desk) -> None:
    desk.fake.script += [calls("resolve_ticket", RESOLVE), says("As you wish.")]
    page = desk.open()
    page.goto(CHAT)
    page.get_by_label("Message").focus()
    page.keyboard.type("Resolve 2436")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("and tell me.")
    page.keyboard.press("Enter")
    expect(page.locator(".lc-ask")).to_be_visible()
    status(page, "Waits for a decision.")  # nothing is drawn anew after that
    expect(page.locator(".lc-said-text").first).to_have_text(
        "Resolve 2436\nand tell me.", use_inner_text=True
    )
    page.locator(".lc-ask h2 a").focus()
    seen = []
    for _ in range(8):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("() => document.activeElement.textContent.trim()"))
        if seen[-1] == "Decline…":
            break
    assert "Approve and resolve ticket" in seen
    assert seen[-1] == "Decline…"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("Not today.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".lc-ask.is-declined")).to_contain_text("“Not today.”")
    expect(page.locator(".lc-said-text").last).to_have_text("As you wish.")


def test_a_conversation_is_open_to_everybody(desk: Desk) -> None:
    """Every kind of piece at once: in light and dark, on a desk and on a phone."""
    desk.fake.script += [
        calls("list_tickets", {"state": "waiting"}, saying="Let me look."),
        calls("take_in_charge_ticket", {"id": "2436", "expected_state": "new"}),
        calls("resolve_ticket", RESOLVE),
    ]
    page = desk.open()
    page.goto(CHAT)
    write(page, "Resolve what is solved")
    expect(page.locator("[data-waits]")).to_be_visible()
    page.locator("summary", has_text="Decline…").click()
    assert_open(desk.windows, page)
    page.locator(".lc-ask h2 a").click()
    assert_open(desk.windows, page)
    page.go_back()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".lc-note", has_text="Stopped")).to_be_visible()
    assert_open(desk.windows, page)
    page.goto("/admin/lifecycle/agents/")
    page.get_by_role("link", name="Resolve what is solved").click()
    assert_open(desk.windows, page)


def test_the_tester_calls_as_oneself(desk: Desk) -> None:
    page = desk.open()
    page.goto(EXPLORER)
    page.get_by_label("Tool", exact=True).select_option("take_in_charge_ticket")
    page.get_by_role("button", name="Choose").click()
    page.get_by_label("id (required)").fill("2436")
    page.get_by_label("expected_state (required)").select_option("new")
    page.get_by_role("button", name="Call as yourself").click()
    expect(page.locator("#answer")).to_contain_text("stale_state")
    expect(page.locator("#answer .lc-tag")).to_have_text("refused")
    expect(page.get_by_label("id (required)")).to_have_value("2436")
    page.set_viewport_size({"width": PHONE, "height": 900})
    assert_open(desk.windows, page)


def test_without_a_key_it_says_what_to_set(browser: Browser, site: Site, tmp_path: Path) -> None:
    keyless = {
        "SAMPLE_AGENT_MODEL": "anthropic/claude-sonnet-5-5",
        "ANTHROPIC_API_KEY": "",
        "ANTHROPIC_AUTH_TOKEN": "",
    }
    with serving(site.made, tmp_path, keyless) as other:
        windows = Windows(browser, other)
        page = windows.open("anna")
        page.goto(CHAT)
        note = page.locator(".lc-note")
        expect(note).to_contain_text("anthropic/claude-sonnet-5-5 has no key.")
        expect(note).to_contain_text("ANTHROPIC_API_KEY")
        expect(page.get_by_label("Message")).to_be_disabled()
        assert_open(windows, page)
        note.get_by_role("link", name="try one").click()
        expect(page.locator("#try")).to_be_visible()
        windows.close()
        assert not windows.trouble, "\n".join(windows.trouble)


def test_the_demos_script_says_that_it_is_one(browser: Browser, site: Site, tmp_path: Path) -> None:
    keyless = {**WORKS, "SAMPLE_AGENT_MODEL": "", "ANTHROPIC_API_KEY": ""}
    with serving(site.made, tmp_path, keyless) as other:
        windows = Windows(browser, other)
        try_the_script(windows.open("clara"))
        windows.close()
        assert not windows.trouble, "\n".join(windows.trouble)


def try_the_script(page: Page) -> None:
    page.goto("/admin/lifecycle/billing.invoice/agent/chat/")
    expect(page.locator(".lc-note")).to_contain_text("This is scripted. No model is asked")
    page.get_by_role("link", name="Which clients owe us most?").click()
    expect(page.get_by_label("Message")).to_have_value("Which clients owe us most?")
    page.get_by_label("Message").press("Enter")
    status(page, "Answer complete.")
    expect(page.locator(".lc-tool").first).to_be_visible()
