"""The sample's page about its REST API."""

from typing import Any

import pytest
from django.test import Client

from sample_project.content_security import POLICY, ContentSecurityPolicy
from tests.sample.making import somebody

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("sample_site")]


def test_it_shows_every_operation_and_loads_nothing_from_elsewhere(client: Client, settings: Any) -> None:
    settings.MIDDLEWARE = [f"{ContentSecurityPolicy.__module__}.ContentSecurityPolicy", *settings.MIDDLEWARE]
    client.force_login(somebody("anna"))
    answer = client.get("/api/docs/")
    page = answer.content.decode()
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert "POST /billing.invoice/{pk}/events/pay/" in page
    assert "&quot;paid_on&quot;: &quot;2026-11-30&quot;" in page
    assert 'href="/api/schema/"' in page
    assert not any(mark in page for mark in ("<script", "<style", " style=", "src=", "onclick", 'href="http'))


def test_it_says_what_to_install_where_the_document_cannot_be_made(client: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr("sample_project.api_docs.find_spec", lambda name: None)
    client.force_login(somebody("anna"))
    assert "fsm-lifecycle[api]" in client.get("/api/docs/").content.decode()


def test_a_visitor_logs_in_first(client: Client, settings: Any) -> None:
    settings.LOGIN_URL = "admin:login"
    assert client.get("/api/docs/").headers["Location"] == "/admin/login/?next=/api/docs/"
