"""Owns a project's addresses with the API mounted twice, the people who ask it, and how they do."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.urls import include, path
from rest_framework.test import APIClient

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role

SETUP = System("setup")

#: A body that makes an invoice of the sample.
NEW = {
    "number": "NEW-1",
    "client_name": "Ada",
    "client_email": "ada@example.com",
    "amount": "12.50",
    "due_on": "2026-12-24",
}
MEMBERS = {"type", "title", "status", "detail", "instance", "code", "errors"}

urlpatterns = [
    path("api/", include("fsm_lifecycle.api.urls")),
    path("deep/er/v1/", include("fsm_lifecycle.api.urls")),
]


def person(name: str, on: Any = None, *roles: str, **kwargs: Any) -> User:
    """A user with these roles on a model or a record."""
    user = User.objects.create_user(name, password="sesame", **kwargs)
    for role in roles:
        grant_role(user, role, on=on, by=SETUP)
    return user


def client(user: User | None = None) -> APIClient:
    """A client in which somebody is authenticated, or nobody."""
    made = APIClient(raise_request_exception=False)
    if user is not None:
        made.force_authenticate(user)
    return made


def at(record: Any, event: str = "") -> str:
    """The address of a record, or of one of its events."""
    tail = f"events/{event}/" if event else ""
    return f"/api/{record._meta.label_lower}/{record.pk}/{tail}"


def fire(user: User, record: Any, event: str, body: Any = None, **headers: str) -> Any:
    return client(user).post(
        at(record, event),
        {} if body is None else body,
        format="json",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def many(user: User, label: str, event: str, **body: Any) -> Any:
    return client(user).post(f"/api/{label}/-/events/{event}/", body, format="json")


def problem(answer: Any, status: int, code: str | None = None) -> dict[str, Any]:
    """The body of an error, once it is well-formed."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"].split(";")[0] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) >= MEMBERS
    assert body["status"] == status
    assert isinstance(body["errors"], list)
    if code is not None:
        assert body["code"] == code
    return body
