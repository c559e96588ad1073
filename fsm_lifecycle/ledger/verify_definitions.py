"""Owns the check of stored definitions: each must be what its fingerprint was made of. Must not know entries."""

from __future__ import annotations

from collections.abc import Iterator

from fsm_lifecycle.ledger.definitions import LifecycleDefinition
from fsm_lifecycle.ledger.finding import Finding, shown
from fsm_lifecycle.ledger.judging import DefinitionMismatch, StoredTable
from fsm_lifecycle.ledger.scanning import scan
from fsm_lifecycle.ledger.verify_scope import Scope


def verify_definitions(scope: Scope) -> Iterator[Finding]:
    """Every stored definition; with ``record``, those of its model."""
    select = f"SELECT id, model_label, fingerprint, json FROM {scope.table(LifecycleDefinition)}"  # noqa: S608
    where, parameters = ("", []) if scope.record is None else ("model_label = %s", [scope.record[0]])
    for _, label, fingerprint, text in scan(
        scope.connection, select, ["id"], where=where, parameters=parameters, page=20
    ):
        scope.checked["definitions"] += 1
        try:
            StoredTable(text, fingerprint)
        except DefinitionMismatch as error:
            expected = f"a definition with the fingerprint {shown(fingerprint)}"
            yield Finding("DEFINITION_MISMATCH", shown(label), None, expected, str(error))
