"""Secrets at rest: the first key encrypts, all decrypt, and without one nothing is stored."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from fsm_lifecycle import encryption
from fsm_lifecycle.encryption import Undecryptable, UnusableKeys
from fsm_lifecycle.models import WebhookEndpoint
from fsm_lifecycle.webhooks import health, rotate_secret
from tests.webhooks.conftest import Settings

pytestmark = pytest.mark.once

# Fixed, so that every worker of a test run collects the same names.
FERNET, OTHER = (base64.urlsafe_b64encode(letter * 32).decode() for letter in (b"k", b"o"))
PHRASE = "correct horse battery staple, and some more words"


@pytest.mark.parametrize("key", [FERNET, PHRASE])
def test_a_secret_comes_back(key: str, lifecycle_settings: Settings) -> None:
    lifecycle_settings["ENCRYPTION_KEYS"] = [key]
    token = encryption.encrypt("whsec_ä")
    assert "whsec" not in token
    assert encryption.decrypt(token) == "whsec_ä"


def test_a_new_first_key_encrypts_and_the_old_one_still_decrypts(lifecycle_settings: Settings) -> None:
    lifecycle_settings["ENCRYPTION_KEYS"] = [PHRASE]
    old = encryption.encrypt("old")
    lifecycle_settings["ENCRYPTION_KEYS"] = [FERNET, PHRASE]
    new = encryption.encrypt("new")
    assert encryption.decrypt(old) == "old"
    lifecycle_settings["ENCRYPTION_KEYS"] = [FERNET]
    assert encryption.decrypt(new) == "new"
    with pytest.raises(Undecryptable, match="ENCRYPTION_KEYS"):
        encryption.decrypt(old)


@pytest.mark.parametrize("token", ["", "x", "gAAAAA", "Ångström", "\ud800"])
def test_what_was_never_encrypted_is_no_secret(token: str, lifecycle_settings: Settings) -> None:
    with pytest.raises(Undecryptable):
        encryption.decrypt(token)


@pytest.mark.parametrize("keys", [None, [], FERNET, ["short"], [""], [7], [FERNET, "x" * 31]])
def test_keys_that_cannot_be_used_are_named(keys: Any, lifecycle_settings: Settings) -> None:
    lifecycle_settings["ENCRYPTION_KEYS"] = keys
    with pytest.raises(UnusableKeys, match="ENCRYPTION_KEYS"):
        encryption.usable()


def test_without_a_key_no_endpoint_is_made(db: None, lifecycle_settings: Settings) -> None:
    del lifecycle_settings["ENCRYPTION_KEYS"]
    with pytest.raises(UnusableKeys, match="ENCRYPTION_KEYS"):
        WebhookEndpoint.objects.create(url="https://example.com/")
    assert not WebhookEndpoint.objects.exists()


def test_a_secret_is_shown_once_and_kept_encrypted(db: None, lifecycle_settings: Settings) -> None:
    made = WebhookEndpoint.objects.create(url="https://example.com/")
    assert made.new_secret is not None
    assert made.new_secret.startswith("whsec_")
    loaded = WebhookEndpoint.objects.get()
    assert loaded.new_secret is None
    assert made.new_secret not in loaded.secret
    assert loaded.secrets() == [made.new_secret]


def test_many_at_once_have_a_secret_each(db: None, lifecycle_settings: Settings) -> None:
    made = WebhookEndpoint.objects.bulk_create(
        [WebhookEndpoint(url="https://example.com/") for _ in range(2)]
    )
    assert len({endpoint.new_secret for endpoint in made}) == 2
    assert {e.secrets()[0] for e in WebhookEndpoint.objects.all()} == {e.new_secret for e in made}


def test_the_old_secret_ends_after_a_day(db: None, lifecycle_settings: Settings, time_machine: Any) -> None:
    time_machine.move_to("2026-11-28 12:00Z", tick=False)
    endpoint = WebhookEndpoint.objects.create(url="https://example.com/")
    old = endpoint.new_secret
    new = rotate_secret(endpoint)
    assert endpoint.new_secret == new
    assert endpoint.secrets() == [new, old]
    assert WebhookEndpoint.objects.get().secrets() == [new, old]
    time_machine.move_to("2026-11-29 12:00Z", tick=False)
    assert endpoint.secrets() == [new]


def test_a_new_secret_after_a_lost_key_signs_alone(db: None, lifecycle_settings: Settings) -> None:
    endpoint = WebhookEndpoint.objects.create(url="https://example.com/")
    lifecycle_settings["ENCRYPTION_KEYS"] = [FERNET]
    with pytest.raises(Undecryptable):
        endpoint.secrets()
    new = rotate_secret(endpoint)
    assert WebhookEndpoint.objects.get().secrets() == [new]
    assert health([endpoint])[endpoint.pk].secret_readable
    lifecycle_settings["ENCRYPTION_KEYS"] = [OTHER]
    with pytest.raises(Undecryptable):
        endpoint.secrets()
