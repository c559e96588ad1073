"""Switching an endpoint on and off, by whatever road."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models import Case, When
from django.utils import timezone

from fsm_lifecycle.models import WebhookDelivery, WebhookEndpoint
from fsm_lifecycle.webhooks import relay, switching
from tests.acting import ACTOR
from tests.testapp.models import Light


def fired() -> Any:
    return Light.objects.create().fire("switch_on", actor=ACTOR)


def mark_of(endpoint: WebhookEndpoint) -> Any:
    return WebhookEndpoint.objects.values_list("mark", flat=True).get(pk=endpoint.pk)


def test_saving_what_is_on_keeps_where_it_began(endpoint: WebhookEndpoint) -> None:
    waiting = fired()  # not relayed yet
    partly = WebhookEndpoint.objects.only("url").get()
    partly.url = "https://example.com/"
    partly.save()
    whole = WebhookEndpoint.objects.get()
    whole.description = "Accounts"
    whole.save()
    whole.save(update_fields=["description"])
    WebhookEndpoint.objects.update(active=True)
    assert mark_of(endpoint) == endpoint.mark
    relay.relay("default")
    assert [d.entry_hash for d in WebhookDelivery.objects.all()] == [waiting.entry_hash]


@pytest.mark.parametrize("road", ["save", "save one field", "update", "update what is on"])
def test_off_and_on_again(road: str, endpoint: WebhookEndpoint) -> None:
    fired()
    relay.relay("default")

    def switch(on: bool) -> None:
        if road == "update":
            WebhookEndpoint.objects.update(active=on)
        elif road == "update what is on":
            WebhookEndpoint.objects.filter(active=not on).update(active=on)
        else:
            found = WebhookEndpoint.objects.get()
            found.active = on
            found.save(update_fields=["active"] if road == "save one field" else None)

    switch(False)
    assert [(d.status, d.reason) for d in WebhookDelivery.objects.all()] == [("dead", "endpoint_off")]
    fired()
    WebhookEndpoint.objects.update(failures=7, disabled_reason="failing")
    switch(True)
    found = WebhookEndpoint.objects.get()
    assert (found.failures, found.disabled_reason) == (0, "")
    wanted = fired()
    relay.relay("default")
    assert [d.entry_hash for d in WebhookDelivery.objects.filter(status="pending")] == [wanted.entry_hash]


def test_one_that_is_made_off_begins_when_it_is_switched_on(db: None, lifecycle_settings: Any) -> None:
    endpoint = WebhookEndpoint.objects.create(url="https://example.com/", active=False)
    assert endpoint.mark is None
    fired()
    endpoint.active = True
    endpoint.save()
    relay.relay("default")
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize("road", ["bulk_update", "one", "expression"])
def test_what_stays_on_keeps_what_waits(road: str, endpoint: WebhookEndpoint) -> None:
    fired()
    relay.relay("default")
    if road == "bulk_update":
        endpoint.description = "Accounts"
        WebhookEndpoint.objects.bulk_update([endpoint], ["active", "description"])
    elif road == "one":
        WebhookEndpoint.objects.update(active=1)
    else:
        WebhookEndpoint.objects.update(active=Case(When(description="", then=True), default=False))
    assert [d.status for d in WebhookDelivery.objects.all()] == ["pending"]
    assert mark_of(endpoint) == endpoint.mark


def test_several_switched_at_once_some_on_some_off(endpoint: WebhookEndpoint) -> None:
    other = WebhookEndpoint.objects.create(url="https://example.com/", active=False)
    fired()
    relay.relay("default")
    endpoint.active, other.active = False, True
    WebhookEndpoint.objects.bulk_update([endpoint, other], ["active"])
    assert [(d.status, d.reason) for d in WebhookDelivery.objects.all()] == [("dead", "endpoint_off")]
    wanted = fired()
    relay.relay("default")
    waiting = WebhookDelivery.objects.filter(status="pending")
    assert [(d.endpoint_id, d.entry_hash) for d in waiting] == [(other.pk, wanted.entry_hash)]


def test_an_object_that_was_read_before_switches_nothing_on(endpoint: WebhookEndpoint) -> None:
    stale, partly = WebhookEndpoint.objects.get(), WebhookEndpoint.objects.defer("active").get()
    switching.disable(WebhookEndpoint.objects.get(), "gone", "default")
    for one in (stale, partly, endpoint):
        one.description = "Accounts"
        one.save()
        found = WebhookEndpoint.objects.get()
        assert (found.description, found.active, found.disabled_reason) == ("Accounts", False, "gone")
        assert not one.active
    stale.active = True
    stale.save()
    found = WebhookEndpoint.objects.get()
    assert (found.active, found.disabled_reason) == (True, "")


def test_an_object_that_was_read_before_ends_no_pause(endpoint: WebhookEndpoint) -> None:
    ill = {
        "failures": 5,
        "failing_since": timezone.now(),
        "paused_until": timezone.now(),
        "pauses": 1,
        "probe": 7,
    }
    WebhookEndpoint.objects.update(**ill)
    endpoint.description = "Accounts"
    endpoint.save()
    assert WebhookEndpoint.objects.values("description", *ill).get() == {"description": "Accounts", **ill}


def test_an_object_that_was_read_before_still_switches_off(endpoint: WebhookEndpoint) -> None:
    stale = WebhookEndpoint.objects.get()
    stale.active = False
    stale.refresh_from_db(fields=["url"])
    stale.save()
    assert not WebhookEndpoint.objects.get().active
