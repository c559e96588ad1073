"""Owns the one database table that every random lifecycle of these tests lives on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection, models

from fsm_lifecycle import State
from fsm_lifecycle.models import LifecycleModel
from tests.definition.declaring import declare, lifecycle
from tests.properties.tables import Members


def machine(members: Members) -> type[LifecycleModel]:
    """A model of its own for a table; all of them share the database table, for its columns are the same."""
    return declare(
        lifecycle(**members),
        name="Machine",
        meta={"db_table": "testapp_machine"},
        flag=models.BooleanField(default=True),
        size=models.IntegerField(default=0),
    )


@pytest.fixture(scope="module")
def machines(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[None]:
    """The table in the database, made outside every transaction."""
    model = machine({"s0": State("s0", initial=True)})
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        with connection.schema_editor() as editor:
            editor.create_model(model)
        yield
        with connection.schema_editor() as editor:
            editor.delete_model(model)
