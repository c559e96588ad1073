"""Owns the tools that read: lists, one record, what can be done with it, and its history.

Rows go through ``visible_to``, fields through the agent's list. Must not know how a call is recorded.
"""

from __future__ import annotations

import json
from typing import Any, Final

from fsm_lifecycle.access.answers import keeping_answers
from fsm_lifecycle.access.record_keys import readable
from fsm_lifecycle.agents.answers import Answer, Refused, refusal, said, success
from fsm_lifecycle.agents.call import Call
from fsm_lifecycle.agents.fields import NOTE, filtered, json_value, shown
from fsm_lifecycle.agents.profile import Scope
from fsm_lifecycle.agents.risk import NEVER
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.ledger.body import BodyMismatch
from fsm_lifecycle.models import TransitionLog

#: So many records, or entries, are on a page.
PAGE: Final = 20

#: Characters of JSON that a page of several takes at most, so that a model gets it whole, with where it goes on.
LARGEST: Final = 30_000

#: Why an event cannot be fired now, where the user has the right to it.
_IN_THE_WAY: Final = frozenset({"guard_failed", "guard_error", "four_eyes"})


def list_records(call: Call, scope: Scope) -> Answer:
    """A page of records."""
    records = call.records(scope).order_by("pk")
    given = call.arguments
    if given.get("state") is not None:
        records = records.filter(**{scope.binding.state_name: given["state"]})
    try:
        records = filtered(scope, records, given.get("filters") or {})
    except ValueError as error:
        raise Refused(refusal("invalid_arguments", [f"filters.{error}: This value is of no use."])) from None
    if given.get("cursor") is not None:
        after = readable(records, [given["cursor"]])
        if not after:
            raise Refused(refusal("invalid_arguments", ["cursor: Give next_cursor of the page before."]))
        records = records.filter(pk__gt=after[0])
    found = list(records[: PAGE + 1])
    told = _page([shown(scope, record) for record in found])
    page = found[: len(told)]
    call.see(scope, page)
    return success(
        note=NOTE,
        records=told,
        next_cursor=key_text(page[-1].pk) if len(page) < len(found) else None,
    )


def get_record(call: Call, scope: Scope) -> Answer:
    """One record."""
    record = call.record(scope, call.arguments["id"])
    return success(
        note=NOTE,
        record=shown(scope, record),
        current_state=getattr(record, scope.binding.state_name),
    )


def available_events(call: Call, scope: Scope) -> Answer:
    """What can be done with a record now, and what its rules have against the rest."""
    record = call.record(scope, call.arguments["id"])
    tools = call.profile.names.events(call.profile.scopes.index(scope))
    can: list[dict[str, Any]] = []
    cannot: list[dict[str, Any]] = []
    with keeping_answers():
        decisions = {name: record.decide(name, call.as_if) for name in scope.events}
    for name, decision in decisions.items():
        event = scope.table.events[name]
        told: dict[str, Any] = {"event": name, "tool": tools[name], "to": [str(t) for t in event.targets]}
        if decision.allowed:
            person = scope.approval[name]
            can.append({**told, **({} if person == NEVER else {"needs_approval": person})})
        elif {denial.code for denial in decision.denials} <= _IN_THE_WAY:
            cannot.append({**told, "reasons": [said(denial) for denial in decision.denials]})
    state = getattr(record, scope.binding.state_name)
    return success(current_state=state, available=can, blocked=cannot)


def history(call: Call, scope: Scope) -> Answer:
    """A page of a record's entries, newest first. Of people no more is told than whether it was the user."""
    record = call.record(scope, call.arguments["id"])
    entries = TransitionLog.objects.using(record._state.db).for_record(record).order_by("-sequence")
    cursor = call.arguments.get("cursor")
    if cursor is not None:
        if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
            raise Refused(refusal("invalid_arguments", ["cursor: Give next_cursor of the page before."]))
        entries = entries.filter(sequence__lt=int(cursor))
    found = list(entries[: PAGE + 1])
    told = _page([_entry(scope, entry, str(call.user.pk)) for entry in found])
    return success(
        note=NOTE,
        current_state=getattr(record, scope.binding.state_name),
        entries=told,
        next_cursor=str(found[len(told) - 1].sequence) if len(told) < len(found) else None,
    )


def _page(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many of them, from the first, as a page takes; one at least."""
    size = 0
    for place, one in enumerate(told[:PAGE]):
        size += len(json.dumps(one, ensure_ascii=False))
        if place and size > LARGEST:
            return told[:place]
    return told[:PAGE]


def _entry(scope: Scope, entry: TransitionLog, person: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "sequence": entry.sequence,
        "kind": entry.kind,
        "event": entry.event,
        "from": entry.from_state,
        "to": entry.to_state,
        "at": entry.recorded_at.isoformat(),
        "by": entry.actor_kind,
        "by_this_user": entry.actor_kind in ("user", "agent") and entry.actor_id == person,
    }
    try:
        arguments = entry.arguments
    except BodyMismatch:
        arguments = {}
    visible = {name: json_value(value) for name, value in arguments.items() if shows(scope, name)}
    return {**told, "untrusted": {"arguments": visible}} if visible else told


def shows(scope: Scope, name: str) -> bool:
    """Whether an argument kept in the log may be read: by the field it stands for, else by its own name."""
    for field in scope.model._meta.concrete_fields:
        if name in (field.name, field.attname):
            return field.name in scope.fields
    return name in scope.arguments


READERS: Final = {
    "list": list_records,
    "get": get_record,
    "events": available_events,
    "history": history,
}
