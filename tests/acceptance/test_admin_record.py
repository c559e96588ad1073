"""What a model's own admin promises: badges, events with reasons, one page for each event, actions, and the history."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import override_settings
from django.utils.html import escape

from fsm_lifecycle import CRUD, System
from fsm_lifecycle.admin import LifecycleAdmin
from fsm_lifecycle.models import RefusedAttempt, TransitionLog
from tests.acceptance.hall import SETUP, browser, hall, role, staff, url
from tests.acceptance.markup import Page
from tests.testapp import gates
from tests.testapp.gates import Gate
from tests.testapp.models import Invoice, Light
from tests.testapp.offices import Binder, Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.acceptance.hall")]
INVOICES = ["testapp.view_invoice", "testapp.change_invoice"]


def read(answer: Any, status: int = 200) -> Page:
    assert answer.status_code == status
    page = Page(answer.content.decode())
    assert page.faults == []
    return page


def events(page: Page) -> dict[str, str]:
    """The events on a page with the element that each is."""
    return {
        given["data-lifecycle-event"]: tag for tag, given in page.elements if "data-lifecycle-event" in given
    }


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


# --- the record's page ---------------------------------------------------------------------------------------


def test_the_state_is_a_badge_with_a_word_in_the_list_and_on_the_page(root: User) -> None:
    light = Light.objects.create()
    for page in (read(browser(root).get(url(light, "changelist"))), read(browser(root).get(url(light)))):
        assert page.with_class("lifecycle-state")
        assert "Off" in page.text


def test_events_of_other_states_are_not_offered(root: User) -> None:
    light = Light.objects.create()
    assert set(events(read(browser(root).get(url(light))))) == {"switch_on", "smash"}
    light.fire("switch_on", actor=SETUP)
    assert set(events(read(browser(root).get(url(light))))) == {"switch_off", "blink", "smash"}


def test_what_is_not_allowed_is_disabled_with_every_reason_beside_it(root: User) -> None:
    invoice = Invoice.objects.create(amount=0, client_name="")
    page = read(browser(root).get(url(invoice)))
    button = next(given for _, given in page.elements if given.get("data-lifecycle-event") == "send_invoice")
    assert events(page)["send_invoice"] == "button"
    assert "disabled" in button
    assert page.with_class("lifecycle-denial")
    assert "The invoice total must be positive." in page.text
    assert "Write the client's name first." in page.text
    assert "title" not in button


def test_who_may_not_fire_learns_the_role_and_no_reason_of_a_guard() -> None:
    binder = Binder.objects.create(title="")
    reason = "A binder needs a title."
    page = read(browser(staff("ada", "testapp.view_binder")).get(url(binder)))
    assert events(page) == {"close": "button"}
    assert "Clerk" in page.text
    assert reason not in page.text
    assert reason in read(browser(role(staff("bo"), "clerk", binder)).get(url(binder))).text


def test_saving_the_form_fires_nothing_whatever_is_sent_along(root: User) -> None:
    invoice = Invoice.objects.create(amount=5, client_name="Ada")
    sent = {
        "client_name": "Bo",
        "amount": "6",
        "state": "paid",
        "event": "send_invoice",
        "_fire_send_invoice": "1",
        "lifecycle_sequence": "9",
        "expected_sequence": "1",
    }
    assert browser(root).post(url(invoice), sent).status_code == 302
    invoice.refresh_from_db()
    assert (invoice.client_name, invoice.state, invoice.lifecycle_sequence) == ("Bo", "draft", 1)


def test_rows_are_those_that_the_user_may_read_on_every_page_of_the_model() -> None:
    mine, other = Claim.objects.create(title="mine"), Claim.objects.create(title="other")
    client = browser(role(staff("ada"), "auditor", mine))
    links = read(client.get(url(mine, "changelist"))).links
    assert url(mine) in links
    assert url(other) not in links
    for page, more in (("change", ()), ("history", ()), ("delete", ()), ("event", ("examine",))):
        assert client.get(url(other, page, *more)).status_code in (302, 403, 404)


@pytest.mark.parametrize(
    ("name", "may"), [("auditor", CRUD.READ), ("owner", CRUD.READ | CRUD.UPDATE), ("manager", CRUD.ALL)]
)
def test_changing_and_deleting_go_by_the_role(name: str, may: CRUD) -> None:
    claim = Claim.objects.create(title="old")
    client = browser(role(staff("ada"), name, claim))
    assert client.get(url(claim)).status_code == 200
    changed = client.post(url(claim), {"title": "new"}).status_code
    assert changed == (302 if CRUD.UPDATE in may else 403)
    assert Claim.objects.get().title == ("new" if CRUD.UPDATE in may else "old")
    client.post(url(claim, "delete"), {"post": "yes"})
    assert Claim.objects.exists() == (CRUD.DELETE not in may)


def test_deleting_several_takes_none_that_may_only_be_read() -> None:
    mine, other = Claim.objects.create(title="mine"), Claim.objects.create(title="other")
    user = role(role(staff("ada"), "manager", mine), "auditor", other)
    sent = {"action": "delete_selected", "_selected_action": [mine.pk, other.pk], "post": "yes"}
    browser(user).post(url(mine, "changelist"), sent)
    assert Claim.objects.filter(pk=other.pk).exists()


def test_adding_needs_the_right_to_create() -> None:
    claim = Claim.objects.create()
    assert browser(role(staff("ada"), "auditor", Claim)).get(url(claim, "add")).status_code == 403
    chief = role(staff("bo"), "manager", Claim)
    assert browser(chief).post(url(claim, "add"), {"title": "new", "created_by": ""}).status_code == 302
    assert Claim.objects.get(title="new").created_by == chief


def test_django_fsms_admin_mixin_is_not_there() -> None:
    assert not [one for one in LifecycleAdmin.__mro__ if one.__module__.startswith("django_fsm")]


# --- the page of an event ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "head", "options"])
def test_only_a_post_fires(method: str, root: User) -> None:
    light = Light.objects.create()
    getattr(browser(root), method)(f"{url(light, 'event', 'switch_on')}?expected_sequence=1")
    assert Light.objects.get().state == "off"


def test_the_page_says_where_it_leads_what_happens_and_how_it_is_undone(root: User) -> None:
    light = Light.objects.create()
    text = read(browser(root).get(url(light, "event", "switch_on"))).text
    assert "Off" in text
    assert "On" in text
    assert "Switch off leads back to Off" in text
    assert LogEntry.objects.count() == 0


@pytest.mark.parametrize("seen", [None, "", "0", "2", "-1", "x", "1.0", "1 or 1", "\uff19", "1" * 40])
def test_nothing_is_fired_on_another_sequence_than_the_present(seen: str | None, root: User) -> None:
    light = Light.objects.create()
    sent = {} if seen is None else {"expected_sequence": seen}
    answer = browser(root).post(url(light, "event", "switch_on"), sent)
    assert answer.status_code in (200, 400, 409)
    read(answer, answer.status_code)
    assert Light.objects.get().state == "off"
    assert LogEntry.objects.count() == 0


def test_who_was_slower_reads_what_happened_and_fires_with_what_was_typed(root: User) -> None:
    invoice = Invoice.objects.create(amount=5, client_name="Ada")
    invoice.fire("send_invoice", actor=SETUP)
    client, page = browser(root), url(invoice, "event", "pay")
    invoice.fire("mark_overdue", actor=System("the night's <job>"))
    typed = {"paid_on": "2026-11-02", "note": 'in <cash> & "coins"'}
    stale = client.post(page, {"expected_sequence": "2", **typed})
    text = read(stale, 409).text
    assert "Nothing was done" in text
    assert "Overdue" in text
    assert "the night's <job>" in text
    assert 'in <cash> & "coins"' in text
    review = client.post(page, {"review": "1", **typed})
    shown = read(review)
    assert any(given.get("value") == 'in <cash> & "coins"' for _, given in shown.elements)
    assert any(
        (given.get("name"), given.get("value")) == ("expected_sequence", "3") for _, given in shown.elements
    )
    assert client.post(page, {"expected_sequence": "3", **typed}).status_code == 302
    entry = invoice.log.latest("sequence")
    assert (entry.event, entry.arguments["note"]) == ("pay", typed["note"])


def test_a_record_that_is_gone_meanwhile_is_not_found(root: User) -> None:
    light = Light.objects.create()
    page = url(light, "event", "switch_on")
    light.delete()
    assert browser(root).post(page, {"expected_sequence": "1"}).status_code in (302, 404, 409)


def test_a_denied_post_does_nothing_names_the_remedy_and_is_put_down() -> None:
    claim = Claim.objects.create()
    user = role(staff("ada"), "auditor", claim)
    page = read(browser(user).post(url(claim, "event", "examine"), {"expected_sequence": "1"}))
    assert "Examiner" in page.text
    assert Claim.objects.get().state == "filed"
    refusal = RefusedAttempt.objects.get()
    assert refusal.event == "examine"
    # Who else could do it is for those who may know of others.
    role(staff("the-examiner"), "examiner", claim)
    assert "the-examiner" not in read(browser(user).get(url(claim, "event", "examine"))).text


def test_an_effect_that_raises_a_type_error_is_run_once(root: User) -> None:
    calls: list[int] = []

    def fails(gate: Gate, firing: Any) -> None:
        calls.append(1)
        raise TypeError("a secret of the effect")

    gate = Gate.objects.create()
    gates.ORDERS.append(fails)
    try:
        answer = browser(root).post(url(gate, "event", "obey"), {"expected_sequence": "1"})
    finally:
        gates.ORDERS.clear()
    assert "a secret" not in read(answer, answer.status_code).text
    assert (calls, Gate.objects.get().state) == ([1], "shut")


def test_every_firing_is_in_django_s_own_log_once_and_denied_ones_are_not(root: User) -> None:
    light = Light.objects.create()
    client = browser(root)
    client.post(url(light, "event", "switch_on"), {"expected_sequence": "1"})
    client.post(url(light, "event", "switch_on"), {"expected_sequence": "2"})
    note = LogEntry.objects.get()
    assert (note.object_id, note.user, note.is_change()) == (str(light.pk), root, True)
    assert "Switch on" in note.get_change_message()


# --- several at once -----------------------------------------------------------------------------------------


def act(client: Any, name: str, records: Any, **more: Any) -> Any:
    sent = {"action": name, "_selected_action": [one.pk for one in records], **more}
    return client.post(url(records[0], "changelist"), sent)


def test_a_reload_after_an_action_fires_nothing_again(root: User) -> None:
    lights = [Light.objects.create() for _ in range(3)]
    client = browser(root)
    answer = act(client, "fire_switch_on", lights)
    assert answer.status_code == 302
    for _ in range(2):
        assert "3" in read(client.get(answer.url)).text
    assert TransitionLog.objects.filter(event="switch_on").count() == 3
    assert LogEntry.objects.count() == 3
    assert set(LogEntry.objects.values_list("user", flat=True)) == {root.pk}


def test_all_across_pages_means_the_rows_of_the_list_that_may_be_seen() -> None:
    mine = [Claim.objects.create(title="mine") for _ in range(2)]
    Claim.objects.create(title="other")
    user = staff("ada")
    for claim in mine:
        role(user, "examiner", claim)
    answer = act(browser(user), "fire_examine", mine[:1], select_across="1")
    assert answer.status_code == 302
    assert Claim.objects.filter(state="examined").count() == 2
    assert Claim.objects.get(title="other").state == "filed"


@override_settings(FSM_LIFECYCLE={"ADMIN_BULK_INLINE": 2})
def test_more_than_the_limit_are_not_moved_halfway(root: User) -> None:
    lights = [Light.objects.create() for _ in range(3)]
    client = browser(root)
    client.post(
        url(lights[0], "changelist"),
        {"action": "fire_switch_on", "_selected_action": [lights[0].pk], "select_across": "1"},
    )
    assert not Light.objects.filter(state="on").exists()
    assert act(client, "fire_switch_on", lights[:2]).status_code == 302
    assert Light.objects.filter(state="on").count() == 2


def test_the_result_groups_by_outcome_and_reason_and_offers_the_stale_again(root: User) -> None:
    good = Invoice.objects.create(amount=5, client_name="Ada")
    poor = Invoice.objects.create(amount=0, client_name="Bo")
    slow = Invoice.objects.create(amount=5, client_name="Cy")
    for one in (good, slow):
        one.fire("send_invoice", actor=SETUP)
    client = browser(root)
    asked = act(client, "fire_pay", [good, poor, slow])
    assert Invoice.objects.filter(state="paid").count() == 0
    page = read(asked)
    form = next(given for tag, given in page.elements if tag == "form" and "pay" in given.get("action", ""))
    seen = [given["value"] for _, given in page.elements if given.get("name") == "seen"]
    slow.fire("mark_overdue", actor=SETUP)
    wrong = read(client.post(form["action"], {"seen": seen, "paid_on": "no date"}))
    assert wrong.with_class("errorlist")
    assert Invoice.objects.filter(state="paid").count() == 0
    answer = client.post(form["action"], {"seen": seen, "paid_on": "2026-11-02"})
    assert answer.status_code == 302
    result = read(client.get(answer.url))
    assert "1 of 3" in result.text
    assert [one.state for one in Invoice.objects.order_by("pk")] == ["paid", "draft", "overdue"]
    again = [given["value"] for _, given in result.elements if given.get("name") == "seen"]
    assert again == [f"3:{slow.pk}"]
    client.post(form["action"], {"seen": again, "paid_on": "2026-11-02"})
    assert Invoice.objects.get(pk=slow.pk).state == "paid"


def test_a_result_is_for_who_asked(root: User) -> None:
    lights = [Light.objects.create()]
    answer = act(browser(root), "fire_switch_on", lights)
    other = User.objects.create_superuser("other")
    assert browser(other).get(answer.url).status_code in (302, 404)


# --- the history ---------------------------------------------------------------------------------------------


def test_the_history_names_people_programs_times_and_answers(root: User) -> None:
    invoice = Invoice.objects.create(amount=5, client_name="Ada")
    invoice.fire("send_invoice", actor=System("night <b>job</b>"))
    invoice.fire("pay", actor=root, arguments={"paid_on": "2026-11-02", "note": "<i>thanks</i>"})
    for page in (url(invoice), url(invoice, "history")):
        answer = browser(root).get(page)
        text = read(answer).text
        for word in ("root", "night <b>job</b>", "<i>thanks</i>", "Pay", "Send invoice"):
            assert word in text
        assert escape("<i>thanks</i>") in answer.content.decode()


def test_fields_that_are_not_opened_stay_hidden_in_snapshots_answers_and_metadata(root: User) -> None:
    invoice = Invoice.objects.create(amount=5, client_name="Ada", extra={"pin": "hush-1"})
    invoice.fire("send_invoice", actor=SETUP, snapshot=True, metadata={"paid_on": "hush-2"})
    invoice.fire(
        "pay", actor=SETUP, arguments={"paid_on": "1999-12-31"}, metadata={"extra": {"pin": "hush-3"}}
    )
    client = browser(root)
    for page in (
        url(invoice),
        url(invoice, "history"),
        *(f"/hall/lifecycle/log/{one.pk}/" for one in invoice.log.all()),
    ):
        html = client.get(page).content.decode()
        assert not re.search(r"hush|1999-12-31|31 Dec\S* 1999|Dec\S* 31,? 1999", html), page


def test_the_page_draws_the_path_that_was_taken(root: User) -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=SETUP)
    page = read(browser(root).get(url(light)))
    assert page.with_class("lc-graph")
    assert [given for tag, given in page.elements if tag == "svg" and given.get("role") == "img"]


def test_the_site_of_the_admin_is_never_left() -> None:
    assert hall.name == "hall"
    light = Light.objects.create()
    client = browser(User.objects.create_superuser("root"))
    for address in (
        url(light),
        url(light, "changelist"),
        url(light, "event", "switch_on"),
        "/hall/lifecycle/",
    ):
        assert not [link for link in read(client.get(address)).links if link.startswith("/admin/")]
