"""A target that guards choose at the moment of firing."""

import pytest

from fsm_lifecycle import GuardFailed
from tests.acting import ACTOR
from tests.testapp.gates import Gate
from tests.testapp.models import Expense

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("amount", "state", "branch"),
    [
        (5000, "director_review", "needs_director"),
        (500, "manager_review", "needs_manager"),
        (5, "approved", "otherwise"),
    ],
)
def test_the_first_guard_that_passes_picks_the_target(amount: int, state: str, branch: str) -> None:
    expense = Expense.objects.create(amount=amount)
    entry = expense.fire("submit", actor=ACTOR)
    assert entry.to_state == expense.state == Expense.objects.get(pk=expense.pk).state == state
    assert entry.branch == branch
    assert expense.log.get(pk=entry.pk).branch == branch


def test_an_entry_without_a_choice_names_no_branch() -> None:
    expense = Expense.objects.create(amount=500)
    expense.fire("submit", actor=ACTOR)
    assert expense.fire("approve", actor=ACTOR).branch is None


def test_the_choice_is_made_on_the_fresh_row() -> None:
    expense = Expense.objects.create(amount=5)
    Expense.objects.filter(pk=expense.pk).update(amount=5000)
    assert expense.fire("submit", actor=ACTOR).to_state == "director_review"
    assert expense.state == "director_review"


def test_a_branch_may_depend_on_the_arguments() -> None:
    assert Gate.objects.create().fire("choose", actor=ACTOR, arguments={"load": 9}).to_state == "wide"
    assert Gate.objects.create(note="x").fire("choose", actor=ACTOR, arguments={"load": 1}).to_state == "gone"
    assert Gate.objects.create().fire("choose", actor=ACTOR, arguments={"load": 1}).to_state == "open"


def test_a_guard_of_a_branch_that_raises_denies() -> None:
    gate = Gate.objects.create(mode="raise")
    with pytest.raises(GuardFailed) as caught:
        gate.fire("choose", actor=ACTOR, arguments={"load": 1})
    assert caught.value.code == "guard_error"
    assert "secret" not in str(caught.value)
    assert gate.log.count() == 1


def test_many_records_take_each_its_own_branch() -> None:
    for amount in (5, 500, 5000):
        Expense.objects.create(amount=amount)
    result = Expense.objects.all().fire("submit", actor=ACTOR)
    assert [r.to_state for r in result.results] == ["approved", "manager_review", "director_review"]
    assert [e.log.last().branch for e in Expense.objects.order_by("pk")] == [  # type: ignore[union-attr]
        "otherwise",
        "needs_manager",
        "needs_director",
    ]


def test_a_snapshot_holds_the_target_that_was_chosen() -> None:
    expense = Expense.objects.create(amount=500)
    entry = expense.fire("submit", actor=ACTOR, snapshot=True)
    assert entry.snapshot is not None
    assert entry.snapshot["state"] == "manager_review"
