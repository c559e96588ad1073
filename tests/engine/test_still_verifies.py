"""What was redacted and purged still verifies, entry by entry, in the tree and with every body."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection

from fsm_lifecycle import InvalidTransition, System, redact
from fsm_lifecycle.access.person import person_of
from fsm_lifecycle.engine.erasure import Erasure
from fsm_lifecycle.engine.purging import purge
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.ledger.verify import verify
from fsm_lifecycle.models import TransitionLog
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Door, Invoice, Light, Sampled

pytestmark = pytest.mark.django_db

WHY = "the law says so"
REDACTOR = System("redactor")


def findings() -> list[str]:
    return [f"{finding.code} {finding.record}" for finding in verify("default", deep=True)]


def a_log(user: User) -> None:
    """Records of several kinds, moved by somebody, one of them deleted."""
    for n in range(4):
        light, door = Light.objects.create(), Door.objects.create(code=f"d {n}")
        light.fire("switch_on", actor=user, metadata={"by": user.username}, idempotency_key=f"k{n}")
        door.fire("open_up", actor=System("other"), metadata={"by": user.username})
        with pytest.raises(InvalidTransition):
            light.fire("switch_on", actor=user)
    Door.objects.filter(code="d 0").delete()
    Invoice.objects.create(client_name="Ada").fire("cancel", actor=user)
    Sampled.objects.create()


@pytest.mark.parametrize("sealed", [True, False])
def test_everything_verifies_after_a_person_was_forgotten_and_records_purged(
    user: User, sealed: bool
) -> None:
    a_log(user)
    if sealed:
        seal("default")
    Erasure(reason=WHY, by=REDACTOR).of_person(person_of(user))
    light = Light.objects.first()
    assert light is not None
    Erasure(reason=WHY, by=REDACTOR).of_record("testapp.light", str(light.pk))
    light.refresh_from_db()
    purge(light, reason=WHY, by=REDACTOR)
    purge(Door.objects.last(), reason=WHY, by=REDACTOR)  # type: ignore[arg-type]
    made = redact(TransitionLog.objects.filter(kind="redaction").first(), ["reason"], reason=WHY, by=REDACTOR)  # type: ignore[arg-type]
    assert made is not None
    assert findings() == []
    if sealed:
        seal("default")
        assert findings() == []


def test_a_field_that_no_redaction_names_is_found(user: User) -> None:
    a_log(user)
    entry = TransitionLog.objects.filter(kind="transition").first()
    assert entry is not None
    redact(entry, ["actor"], reason=WHY, by=REDACTOR)
    assert findings() == []
    body = entry.body
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("DELETE FROM fsm_lifecycle_transitionlog WHERE kind = 'redaction'")
        cursor.execute(
            "UPDATE testapp_light SET lifecycle_sequence = 2, lifecycle_head = %s WHERE lifecycle_sequence = 3",
            [entry.entry_hash],
        )
    assert "redacted" in body
    assert [finding.split()[0] for finding in findings()] == ["BODY_MISSING"]
