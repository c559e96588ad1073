"""The projection onto django-fsm-2, and the methods that the table generates on the model.

Each event is an ordinary django-fsm-2 transition to whoever looks (``get_available_state_transitions``,
``can_proceed``, ``graph_transitions``), and calling it goes through ``fire()``. Must not decide or write itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partialmethod
from typing import Any

from django.db import models
from django_fsm import RETURN_VALUE, FSMMeta

from fsm_lifecycle.definition import State
from fsm_lifecycle.engine.binding import Binding


def project(model: type[Any], binding: Binding, inherited: Binding | None) -> None:
    """Put ``pay``, ``can_pay`` and ``is_draft`` on the class, unless it has an attribute of that name."""
    ours = dict(inherited.generated) if inherited is not None else {}
    transitions: dict[str, Any] = {}
    for name in binding.table.events:
        method = _event_method(name, binding)
        transitions[name] = method
        _place(model, binding, ours, name, method, f"event “{name}”")
        _place(model, binding, ours, f"can_{name}", _can_method(name), f"event “{name}”")
    for state in dict.fromkeys(binding.table.states.values()):
        _place(
            model, binding, ours, f"is_{state.name}", _is_property(state, binding), f"state “{state.value}”"
        )
    display = f"get_{binding.state_name}_display"
    present = inspect.getattr_static(model, display, None)
    if isinstance(present, partialmethod) or getattr(present, "_lifecycle", False):
        setattr(model, display, _display_method(binding))
    binding.field.transitions[model] = transitions  # type: ignore[attr-defined]


def _place(
    model: type[Any], binding: Binding, ours: dict[str, str], name: str, value: Any, what: str
) -> None:
    taken = name in vars(model) or (hasattr(model, name) and name not in ours)
    if taken:
        binding.hidden[name] = what
        return
    setattr(model, name, value)
    binding.generated[name] = what


def _event_method(name: str, binding: Binding) -> Callable[..., Any]:
    plan = binding.plans[name]

    def method(
        self: Any,
        *,
        actor: Any = None,
        expected_state: str | None = None,
        expected_sequence: int | None = None,
        **arguments: Any,
    ) -> Any:
        return self.fire(
            name,
            actor=actor,
            arguments=arguments,
            expected_state=expected_state,
            expected_sequence=expected_sequence,
        )

    method.__name__ = name
    method.__qualname__ = f"{binding.model.__qualname__}.{name}"
    method.__doc__ = plan.event.description or f"Fire “{plan.event.label}”. Returns the log entry."

    def condition(instance: models.Model) -> bool:
        return bool(instance.can_fire(name))  # type: ignore[attr-defined]

    def permission(instance: models.Model, user: Any) -> bool:
        return bool(instance.can_fire(name, user))  # type: ignore[attr-defined]

    meta = FSMMeta(field=binding.field, method=method)  # type: ignore[arg-type]
    target: Any = plan.target.value if plan.target is not None else RETURN_VALUE(*plan.event.targets)
    for source in sorted(plan.sources):
        meta.add_transition(
            method,
            source,
            target,
            conditions=[condition],
            permission=permission,
            custom={"label": plan.event.label},
        )
    method._django_fsm = meta  # type: ignore[attr-defined]
    return method


def _can_method(name: str) -> Callable[..., bool]:
    def method(self: Any, actor: Any = None, **arguments: Any) -> bool:
        return bool(self.can_fire(name, actor, arguments or None))

    method.__name__ = f"can_{name}"
    method.__doc__ = f"Whether “{name}” may be fired now."
    return method


def _display_method(binding: Binding) -> Callable[[Any], str]:
    """Django's own reads the field's choices, which a child with more states does not change."""

    def method(self: Any) -> str:
        value = getattr(self, binding.state_name)
        state = binding.table.states.get(value)
        return str(state.label) if state is not None else str(value)

    method.__doc__ = "The label of the state."
    method._lifecycle = True  # type: ignore[attr-defined]
    return method


def _is_property(state: State, binding: Binding) -> property:
    attribute = binding.state_name

    def is_state(self: Any) -> bool:
        return bool(getattr(self, attribute) == state)

    is_state.__doc__ = f"Whether the state is {state.label}."
    return property(is_state)
