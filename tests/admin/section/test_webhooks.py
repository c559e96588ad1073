"""The pages of webhooks: endpoints, secrets that are shown once, deliveries, and what hostile receivers say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.utils import timezone

from fsm_lifecycle.dispatch import work_off
from fsm_lifecycle.models import Errand, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tests.acting import ACTOR
from tests.testapp.models import Light

pytestmark = [pytest.mark.once, pytest.mark.django_db(databases=["default", "other"])]

PAGE = "/admin/lifecycle/webhooks/"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202egnp.exe"


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    settings.FSM_LIFECYCLE = {
        "DISPATCH": "command",
        "ENCRYPTION_KEYS": ["a key for tests that is long enough to be one"],
        "WEBHOOK_ALLOW_HTTP": True,
        "WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.0/8"],
        "WEBHOOK_ALLOWED_PORTS": [9, 443],
        "WEBHOOK_TIMEOUT": (1, 2),
    }


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def fields(**changed: Any) -> dict[str, Any]:
    return {
        "description": "Billing bridge",
        "url": "https://billing.example.com/hooks",
        "events": "testapp.light.*\n*:created",
        "model_label": "",
        "object_pk": "",
        "payload": "thin",
        "owner": "me",
        **changed,
    }


def endpoint(**changed: Any) -> WebhookEndpoint:
    # Port 9 of this machine: nobody listens.
    made: WebhookEndpoint = WebhookEndpoint.objects.create(
        **{"url": "http://127.0.0.1:9/", "description": "Bridge", **changed}
    )
    return made


def page(one: WebhookEndpoint) -> str:
    return f"{PAGE}{one.pk}/"


def delivery(to: WebhookEndpoint, **changed: Any) -> WebhookDelivery:
    now = timezone.now()
    made: WebhookDelivery = WebhookDelivery.objects.create(
        **{"endpoint": to, "type": "testapp.light.switch_on", "due_at": now, "created_at": now, **changed}
    )
    return made


def test_an_endpoints_page_says_in_words_what_it_is_told_of_and_for_whom(browser: Client, texts: Any) -> None:
    ada = User.objects.create_user("ada", first_name="Ada", last_name="Bruni")
    one = WebhookEndpoint.objects.create(url="https://a.example/", owner=ada)
    text = texts(browser.get(page(one)))
    assert "Events every event" in text
    assert "It is told what happened" in text
    assert "On behalf of Ada Bruni" in text
    WebhookEndpoint.objects.filter(pk=one.pk).update(events=["*.switch_on"], payload=WebhookEndpoint.FULL)
    text = texts(browser.get(page(one)))
    assert "Events *.switch_on" in text
    assert "with opened fields" in text


# --- making and changing ---------------------------------------------------------------------------------------


def test_an_endpoint_is_made_and_its_secret_shown_once_and_never_again(browser: Client, texts: Any) -> None:
    assert "No endpoint yet" in texts(browser.get(PAGE))
    answer: Any = browser.post(f"{PAGE}add/", fields())
    made = WebhookEndpoint.objects.get()
    assert answer.url == page(made)
    (secret,) = made.secrets()
    assert secret not in str(dict(browser.session))
    first = browser.get(page(made))
    assert secret in texts(first)
    assert "no-store" in first["Cache-Control"]
    for address in (page(made), PAGE, f"{page(made)}edit/"):
        assert secret not in browser.get(address).content.decode()
    assert made.events == ["testapp.light.*", "*:created"]
    assert made.owner is not None
    assert "Billing bridge" in texts(browser.get(PAGE))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"url": "http://169.254.169.254/latest"}, "id_url"),
        ({"url": "ftp://example.com"}, "id_url"),
        ({"url": ""}, "This field is required."),
        ({"events": "testapp.light.fly"}, "matches nothing. The events of testapp.light are"),
        ({"events": " , "}, "Name at least one event"),
        ({"object_pk": "7"}, "Say which model the record is of."),
        ({"model_label": "testapp.light", "object_pk": "77"}, "There is no light with this key."),
        ({"model_label": "auth.user"}, "Select a valid choice."),
        ({"payload": "fat"}, "Select a valid choice."),
        ({"owner": "eve"}, "Select a valid choice."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    browser: Client, texts: Any, wrong: dict[str, str], words: str
) -> None:
    answer = browser.post(f"{PAGE}add/", fields(**wrong))
    assert answer.status_code == 200
    assert not WebhookEndpoint.objects.exists()
    assert words in answer.content.decode()
    assert 'class="lc-field-error"' in answer.content.decode()
    assert "Billing bridge" in answer.content.decode()


def test_without_a_key_nothing_is_stored(browser: Client, texts: Any, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {}
    assert "ENCRYPTION_KEYS" in texts(browser.get(PAGE))
    answer = browser.post(f"{PAGE}add/", fields())
    assert "ENCRYPTION_KEYS" in texts(answer)
    assert not WebhookEndpoint.objects.exists()


def test_changing_keeps_the_secret_and_the_owner(browser: Client, staff: Callable[..., User]) -> None:
    eve = staff("eve", "manage_webhooks")
    one = endpoint(owner=eve, description="Old")
    assert 'value="kept"' in browser.get(f"{page(one)}edit/").content.decode()
    browser.post(f"{page(one)}edit/", fields(owner="kept", description="New"))
    secret, one = one.secrets(), WebhookEndpoint.objects.get()
    assert (one.description, one.owner, one.secrets()) == ("New", eve, secret)
    browser.post(f"{page(one)}edit/", fields(owner="nobody"))
    assert WebhookEndpoint.objects.get().owner is None


# --- who may -----------------------------------------------------------------------------------------------------


def test_others_manage_their_own_alone(client: Client, staff: Callable[..., User], texts: Any) -> None:
    eve = staff("eve", "manage_webhooks")
    theirs, hers = endpoint(description="Theirs"), endpoint(owner=eve, description="Hers")
    lost = delivery(theirs)
    client.force_login(eve)
    text = texts(client.get(PAGE))
    assert "Hers" in text
    assert "Theirs" not in text
    for address in (page(theirs), f"{page(theirs)}edit/", f"{page(theirs)}deliveries/{lost.pk}/"):
        assert client.get(address).status_code == 404
        assert client.post(address, {"what": "remove"}).status_code == 404
    assert client.get(page(hers)).status_code == 200
    assert client.get(f"{page(hers)}deliveries/{lost.pk}/").status_code == 404
    client.post(f"{PAGE}add/", fields(owner="nobody"))
    assert set(WebhookEndpoint.objects.values_list("owner", flat=True)) == {None, eve.pk}
    assert WebhookEndpoint.objects.filter(owner=None).count() == 1


def test_it_is_for_those_who_manage_webhooks(client: Client, staff: Callable[..., User]) -> None:
    one = endpoint()
    client.force_login(staff("carla", "view_transitionlog", "view_webhookendpoint"))
    for address in (PAGE, f"{PAGE}add/", page(one), f"{page(one)}edit/", f"{page(one)}deliveries/1/"):
        assert client.get(address).status_code == 403
        assert client.post(address, {"what": "remove"}).status_code in (403, 405)
    assert WebhookEndpoint.objects.exists()


# --- buttons -----------------------------------------------------------------------------------------------------


def test_a_new_secret_asks_first_is_shown_once_and_the_old_one_stays_valid(
    browser: Client, texts: Any
) -> None:
    one = endpoint()
    (old,) = one.secrets()
    assert "Make a new secret?" in texts(browser.get(page(one), {"ask": "rotate"}))
    assert WebhookEndpoint.objects.get().secrets() == [old]
    shown = browser.post(page(one), {"what": "rotate"}, follow=True)
    new, kept = WebhookEndpoint.objects.get().secrets()
    assert kept == old
    assert new in texts(shown)
    again = texts(browser.get(page(one)))
    assert new not in again
    assert "the old one is valid until" in again


def test_a_pause_and_its_end(browser: Client, texts: Any) -> None:
    one = endpoint()
    delivery(one)
    assert "paused for an hour" in said(browser.post(page(one), {"what": "pause"}, follow=True))[0]
    text = texts(browser.get(PAGE))
    assert "Bridge is paused." in text
    assert "1 delivery waits and uses up no tries" in text
    WebhookDelivery.objects.update(attempt=1, entry_hash="a" * 64)
    for address in (PAGE, page(one)):
        assert "waits for the endpoint" in texts(browser.get(address))
        assert "next " not in texts(browser.get(address)).split("Deliveries")[-1]
    assert "Webhooks 1" in text
    assert "already" in said(browser.post(page(one), {"what": "pause"}, follow=True))[0]
    assert "open again" in said(browser.post(page(one), {"what": "reopen"}, follow=True))[0]
    assert WebhookEndpoint.objects.get().paused_until is None
    assert "not paused" in said(browser.post(page(one), {"what": "reopen"}, follow=True))[0]


def test_off_on_and_gone(browser: Client, texts: Any) -> None:
    one = endpoint()
    waits = delivery(one)
    assert "Switch it off?" in texts(browser.get(page(one), {"ask": "off"}))
    assert "switched off" in said(browser.post(page(one), {"what": "off"}, follow=True))[0]
    waits.refresh_from_db()
    assert (waits.status, waits.reason) == ("dead", "endpoint_off")
    assert "the endpoint was switched off" in texts(browser.get(page(one)))
    address = f"{page(one)}deliveries/{waits.pk}/"
    assert (
        "is off. Switch it on first. Nothing was changed."
        in said(browser.post(address, {"what": "again"}, follow=True))[0]
    )
    browser.post(page(one), {"what": "on"})
    assert WebhookEndpoint.objects.get().active
    assert "cannot be called back" in texts(browser.get(page(one), {"ask": "remove"}))
    assert "is removed" in said(browser.post(page(one), {"what": "remove"}, follow=True))[0]
    assert not WebhookEndpoint.objects.exists()


def test_a_test_is_sent_and_what_came_of_it_is_seen(browser: Client, texts: Any) -> None:
    one = endpoint()
    assert "on its way" in said(browser.post(page(one), {"what": "test"}, follow=True))[0]
    work_off("default")
    text = texts(browser.get(page(one)))
    assert "fsm_lifecycle.test" in text
    assert "no connection" in text
    assert "the test failed" in text


def test_a_delivery_is_sent_again_under_its_id(browser: Client) -> None:
    one = endpoint()
    dead = delivery(one, status="dead", reason="tries", attempt=10, entry_hash="ab" * 32)
    address = f"{page(one)}deliveries/{dead.pk}/"
    assert "sent again" in said(browser.post(address, {"what": "again"}, follow=True))[0]
    fresh = WebhookDelivery.objects.get()
    assert (fresh.status, fresh.attempt, fresh.message_id) == ("pending", 0, dead.message_id)


def test_everything_since_a_moment_is_gathered_in_the_background(browser: Client, texts: Any) -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    one = endpoint()
    since = (timezone.now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    browser.post(page(one), {"what": "since", "since": since})
    assert "already" in said(browser.post(page(one), {"what": "since", "since": since}, follow=True))[0]
    assert "Waits for a worker" in texts(browser.get(page(one)))
    work_off("default")
    assert Errand.objects.get().result == {"messages": 1}
    assert "1 message gathered" in texts(browser.get(page(one)))
    assert WebhookDelivery.objects.filter(type="testapp.light.switch_on").count() == 1


@override_settings(TIME_ZONE="Asia/Singapore")
def test_everything_since_the_first_day_of_the_calendar(browser: Client) -> None:
    Light.objects.create().fire("switch_on", actor=ACTOR)
    one = endpoint()
    assert browser.post(page(one), {"what": "since", "since": "0001-01-01T00:00"}).status_code == 302
    work_off("default")
    assert Errand.objects.get().result == {"messages": 1}


@pytest.mark.parametrize("since", ["", "soon", "2999-01-01T00:00", "2026-13-45T99:99", "\0"])
def test_no_moment_is_no_order(browser: Client, since: str) -> None:
    one = endpoint()
    answer = browser.post(page(one), {"what": "since", "since": since})
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert not Errand.objects.exists()


# --- deliveries ----------------------------------------------------------------------------------------------------


def test_what_a_receiver_says_is_shown_as_text(browser: Client, texts: Any) -> None:
    one = endpoint(description=HOSTILE)
    sent = delivery(one, status="dead", reason="tries", attempt=1, type=f"x.y.{HOSTILE}"[:200])
    WebhookAttempt.objects.create(
        delivery=sent,
        number=1,
        status=500,
        elapsed=0.31,
        response_head=HOSTILE,
        attempted_at=timezone.now(),
    )
    for address in (PAGE, page(one), f"{page(one)}edit/", f"{page(one)}deliveries/{sent.pk}/"):
        content = browser.get(address).content.decode()
        assert "<script>alert" not in content
        assert "<img src=x" not in content
    text = texts(browser.get(f"{page(one)}deliveries/{sent.pk}/"))
    assert "500 in 0.31 s" in text
    assert "<script>alert(1)</script>" in text


def test_lists_are_paged_and_cost_the_same(browser: Client, django_assert_max_num_queries: Any) -> None:
    one = endpoint()
    for _ in range(30):
        delivery(one)
    with django_assert_max_num_queries(25):
        made = browser.get(page(one)).context["slice"]
    assert len(made.rows) == 25
    older = browser.get(page(one) + made.older).context["slice"]
    assert len(older.rows) == 5
    assert len(browser.get(page(one), {"status": "dead"}).context["deliveries"]) == 0
    assert browser.get(page(one), {"status": "x", "before": "x"}).status_code == 200


@pytest.mark.parametrize("wrong", ["999999", "9" * 30, "0"])
def test_what_is_not_there_is_not_found(browser: Client, wrong: str) -> None:
    one = endpoint()
    assert browser.get(f"{PAGE}{wrong}/").status_code == 404
    assert browser.get(f"{PAGE}{wrong}/edit/").status_code == 404
    assert browser.get(f"{page(one)}deliveries/{wrong}/").status_code == 404
