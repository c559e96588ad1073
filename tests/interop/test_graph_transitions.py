"""django-fsm-2's own diagrams of a lifecycle. The drawing program is not needed, its Python package is."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from tests.testapp.models import DisputedInvoice, Expense, Invoice

pytestmark = pytest.mark.pure

pytest.importorskip("graphviz", reason="graph_transitions needs the Python package graphviz")
graph_transitions = pytest.importorskip("django_fsm.management.commands.graph_transitions")


def drawn(model: Any) -> str:
    return str(graph_transitions.generate_dot(graph_transitions.all_fsm_fields_data(model)))


def printed(*arguments: str, **options: Any) -> str:
    """What the command prints. Its app need not be installed for it."""
    output = StringIO()
    call_command(graph_transitions.Command(), *arguments, stdout=output, **options)
    return output.getvalue()


@pytest.mark.parametrize("model", [Invoice, DisputedInvoice, Expense])
def test_every_edge_and_every_state_is_drawn(model: Any) -> None:
    dot = drawn(model)
    for row in model.lifecycle.transitions:
        ends = [
            f'"testapp.{model._meta.get_field("state").model._meta.verbose_name}.state.{end}"'
            for end in (row.source, row.target)
        ]
        assert f"{ends[0]} -> {ends[1]} [label={row.event.name}]" in dot
    # The library takes labels from the column's choices, and the column is the parent's.
    for state in model._meta.concrete_model.lifecycle.states.values():
        assert f'label="{state.label}"' in dot or f"label={state.label}" in dot


def test_the_command_draws_an_app() -> None:
    drawing = printed("testapp")
    assert "testapp.Invoice.state" in drawing
    assert "testapp.Door.position" in drawing


def test_the_command_draws_one_field_and_leaves_out_what_it_is_told() -> None:
    drawing = printed("testapp.Invoice.state", exclude="cancel,refund")
    assert "label=pay" in drawing
    assert "label=cancel" not in drawing
