"""Records, their log and their definitions live together, in whichever database."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connections, transaction

from fsm_lifecycle import GuardFailed, StaleState, adopting
from fsm_lifecycle.ledger.keys import new_key
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.ledger.verify import verify
from fsm_lifecycle.models import LifecycleDefinition, RefusedAttempt, TransitionLog, WebhookEndpoint
from tests.acting import ACTOR, rolled_back, statements
from tests.copies import COPY, ReadsCopy, read_only_copy
from tests.ledger.unprotected import unprotected
from tests.testapp.gates import Gate
from tests.testapp.models import Contract, Light, Order

pytestmark = pytest.mark.django_db(databases=["default", "other"])


def test_a_record_of_the_other_database_has_its_log_there() -> None:
    light = Light.objects.using("other").create()
    entry = light.fire("switch_on", actor=ACTOR)
    assert entry._state.db == "other"
    assert light.log.count() == TransitionLog.objects.using("other").count() == 2
    assert TransitionLog.objects.count() == 0
    assert Light.objects.using("other").get().state == "on"
    assert not Light.objects.exists()
    assert light.replay().whole
    assert light.state_at(1) == "off"


def test_nothing_is_asked_of_the_default_database() -> None:
    with statements() as sent:
        light = Light.objects.using("other").create()
        light.fire("switch_on", actor=ACTOR, idempotency_key="k")
        light.fire("switch_on", actor=ACTOR, idempotency_key="k")
        Light.objects.using("other").fire("switch_off", actor=ACTOR)
        with pytest.raises(GuardFailed):
            Gate.objects.using("other").create(mode="false").fire("unlock", actor=ACTOR)
        light.refresh_from_db()
        light.delete()
    assert sent == []


def test_save_and_bulk_create_can_name_the_database() -> None:
    light = Light()
    light.save(using="other")
    Light.objects.using("other").bulk_create([Light(), Light()])
    assert Light.objects.using("other").count() == TransitionLog.objects.using("other").count() == 3
    assert light.fire("switch_on", actor=ACTOR)._state.db == "other"


def test_refusals_and_definitions_are_kept_there_too() -> None:
    gate = Gate.objects.using("other").create(mode="false")
    with pytest.raises(GuardFailed):
        gate.fire("unlock", actor=ACTOR)
    assert RefusedAttempt.objects.using("other").count() == 1
    assert RefusedAttempt.objects.count() == 0
    stored = LifecycleDefinition.objects.using("other").filter(fingerprint=Gate.lifecycle.fingerprint)
    assert stored.count() == 1


def test_the_same_key_in_two_databases_is_two_records() -> None:
    here, there = Light.objects.create(pk=900), Light.objects.using("other").create(pk=900)
    here.fire("switch_on", actor=ACTOR)
    assert there.fire("switch_on", actor=ACTOR).sequence == 2
    assert here.lifecycle_head != there.lifecycle_head


def test_a_rollback_there_undoes_what_was_done_there() -> None:
    here, there = Light.objects.create(), Light.objects.using("other").create()
    with rolled_back("other"):
        here.fire("switch_on", actor=ACTOR)
        there.fire("switch_on", actor=ACTOR)
    assert Light.objects.get().state == "on"
    assert Light.objects.using("other").get().state == "off"
    with pytest.raises(StaleState):
        there.fire("switch_off", actor=ACTOR)


def test_after_commit_means_the_commit_of_the_records_database(
    seen: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    gate = Gate.objects.using("other").create()
    with (
        django_capture_on_commit_callbacks() as here,
        django_capture_on_commit_callbacks(using="other") as there,
    ):
        gate.fire("announce", actor=ACTOR)
    assert (len(here), len(there)) == (0, 2)


def test_effects_fire_where_the_other_record_lives() -> None:
    contract = Contract.objects.using("other").create()
    order = Order.objects.using("other").create(contract=contract)
    order.fire("place", actor=ACTOR)
    order.fire("finish", actor=ACTOR)
    assert Contract.objects.using("other").get().state == "ended"
    assert TransitionLog.objects.count() == 0


def test_bulk_firing_all_or_nothing_there() -> None:
    for _ in range(2):
        Light.objects.using("other").create()
    Light.objects.using("other").order_by("pk")[:1].fire("switch_on", actor=ACTOR)
    result = Light.objects.using("other").fire("switch_on", actor=ACTOR, all_or_nothing=True)
    assert (result.succeeded, result.failed) == (0, 1)
    assert Light.objects.using("other").in_state("on").count() == 1


def test_a_copy_into_the_other_database_begins_anew_or_is_adopted() -> None:
    light = Light.objects.create(name="a")
    light.fire("switch_on", actor=ACTOR)
    twin = Light.objects.get()
    with adopting("copied from default"), transaction.atomic(using="other"):
        twin.save(using="other", force_insert=True)
    assert twin.log.get().kind == "adopted"
    assert Light.objects.using("other").get().state == "on"
    assert light.log.count() == 2
    assert connections["other"].alias == "other"


class ReadsElsewhere:
    """Reads come from a copy of the database, writes go to the default one."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "other" if model is Light else None

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"

    def allow_relation(self, *args: Any, **hints: Any) -> bool:
        return True


def test_a_record_that_was_read_from_a_copy_is_fired_where_the_router_writes(settings: Any) -> None:
    light = Light.objects.create()
    settings.DATABASE_ROUTERS = [ReadsElsewhere()]
    light._state.db = "other"
    entry = light.fire("switch_on", actor=ACTOR)
    assert entry._state.db == "default"
    assert Light.objects.using("default").get().state == "on"


@pytest.mark.once
@pytest.mark.skipif("connections['default'].vendor != 'sqlite'")
@pytest.mark.django_db(transaction=True, databases=["default", "other"])
class TestReadingFromACopy:
    @pytest.fixture(autouse=True)
    def copied(self, db: None, settings: Any) -> Any:
        with read_only_copy():
            settings.DATABASE_ROUTERS = [ReadsCopy()]
            yield

    def test_records_and_querysets_fire_in_the_original(self) -> None:
        light = Light.objects.get(pk=Light.objects.create().pk)
        assert light._state.db == COPY
        light.fire("switch_on", actor=ACTOR)
        assert Light.objects.all().fire("switch_off", actor=ACTOR).succeeded == 1
        assert Light.objects.using("default").get().state == "off"
        assert light.log.count() == 3

    def test_what_a_firing_that_failed_in_an_effect_wrote_is_undone(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order = Order.objects.create(contract=Contract.objects.create())
        order.fire("place", actor=ACTOR)

        def fail(*args: Any, **kwargs: Any) -> None:
            Contract.objects.create()
            raise RuntimeError("after it wrote")

        monkeypatch.setattr(Contract, "fire", fail)
        Order.objects.get().fire("finish", actor=ACTOR)
        assert Contract.objects.using("default").count() == 1

    def test_endpoints_are_switched_off_in_the_original(self, settings: Any) -> None:
        settings.FSM_LIFECYCLE = {"ENCRYPTION_KEYS": [Fernet.generate_key().decode()]}
        WebhookEndpoint.objects.bulk_create([WebhookEndpoint(url="https://example.com/")])
        assert WebhookEndpoint.objects.update(active=False) == 1
        assert not WebhookEndpoint.objects.using("default").get().active

    def test_its_ledger_is_that_of_the_original(self, settings: Any, tmp_path: Path) -> None:
        new_key(tmp_path / "ledger.key", "example.com/test")
        settings.FSM_LIFECYCLE = {
            "LEDGER_ORIGIN": "example.com/test",
            "LEDGER_KEY": str(tmp_path / "ledger.key"),
            "LEDGER_CHECKPOINT_DIR": tmp_path / "checkpoints",
        }
        Light.objects.create()
        seal("default")
        verification = verify(COPY, deep=True)
        assert list(verification) == []
        assert verification.checked["rows"] == 1
        assert any("protection" in what for what in verification.not_checked)
        with unprotected(connections["default"]), connections["default"].cursor() as cursor:
            cursor.execute("UPDATE testapp_light SET state = 'on'")
        assert [finding.code for finding in verify(COPY)] == ["STATE_DIVERGED"]
