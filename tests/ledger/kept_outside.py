"""Owns a ledger with a folder outside the database, and what somebody with the database alone can do to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import connection

from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import Checkpoint, LogLeaf, LogTile
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Light

ORIGIN = "ledger.example/log"


def configured(settings: Any, place: Path, **more: Any) -> Path:
    """Set the settings, and return the ledger's own folder."""
    settings.FSM_LIFECYCLE = {"LEDGER_ORIGIN": ORIGIN, "LEDGER_CHECKPOINT_DIR": place / "kept", **more}
    return place / "kept" / "ledger.example%2Flog"


def sealed(count: int) -> Checkpoint:
    """So many more entries, sealed."""
    Light.objects.bulk_create(Light() for _ in range(count))
    made = seal().checkpoint
    assert made is not None
    return made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def rewrite() -> None:
    """What somebody does who has the database and no key: everything is made anew, and fits together."""
    with unprotected(connection), connection.cursor() as cursor:
        for model in (LogTile, LogLeaf, Checkpoint):
            cursor.execute(f"DELETE FROM {model._meta.db_table}")
        cursor.execute("DELETE FROM fsm_lifecycle_sealprogress")
        cursor.execute("DELETE FROM fsm_lifecycle_dailycount")
        cursor.execute("SELECT MIN(id) FROM fsm_lifecycle_transitionlog")
        cursor.execute("DELETE FROM fsm_lifecycle_transitionlog WHERE id = %s", [cursor.fetchone()[0]])
