"""Owns what tests of the archive share: an export, its lines, the command, and what it says when it refuses."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from fsm_lifecycle.ledger.export import export
from fsm_lifecycle.ledger.log_file import written
from fsm_lifecycle.models import ArchivedEntry, TransitionLog
from tests.acting import ACTOR
from tests.ledger.by_hand import leaves_for
from tests.testapp.models import Door, Light

Rows = list[dict[str, Any]]


def run(*args: Any) -> str:
    out = io.StringIO()
    call_command("lifecycle_import_archive", *map(str, args), stdout=out, stderr=out)
    return out.getvalue()


def refused(path: Path) -> tuple[int, str]:
    """Exit code and everything that was said; nothing may have been written."""
    before = list(ArchivedEntry.objects.order_by("id").values_list())
    err = io.StringIO()
    with pytest.raises(CommandError) as error:
        call_command("lifecycle_import_archive", str(path), stdout=io.StringIO(), stderr=err)
    assert "Nothing was imported" in str(error.value)
    assert list(ArchivedEntry.objects.order_by("id").values_list()) == before
    return error.value.returncode, err.getvalue() + str(error.value)


def rows_of(path: Path) -> Rows:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def rewrite(path: Path, rows: Rows) -> None:
    """Write rows as an exporter would, with a checksum that is right."""
    data = b"".join(written(row) for row in rows[:-1])
    trailer = {**rows[-1], "sha256": hashlib.sha256(data).hexdigest()}
    path.write_bytes(data + written(trailer))


def make_export(path: Path) -> Path:
    """An export of five entries of two records; two leaves, two more, one entry not sealed."""
    light, door = Light.objects.create(name="Ångström"), Door.objects.create(code="ä ö:1")
    light.fire("switch_on", actor=ACTOR, metadata={"note": "“quoted” \\ line"})
    light.fire("blink", actor=ACTOR, idempotency_key="k-1")
    door.fire("open_up", actor=ACTOR)
    entries = list(TransitionLog.objects.order_by("id"))
    leaves_for(entries[:2])
    leaves_for(entries[2:4])
    export("default", path)
    return path
