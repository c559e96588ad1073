"""What retention lets go is purged one by one; what cannot go is reported, and the others go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection, models
from django.utils import timezone

from fsm_lifecycle import ActorRequired, InvalidTransition, Retention
from fsm_lifecycle.engine import retention
from fsm_lifecycle.engine.eligibility import eligible_page
from fsm_lifecycle.engine.legal_hold import place_hold
from fsm_lifecycle.engine.retention import PurgeOutcome, purge_eligible, purge_some
from fsm_lifecycle.exceptions import NotEligible
from fsm_lifecycle.ledger.redaction import NotRedactable
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.ledger.verify import verify
from fsm_lifecycle.models import LegalHold, TransitionLog
from sample_project.billing.models import Contract, Invoice
from tests.acting import ACTOR
from tests.ledger.unprotected import unprotected
from tests.retention.ageing import aged, finished
from tests.testapp.models import Document, Light, Order, Parcel, Treaty

pytestmark = pytest.mark.django_db


def kinds(record: Any) -> list[str]:
    return [entry.kind for entry in record.log]


def codes(outcomes: list[PurgeOutcome]) -> list[tuple[str, str]]:
    return [(one.record, one.code) for one in outcomes]


def test_everything_that_may_go_goes() -> None:
    old = [finished(model) for model in (Light, Parcel, Document)]
    young, treaty = finished(Light, 10), finished(Treaty, 400)
    result = purge_eligible(by=ACTOR, reason="ten years")
    assert (result.done, result.failed, dict(result.counts)) == (3, 0, {"purged": 3})
    assert not result.interrupted
    assert list(Light.objects.all()) == [young]
    assert list(Treaty.objects.all()) == [treaty]
    assert not Parcel.objects.exists()
    for record, outcome in zip(old, result.purged, strict=True):
        last = TransitionLog.objects.get(entry_hash=outcome.entry_hash)
        assert (last.kind, last.reason, last.actor_id) == ("purged", "ten years", "tests")
        assert (last.model_label, last.object_pk) == (outcome.model_label, outcome.object_pk)
        assert kinds(record)[-1] == "purged"


def test_only_the_models_that_were_named() -> None:
    for model in (Light, Parcel):
        finished(model)
    assert purge_eligible(Light, by=ACTOR).done == 1
    assert purge_eligible([Light], by=ACTOR).done == 0
    assert Parcel.objects.count() == 1
    with pytest.raises(NotEligible, match=r"testapp\.order has no retention"):
        purge_eligible([Parcel, Order], by=ACTOR)
    assert Parcel.objects.count() == 1


def test_nothing_tells_of_anybody_and_everything_verifies() -> None:
    zyx = User.objects.create_user("zyxanna", "zyxanna@example.com")
    for number in range(3):
        light = Light.objects.create(name="zyxanna's")
        light.fire("switch_on", actor=zyx, metadata={"for": "zyxanna"}, idempotency_key=f"k{number}")
        light.fire("smash", actor=ACTOR, snapshot=True)
        with pytest.raises(InvalidTransition):
            light.fire("blink", actor=zyx)
        LegalHold.place(light, "zyxanna sued", zyx).release("zyxanna gave in", zyx)
        aged(light, 400)
    seal("default")
    assert "zyxanna" in everything_stored()
    assert purge_eligible(Light, by=ACTOR).done == 3
    zyx.delete()
    assert "zyxanna" not in everything_stored()
    assert list(verify("default", deep=True)) == []
    seal("default")
    assert list(verify("default", deep=True)) == []


def everything_stored() -> str:
    """The values of every text column of the package's tables and the tests'."""
    found: list[str] = []
    for model in apps.get_models():
        if model._meta.app_label in ("fsm_lifecycle", "testapp"):
            rows: models.QuerySet[Any] = models.QuerySet(model)
            found += [str(values) for values in rows.values_list()]
    return "\n".join(found)


def test_bodies_can_be_kept() -> None:
    light = finished(Light)
    purge_eligible(by=ACTOR, redact_bodies=False)
    assert kinds(light) == ["created", "transition", "purged"]
    assert light.log[1].actor_label == "tests"


def test_a_dry_run_only_looks() -> None:
    lights = [finished(Light) for _ in range(2)]
    result = purge_eligible(by=ACTOR, dry_run=True)
    assert (result.dry_run, result.done, dict(result.counts)) == (True, 2, {"eligible": 2})
    assert [one.object_pk for one in result.purged] == [str(light.pk) for light in lights]
    assert Light.objects.count() == 2
    assert all(kinds(light)[-1] == "transition" for light in lights)


# --- looked at once more -------------------------------------------------------------------------------------


@pytest.fixture
def three() -> list[Any]:
    """Three lights that may go, in the order in which they are tried."""
    return [finished(Light, 403 - n) for n in range(3)]


def after_the_first(change: Any) -> Any:
    """Makes a change when the first record was purged, and the others were read already."""
    done: list[PurgeOutcome] = []

    def found(outcome: PurgeOutcome) -> None:
        done.append(outcome)
        if len(done) == 1:
            change()

    return found


CHANGES: dict[str, tuple[Any, str, str]] = {
    "a hold": (lambda light: place_hold(light, reason="dispute", by=ACTOR), "legal_hold", "“dispute”"),
    "a corrected time": (
        lambda light: Light.objects.filter(pk=light.pk).update(state_since=timezone.now()),
        "not_eligible",
        "stays for 365 days",
    ),
    "a deletion": (lambda light: Light.objects.get(pk=light.pk).delete(), "stale_state", "is gone"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changed_since_it_was_read_stays(three: list[Any], name: str) -> None:
    change, code, words = CHANGES[name]
    result = purge_eligible(Light, by=ACTOR, found=after_the_first(lambda: change(three[1])))
    assert codes(result.stayed) == [(f"Light {three[1].pk}", code)]
    assert words in result.stayed[0].reason
    assert dict(result.counts) == {"purged": 2, code: 1}
    assert list(Light.objects.all()) == ([] if name == "a deletion" else [three[1]])


def test_a_record_that_was_moved_stays() -> None:
    first, second = (
        finished_invoice(Contract.objects.create(client_name="Ada"), f"R-{n}", 4000 - n) for n in (1, 2)
    )
    move = after_the_first(
        lambda: Invoice.objects.get(pk=second.pk).fire("refund", actor=ACTOR, arguments={"reason": "x"})
    )
    result = purge_eligible(Invoice, by=ACTOR, found=move)
    assert codes(result.stayed) == [(f"Invoice {second.pk}", "stale_state")]
    assert list(Invoice.objects.all()) == [second]
    assert not Invoice.objects.filter(pk=first.pk).exists()


def finished_invoice(contract: Any, number: str, days: int) -> Any:
    day = timezone.localdate()
    invoice = Invoice.objects.create(
        number=number,
        client_name="Ada",
        client_email="ada@example.com",
        amount=5,
        due_on=day,
        contract=contract,
    )
    invoice.fire("send_invoice", actor=ACTOR)
    invoice.fire("pay", actor=ACTOR, arguments={"paid_on": day})
    return aged(invoice, days)


def test_the_lifecycle_is_looked_at_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    light = finished(Light)
    other = Retention(after=timedelta(days=1), states=["off"])
    monkeypatch.setitem(vars(Light.lifecycle), "options", {"retention": other})
    (stayed,) = purge_some([light], by=ACTOR).stayed
    assert stayed.code == "not_eligible"
    assert (
        stayed.reason
        == f"Light {light.pk} is in Broken, and its retention speaks of Off. Nothing was purged."
    )


def test_some_records_go_as_far_as_they_may() -> None:
    old, young, order = finished(Light), finished(Light, 3), Order.objects.create()
    result = purge_some([old, young, order], by=ACTOR)
    assert codes(result.purged) == [(f"Light {old.pk}", "purged")]
    assert codes(result.stayed) == [
        (f"Light {young.pk}", "not_eligible"),
        (f"Order {order.pk}", "not_eligible"),
    ]
    assert purge_some([young], by=ACTOR, dry_run=True).failed == 1


def test_a_row_that_is_not_what_its_log_says_stays() -> None:
    light = finished(Light)
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE testapp_light SET lifecycle_sequence = 7")
    (stayed,) = purge_eligible(Light, by=ACTOR).stayed
    assert stayed.code == "stale_state"
    assert Light.objects.get() == light


# --- what others say -----------------------------------------------------------------------------------------


def test_a_protected_record_stays_and_says_by_what() -> None:
    contracts = [Contract.objects.create(client_name=name) for name in ("Ada", "Bob")]
    for contract in contracts:
        contract.fire("decline", actor=ACTOR)
        aged(contract, 4000)
    Invoice.objects.create(
        number="R-1",
        client_name="Ada",
        client_email="ada@example.com",
        amount=5,
        due_on=timezone.localdate(),
        contract=contracts[0],
    )
    result = purge_eligible(Contract, by=ACTOR)
    assert codes(result.stayed) == [(f"Contract {contracts[0].pk}", "protected")]
    assert result.stayed[0].reason == "Others refer to it: 1 invoice. They have to go first."
    assert kinds(contracts[0]) == ["created", "transition"]
    assert list(Contract.objects.all()) == [contracts[0]]


def test_what_refers_to_others_goes_first() -> None:
    contract = Contract.objects.create(client_name="Ada")
    finished_invoice(contract, "R-1", 4000)
    contract.refresh_from_db()
    contract.fire("end", actor=ACTOR)
    aged(contract, 4000)
    result = purge_eligible(by=ACTOR)
    assert (result.done, result.failed) == (2, 0)
    assert [one.model_label for one in result.purged] == ["billing.invoice", "billing.contract"]


@pytest.fixture
def grudge() -> Iterator[None]:
    """The host's own code objects to the deletion of one record."""

    def object_to(sender: Any, instance: Any, **kwargs: Any) -> None:
        if instance.name == "dear":
            raise RuntimeError("a secret of the host")

    models.signals.pre_delete.connect(object_to, sender=Light)
    yield
    models.signals.pre_delete.disconnect(object_to, sender=Light)


@pytest.mark.usefixtures("grudge")
def test_the_hosts_own_code_stops_its_record_alone(caplog: pytest.LogCaptureFixture) -> None:
    dear, free = finished(Light, 500, name="dear"), finished(Light)
    result = purge_eligible(Light, by=ACTOR)
    assert codes(result.stayed) == [(f"Light {dear.pk}", "failed")]
    assert "RuntimeError" in result.stayed[0].reason
    assert "secret" not in result.stayed[0].reason
    assert "a secret of the host" in caplog.text
    assert kinds(dear) == ["created", "transition"]
    assert kinds(free)[-1] == "purged"


# --- going on, and ending ------------------------------------------------------------------------------------


def test_a_limit_counts_what_is_tried(three: list[Any]) -> None:
    assert purge_eligible(Light, by=ACTOR, limit=2).done == 2
    assert list(Light.objects.all()) == three[2:]


def test_it_can_be_stopped_and_run_again(three: list[Any]) -> None:
    asked: list[bool] = []

    def stopped() -> bool:
        asked.append(True)
        return len(asked) > 2

    result = purge_eligible(Light, by=ACTOR, stopped=stopped)
    assert (result.done, result.interrupted) == (2, True)
    assert (purge_eligible(Light, by=ACTOR).done, Light.objects.count()) == (1, 0)


def test_a_dry_run_foretells_what_stays_and_what_goes() -> None:
    finished(Light)
    held, changed = finished(Light), finished(Light)
    place_hold(held, reason="dispute", by=ACTOR)
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE testapp_light SET lifecycle_sequence = 7 WHERE id = %s", [changed.pk])
    contracts = [Contract.objects.create(client_name=name) for name in ("Ada", "Bob", "Eve")]
    for contract in contracts:
        contract.fire("decline", actor=ACTOR)
        aged(contract, 4000)
    # One invoice goes before its contract, one stays and keeps its own.
    for contract, goes in zip(contracts, (True, False), strict=False):
        invoice = Invoice.objects.create(
            number=f"R-{contract.pk}",
            client_name="Ada",
            client_email="ada@example.com",
            amount=5,
            due_on=timezone.localdate(),
            contract=contract,
        )
        if goes:
            invoice.fire("cancel", actor=ACTOR, arguments={"reason": "a duplicate"})
            aged(invoice, 4000)
    looked = purge_eligible(by=ACTOR, dry_run=True)
    done = purge_eligible(by=ACTOR)
    assert (looked.done, looked.failed) == (done.done, done.failed) == (4, 2)
    assert codes(looked.stayed) == codes(done.stayed)
    assert [(one.model_label, one.object_pk) for one in looked.purged] == [
        (one.model_label, one.object_pk) for one in done.purged
    ]


def test_progress_reaches_its_end(three: list[Any]) -> None:
    seen: list[tuple[int, int]] = []
    purge_eligible(Light, by=ACTOR, progress=lambda done, total: seen.append((done, total)), dry_run=True)
    purge_eligible(Light, by=ACTOR, progress=lambda done, total: seen.append((done, total)), limit=2)
    assert seen == [(1, 3), (2, 3), (3, 3), (1, 2), (2, 2)]


def test_what_stays_does_not_come_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "eligible_page", partial(eligible_page, size=2))
    lights = [finished(Light, 500 - n) for n in range(5)]
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE testapp_light SET lifecycle_sequence = 7 WHERE id <= %s", [lights[2].pk])
    result = purge_eligible(by=ACTOR)
    assert dict(result.counts) == {"stale_state": 3, "purged": 2}
    assert list(Light.objects.order_by("pk")) == lights[:3]


def test_a_result_stays_small(monkeypatch: pytest.MonkeyPatch, three: list[Any]) -> None:
    monkeypatch.setattr(retention, "KEPT", 1)
    finished(Light, 600, name="x")
    seen: list[PurgeOutcome] = []
    result = purge_eligible(Light, by=ACTOR, dry_run=True, found=seen.append)
    assert (len(result.purged), result.done, len(seen)) == (1, 4, 4)


def test_who_and_why_are_asked_before_anything_goes(three: list[Any]) -> None:
    with pytest.raises(ActorRequired):
        purge_eligible(Light)
    with pytest.raises(NotRedactable, match="no reason"):
        purge_eligible(Light, by=ACTOR, reason=" ")
    assert Light.objects.count() == 3


def test_a_moment_can_be_given() -> None:
    light = finished(Light, 10)
    assert purge_eligible(Light, by=ACTOR, now=timezone.now() + timedelta(days=300)).done == 0
    assert purge_eligible(Light, by=ACTOR, now=timezone.now() + timedelta(days=356)).done == 1
    assert kinds(light)[-1] == "purged"
