"""Whatever is done to a ledger behind the package's back is found, by name, at its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from django.test import override_settings

from fsm_lifecycle.ledger import protection, verify_sealing
from fsm_lifecycle.ledger.finding import Finding as Found
from fsm_lifecycle.ledger.horizon import open_writers
from fsm_lifecycle.ledger.verify import verify
from tests.acting import rolled_back
from tests.ledger import ledger_to_damage, mutations
from tests.ledger.unprotected import unprotected

pytestmark = pytest.mark.django_db(databases=["default", "other"])

SEED = 20261120


def found_after(mutation: mutations.Mutation, settings: dict[str, object]) -> list[Found]:
    """Damage the ledger, verify it, and undo the damage."""
    if mutation.against is not None:
        settings = {**settings, "LEDGER_CHECKPOINT_DIR": None}
    with rolled_back(), override_settings(FSM_LIFECYCLE=settings):
        mutation.apply()
        return list(verify(deep=True, against=mutation.against))
    raise AssertionError("unreachable")


def survived(mutation: mutations.Mutation, found: list[Found]) -> str:
    """Why a mutation was not found as it should be; empty when it was."""
    places = {(one.code, one.record, one.sequence) for one in found}
    missed = [one for one in mutation.expected if one not in places]
    if missed:
        return f"{mutation.name}: {missed} not among {sorted(places, key=str)}"
    if mutation.accused is not None:
        expected = {record for _, record, _ in mutation.expected} | {None}
        strangers = {one.record for one in found} - expected - mutation.accused
        if strangers:
            return f"{mutation.name}: {strangers} accused, too"
    return ""


def test_every_mutation_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ledger_to_damage.settings(tmp_path)
    with override_settings(FSM_LIFECYCLE=settings):
        ledger = ledger_to_damage.build(tmp_path)
        assert list(verify(deep=True)) == []
        # MariaDB is slow to say who else is at work. Nobody is, so it is asked once.
        others = open_writers(connection)
        monkeypatch.setattr(
            verify_sealing, "open_in_innodb", lambda connection: dict.fromkeys(others or (), 0)
        )
        chosen = mutations.all_of(ledger, SEED)
        with unprotected(connection):
            monkeypatch.setattr(protection, "missing", lambda connection: [])
            assert list(verify(deep=True)) == []
            judged = [survived(mutation, found_after(mutation, settings)) for mutation in chosen]
            assert list(verify(deep=True)) == []
    survivors = [why for why in judged if why]
    rate = 100 * (1 - len(survivors) / len(chosen))
    with capsys.disabled():
        print(f"\n{len(chosen)} mutations of the ledger, {rate:.1f} % found")
    assert not survivors, "\n".join(survivors)
    assert len({mutation.name for mutation in chosen}) == len(chosen) > 200
