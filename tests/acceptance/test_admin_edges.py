"""Roads that the specification's sentences cover without drawing them: popups, copies, lookups, commands."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import RequestFactory, override_settings
from django.urls import path, reverse
from django.utils import timezone

from fsm_lifecycle.access import delegate, revoke_role
from fsm_lifecycle.admin import LifecycleAdmin, LifecycleSection
from fsm_lifecycle.models import RefusedAttempt, TransitionLog
from tests.acceptance.hall import SETUP, browser, hall, role, staff, url
from tests.acceptance.markup import Page
from tests.testapp.models import DisputedInvoice, Invoice, Light, Parcel
from tests.testapp.offices import Claim, Dossier, UrgentClaim

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.acceptance.test_admin_edges")]

shed = admin.AdminSite(name="shed")
LifecycleSection.register(shed)


class CarelessAdmin(LifecycleAdmin):
    """Names everything that no client may write."""

    fields = [
        "client_name",
        "amount",
        "state",
        "state_since",
        "lifecycle_sequence",
        "lifecycle_head",
        "created_by",
    ]
    list_display = ["__str__", "client_name", "state"]
    list_editable = ["client_name"]
    search_fields = ["client_name"]


class ClaimAdmin(LifecycleAdmin):
    search_fields = ["title"]
    save_as = True


shed.register(Invoice, CarelessAdmin)
shed.register(Claim, ClaimAdmin)
shed.register([DisputedInvoice, UrgentClaim, Parcel, Dossier, Light], LifecycleAdmin)
urlpatterns = [path("hall/", hall.urls), path("shed/", shed.urls)]


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


def at(record: Any, page: str = "change", *more: str) -> str:
    meta = record._meta
    keys = [] if page in ("changelist", "add") else [record.pk]
    return reverse(f"shed:{meta.app_label}_{meta.model_name}_{page}", args=[*keys, *more])


def test_a_careless_admin_still_lets_nobody_write_the_state(root: User) -> None:
    invoice = Invoice.objects.create(amount=5, client_name="Ada")
    head = invoice.lifecycle_head
    sent = {
        "client_name": "Bo",
        "amount": "5",
        "state": "paid",
        "lifecycle_sequence": "7",
        "lifecycle_head": "0" * 64,
        "state_since_0": "2000-01-01",
        "state_since_1": "00:00",
        "created_by": str(root.pk),
    }
    client = browser(root)
    assert Page(client.get(at(invoice)).content.decode()).faults == []
    assert client.post(at(invoice), sent).status_code == 302
    saved = Invoice.objects.get()
    assert (
        saved.client_name,
        saved.state,
        saved.lifecycle_sequence,
        saved.lifecycle_head,
        saved.created_by,
    ) == (
        "Bo",
        "draft",
        1,
        head,
        None,
    )
    listed = {
        "form-TOTAL_FORMS": "1",
        "form-INITIAL_FORMS": "1",
        "form-0-id": str(invoice.pk),
        "form-0-client_name": "Cy",
        "form-0-state": "paid",
        "_save": "Save",
    }
    assert client.post(at(invoice, "changelist"), listed).status_code == 302
    saved.refresh_from_db()
    assert (saved.client_name, saved.state) == ("Cy", "draft")


def test_a_copy_begins_at_the_beginning(root: User) -> None:
    claim = Claim.objects.create(title="first")
    claim.fire("examine", actor=SETUP)
    browser(root).post(at(claim), {"title": "copy", "_saveasnew": "1"})
    copy = Claim.objects.get(title="copy")
    assert (copy.state, copy.lifecycle_sequence, copy.created_by) == ("filed", 1, root)
    assert [one.kind for one in copy.log.all()] == ["created"]


def test_who_adds_and_deletes_in_the_admin_is_on_record(root: User) -> None:
    client = browser(root)
    client.post(url(Light(), "add"), {"name": "new"})
    light = Light.objects.get()
    client.post(url(light, "delete"), {"post": "yes"})
    entries = TransitionLog.objects.for_model(Light).order_by("sequence")
    assert [(one.kind, one.actor_kind, one.actor_id) for one in entries] == [
        ("created", "user", str(root.pk)),
        ("deleted", "user", str(root.pk)),
    ]


def test_looking_is_not_a_refused_attempt() -> None:
    claim = Claim.objects.create()
    client = browser(role(staff("ada"), "auditor", claim))
    for page in (url(claim), url(claim, "history"), url(claim, "event", "examine"), url(claim, "changelist")):
        assert client.get(page).status_code == 200
    assert RefusedAttempt.objects.count() == 0


@pytest.mark.parametrize("page", ["add", "change", "delete", "changelist"])
def test_popups_work(page: str, root: User) -> None:
    claim = Claim.objects.create(title="t")
    answer = browser(root).get(at(claim, page), {"_popup": "1", "_to_field": "id"})
    assert answer.status_code == 200
    assert Page(answer.content.decode()).faults == []


def test_a_lookup_finds_what_may_be_read() -> None:
    mine, _ = Claim.objects.create(title="some mine"), Claim.objects.create(title="some other")
    request = RequestFactory().get("/")
    request.user = role(staff("ada"), "auditor", mine)
    model_admin = shed.get_model_admin(Claim)
    found, _ = model_admin.get_search_results(request, model_admin.get_queryset(request), "some")
    assert list(found) == [mine]


def test_a_proxy_has_its_own_events(root: User) -> None:
    invoice = DisputedInvoice.objects.create(amount=5, client_name="Ada")
    client = browser(root)
    assert client.post(at(invoice, "event", "send_invoice"), {"expected_sequence": "1"}).status_code == 302
    html = client.get(at(invoice)).content.decode()
    assert 'data-lifecycle-event="dispute"' in html
    claim = UrgentClaim.objects.create(title="t")
    assert 'data-lifecycle-event="hurry"' in client.get(at(claim)).content.decode()


def test_keys_that_are_uuids_are_moved_by_the_action_too(root: User) -> None:
    parcels = [Parcel.objects.create() for _ in range(2)]
    client = browser(root)
    sent = {"action": "fire_ship", "_selected_action": [str(one.pk) for one in parcels]}
    answer = client.post(at(parcels[0], "changelist"), sent)
    assert client.get(answer.url).status_code == 200
    assert set(Parcel.objects.values_list("state", flat=True)) == {"shipped"}


def test_who_acts_for_somebody_is_named_beside_them(root: User) -> None:
    boss, clerk = staff("the-boss"), staff("the-clerk")
    claim = Claim.objects.create()
    role(boss, "examiner", Claim)
    role(clerk, "auditor", Claim)
    delegate(boss, clerk, role="examiner", until=timezone.now() + timedelta(days=1), reason="away", by=SETUP)
    assert browser(clerk).post(url(claim, "event", "examine"), {"expected_sequence": "1"}).status_code == 302
    text = Page(browser(root).get(url(claim)).content.decode()).text
    assert "the-clerk" in text
    assert "the-boss" in text


def test_four_eyes_are_said_on_the_page() -> None:
    claim = Claim.objects.create()
    user = role(role(staff("ada"), "examiner", claim), "approver", claim)
    client = browser(user)
    client.post(url(claim, "event", "examine"), {"expected_sequence": "1"})
    answer = client.post(url(claim, "event", "approve"), {"expected_sequence": "2"})
    assert Claim.objects.get().state == "examined"
    assert "takes another person" in Page(answer.content.decode()).text


def test_a_role_that_is_over_counts_for_nothing_on_the_next_page() -> None:
    claim = Claim.objects.create()
    user = role(staff("ada"), "examiner", claim)
    client = browser(user)
    assert client.get(url(claim, "event", "examine")).status_code == 200
    revoke_role(user, "examiner", on=claim, by=SETUP)
    assert client.post(url(claim, "event", "examine"), {"expected_sequence": "1"}).status_code in (
        302,
        403,
        404,
    )
    assert Claim.objects.get().state == "filed"


@override_settings(FSM_LIFECYCLE={"ADMIN_BULK_INLINE": 2})
def test_the_page_that_asks_keeps_the_limit_too(root: User) -> None:
    lights = [Light.objects.create() for _ in range(3)]
    address = reverse("hall:testapp_light_bulk", args=["switch_on"])
    browser(root).post(address, {"seen": [f"1:{one.pk}" for one in lights]})
    assert not Light.objects.filter(state="on").exists()


# --- commands ------------------------------------------------------------------------------------------------


def out(*args: Any, **kwargs: Any) -> str:
    stream = io.StringIO()
    call_command(*args, stdout=stream, **kwargs)
    return stream.getvalue()


def test_every_lifecycle_is_drawn_in_every_format(tmp_path: Path) -> None:
    call_command("lifecycle_graph", all=True, output=str(tmp_path / "all"), verbosity=0)
    drawn = sorted((tmp_path / "all").iterdir())
    assert len(drawn) > 20
    for one in drawn:
        tree = ET.parse(one).getroot()
        names = [child.tag.rpartition("}")[2] for child in tree.iter()]
        assert {"title", "desc"} <= set(names)
        assert not {"script", "image", "foreignObject"} & set(names)
    assert json.loads(out("lifecycle_graph", all=True, format="json"))
    assert out("lifecycle_graph", "testapp.Invoice", format="mermaid").startswith("stateDiagram")
    assert out("lifecycle_graph", "testapp.Invoice", format="dot").startswith("digraph")
    target = tmp_path / "one.dot"
    call_command("lifecycle_graph", "testapp.invoice", format="dot", output=str(target), verbosity=0)
    assert target.read_text() == out("lifecycle_graph", "testapp.Invoice", format="dot")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nowhere.Model"],
        ["auth.User"],
        ["testapp"],
        ["testapp.Invoice", "--all"],
        ["--all", "--format", "png"],
        ["testapp.Invoice", "--nonsense"],
        ["testapp.Invoice\0"],
    ],
)
def test_a_graph_of_nothing_is_refused_with_what_there_is(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("lifecycle_graph", *arguments, stdout=io.StringIO(), stderr=io.StringIO())


def test_no_migration_is_missing() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
