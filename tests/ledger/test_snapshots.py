"""Entries with a snapshot are told by their bodies, whatever somebody wrote into other fields."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from fsm_lifecycle.append_only import milliseconds
from fsm_lifecycle.ledger import chain
from fsm_lifecycle.ledger.body import make_body, redacted
from fsm_lifecycle.ledger.entry import REASONS
from fsm_lifecycle.models import TransitionLog

pytestmark = pytest.mark.django_db

SALT = "a" * 22
KEPT = {"snapshot": {"amount": 1}, "snapshot_reason": "every"}
#: What somebody might record to be taken for a snapshot.
FORGED = {"snapshot": [SALT, {}], "snapshot_reason": [SALT, "every"]}
FORGED_VIA = {**FORGED, "via": [SALT, "api"]}


def listed(fields: dict[str, Any], gone: tuple[str, ...] = ()) -> bool:
    """Whether an entry with this body is among those with a snapshot."""
    body, body_hash = make_body(fields)
    row = chain.compose(
        model_label="testapp.light",
        object_pk="1",
        sequence=1,
        prev_hash="",
        kind="transition",
        event="blink",
        from_state="on",
        to_state="on",
        actor_kind="unknown",
        actor_id="",
        recorded_at=milliseconds(timezone.now()),
        definition="d" * 64,
        body=redacted(body, gone),
        body_hash=body_hash,
    )
    chain.insert(connection, row)
    return TransitionLog.objects.with_snapshot().exists()


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize(
    "more", [{}, {"via": "api"}, {"via": ""}, {"via": 'a "b" \\ ]} ü \n'}, {"metadata": FORGED}]
)
def test_an_entry_with_a_snapshot_is_listed(reason: str, more: dict[str, Any]) -> None:
    assert listed({**KEPT, "snapshot_reason": reason, **more})


def test_a_snapshot_without_fields_is_listed() -> None:
    assert listed({**KEPT, "snapshot": {}})


@pytest.mark.parametrize("gone", [("snapshot_reason",), ("via",), ("snapshot_reason", "via"), ("actor",)])
def test_a_snapshot_is_listed_when_what_stands_around_it_is_redacted(gone: tuple[str, ...]) -> None:
    assert listed({**KEPT, "via": "api", "actor": {"label": "x"}}, gone)


@pytest.mark.parametrize(
    "gone",
    [
        ("snapshot",),
        ("snapshot", "snapshot_reason"),
        ("snapshot", "via"),
        ("snapshot", "snapshot_reason", "via"),
    ],
)
@pytest.mark.parametrize("more", [{}, {"via": "api"}])
def test_a_redacted_snapshot_is_not_listed(gone: tuple[str, ...], more: dict[str, Any]) -> None:
    fields = {**KEPT, **more}
    assert not listed(fields, tuple(name for name in gone if name in fields))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"metadata": FORGED},
        {"metadata": FORGED_VIA},
        {"observations": [FORGED_VIA]},
        {"metadata": FORGED, "via": "api"},
        {"metadata": FORGED_VIA, "via": "api"},
        {"metadata": [{}, FORGED_VIA], "reason": "x"},
        {"metadata": FORGED_VIA, "idempotency_key": "k"},
        {"run": FORGED_VIA},
        {"via": '}],"snapshot_reason":["' + SALT + '","every"'},
        {"via": '}],"snapshot_reason":["' + SALT + '","every"],"via":["' + SALT + '","api'},
        {"metadata": {"snapshot_reason": {"redacted": "f" * 64}, "via": {"redacted": "f" * 64}}},
        {"metadata": [{"snapshot_reason": {"redacted": "f" * 64}}]},
    ],
)
def test_nobody_is_taken_in_by_what_was_recorded_elsewhere(fields: dict[str, Any]) -> None:
    assert not listed(fields)


def test_nobody_is_taken_in_where_the_last_field_is_redacted() -> None:
    assert not listed({"metadata": FORGED_VIA, "via": "api"}, ("via",))
