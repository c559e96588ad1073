"""A host's own tests keep working: ``TestCase``, ``TransactionTestCase``, class data, ``ATOMIC_REQUESTS``."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, TestCase, TransactionTestCase
from django.test.utils import override_settings

from fsm_lifecycle import InvalidTransition, StaleState, System, adopting
from fsm_lifecycle.middleware import ActorMiddleware
from fsm_lifecycle.models import LifecycleDefinition, TransitionLog
from tests.acting import ACTOR, Undo
from tests.testapp.gates import SEEN, Gate
from tests.testapp.models import Light


class InTestCase(TestCase):
    """Class data is shared, yet each test has its own copy."""

    light: ClassVar[Light]
    burning: ClassVar[Light]

    @classmethod
    def setUpTestData(cls) -> None:
        cls.light = Light.objects.create(name="shared")
        with adopting("factory"):
            cls.burning = Light.objects.create(state="on")

    def test_one_test_moves_the_shared_record(self) -> None:
        self.light.fire("switch_on", actor=ACTOR)
        assert Light.objects.in_state("on").count() == 2

    def test_another_finds_it_as_it_was(self) -> None:
        assert self.light.state == "off"
        self.light.fire("smash", actor=ACTOR)
        assert self.light.log.count() == 2
        assert self.burning.fire("switch_off", actor=ACTOR).sequence == 2

    def test_effects_after_commit_can_be_captured(self) -> None:
        SEEN.clear()
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            Gate.objects.create().fire("announce", actor=ACTOR)
        assert len(callbacks) == 2
        assert [item[0] for item in SEEN] == ["broke", "after"]
        SEEN.clear()

    def test_a_firing_has_a_fixed_number_of_queries(self) -> None:
        with self.assertNumQueries(2):
            self.light.fire("switch_on", actor=ACTOR)

    def test_a_refusal_leaves_the_test_transaction_usable(self) -> None:
        with pytest.raises(InvalidTransition):
            self.light.fire("switch_off", actor=ACTOR)
        self.light.fire("switch_on", actor=ACTOR)


class InTransactionTestCase(TransactionTestCase):
    """The tables are emptied between tests; definitions come back by themselves."""

    def test_firing_for_real(self) -> None:
        light = Light.objects.create()
        light.fire("switch_on", actor=ACTOR)
        assert TransitionLog.objects.count() == 2
        self.check_definition(light)

    def test_firing_for_real_once_more(self) -> None:
        assert TransitionLog.objects.count() == 0
        assert Light.objects.count() == 0
        light = Light.objects.create()
        light.fire("switch_on", actor=ACTOR)
        self.check_definition(light)

    def check_definition(self, light: Light) -> None:
        stored = LifecycleDefinition.objects.filter(fingerprint=Light.lifecycle.fingerprint)
        assert stored.count() == 1
        assert light.replay().whole

    def test_nested_transactions(self) -> None:
        light, gate = Light.objects.create(), Gate.objects.create()
        with transaction.atomic():
            light.fire("switch_on", actor=ACTOR)
            try:
                with transaction.atomic():
                    gate.fire("unlock", actor=ACTOR)
                    raise Undo
            except Undo:
                pass
            with pytest.raises(StaleState):
                gate.fire("close", actor=ACTOR)
            with transaction.atomic(durable=False):
                light.fire("blink", actor=ACTOR)
        assert Light.objects.get().lifecycle_sequence == 3
        assert Gate.objects.get().state == "shut"
        assert gate.log.count() == 1

    def test_durable_and_manual_transactions(self) -> None:
        light = Light.objects.create()
        with transaction.atomic(durable=True):
            light.fire("switch_on", actor=ACTOR)
        transaction.set_autocommit(False)
        try:
            light.fire("switch_off", actor=ACTOR)
            transaction.rollback()
        finally:
            transaction.set_autocommit(True)
        assert Light.objects.get().state == "on"
        assert light.log.count() == 2


def _fire_and_fail(request: HttpRequest) -> HttpResponse:
    Light.objects.get().fire("switch_on")
    if request.GET.get("fail"):
        raise Undo
    return HttpResponse("done")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("query", "state", "count"), [("", "on", 2), ("?fail=1", "off", 1)])
def test_a_view_in_one_transaction_keeps_both_or_neither(
    user: Any, query: str, state: str, count: int
) -> None:
    Light.objects.create()
    request = RequestFactory().get(f"/{query}")
    request.user = user
    view = ActorMiddleware(transaction.atomic(_fire_and_fail))
    if query:
        with pytest.raises(Undo):
            view(request)
    else:
        view(request)
        assert Light.objects.get().log.last().actor_label == "alice"  # type: ignore[union-attr]
    light = Light.objects.get()
    assert (light.state, light.log.count()) == (state, count)


@pytest.mark.django_db
def test_settings_are_read_when_they_are_needed() -> None:
    with override_settings(FSM_LIFECYCLE={"MAX_CAUSE_DEPTH": 3}):
        assert Light.objects.create().fire("switch_on", actor=System("x"))


@pytest.mark.django_db
def test_a_factory_like_those_of_factory_boy_works() -> None:
    def factory(**values: Any) -> Light:
        with adopting("factory"):
            light = Light(**values)
            light.save()
        return light

    assert factory(state="broken").state == "broken"
    assert factory().log.get().kind == "adopted"
