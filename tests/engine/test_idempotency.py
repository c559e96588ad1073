"""The same request again gives the first answer."""

from datetime import date

import pytest
from django.contrib.auth.models import AnonymousUser

from fsm_lifecycle import AccessDenied, IdempotencyConflict, InvalidArguments, LifecycleError
from tests.acting import ACTOR
from tests.testapp.gates import Gate
from tests.testapp.models import Invoice, Light

pytestmark = pytest.mark.django_db


def test_the_first_entry_is_returned_and_nothing_is_done() -> None:
    light = Light.objects.create()
    first = light.fire("switch_on", actor=ACTOR, idempotency_key="k-1")
    again = light.fire("switch_on", actor=ACTOR, idempotency_key="k-1")
    fresh = Light.objects.get(pk=light.pk).fire("switch_on", actor=ACTOR, idempotency_key="k-1")
    assert first == again == fresh
    assert again.entry_hash == first.entry_hash
    assert light.log.count() == 2


def test_it_holds_after_the_record_has_moved_on() -> None:
    light = Light.objects.create()
    first = light.fire("switch_on", actor=ACTOR, idempotency_key="k")
    light.fire("smash", actor=ACTOR)
    assert light.fire("switch_on", actor=ACTOR, idempotency_key="k") == first
    assert light.state == "broken"


def test_it_holds_for_a_copy_that_was_loaded_before() -> None:
    light = Light.objects.create()
    stale = Light.objects.get(pk=light.pk)
    first = light.fire("switch_on", actor=ACTOR, idempotency_key="k", expected_state="off")
    assert stale.fire("switch_on", actor=ACTOR, idempotency_key="k", expected_state="off") == first


def test_effects_do_not_run_again(seen: list[object]) -> None:
    gate = Gate.objects.create()
    for _ in range(2):
        gate.fire("carry", actor=ACTOR, arguments={"load": 1}, idempotency_key="k")
    assert len(seen) == 1


def test_access_is_checked_before_the_first_answer_is_given() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR, idempotency_key="k")
    with pytest.raises(AccessDenied):
        light.fire("switch_on", actor=AnonymousUser(), idempotency_key="k")


def test_another_event_under_the_same_key_is_a_conflict() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR, idempotency_key="k")
    with pytest.raises(IdempotencyConflict, match="Switch on") as caught:
        light.fire("switch_off", actor=ACTOR, idempotency_key="k")
    assert caught.value.code == "idempotency_conflict"
    assert light.state == "on"
    assert light.log.count() == 2


def test_other_arguments_under_the_same_key_are_a_conflict() -> None:
    invoice = Invoice.objects.create(amount=1, client_name="Ann")
    invoice.fire("send_invoice", actor=ACTOR)
    first = invoice.fire("pay", actor=ACTOR, arguments={"paid_on": "2026-11-20"}, idempotency_key="k")
    same = {"paid_on": date(2026, 11, 20), "note": ""}
    assert invoice.fire("pay", actor=ACTOR, arguments=same, idempotency_key="k") == first
    with pytest.raises(IdempotencyConflict, match="arguments"):
        invoice.fire("pay", actor=ACTOR, arguments={"paid_on": "2026-11-21"}, idempotency_key="k")


def test_the_same_key_on_another_record_is_another_request() -> None:
    for _ in range(2):
        entry = Light.objects.create().fire("switch_on", actor=ACTOR, idempotency_key="k")
        assert entry.sequence == 2


def test_a_key_is_compared_byte_for_byte() -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR, idempotency_key="key")
    assert light.fire("switch_off", actor=ACTOR, idempotency_key="KEY").sequence == 3
    assert light.fire("switch_on", actor=ACTOR, idempotency_key="key ").sequence == 4


def test_a_key_is_kept_in_the_column_and_in_the_body() -> None:
    entry = Light.objects.create().fire("switch_on", actor=ACTOR, idempotency_key="k")
    assert entry.idempotency_key == "k"
    assert entry.fields["idempotency_key"].value == "k"
    assert len(entry.idempotency_digest or "") == 64


def test_a_refused_request_does_not_use_its_key_up() -> None:
    gate = Gate.objects.create(mode="false")
    with pytest.raises(Exception, match="locked"):
        gate.fire("unlock", actor=ACTOR, idempotency_key="k")
    gate.mode = ""
    gate.save()
    assert gate.fire("unlock", actor=ACTOR, idempotency_key="k").sequence == 2


@pytest.mark.parametrize("key", ["", "x" * 256, 7, "nul\0"])
def test_a_key_that_cannot_be_kept_is_refused(key: object) -> None:
    light = Light.objects.create()
    with pytest.raises(InvalidArguments) as caught:
        light.fire("switch_on", actor=ACTOR, idempotency_key=key)  # type: ignore[arg-type]
    assert list(caught.value.errors) == ["idempotency_key"]
    assert light.log.count() == 1


def test_arguments_that_are_wrong_do_not_get_the_first_answer() -> None:
    invoice = Invoice.objects.create(amount=1, client_name="Ann")
    invoice.fire("send_invoice", actor=ACTOR)
    invoice.fire("pay", actor=ACTOR, arguments={"paid_on": "2026-11-20"}, idempotency_key="k")
    with pytest.raises(LifecycleError):
        invoice.fire("pay", actor=ACTOR, arguments={"paid_on": "never"}, idempotency_key="k")
