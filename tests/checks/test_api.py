"""What may be wrong with what a lifecycle opens to programs, and with the API that serves it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from django.apps import apps
from django.core.checks import Error, Warning
from rest_framework import serializers

from fsm_lifecycle.api import LifecycleViewSet
from fsm_lifecycle.checks import check_api, check_lifecycles
from sample_project.billing.models import ExpenseReport
from tests.checks.asking import ids, messages, thing

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("opened", "id_", "names"),
    [
        ("amount", "E094", "'amount'"),
        (["amount", 7], "E094", "7"),
        (7, "E094", "7"),
        (["sequence"], "E095", "“sequence”"),
        (["available_events"], "E095", "“available_events”"),
        (["nothing"], "E096", "“nothing”"),
    ],
)
def test_what_cannot_be_opened_is_named(opened: Any, id_: str, names: str) -> None:
    found = [
        message for message in messages(thing(api_fields=opened)) if message.id == f"fsm_lifecycle.{id_}"
    ]
    (message,) = found
    assert isinstance(message, Error)
    assert names in message.msg
    assert message.hint


def test_opened_fields_are_no_defect() -> None:
    assert messages(thing(api_fields=["id", "state", "state_since"])) == []
    assert messages(thing(api_fields=())) == []


def test_no_lifecycle_of_the_tests_has_such_a_defect() -> None:
    assert not set(ids(check_lifecycles())) & {"E094", "E095", "E096"}


@pytest.mark.parametrize("value", [0, -1, "5", None, True, 2.5])
@pytest.mark.parametrize("name", ["API_BULK_LIMIT", "STREAMS_PER_USER"])
def test_a_limit_that_is_none_is_an_error(name: str, value: Any, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {name: value}
    (message,) = check_api()
    assert message.id == "fsm_lifecycle.E097"
    assert name in message.msg


def test_the_framework_should_be_installed(settings: Any, monkeypatch: Any) -> None:
    assert check_api() == []
    monkeypatch.setattr(apps, "is_installed", lambda name: name != "rest_framework")
    (message,) = check_api()
    assert (message.id, type(message)) == ("fsm_lifecycle.W098", Warning)
    assert "rest_framework" in str(message.hint)


def test_a_serializer_that_lets_clients_say_who_made_a_record_is_an_error() -> None:
    class ReportSerializer(serializers.ModelSerializer):  # type: ignore[misc]
        class Meta:
            model = ExpenseReport
            fields = ["purpose", "created_by"]

    class Reports(LifecycleViewSet):
        model = ExpenseReport
        serializer_class: ClassVar[Any] = ReportSerializer

    try:
        (message,) = check_api()
        assert message.id == "fsm_lifecycle.E099"
        assert "created_by" in str(message.hint)
    finally:
        Reports.serializer_class = None  # classes live on; what is wrong with this one does not
        assert check_api() == []
