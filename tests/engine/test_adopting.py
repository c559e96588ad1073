"""Records that come into being in any state: imports, factories, rows from before."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from fsm_lifecycle import DirectStateChange, StaleState, System, acting_as, adopting
from fsm_lifecycle.models import TransitionLog
from tests.acting import ACTOR
from tests.ledger.unprotected import unprotected
from tests.testapp.models import Door, Light, Treaty
from tests.testapp.shapes import Lamp

pytestmark = pytest.mark.django_db


def without_log(model: Any, **values: Any) -> Any:
    """A row as it was before the model had a lifecycle."""
    with adopting("to be made unknown"):
        record = model.objects.create(**values)
    table = connection.ops.quote_name(model._meta.db_table)
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET lifecycle_sequence = 0, lifecycle_head = ''")
        cursor.execute("DELETE FROM fsm_lifecycle_transitionlog")
    record.refresh_from_db()
    return record


def adopt(*labels: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("lifecycle_adopt", *labels, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "create",
    [
        lambda: Light.objects.create(state="broken"),
        lambda: Light.objects.bulk_create([Light(state="broken")])[0],
        lambda: Light.objects.get_or_create(name="x", defaults={"state": "broken"})[0],
    ],
)
def test_a_record_may_begin_in_any_state(create: Any) -> None:
    with adopting("import of 2024"):
        light = create()
    assert Light.objects.get().state == "broken"
    entry = light.log.get()
    assert (entry.kind, entry.from_state, entry.to_state, entry.sequence) == ("adopted", None, "broken", 1)
    assert entry.reason == "import of 2024"
    assert (light.lifecycle_sequence, light.lifecycle_head) == (1, entry.entry_hash)


def test_an_adopted_record_goes_on_like_any_other() -> None:
    with adopting("import"):
        light = Light.objects.create(state="on")
    assert light.fire("switch_off", actor=ACTOR).sequence == 2
    assert light.replay().whole


def test_the_current_actor_adopts_else_the_reason_speaks(user: Any) -> None:
    with adopting("nightly import"):
        entry = Light.objects.create(state="on").log.get()
    assert (entry.actor_kind, entry.actor_id) == ("system", "nightly import")
    with acting_as(user), adopting("import"):
        assert Light.objects.create(state="on").log.get().actor_kind == "user"


def test_a_state_that_the_lifecycle_does_not_have_is_refused() -> None:
    from django.db import transaction

    with pytest.raises(DirectStateChange, match="off, on, broken"), transaction.atomic(), adopting("x"):
        Light.objects.create(state="nonsense")
    assert not TransitionLog.objects.exists()


def test_adopting_ends_with_its_block() -> None:
    from django.db import transaction

    with adopting("x"):
        pass
    with pytest.raises(DirectStateChange), transaction.atomic():
        Light.objects.create(state="on")
    assert Light.objects.create().log.get().kind == "created"


@pytest.mark.parametrize("reason", ["", "  ", None, "x" * 201])
def test_adopting_needs_a_reason(reason: Any) -> None:
    with pytest.raises(ValueError, match="reason"), adopting(reason):
        pass


def test_adopting_moves_no_record_that_exists() -> None:
    light = Light.objects.create()
    with adopting("x"):
        with pytest.raises(DirectStateChange):
            light.state = "on"
        light.__dict__["state"] = "on"
        light.save()
    assert Light.objects.get().state == "off"
    assert light.log.count() == 1


def test_a_copy_may_be_adopted() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR)
    light.pk = None
    with adopting("a copy"):
        light.save()
    assert light.log.get().kind == "adopted"
    assert light.lifecycle_sequence == 1


def test_a_row_without_a_log_cannot_be_fired_and_the_error_says_what_to_run() -> None:
    light = without_log(Light, state="on")
    with pytest.raises(StaleState, match="lifecycle_adopt"):
        light.fire("switch_off", actor=ACTOR)
    (result,) = Light.objects.all().fire("switch_off", actor=ACTOR).results
    assert result.denials[0].code == "stale_state"


def test_the_command_adopts_rows_from_before_the_lifecycle() -> None:
    light = without_log(Light, state="on")
    assert "1" in adopt("testapp.Light", reason="we begin")
    light.refresh_from_db()
    entry = light.log.get()
    assert (entry.kind, entry.to_state, entry.reason) == ("adopted", "on", "we begin")
    assert light.fire("switch_off", actor=ACTOR).sequence == 2
    adopt("testapp.Light")
    assert light.log.count() == 2


def test_the_command_adopts_every_model_by_default() -> None:
    lamp = without_log(Lamp, phase="on")
    Door.objects.create(code="a")
    adopt()
    lamp.refresh_from_db()
    assert lamp.log.get().kind == "adopted"
    assert TransitionLog.objects.count() == 2


def test_the_command_judges_a_child_by_its_own_table() -> None:
    with adopting("x"):
        treaty = Treaty.objects.create(title="t", state="signed")
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE testapp_document SET lifecycle_sequence = 0, lifecycle_head = ''")
        cursor.execute("DELETE FROM fsm_lifecycle_transitionlog")
    adopt("testapp.Treaty")
    treaty.refresh_from_db()
    assert treaty.log.get().to_state == "signed"
    assert treaty.log.get().definition == Treaty.lifecycle.fingerprint


def test_the_command_refuses_states_that_the_lifecycle_does_not_have() -> None:
    without_log(Light, state="on")
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE testapp_light SET state = 'melted'")
    with pytest.raises(CommandError, match="melted"):
        adopt("testapp.Light")
    with pytest.raises(CommandError, match="nonsense"):
        adopt("testapp.Nonsense".lower())


def test_a_system_may_adopt() -> None:
    with acting_as(System("importer")), adopting("import"):
        assert Light.objects.create(state="on").log.get().actor_id == "importer"


def test_a_database_that_is_not_configured_is_refused_before_anything_happens() -> None:
    with pytest.raises(CommandError, match=r"invalid choice: 'nowhere'"):
        call_command("lifecycle_adopt", "--database", "nowhere")
