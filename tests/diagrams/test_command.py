"""`manage.py lifecycle_graph`."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from fsm_lifecycle import registry
from tests.testapp.models import Invoice

from .grammar import read_dot, read_mermaid
from .rendering import classed, parsed

pytestmark = pytest.mark.pure


def drawn(*names: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("lifecycle_graph", *names, stdout=out, **options)
    return out.getvalue()


def refused(*names: str, **options: Any) -> str:
    with pytest.raises(CommandError) as caught:
        drawn(*names, **options)
    assert caught.value.returncode == 2
    return str(caught.value)


def test_it_draws_a_standalone_svg() -> None:
    root = parsed(drawn("testapp.Invoice"))
    assert len(classed(root, "node")) == len(Invoice.lifecycle.states)
    assert "prefers-color-scheme" in drawn("testapp.Invoice")


def test_it_writes_every_format() -> None:
    assert len(read_mermaid(drawn("testapp.Invoice", format="mermaid")).states) == 5
    assert len(read_dot(drawn("testapp.Invoice", format="dot")).states) == 5
    document = json.loads(drawn("testapp.Invoice", "testapp.Door", format="json"))
    assert [machine["model"] for machine in document["machines"]] == ["testapp.Invoice", "testapp.Door"]


def test_all_is_every_model_with_a_lifecycle() -> None:
    document = json.loads(drawn(all=True, format="json"))
    assert [m["model"] for m in document["machines"]] == [m._meta.label for m in registry.lifecycles()]


def test_a_model_named_twice_is_drawn_once() -> None:
    assert len(json.loads(drawn("testapp.Invoice", "testapp.invoice", format="json"))["machines"]) == 1


def test_no_model_is_refused_with_those_there_are() -> None:
    said = refused()
    assert said.startswith("Name a model, or give --all. Models with a lifecycle: ")
    assert "testapp.Invoice" in said


def test_a_wrong_name_is_refused_with_those_there_are() -> None:
    for name in ("testapp.Nothing", "nonsense", "auth.User"):
        said = refused("testapp.Invoice", name)
        assert name in said
        assert "testapp.invoice" in said


def test_names_beside_all_are_refused() -> None:
    assert refused("testapp.Invoice", all=True) == "--all draws every model. Leave out the names."


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "invoice.svg"
    assert drawn("testapp.Invoice", output=str(target)) == f"Wrote 1 lifecycle to {target}.\n"
    assert drawn("testapp.Invoice", output=str(target), verbosity=0) == ""
    assert len(classed(parsed(target.read_text()), "node")) == 5
    assert [path.name for path in target.parent.iterdir()] == ["invoice.svg"]


def test_several_svgs_go_into_a_folder(tmp_path: Path) -> None:
    drawn("testapp.Invoice", "testapp.Door", output=str(tmp_path / "graphs"))
    assert sorted(path.name for path in (tmp_path / "graphs").iterdir()) == [
        "testapp.door.svg",
        "testapp.invoice.svg",
    ]


def test_several_svgs_do_not_go_into_one_file(tmp_path: Path) -> None:
    taken = tmp_path / "there"
    taken.write_text("as it was")
    for output in ("-", str(tmp_path / "both.svg"), str(taken)):
        said = refused("testapp.Invoice", "testapp.Door", output=output)
        assert said.startswith("An SVG holds one lifecycle, and there are 2. Give -o a folder")
    assert taken.read_text() == "as it was"


def test_several_models_go_into_one_document_of_the_other_formats(tmp_path: Path) -> None:
    target = tmp_path / "both.dot"
    drawn("testapp.Invoice", "testapp.Door", format="dot", output=str(target))
    assert read_dot(target.read_text()).groups == ["Invoice", "Door"]


def test_where_one_file_cannot_be_written_none_is(tmp_path: Path) -> None:
    """The second file's place is taken by a folder: the first stays as it was."""
    (tmp_path / "testapp.door.svg").write_text("as it was")
    (tmp_path / "testapp.invoice.svg").mkdir()
    said = refused("testapp.Door", "testapp.Invoice", output=str(tmp_path))
    assert said == f"Nothing was written to “{tmp_path}”: It is a folder."
    assert (tmp_path / "testapp.door.svg").read_text() == "as it was"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused("testapp.Invoice", output=str(tmp_path / "file" / "x.svg"))
    assert said.startswith("Nothing was written to")
