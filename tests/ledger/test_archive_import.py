"""An exported log comes back whole, once, and apart from the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import connection, models

from fsm_lifecycle.ledger import archive_import
from fsm_lifecycle.ledger.archive_import import import_archive
from fsm_lifecycle.ledger.body import read_body, redacted
from fsm_lifecycle.ledger.chain import COLUMNS
from fsm_lifecycle.ledger.export import export
from fsm_lifecycle.ledger.keys import new_key
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import ArchivedEntry, LogLeaf, TransitionLog
from tests.acting import ACTOR
from tests.ledger.archives import make_export, refused, rewrite, rows_of, run
from tests.ledger.by_hand import seal_all
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Light

pytestmark = pytest.mark.django_db(databases=["default", "other"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_export(tmp_path / "log.jsonl")


# --- what is whole ------------------------------------------------------------------------------------------


def test_every_entry_arrives_as_it_was(path: Path) -> None:
    text = run(path)
    assert "Imported 5 entries" in text
    assert "2 checkpoints" in text
    assert "Not checked: the signatures" in text
    archived = list(ArchivedEntry.objects.order_by("id"))
    assert [entry.leaf_index for entry in archived] == [0, 1, 2, 3, None]
    assert {entry.source for entry in archived} == {rows_of(path)[0]["origin"]}
    for entry, stored in zip(TransitionLog.objects.order_by("id"), archived, strict=True):
        for name in COLUMNS:
            assert getattr(stored, name) == getattr(entry, name), name


def test_the_log_itself_is_left_alone(path: Path) -> None:
    before = list(TransitionLog.objects.order_by("id").values_list())
    run(path)
    assert list(TransitionLog.objects.order_by("id").values_list()) == before
    assert LogLeaf.objects.count() == 4


def test_again_it_adds_nothing(path: Path) -> None:
    run(path)
    before = list(ArchivedEntry.objects.order_by("id").values_list())
    assert "Imported 0 entries" in (text := run(path))
    assert "5 were there before" in text
    assert list(ArchivedEntry.objects.order_by("id").values_list()) == before


def test_what_the_sealer_sealed_and_signed(path: Path, tmp_path: Path, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {"LEDGER_ORIGIN": "example.com/log", "LEDGER_KEY": str(tmp_path / "key")}
    new_key(tmp_path / "key", "example.com/log")
    for _ in range(2):
        Light.objects.using("other").create()
        seal("other")
    export("other", path)
    report = import_archive("other", path).report
    assert (report.origin, report.sealed, report.checkpoints) == ("example.com/log/other", 2, 2)
    assert "\n\n— example.com/log/other " in rows_of(path)[2]["note"]


def test_small_batches_make_no_difference(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_import, "BATCH", 2)
    assert import_archive("default", path).added == 5


def test_another_database(path: Path) -> None:
    run(path, "--database", "other")
    assert ArchivedEntry.objects.using("other").count() == 5
    assert not ArchivedEntry.objects.exists()


def test_a_later_export_adds_what_is_new_and_says_what_was_sealed(path: Path) -> None:
    run(path)
    Light.objects.get().fire("switch_off", actor=ACTOR)
    seal_all()
    export("default", path, since="4")
    done = import_archive("default", path)
    assert (done.added, done.known, done.sealed_since) == (1, 1, 1)
    assert list(ArchivedEntry.objects.order_by("leaf_index").values_list("leaf_index", flat=True)) == [
        0,
        1,
        2,
        3,
        4,
        5,
    ]


def test_a_part_alone_is_taken_and_says_that_no_root_was_checked(path: Path) -> None:
    export("default", path, since="2")
    assert "does not begin at leaf 0" in run(path)
    assert ArchivedEntry.objects.count() == 3


def test_an_older_part_after_a_newer_one(path: Path) -> None:
    older = path.with_name("older")
    path.rename(older)
    Light.objects.get().fire("switch_off", actor=ACTOR)
    seal_all()
    export("default", path, since="4")
    run(path)
    done = import_archive("default", older)
    assert (done.added, done.known) == (4, 1)


def test_an_empty_log(path: Path, tmp_path: Path) -> None:
    export("other", tmp_path / "empty")
    assert "Imported 0 entries" in run(tmp_path / "empty")


# --- what was erased ----------------------------------------------------------------------------------------


def erase(table: Any, entry_hash: str, name: str) -> None:
    entry: Any = models.QuerySet(table).get(entry_hash=entry_hash)
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table._meta.db_table} SET body = %s WHERE id = %s",
            [redacted(entry.body, [name]), entry.pk],
        )


def archived_field(entry_hash: str, name: str) -> Any:
    return read_body(ArchivedEntry.objects.get(entry_hash=entry_hash).body)[name]


def test_what_was_erased_since_is_erased_in_the_archive_too(path: Path) -> None:
    run(path)
    entry = TransitionLog.objects.get(event="switch_on")
    erase(TransitionLog, entry.entry_hash, "metadata")
    export("default", path)
    done = import_archive("default", path)
    assert (done.added, done.known, done.redacted) == (0, 5, 1)
    assert archived_field(entry.entry_hash, "metadata").redacted
    assert not archived_field(entry.entry_hash, "actor").redacted


def test_an_older_export_does_not_bring_back_what_the_log_has_erased(path: Path) -> None:
    entry = TransitionLog.objects.get(event="switch_on")
    erase(TransitionLog, entry.entry_hash, "metadata")
    run(path)
    assert archived_field(entry.entry_hash, "metadata").redacted


def test_an_older_export_does_not_bring_back_what_the_archive_has_erased(path: Path) -> None:
    run(path)
    entry = TransitionLog.objects.get(event="switch_on")
    erase(ArchivedEntry, entry.entry_hash, "metadata")
    assert import_archive("default", path).redacted == 0
    assert archived_field(entry.entry_hash, "metadata").redacted


# --- what the archive has already ---------------------------------------------------------------------------


def test_an_entry_of_another_ledger_is_named(path: Path) -> None:
    run(path)
    rows = rows_of(path)
    rows[0]["origin"] = "staging.example.com"
    rewrite(path, rows)
    code, text = refused(path)
    assert (code, "in the archive already" in text) == (1, True)


def forge(**values: Any) -> None:
    """Put a row into the archive that no import has put there."""
    stored = ArchivedEntry.objects.order_by("-id").first()
    row = ArchivedEntry(
        **{field.attname: getattr(stored, field.attname) for field in ArchivedEntry._meta.fields}
    )
    row.pk = None
    for name, value in values.items():
        setattr(row, name, value)
    stored_rows: models.QuerySet[Any] = models.QuerySet(ArchivedEntry)
    stored_rows.bulk_create([row])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sequence": 3}, "The archive has another"),
        ({"sequence": 2, "entry_hash": "1" * 64}, "does not follow"),
        ({"sequence": 4, "prev_hash": "2" * 64}, "The entry after it"),
        ({"sequence": 9, "leaf_index": 3, "object_pk": "x"}, "Leaf 3 is another entry"),
    ],
)
def test_a_history_that_parts_from_the_archive_is_a_conflict(
    values: dict[str, Any], said: str, path: Path
) -> None:
    run(path)
    light = ArchivedEntry.objects.get(model_label="testapp.light", sequence=3)
    ArchivedEntry.objects.filter(pk=light.pk)._raw_delete("default")
    forge(
        **{"entry_hash": "3" * 64, "model_label": light.model_label, "object_pk": light.object_pk, **values}
    )
    if values["sequence"] == 2:
        ArchivedEntry.objects.filter(model_label=light.model_label, sequence=2).exclude(
            entry_hash="1" * 64
        )._raw_delete("default")
    code, text = refused(path)
    assert (code, said in text) == (1, True), text


@pytest.mark.parametrize("args", [[], ["a", "b"], ["a", "--nonsense"], ["a", "--database", "nowhere"]])
def test_wrong_arguments_are_refused(args: list[str]) -> None:
    with pytest.raises(CommandError):
        run(*args)
