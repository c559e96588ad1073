"""LifecycleAdmin on models of every shape: branches, families, forms with several inputs and files, other sites."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from fsm_lifecycle import System
from fsm_lifecycle.admin import LifecycleAdmin, LifecycleSection
from fsm_lifecycle.admin.model_admin import record_page
from fsm_lifecycle.presentation.asking import raw_arguments
from tests.admin.people import client_of, staff
from tests.testapp.models import Document, Expense, Light, Treaty

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.urls("tests.admin.desk")]
ACTOR = System("test")


@pytest.fixture
def browser() -> Client:
    return client_of(staff("root", is_superuser=True))


def test_a_branch_shows_where_it_leads_or_may_lead(browser: Client) -> None:
    expense = Expense.objects.create(amount=500)
    html = browser.get(reverse("desk:testapp_expense_event", args=[expense.pk, "submit"])).content.decode()
    assert "The expense becomes Manager review." in html
    page = browser.get(reverse("desk:testapp_expense_changelist"))
    assert page.status_code == 200
    response = browser.post(
        reverse("desk:testapp_expense_event", args=[expense.pk, "submit"]), {"expected_sequence": "1"}
    )
    assert response.status_code == 302
    expense.refresh_from_db()
    assert expense.state == "manager_review"


def test_a_row_of_a_child_is_fired_through_the_child(browser: Client) -> None:
    treaty = Treaty.objects.create(title="T")
    parent = reverse("desk:testapp_document_event", args=[treaty.pk, "finish"])
    html = browser.post(parent, {"expected_sequence": "1"}).content.decode()
    assert "Treaty" in html or "treaty" in html
    assert Document.objects.get(pk=treaty.pk).state == "draft"
    own = reverse("desk:testapp_treaty_event", args=[treaty.pk, "sign"])
    assert browser.post(own, {"expected_sequence": "1"}).status_code == 302
    treaty.refresh_from_db()
    assert treaty.state == "signed"


class SeveralInputs(forms.Form):
    when = forms.SplitDateTimeField(required=False)
    kinds = forms.MultipleChoiceField(choices=[("a", "A"), ("b", "B")], required=False)
    sure = forms.BooleanField(required=False)
    scan = forms.FileField(required=False)


class Plan:
    form = SeveralInputs


def test_a_browser_s_inputs_become_arguments_and_nothing_else_does() -> None:
    sent = QueryDict(
        "when_0=2026-11-02&when_1=10:00&kinds=a&kinds=b&csrfmiddlewaretoken=x&actor=eve&state=paid"
    )
    scan = SimpleUploadedFile("a.txt", b"words")
    found = raw_arguments(Plan(), sent, {"scan": scan})  # type: ignore[arg-type]
    assert found == {
        "when_0": "2026-11-02",
        "when_1": "10:00",
        "kinds": ["a", "b"],
        "sure": False,
        "scan": scan,
    }


class OneEvent(LifecycleAdmin):
    own_events = ("switch_on",)


def test_an_admin_may_offer_fewer_events() -> None:
    site = AdminSite(name="few")
    site.register(Light, OneEvent)
    model_admin = site._registry[Light]
    assert isinstance(model_admin, LifecycleAdmin)
    assert [event.name for event in model_admin.events()] == ["switch_on"]


def test_actions_are_named_after_events_and_hidden_ones_are_not_offered(rf: Any) -> None:
    model_admin = admin.site._registry.get(Light) or LifecycleAdmin(Light, admin.site)
    request = rf.get("/")
    request.user = staff("root", is_superuser=True)
    actions = model_admin.get_actions(request)
    assert {"fire_switch_on", "fire_switch_off", "fire_blink", "fire_smash"} <= set(actions)


def test_a_section_is_put_on_a_site_once_and_leaves_the_others_alone() -> None:
    site, other = AdminSite(name="one"), AdminSite(name="two")
    section = LifecycleSection.register(site)
    assert LifecycleSection.register(site) is section
    names = [pattern.pattern.describe() for pattern in site.get_urls()]
    assert sum("lifecycle/" in name for name in names) == 1
    assert not any("lifecycle/" in pattern.pattern.describe() for pattern in other.get_urls())


def test_the_sidebar_lists_what_a_person_may_open(browser: Client) -> None:
    html = browser.get(reverse("desk:index")).content.decode()
    assert re.search(r'href="/desk/lifecycle/"[^>]*>', html)
    outsider = client_of(staff("eve", "testapp.view_light"))
    html = outsider.get(reverse("desk:index")).content.decode()
    assert "/desk/lifecycle/" not in html
    assert "Lights" in html


def test_a_person_with_one_page_finds_the_way_to_it() -> None:
    client = client_of(staff("rita", "fsm_lifecycle.view_refusedattempt"))
    html = client.get(reverse("desk:index")).content.decode()
    assert 'href="/desk/lifecycle/refusals/' in html
    page = client.get(reverse("desk:lifecycle_refusals")).content.decode()
    assert 'href="/desk/lifecycle/"' not in page


def test_an_event_that_an_admin_does_not_offer_is_no_button(rf: Any) -> None:
    light = Light.objects.create()
    site = AdminSite(name="desk")
    model_admin = OneEvent(Light, site)
    request = rf.get("/")
    request.user = staff("root", is_superuser=True)
    shown = record_page.context(model_admin, request, light)["lifecycle_panel"]
    assert [one.name for one in shown.offered] == ["switch_on"]


class NamedState(LifecycleAdmin):
    fields = ["name", "state", "state_since"]


def test_the_state_may_be_named_among_the_fields_and_is_read_only(rf: Any) -> None:
    light = Light.objects.create()
    request = rf.get("/")
    request.user = staff("root", is_superuser=True)
    form = NamedState(Light, AdminSite(name="desk")).get_form(request, light)
    assert list(form.base_fields) == ["name"]
