"""A file that is not what was exported, or no export at all, gets a clear word and leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fsm_lifecycle.ledger import archive_import
from fsm_lifecycle.ledger.archive_import import ArchiveBroken, import_archive
from fsm_lifecycle.ledger.log_file import MAX_LINE, written
from tests.ledger.archives import Rows, make_export, refused, rewrite, rows_of

pytestmark = [pytest.mark.once, pytest.mark.django_db]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_export(tmp_path / "log.jsonl")


# --- what was changed ---------------------------------------------------------------------------------------


def first_entry(rows: Rows) -> dict[str, Any]:
    return next(row for row in rows if row["type"] == "entry")


def changed(**values: Any) -> Callable[[Rows], None]:
    return lambda rows: first_entry(rows).update(values)


def swapped(rows: Rows) -> None:
    rows[1], rows[2] = rows[2], rows[1]


def without(kind: str) -> Callable[[Rows], None]:
    def drop(rows: Rows) -> None:
        rows.remove(next(row for row in rows if row["type"] == kind))

    return drop


def repeated(rows: Rows) -> None:
    rows.insert(2, rows[1])


def other_root(rows: Rows) -> None:
    row = next(row for row in rows if row["type"] == "checkpoint")
    row["root_hash"] = "0" * 64


def other_root_and_note(rows: Rows) -> None:
    row = next(row for row in rows if row["type"] == "checkpoint")
    row["root_hash"] = "00" * 32
    row["note"] = f"example.com\n{row['tree_size']}\n{'A' * 43}=\n"


def unsealed(rows: Rows) -> None:
    rows[5]["leaf_index"] = None


def later_checkpoint(rows: Rows) -> None:
    rows[3], rows[4] = rows[4], rows[3]


def other_definition(rows: Rows) -> None:
    row = next(row for row in rows if row["type"] == "definition")
    row["json"] = row["json"].replace("closed", "Closed").replace("off", "Off")


def entry_at_the_end(rows: Rows) -> None:
    rows.insert(-1, rows.pop(7))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed(to_state="on"), "does not have the hash"),
        (changed(actor_id="mallory"), "does not have the hash"),
        (changed(recorded_at="2020-01-01T00:00:00.000000Z"), "does not have the hash"),
        (changed(entry_hash="0" * 64), "does not have the hash"),
        (changed(body=f'{{"reason":["{"A" * 22}","forged"]}}'), "not the one that was hashed"),
        (changed(body='{"actor":1}'), "neither"),
        (changed(body='{"x": []}'), "body"),
        (changed(body="[" * 100_000), "too deep"),
        (changed(idempotency_key="forged"), "idempotency key"),
        (changed(prev_hash="0" * 64), "does not follow"),
        (changed(sequence=7), "belongs"),
        (changed(leaf_index=1), "where leaf 0 belongs"),
        (changed(leaf_index=None), "where leaf 0 belongs"),
        (swapped, "where leaf 0 belongs"),
        (repeated, "where entry 2 belongs"),
        (without("entry"), "where leaf 0 belongs"),
        (without("checkpoint"), "checkpoints"),
        (without("definition"), "does not have"),
        (other_definition, "fingerprint"),
        (other_root, "another size or root"),
        (other_root_and_note, "do not have the root"),
        (unsealed, "end with 3 of 4"),
        (later_checkpoint, "behind 3 leaves"),
        (entry_at_the_end, "does not belong here"),
    ],
)
def test_a_changed_file_is_refused_even_with_a_new_checksum(
    change: Callable[[Rows], None], said: str, path: Path
) -> None:
    rows = rows_of(path)
    change(rows)
    rewrite(path, rows)
    code, text = refused(path)
    assert code == 1
    assert said in text
    if "definition" not in said:
        assert "checksum" not in text


def test_a_change_that_every_hash_overlooks_changes_the_checksum(path: Path) -> None:
    rows = rows_of(path)
    rows[0]["exported_at"] = "2020-01-01T00:00:00.000000Z"
    path.write_bytes(b"".join(written(row) for row in rows))
    code, text = refused(path)
    assert (code, "checksum differs" in text) == (1, True)


def test_every_cut_is_noticed(path: Path) -> None:
    data = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(data) if byte == 10]
    for size in (*ends[:-1], ends[3] + 10, len(data) - 1):
        path.write_bytes(data[:size])
        code, text = refused(path)
        assert (code, "ends" in text) == (1, True), text


def test_everything_that_is_wrong_is_named_with_its_line(path: Path) -> None:
    rows = rows_of(path)
    rows[1]["actor_id"] = rows[4]["actor_id"] = "mallory"
    rewrite(path, rows)
    _, text = refused(path)
    assert "Line 2: " in text
    assert "Line 5: " in text
    assert "2 things are wrong" in text


def test_of_very_many_faults_the_first_are_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_import, "MOST_FAULTS", 2)
    rows = rows_of(path)
    for row in rows:
        if row["type"] == "entry":
            row["actor_id"] = "mallory"
    rewrite(path, rows)
    _, text = refused(path)
    assert "At least 2 things are wrong" in text


# --- what is no export --------------------------------------------------------------------------------------


def spoil(data: bytes, line: int, new: bytes) -> bytes:
    lines = data.split(b"\n")
    lines[line] = new
    return b"\n".join(lines)


@pytest.mark.parametrize(
    ("spoiled", "code", "said"),
    [
        (lambda data: b"", 2, "empty"),
        (lambda data: b"\n", 2, "Line 1 is not JSON"),
        (lambda data: b"{}\n", 2, "not the first line"),
        (lambda data: data.split(b"\n", 1)[1], 2, "not the first line"),
        (lambda data: data.replace(b'"v":1,"origin"', b'"v":2,"origin"'), 2, "cannot be judged. Line 1 is"),
        (lambda data: data.replace(b'"v":1,"origin"', b'"v":2,"by":"us","origin"'), 2, "newer version"),
        (lambda data: data.replace(b'"v":1,"model_label"', b'"v":2,"model_label"'), 2, "newer version"),
        (lambda data: data.replace(b'"v":1,"origin"', b'"v":0,"origin"'), 2, "version is 0"),
        (lambda data: spoil(data, 1, b"\xff\xfe"), 2, "Line 2 is not UTF-8"),
        (lambda data: data.decode().encode("utf-16"), 2, "not UTF-8"),
        (lambda data: spoil(data, 1, b"[" * 200_000), 2, "Line 2"),
        (lambda data: spoil(data, 1, b'{"type":' + b"9" * 10_000 + b"}"), 2, "Line 2 is not JSON"),
        (lambda data: spoil(data, 1, b'"' + b"x" * (MAX_LINE + 10) + b'"'), 2, "Line 2 has more than"),
        (lambda data: b"x" * (MAX_LINE + 10), 2, "Line 1 has more than"),
        (lambda data: spoil(data, 1, b"[1,2]"), 2, "no JSON object"),
        (lambda data: spoil(data, 1, b"NaN"), 2, "no JSON object"),
        (lambda data: spoil(data, 1, b'{"type":"poem"}'), 1, "of no type"),
        (lambda data: spoil(data, 1, b'{"type":["entry"]}'), 1, "of no type"),
        (lambda data: spoil(data, 1, b'{"type":"entry"}'), 1, "as lifecycle_export writes"),
        (lambda data: data.replace(b'"compensating":false', b'"compensating": false', 1), 1, "as lifecycle_export"),
        (lambda data: data.replace(b'"sequence":1,', b'"sequence":1,"sequence":1,', 1), 1, "as lifecycle_export"),
        (lambda data: data + b"\n", 2, "not JSON"),
        (lambda data: data + data.split(b"\n")[1] + b"\n", 1, "does not belong here"),
        (lambda data: data + data, 1, "does not belong here"),
    ],
)  # fmt: skip
def test_what_is_no_export_gets_a_clear_word(
    spoiled: Callable[[bytes], bytes], code: int, said: str, path: Path
) -> None:
    path.write_bytes(spoiled(path.read_bytes()))
    returned, text = refused(path)
    assert (returned, said in text) == (code, True), text


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("sequence", "1"),
        ("sequence", 1.0),
        ("sequence", True),
        ("sequence", 0),
        ("sequence", 2**60),
        ("leaf_index", -1),
        ("leaf_index", "0"),
        ("v", 0),
        ("v", True),
        ("compensating", 0),
        ("compensating", None),
        ("model_label", None),
        ("model_label", "x" * 101),
        ("object_pk", ["1"]),
        ("object_pk", "a\x00b"),
        ("object_pk", "\ud800"),
        ("kind", "poem"),
        ("event", "switch_on"),
        ("actor_kind", "robot"),
        ("recorded_at", None),
        ("recorded_at", "yesterday"),
        ("recorded_at", "2026-11-20T12:00:00.000000+01:00"),
        ("recorded_at", "1500-01-01T00:00:00.000000Z"),
        ("recorded_at", 1795167480000000),
        ("cause", "x"),
        ("definition", "A" * 64),
        ("body", None),
        ("body", {}),
        ("idempotency_digest", "1"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_column(column: str, value: Any, path: Path) -> None:
    rows = rows_of(path)
    first_entry(rows)[column] = value
    data = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]
    if value == "\ud800":
        data = [json.dumps(row, separators=(",", ":")) for row in rows]
    path.write_text("\n".join(data) + "\n", encoding="utf-8")
    code, text = refused(path)
    assert code == 1
    assert column in text or "half of a character" in text or "transition" in text


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    code, text = refused(tmp_path / "nothing.jsonl")
    assert (code, "No such file" in text) == (2, True)
    assert refused(tmp_path)[0] == 2


def test_a_file_that_changes_while_it_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = archive_import._checked

    def then_change(file: Any, name: Path) -> Any:
        report = check(file, name)
        rows = rows_of(name)
        rows[0]["exported_at"] = "2020-01-01T00:00:00.000000Z"
        rewrite(name, rows)
        return report

    monkeypatch.setattr(archive_import, "_checked", then_change)
    code, text = refused(path)
    assert (code, "changed while it was read" in text) == (2, True)


def test_the_findings_can_be_read_by_a_program(path: Path) -> None:
    rows = rows_of(path)
    rows[1]["actor_id"] = "mallory"
    rewrite(path, rows)
    with pytest.raises(ArchiveBroken) as error:
        import_archive("default", path)
    assert [(fault.code, fault.line) for fault in error.value.faults] == [("ENTRY_HASH", 2)]
