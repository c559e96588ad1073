"""What makes a migration, and what must not: the table's own business stays out of them."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.questioner import NonInteractiveMigrationQuestioner
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter
from django.test.utils import isolate_apps

from fsm_lifecycle import CRUD, Event, Role, State
from fsm_lifecycle.models import LifecycleModel
from tests.checks.asking import sound_members
from tests.definition.declaring import declare, lifecycle


def model(changes: dict[str, Any] | None = None, **attributes: Any) -> type[LifecycleModel]:
    """A version of one model, its nested class changed."""
    return declare(lifecycle(**{**sound_members(), **(changes or {})}), **attributes)


def operations(before: type[models.Model], after: type[models.Model]) -> list[str]:
    """What `makemigrations` would write to get from one version to the other."""
    states = []
    for version in (before, after):
        state = ProjectState()
        state.add_model(ModelState.from_model(version))
        states.append(state)
    questioner = NonInteractiveMigrationQuestioner(specified_apps={"testapp"}, dry_run=True)
    detector: Any = MigrationAutodetector  # its stub knows no arguments
    changes = detector(*states, questioner)._detect_changes()
    return [operation.describe() for each in changes.get("testapp", []) for operation in each.operations]


FREE: dict[str, Callable[[], type[LifecycleModel]]] = {
    "nothing": model,
    "a state more": lambda: model({"d": State("d"), "more": Event("a", to="d")}),
    "a state less": lambda: model({"c": None, "end": None}),
    "another label of a state": lambda: model({"a": State("a", initial=True, label="Alpha")}),
    "another description of a state": lambda: model({"b": State("b", description="Second.")}),
    "another tone": lambda: model({"b": State("b", tone="alert", stuck_after=None)}),
    "another attribute of a state": lambda: model({"b": None, "bee": State("b")}),
    "an event more": lambda: model({"back": Event("b", to="a")}),
    "an event less": lambda: model({"end": None}),
    "another label of an event": lambda: model({"go": Event("a", to="b", label="Off")}),
    "other edges": lambda: model({"go": Event("a", to="c")}),
    "a role": lambda: model({"owner": Role("owner", crud=CRUD.ALL, may=["go"])}),
    "a label of the lifecycle": lambda: model({"label": "old.name"}),
}


@pytest.mark.parametrize("after", FREE.values(), ids=FREE)
def test_this_makes_no_migration(after: Callable[[], type[LifecycleModel]]) -> None:
    assert operations(model(), after()) == []


def test_relabelling_a_role_makes_no_migration() -> None:
    before, after = (model({"owner": Role("owner", label=label)}) for label in ("Owner", "Boss"))
    assert operations(before, after) == []


def test_another_initial_value_is_another_default_of_the_column() -> None:
    after = model({"a": State("a"), "z": State("z", initial=True), "start": Event("z", to="a")})
    assert operations(model(), after) == ["Alter field state on thing"]


def test_a_model_that_gets_a_lifecycle_gets_its_columns_and_index() -> None:
    with isolate_apps("tests.testapp"):
        plain = type(
            "Thing",
            (models.Model,),
            {"__module__": __name__, "Meta": type("Meta", (), {"app_label": "testapp"})},
        )
    found = operations(plain, model())
    assert sorted(found[:-1]) == [
        "Add field lifecycle_head to thing",
        "Add field lifecycle_sequence to thing",
        "Add field state to thing",
        "Add field state_since to thing",
    ]
    assert found[-1].startswith("Create index")


def test_the_state_field_is_written_without_what_the_table_says() -> None:
    _, path, arguments, options = model()._lifecycle.field.deconstruct()
    assert path == "fsm_lifecycle.fields.StateField"
    assert arguments == []
    assert set(options) == {"default", "max_length", "verbose_name"}


def test_a_default_is_written_as_plain_text() -> None:
    text, _ = MigrationWriter.serialize(model()._lifecycle.field)
    assert "default='a'" in text


def test_no_base_of_the_package_is_left_in_a_migration() -> None:
    assert ModelState.from_model(model()).bases == (models.Model,)


@pytest.mark.parametrize("app", ["fsm_lifecycle", "testapp", "helpdesk", "billing"])
@pytest.mark.django_db
def test_makemigrations_finds_nothing_to_do(app: str) -> None:
    printed = StringIO()
    call_command("makemigrations", app, check=True, dry_run=True, stdout=printed)
    assert "No changes detected" in printed.getvalue()
