"""The judge itself: it must see each way in which a database can fail to be whole."""

from __future__ import annotations

import pytest
from django.db import connection

from fsm_lifecycle import System
from fsm_lifecycle.migrating import store_definitions
from fsm_lifecycle.models import TransitionLog
from tests.concurrency.wholeness import faults
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Light

pytestmark = pytest.mark.usefixtures("transactional_db")

LIGHT, LOG = Light._meta.db_table, TransitionLog._meta.db_table
LAST = f"WHERE sequence = 3 AND model_label = '{Light._meta.label_lower}'"


def behind_our_back(sql: str) -> None:
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.fixture
def light() -> Light:
    light = Light.objects.create()
    light.fire("switch_on", actor=System("test"))
    light.fire("blink", actor=System("test"))
    return light


def test_what_the_package_wrote_is_whole(light: Light) -> None:
    Light.objects.create().delete()
    assert faults() == []


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        (f"UPDATE {LIGHT} SET state = 'off'", "its last entry #3 says on"),
        (f"UPDATE {LIGHT} SET lifecycle_sequence = 4", "its last entry #3 says on"),
        (f"UPDATE {LIGHT} SET lifecycle_head = ''", "its last entry #3 says on"),
        (f"DELETE FROM {LIGHT}", "has 3 entries and no row"),
        (f"DELETE FROM {LOG}", "has a row and no entry"),
        (f"DELETE FROM {LOG} {LAST}", "its last entry #2 says on"),
        (f"DELETE FROM {LOG} WHERE sequence = 2", "has entry #3 where #2 belongs"),
        (f"UPDATE {LOG} SET prev_hash = '' {LAST}", "#3 does not name the hash of the entry before it"),
        (f"UPDATE {LOG} SET from_state = 'off' {LAST}", "#3 comes from off"),
        (f"UPDATE {LOG} SET event = 'smash' {LAST}", "#3 has another hash than its values"),
        (f"UPDATE {LOG} SET kind = 'refused' {LAST}", "#3 is of the kind refused"),
        (f"UPDATE {LOG} SET kind = 'deleted' {LAST}", "is deleted in its log and still has a row"),
        ("DELETE FROM fsm_lifecycle_lifecycledefinition", "names a definition that is not stored"),
    ],
)
def test_what_is_not_whole_is_named(light: Light, sql: str, fault: str) -> None:
    behind_our_back(sql)
    found = faults()
    store_definitions("default")
    assert any(fault in text for text in found), found
