"""Owns which events an agent is offered: those its user has the right to on some record that the table lets go there.

Must not know how they are described.
"""

from __future__ import annotations

from typing import Any

from fsm_lifecycle.access import policy
from fsm_lifecycle.access.visibility import fireable, visible
from fsm_lifecycle.agents.profile import Scope
from fsm_lifecycle.engine.argument_schema import can_be_json


def offered(scope: Scope, user: Any) -> list[str]:
    """The names of the events that the agent is offered for this user now, in declared order.

    Costs a statement for each state, and one for each event that the user may fire on some records alone.
    """
    rights = policy.fresh_model_rights(user, scope.model)
    if rights.refusal:
        return []
    records: Any = visible(scope.model._default_manager.all(), user).order_by()
    there: dict[str, bool] = {}
    found = []
    for name in scope.events:
        event = scope.table.events[name]
        if not can_be_json(event.arguments):
            continue
        states = [str(source) for source in event.sources]
        for state in states:
            if state not in there:
                there[state] = records.filter(**{scope.binding.state_name: state}).exists()
        states = [state for state in states if there[state]]
        if not states:
            continue
        if not rights.allows(name):
            able = fireable(records, user, name).filter(**{f"{scope.binding.state_name}__in": states})
            if not able.exists():
                continue
        found.append(name)
    return found


def permitted(scope: Scope, user: Any) -> list[str]:
    """The names of the agent's events that the user has the right to on any record at all, whatever its state."""
    rights = policy.fresh_model_rights(user, scope.model)
    if rights.refusal:
        return []
    records: Any = scope.model._default_manager.all().order_by()
    return [name for name in scope.events if rights.allows(name) or fireable(records, user, name).exists()]
