"""Separation of duties: who fired one event does not fire the other, as long as the record goes through its course."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from fsm_lifecycle import AccessDenied, System, adopting
from fsm_lifecycle.access import (
    grant_role,
    revoke_role,
)
from fsm_lifecycle.access.actors import AgentActor
from fsm_lifecycle.engine.decision import CODES
from fsm_lifecycle.models import RefusedAttempt
from tests.access.asking import barred, codes, manager, stored
from tests.access.conftest import Requesting
from tests.access.matrix import (
    ADMIN,
    Model,
    grant,
    new_record,
    new_user,
)
from tests.testapp.offices import Claim, Dossier, Duty, Plate, UrgentClaim

pytestmark = pytest.mark.django_db


# --- who is concerned ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [Claim, UrgentClaim, Dossier, Plate], ids=lambda model: model.__name__)
def test_who_examined_does_not_approve_and_neither_of_them_pays(model: Model) -> None:
    one, two, three = manager("one", model), manager("two", model), manager("three", model)
    record = new_record(model)
    record.fire("examine", actor=one)
    assert barred(record, "approve", one)
    assert not barred(record, "approve", two)
    record.fire("approve", actor=two)
    assert barred(record, "pay", one)
    assert barred(record, "pay", two)
    assert not barred(record, "pay", three)
    assert record.fire("pay", actor=three).to_state == "paid"


def test_events_that_do_not_say_so_are_free(claim: Claim) -> None:
    one = manager()
    claim.fire("examine", actor=one)
    assert not barred(claim, "reject", one)
    assert not barred(claim, "refile", one)
    claim.fire("reject", actor=one)


def test_another_record_is_another_matter(claim: Claim) -> None:
    one, other = manager(), new_record(Claim)
    claim.fire("examine", actor=one)
    other.fire("examine", actor=ADMIN)
    assert not barred(other, "approve", one)
    other.fire("approve", actor=one)


def test_a_record_of_another_model_with_the_same_key_is_another_matter() -> None:
    one = new_user(is_superuser=True)
    claim = new_record(Claim)
    plate = Plate.objects.create(code=str(claim.pk))
    plate.fire("examine", actor=one)
    claim.fire("examine", actor=ADMIN)
    assert not barred(claim, "approve", one)


def test_a_proxy_sees_what_was_fired_through_its_parent_and_the_other_way_round(claim: Claim) -> None:
    one = manager()
    claim.fire("examine", actor=one)
    assert barred(UrgentClaim.objects.get(pk=claim.pk), "approve", one)
    urgent = UrgentClaim.objects.create()
    urgent.fire("examine", actor=one)
    assert barred(Claim.objects.get(pk=urgent.pk), "approve", one)


def test_the_superuser_is_concerned(claim: Claim) -> None:
    root = new_user("root", is_superuser=True)
    claim.fire("examine", actor=root)
    assert barred(claim, "approve", root)
    assert not barred(claim, "approve", new_user("other root", is_superuser=True))


def test_programs_are_not_concerned(claim: Claim) -> None:
    job = System("nightly-job")
    claim.fire("examine", actor=job)
    assert not barred(claim, "approve", job)
    assert not barred(claim, "approve", manager())
    claim.fire("approve", actor=job)
    claim.fire("pay", actor=job)


def test_a_program_may_do_what_follows_a_person(claim: Claim) -> None:
    claim.fire("examine", actor=manager())
    claim.fire("approve", actor=System("nightly-job"))


def test_a_program_that_is_named_like_somebodys_key_is_not_that_person(claim: Claim) -> None:
    one = manager()
    claim.fire("examine", actor=System(str(one.pk)))
    assert not barred(claim, "approve", one)
    claim.fire("approve", actor=one)


def test_one_key_that_begins_like_another_is_another_person(claim: Claim) -> None:
    users = [manager(str(number)) for number in range(12)]
    claim.fire("examine", actor=users[0])
    assert [barred(claim, "approve", user) for user in users] == [True] + [False] * 11


def test_who_was_renamed_is_still_the_same(claim: Claim) -> None:
    one = manager()
    claim.fire("examine", actor=one)
    User.objects.filter(pk=one.pk).update(username="another name", first_name="Another")
    assert barred(claim, "approve", User.objects.get(pk=one.pk))


def test_who_is_not_allowed_anyway_is_told_that_first(claim: Claim) -> None:
    one = new_user()
    grant(one, "examiner", Claim)
    claim.fire("examine", actor=one)
    assert codes(claim, "approve", one)[0] == "access_denied"
    with pytest.raises(AccessDenied) as caught:
        claim.fire("approve", actor=one)
    assert caught.value.code == "access_denied"


def test_the_duties_are_judged_before_the_state(claim: Claim) -> None:
    one = manager()
    claim.fire("examine", actor=one)
    found = codes(claim, "pay", one)
    assert found == ["four_eyes", "wrong_state"]
    assert found == sorted(found, key=CODES.index)


def test_without_an_actor_the_duties_are_left_out_of_account(claim: Claim) -> None:
    claim.fire("examine", actor=manager())
    assert claim.can_fire("approve")
    assert "approve" in [e.name for e in claim.available_events()]


def test_what_was_refused_was_not_fired(claim: Claim) -> None:
    nobody = new_user()
    with pytest.raises(AccessDenied):
        claim.fire("examine", actor=nobody)
    grant(nobody, "manager", claim)
    claim.fire("examine", actor=ADMIN)
    assert not barred(claim, "approve", nobody)


def test_who_created_or_adopted_the_record_fired_nothing() -> None:
    one = manager()
    with adopting("import"):
        claim = Claim.objects.create(state="examined", created_by=one)
    assert not barred(claim, "approve", one)


def test_a_refusal_is_kept_with_its_code(claim: Claim) -> None:
    one = manager()
    claim.fire("examine", actor=one)
    with pytest.raises(AccessDenied):
        claim.fire("approve", actor=one)
    assert RefusedAttempt.objects.order_by("-pk").values_list("code", flat=True).first() == "four_eyes"


def test_the_reason_names_the_events_and_nobody() -> None:
    claim, one, two = new_record(Claim), manager("xavier"), manager("yolanda")
    claim.fire("examine", actor=one)
    claim.fire("approve", actor=two)
    (denial,) = claim.decide("pay", two).denials
    assert (denial.code, denial.name) == ("four_eyes", "pay")
    assert "Pay" in denial.reason
    assert "approve" in denial.reason.lower()
    assert "xavier" not in denial.reason


# --- since when ------------------------------------------------------------------------------------------------------


def test_who_examined_before_it_was_filed_again_is_free(claim: Claim) -> None:
    one, two = manager("one"), manager("two")
    claim.fire("examine", actor=one)
    claim.fire("refile", actor=one)
    claim.fire("examine", actor=two)
    assert not barred(claim, "approve", one)
    assert barred(claim, "approve", two)
    claim.fire("approve", actor=one)
    assert barred(claim, "pay", one)
    assert barred(claim, "pay", two)


def test_coming_back_from_a_terminal_state_begins_anew_too(claim: Claim) -> None:
    one, root = manager("one"), new_user("root", is_superuser=True)
    claim.fire("examine", actor=one)
    claim.fire("reject", actor=one)
    claim.fire("reopen", actor=root)
    claim.fire("examine", actor=root)
    assert not barred(claim, "approve", one)
    assert barred(claim, "approve", root)


def test_each_round_counts_for_itself(claim: Claim) -> None:
    one, two = manager("one"), manager("two")
    for examiner, other in ((one, two), (two, one), (one, two)):
        claim.fire("examine", actor=examiner)
        assert barred(claim, "approve", examiner)
        claim.fire("approve", actor=other)
        claim.fire("refile", actor=examiner)


def test_an_event_that_jumps_over_the_initial_state_does_not_begin_anew() -> None:
    claim, one = UrgentClaim.objects.create(), manager("one", UrgentClaim)
    claim.fire("examine", actor=one)
    claim.fire("approve", actor=ADMIN)
    assert barred(claim, "pay", one)


def test_a_key_that_is_used_again_begins_a_new_course() -> None:
    one = new_user(is_superuser=True)
    plate = Plate.objects.create(code="k")
    plate.fire("examine", actor=one)
    plate.delete()
    with adopting("import"):
        plate = Plate.objects.create(code="k", state="examined")
    assert not barred(plate, "approve", one)
    plate.delete()
    plate = Plate.objects.create(code="k")
    plate.fire("examine", actor=ADMIN)
    assert not barred(plate, "approve", one)


def test_metadata_cannot_pretend_that_somebody_fired(claim: Claim) -> None:
    one, two = manager("one"), manager("two")
    pretended = {"on_behalf_of": {"id": str(two.pk), "label": "two"}, "actor": str(two.pk)}
    entry = claim.fire("examine", actor=one, metadata=pretended)
    assert entry.on_behalf_of is None
    assert not barred(claim, "approve", two)
    assert barred(claim, "approve", one)


def test_repeating_with_an_idempotency_key_is_no_second_firing(claim: Claim) -> None:
    one, two = manager("one"), manager("two")
    first = claim.fire("examine", actor=one, idempotency_key="k")
    assert claim.fire("examine", actor=one, idempotency_key="k") == first
    second = claim.fire("approve", actor=two, idempotency_key="l")
    assert claim.fire("approve", actor=two, idempotency_key="l") == second
    assert barred(claim, "pay", two)


# --- asked more than once --------------------------------------------------------------------------------------------


def test_in_a_request_what_is_fired_meanwhile_counts_at_once(claim: Claim, in_a_request: Requesting) -> None:
    one = manager("one")
    claim.fire("examine", actor=ADMIN)

    def view() -> list[bool]:
        answers = [stored(claim).can_fire("approve", one)]
        other = stored(claim)
        other.fire("refile", actor=one)
        other.fire("examine", actor=one)
        answers.append(stored(claim).can_fire("approve", one))
        other.fire("refile", actor=one)
        other.fire("examine", actor=ADMIN)
        answers += [stored(claim).can_fire("approve", one), other.can_fire("approve", one)]
        return answers

    assert in_a_request(one, view) == [True, False, True, True]


def test_firing_through_a_page_is_noticed_by_its_records() -> None:
    one = manager("one")
    for _ in range(4):
        new_record(Claim)
    page = list(Claim.objects.order_by("pk"))
    for claim in page:
        assert claim.can_fire("examine", one)
        claim.fire("examine", actor=one)
    assert all(barred(claim, "approve", one) for claim in page)
    page = list(Claim.objects.order_by("pk"))
    assert page[0].can_fire("refile", one)
    page[0].fire("refile", actor=one)
    page[0].fire("examine", actor=ADMIN)
    assert [barred(claim, "approve", one) for claim in page] == [False, True, True, True]


# --- a model without roles -------------------------------------------------------------------------------------------


def test_without_roles_duties_are_separate_all_the_same() -> None:
    one, two, root = new_user("one"), new_user("two"), new_user("root", is_superuser=True)
    duty = Duty.objects.create()
    duty.fire("do", actor=one)
    assert barred(duty, "verify", one)
    assert barred(duty, "verify", AgentActor("helper", one, None))
    assert not barred(duty, "verify", two)
    assert not barred(duty, "verify", root)
    assert not barred(duty, "verify", System("x"))
    duty.fire("plan", actor=one)
    duty.fire("do", actor=root)
    assert not barred(duty, "verify", one)
    assert barred(duty, "verify", root)
    assert duty.fire("verify", actor=one).to_state == "checked"


# --- roles that change on the way ------------------------------------------------------------------------------------


def test_who_got_the_role_after_having_fired_is_barred_all_the_same(claim: Claim) -> None:
    one = new_user()
    grant(one, "examiner", claim)
    claim.fire("examine", actor=one)
    revoke_role(one, "examiner", on=claim, by=ADMIN)
    grant_role(one, "approver", on=claim, by=ADMIN)
    assert barred(claim, "approve", one)
