"""The tables themselves over HTTP: states, events, roles, fingerprints. Metadata of the project, for every user.

Must not know records.
"""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response

from fsm_lifecycle import registry
from fsm_lifecycle.api.documenting import lifecycle_documents
from fsm_lifecycle.api.problem import not_found
from fsm_lifecycle.api.view import ApiView
from fsm_lifecycle.definition import CRUD
from fsm_lifecycle.engine.argument_schema import schema_of


class LifecyclesView(ApiView):
    """Every lifecycle."""

    documented = lifecycle_documents

    def get(self, request: Any) -> Response:
        """The tables, in the order of the apps."""
        self.refuse_unknown_parameters()
        return Response([represent_table(model) for model in registry.lifecycles()])


class LifecycleView(ApiView):
    """One lifecycle."""

    documented = lifecycle_documents

    def get(self, request: Any, label: str) -> Response:
        """The table of ``billing.invoice``."""
        model = next((m for m in registry.lifecycles() if m._meta.label_lower == label), None)
        if model is None:
            raise not_found()
        self.refuse_unknown_parameters()
        return Response(represent_table(model))


def represent_table(model: Any) -> dict[str, Any]:
    """One table as plain JSON values."""
    table = model.lifecycle
    return {
        "name": model._meta.label_lower,
        "log": model._lifecycle.label,
        "label": str(model._meta.verbose_name),
        "fingerprint": table.fingerprint,
        "initial": str(table.initial),
        "states": [
            {
                "value": state.value,
                "label": str(state.label),
                "description": str(state.description),
                "initial": state.initial,
                "terminal": state.terminal,
                "tone": state.tone,
            }
            for state in table.states.values()
        ],
        "events": [_event(event) for event in table.events.values()],
        "roles": [
            {
                "name": role.value,
                "label": str(role.label),
                "description": str(role.description),
                "crud": [str(flag.name).lower() for flag in CRUD if flag in role.crud],
                "may": [one if isinstance(one, str) else one.name for one in role.may],
                "default": role.default,
            }
            for role in table.roles.values()
        ],
    }


def _event(event: Any) -> dict[str, Any]:
    return {
        "name": event.name,
        "label": str(event.label),
        "description": str(event.description),
        "from": [str(source) for source in event.sources],
        "to": [str(target) for target in event.targets],
        "guards": [{"name": guard.name, "label": str(guard.label)} for guard in event.guards],
        "arguments": schema_of(event.arguments),
        "compensating": event.compensating,
        "hidden": event.hidden,
        "not_by": [one if isinstance(one, str) else one.name for one in event.not_by],
    }
