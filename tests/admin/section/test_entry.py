"""An entry's own page: hashes, seal, cause and effects; of its values only what the model's admin has opened."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client

from fsm_lifecycle import System, redact
from fsm_lifecycle.access import grant_role
from fsm_lifecycle.engine.causes import Link, chain_of
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import TransitionLog
from tests.testapp.models import Invoice, Light
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db(databases=["default", "other"])]

LOG = "/admin/lifecycle/log/"
ACTOR = System("tests")
Texts = Callable[[Any], str]


@pytest.fixture
def paid() -> TransitionLog:
    """An entry with arguments, metadata and a snapshot. No hash looks like its amount."""
    invoice = Invoice.objects.create(amount=Decimal("1234.50"), client_name="Ada Secret")
    invoice.fire("send_invoice", actor=ACTOR)
    return invoice.fire(
        "pay",
        actor=ACTOR,
        arguments={"paid_on": "2026-05-06", "note": "by cheque"},
        metadata={"client_name": "Ada Secret", "desk": "4", "till": {"client_name": "Ada Secret"}},
    )


def test_hashes_seal_and_neighbours(browser: Client, texts: Texts) -> None:
    light = Light.objects.create()
    entry = light.fire("switch_on", actor=ACTOR)
    text = texts(browser.get(f"{LOG}{entry.pk}/"))
    assert "Not sealed yet" in text
    for value in (entry.entry_hash, entry.prev_hash, entry.body_hash, entry.definition):
        assert value in text
    seal()
    light.fire("blink", actor=ACTOR)
    answer = browser.get(f"{LOG}{entry.pk}/")
    assert "leaf 1" in texts(answer)
    assert "of 2 entries" in texts(answer)
    for sequence in (1, 3):
        assert f'href="{LOG}{light.log.get(sequence=sequence).pk}/"' in answer.content.decode()


def test_who_may_redact_and_see_checkpoints_is_led_there(browser: Client, client: Client, staff: Any) -> None:
    entry = Light.objects.create().log.get()
    seal()
    content = browser.get(f"{LOG}{entry.pk}/").content.decode()
    (redact_link,) = re.findall(r'href="([^"]+)">Redact<', content)
    assert f"entry={entry.entry_hash}" in redact_link
    assert browser.get(redact_link).status_code == 200
    (checkpoint,) = re.findall(r'href="([^"]+)">of 1 entries<', content)
    assert browser.get(checkpoint).status_code == 200
    client.force_login(staff("auditor", "view_transitionlog"))
    content = client.get(f"{LOG}{entry.pk}/").content.decode()
    assert ">Redact<" not in content
    assert checkpoint not in content


def test_cause_and_effects(browser: Client, texts: Texts) -> None:
    light, other = Light.objects.create(), Light.objects.create()
    cause = light.fire("switch_on", actor=ACTOR)
    with chain_of((Link(cause.entry_hash, "testapp.light", str(light.pk), "switch_on"),)):
        effect = other.fire("switch_on", actor=ACTOR)
    answer = browser.get(f"{LOG}{effect.pk}/")
    assert f"caused by Light {light.pk}: Switch on" in texts(answer)
    assert f'href="{LOG}{cause.pk}/"' in answer.content.decode()
    assert cause.entry_hash in texts(answer)
    assert f'href="{LOG}{effect.pk}/"' in browser.get(f"{LOG}{cause.pk}/").content.decode()


def test_a_cause_that_may_not_be_seen_is_not_named(client: Client, staff: Any, texts: Texts) -> None:
    claim, light = Claim.objects.create(), Light.objects.create()
    cause = claim.fire("examine", actor=ACTOR)
    with chain_of((Link(cause.entry_hash, "testapp.claim", str(claim.pk), "examine"),)):
        effect = light.fire("switch_on", actor=ACTOR)
    user: User = staff("auditor", "view_transitionlog")
    client.force_login(user)
    text = texts(client.get(f"{LOG}{effect.pk}/"))
    assert "caused by an entry that is hidden from you" in text
    assert "Claim" not in text.replace("Claim caused", "")
    assert client.get(f"{LOG}{cause.pk}/").status_code == 404
    grant_role(user, "auditor", on=claim, by=ACTOR)
    assert client.get(f"{LOG}{cause.pk}/").status_code == 200


def test_without_an_admin_no_field_is_shown(browser: Client, texts: Texts, paid: TransitionLog) -> None:
    assert Invoice not in admin.site._registry
    text = texts(browser.get(f"{LOG}{paid.pk}/"))
    assert "Ada Secret" not in text
    assert "1234.50" not in text
    assert "kept; hidden from you" in text
    assert "by cheque" in text  # an argument that is no field of the model hides nothing


def test_what_the_admin_of_the_model_has_opened_is_shown(
    browser: Client, texts: Texts, paid: TransitionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    class InvoiceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
        fields = ("amount",)
        list_display = ("paid_on",)

        def has_module_permission(self, request: Any) -> bool:
            return False  # the site's addresses were made without it

    registry: Any = admin.site._registry
    monkeypatch.setitem(registry, Invoice, InvoiceAdmin(Invoice, admin.site))
    text = texts(browser.get(f"{LOG}{paid.pk}/"))
    assert "1234.50" in text
    assert "2026-05-06" in text
    assert "Ada Secret" not in text


def test_what_was_redacted_is_said(browser: Client, texts: Texts, paid: TransitionLog) -> None:
    redact(paid, ["arguments"], reason="asked for", by=ACTOR)
    text = texts(browser.get(f"{LOG}{paid.pk}/"))
    assert "by cheque" not in text
    assert "Redacted: arguments" in text


@pytest.mark.parametrize("key", ["0", "999999", "9223372036854775808", "9" * 400])
def test_no_such_entry(browser: Client, key: str) -> None:
    assert browser.get(f"{LOG}{key}/").status_code == 404


def test_as_many_statements_however_much_was_caused(browser: Client, django_assert_num_queries: Any) -> None:
    lights = [Light.objects.create() for _ in range(15)]
    cause = lights[0].fire("switch_on", actor=ACTOR)
    counted: list[int] = []
    for group in (lights[1:2], lights[2:]):
        with chain_of((Link(cause.entry_hash, "testapp.light", "1", "x"),)):
            for light in group:
                light.fire("switch_on", actor=ACTOR)
        with django_assert_num_queries(counted[0] if counted else 11) as found:
            browser.get(f"{LOG}{cause.pk}/")
        counted.append(len(found))
