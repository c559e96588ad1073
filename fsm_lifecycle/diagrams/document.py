"""Owns lifecycles as one JSON document, for programs: machines, states, events, roles, connections between models.

Must not know geometry. Guards and effects are named, never called.
"""

from __future__ import annotations

import json as json_
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Model

from fsm_lifecycle.definition import CRUD, Branch, Effect, Event, Table
from fsm_lifecycle.diagrams.machine import Subject, table_of, title_of

#: The version of the document's form.
VERSION = 1


def graph(subjects: Subject | Iterable[Subject]) -> dict[str, Any]:
    """The document as plain JSON values.

    ``machines`` holds one object for each model or table, ``connections`` every ``fires(...)`` effect among them: from
    which model and event to which.
    """
    given: list[Subject] = [subjects] if isinstance(subjects, Table | Model | type) else list(subjects)
    return {
        "version": VERSION,
        "machines": [_machine(subject) for subject in given],
        "connections": [connection for subject in given for connection in _connections(subject)],
    }


def json(subjects: Subject | Iterable[Subject]) -> str:
    """``graph`` as text: indented, keys in a fixed order, with a newline at the end."""
    return json_.dumps(graph(subjects), ensure_ascii=False, indent=2) + "\n"


def model_of(subject: Subject) -> str:
    """``"app.Model"``, or empty for a table alone."""
    meta = getattr(subject, "_meta", None)
    return str(meta.label) if meta is not None else ""


def _machine(subject: Subject) -> dict[str, Any]:
    table = table_of(subject)
    return {
        "label": title_of(subject),
        "model": model_of(subject),
        "fingerprint": table.fingerprint,
        "states": [
            {
                "value": state.value,
                "label": str(state.label),
                "tone": state.tone,
                "initial": state.initial,
                "terminal": state.terminal,
                "description": str(state.description),
            }
            for state in table.states.values()
        ],
        "events": [_event(event) for event in table.events.values()],
        "roles": [
            {
                "value": role.value,
                "label": str(role.label),
                "description": str(role.description),
                "crud": [str(flag.name).lower() for flag in CRUD if flag in role.crud],
                "may": [str(event) for event in role.may],
                "default": role.default,
            }
            for role in table.roles.values()
        ],
    }


def _event(event: Event) -> dict[str, Any]:
    to = event.to
    fields: Mapping[str, Any] = getattr(event.arguments, "base_fields", {})
    return {
        "name": event.name,
        "label": str(event.label),
        "description": str(event.description),
        "sources": [str(source) for source in event.sources],
        "targets": [str(target) for target in event.targets],
        "branch": [{"guard": case.name, "target": str(state)} for case, state in to.cases]
        if isinstance(to, Branch)
        else [],
        "guards": [{"name": g.name, "label": str(g.label), "reason": str(g.reason)} for g in event.guards],
        "effects": [_effect(declared) for declared in event.effects],
        "arguments": list(fields),
        "stores": list(event.stores),
        "compensating": event.compensating,
        "hidden": event.hidden,
        "not_by": [str(other) for other in event.not_by],
        "after_seconds": _seconds(event.after),
        "at": event.at,
    }


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _effect(declared: Effect) -> dict[str, Any]:
    return {
        "name": declared.name,
        "label": str(declared.label),
        "after_commit": declared.after_commit,
        "retry": declared.retry,
        "outside": declared.outside,
    }


def _connections(subject: Subject) -> Iterable[dict[str, Any]]:
    for event, declared in table_of(subject).effects():
        found = declared.connection
        if found is not None:
            yield {
                "model": model_of(subject),
                "event": event.name,
                "fires_model": found.model,
                "fires_event": found.event,
                "on_failure": found.on_failure,
            }
