"""Making endpoints, with errors for a form; and how they are doing, in few queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ValidationError

from fsm_lifecycle import System, webhooks
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.models import WebhookEndpoint
from tests.acting import ACTOR, statements
from tests.testapp.models import Light
from tests.testapp.offices import Claim, Dossier
from tests.webhooks.conftest import Settings
from tests.webhooks.receiver import Receiver, says

Work = Callable[[], int]


@pytest.fixture
def olga(db: None, lifecycle_settings: Settings) -> User:
    lifecycle_settings["WEBHOOK_ALLOW_HTTP"] = False
    return User.objects.create_user("olga")


@pytest.fixture
def root(db: None, lifecycle_settings: Settings) -> User:
    return User.objects.create_superuser("root")


def errors(by: Any, **fields: Any) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as caught:
        webhooks.create_endpoint(by, **{"url": "https://example.com/", **fields})
    assert not WebhookEndpoint.objects.exists()
    found: dict[str, list[str]] = caught.value.message_dict
    return found


@pytest.mark.once
def test_an_endpoint_is_its_makers_and_has_its_secret_once(olga: User) -> None:
    made = webhooks.create_endpoint(olga, url="https://example.com/hook", events="*.pay, *.refund")
    assert (made.owner, made.events) == (olga, ["*.pay", "*.refund"])
    assert made.new_secret
    assert WebhookEndpoint.objects.get().new_secret is None


@pytest.mark.once
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "http://example.com/"),
        ("url", "https://127.0.0.1:444/"),
        ("url", "https://10.0.0.1/"),
        ("url", "not a URL"),
        ("events", ["billing.invoyce.pay"]),
        ("events", []),
        ("payload", "fat"),
        ("model_label", "billing.nothing"),
        ("description", "x" * 300),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(field: str, value: Any, olga: User) -> None:
    assert list(errors(olga, **{field: value})) == [field]


@pytest.mark.once
def test_everything_that_is_wrong_is_said_at_once(olga: User) -> None:
    found = errors(olga, url="x", events=["y z"], payload="fat", owner=None)
    assert set(found) == {"url", "events", "payload", "owner"}


@pytest.mark.once
def test_only_superusers_may_have_one_without_an_owner_or_for_somebody_else(olga: User, root: User) -> None:
    assert "superusers" in errors(olga, owner=None)["owner"][0]
    assert "superusers" in errors(olga, owner=root)["owner"][0]
    assert webhooks.create_endpoint(root, url="https://example.com/", owner=None).owner is None
    assert webhooks.create_endpoint(root, url="https://example.com/", owner=olga).owner == olga


def test_a_record_that_the_owner_may_not_see_is_not_there(olga: User) -> None:
    claim = Claim.objects.create(title="Broken window")
    one = {"model_label": "testapp.claim", "object_pk": str(claim.pk)}
    hidden = errors(olga, **one)
    missing = errors(olga, **{**one, "object_pk": "999999"})
    assert hidden == missing
    for odd in ("no key", "9" * 30, "-" + "9" * 30, "1.5", "\0"):
        assert errors(olga, **{**one, "object_pk": odd}) == missing
    assert list(errors(olga, object_pk="7")) == ["model_label"]
    grant_role(olga, "auditor", on=claim, by=System("tests"))
    assert webhooks.create_endpoint(olga, url="https://example.com/", **one).object_pk == str(claim.pk)


def test_another_spelling_of_a_key_is_put_as_entries_write_it(root: User, reachable: Receiver) -> None:
    claim, dossier = Claim.objects.create(), Dossier.objects.create()
    spellings = {
        "testapp.claim": [(f"0{claim.pk}", str(claim.pk)), (f" {claim.pk} ", str(claim.pk))],
        "testapp.dossier": [(text, str(dossier.pk)) for text in (str(dossier.pk).upper(), dossier.pk.hex)],
    }
    for label, pairs in spellings.items():
        for written, wanted in pairs:
            made = webhooks.create_endpoint(
                root, url=reachable.url(), events=["*:created"], model_label=label, object_pk=written
            )
            assert WebhookEndpoint.objects.get(pk=made.pk).object_pk == wanted


@pytest.mark.once
def test_without_a_key_the_form_says_so(olga: User, lifecycle_settings: Settings) -> None:
    lifecycle_settings["ENCRYPTION_KEYS"] = []
    (message,) = errors(olga)["__all__"]
    assert "ENCRYPTION_KEYS" in message


@pytest.mark.once
def test_a_saved_one_may_be_judged_again(olga: User) -> None:
    made = webhooks.create_endpoint(olga, url="https://example.com/")
    made.url = "https://localhost:1/"
    with pytest.raises(ValidationError):
        webhooks.validate_endpoint(made, olga)


def test_the_permission_is_there(db: None) -> None:
    assert Permission.objects.filter(
        codename="manage_webhooks", content_type__app_label="fsm_lifecycle"
    ).exists()


def test_health_takes_three_queries_however_many_there_are(
    db: None, reachable: Receiver, work: Work, lifecycle_settings: Settings
) -> None:
    well = WebhookEndpoint.objects.create(url=reachable.url("/well"))
    ill = WebhookEndpoint.objects.create(url=reachable.url("/ill"))
    off = WebhookEndpoint.objects.create(url=reachable.url("/off"), active=False)
    reachable.answer = lambda handler, got: says(500 if got.path == "/ill" else 204)(handler, got)
    for _ in range(3):
        Light.objects.create().fire("switch_on", actor=ACTOR)
    work()
    endpoints = list(WebhookEndpoint.objects.all())
    with statements() as sent:
        found = webhooks.health(endpoints)
    assert len(sent) == 3
    assert [found[one.pk].state for one in (well, ill, off)] == ["ok", "failing", "off"]
    assert (found[well.pk].pending, found[well.pk].attempts, found[well.pk].success_rate) == (0, 3, 1.0)
    assert (found[ill.pk].pending, found[ill.pk].failures, found[ill.pk].success_rate) == (3, 3, 0.0)
    assert found[well.pk].last_success
    assert found[well.pk].last_failure is None
    assert found[ill.pk].last_failure
    assert found[ill.pk].oldest_pending
    assert found[off.pk].success_rate is None
    assert found[well.pk].secret_readable
    lifecycle_settings["ENCRYPTION_KEYS"] = ["another key, long enough to be one"]
    assert not webhooks.health(endpoints)[well.pk].secret_readable
    assert webhooks.health([]) == {}


def test_a_secret_that_cannot_be_read_holds_messages_and_uses_up_no_try(
    db: None, reachable: Receiver, work: Work, lifecycle_settings: Settings
) -> None:
    endpoint = WebhookEndpoint.objects.create(url=reachable.url())
    Light.objects.create().fire("switch_on", actor=ACTOR)
    lifecycle_settings["ENCRYPTION_KEYS"] = ["another key, long enough to be one"]
    work()
    (delivery,) = endpoint.deliveries.all()
    assert (delivery.status, delivery.attempt, reachable.got) == ("pending", 0, [])
    assert WebhookEndpoint.objects.get().failures == 0


@pytest.mark.once
def test_the_doctor_names_what_needs_a_person(
    db: None, reachable: Receiver, work: Work, lifecycle_settings: Settings
) -> None:
    from fsm_lifecycle.ops.checkers.webhooks import endpoints

    gone = WebhookEndpoint.objects.create(url=reachable.url("/gone"), description="Accounts")
    assert list(endpoints("default")) == []
    reachable.answer = says(410)
    Light.objects.create().fire("switch_on", actor=ACTOR)
    work()
    (off,) = endpoints("default")
    assert off.code == "WEBHOOK_DISABLED"
    assert f"{gone.pk} (Accounts)" in off.what
    WebhookEndpoint.objects.create(url=reachable.url("/other"))
    lifecycle_settings["ENCRYPTION_KEYS"] = ["another key, long enough to be one"]
    assert [problem.code for problem in endpoints("default")] == ["WEBHOOK_DISABLED", "WEBHOOK_SECRET"]
    with pytest.raises(webhooks.EndpointOff):
        webhooks.resend_since(WebhookEndpoint.objects.get(pk=gone.pk), gone.created_at)
