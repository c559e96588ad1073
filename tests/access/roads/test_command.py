"""``manage.py lifecycle_roles``: what it prints and what it refuses."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError

from fsm_lifecycle import System
from fsm_lifecycle.access import grant_role
from tests.access.roads.command import everything, run
from tests.access.roads.stored import role_group, watching
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db(databases=["default", "other"])]

SYSTEM = System("tests")


def test_without_options_it_says_which_roles_there_are_and_how_many_hold_each(ada: User, bob: User) -> None:
    grant_role(ada, "approver", on=Claim, by=SYSTEM)
    grant_role(bob, "approver", on=Claim, by=SYSTEM)
    before = everything()
    text = run()
    assert everything() == before
    assert any("approver" in line and "2" in line for line in text.splitlines()), text
    for word in ("clerk", "chief", "owner", "courier"):
        assert word in text


def test_prune_alone_is_refused() -> None:
    with pytest.raises(CommandError, match="--sync"):
        run("--prune")


@pytest.mark.parametrize("args", [["--database", "nowhere"], ["--nonsense"], ["approver"]])
def test_wrong_arguments_are_named(args: list[str]) -> None:
    with pytest.raises(CommandError) as error:
        run(*args)
    assert args[-1] in str(error.value)


def test_an_unknown_database_says_which_there_are() -> None:
    with pytest.raises(CommandError, match=r"default.*other"):
        run("--database", "nowhere")


def test_sync_and_reconcile_at_once(ada: User) -> None:
    role_group("approver").delete()
    User.groups.through.objects.create(user_id=ada.pk, group_id=role_group("auditor").pk)
    with watching() as seen:
        text = run("--sync", "--reconcile")
    assert [str(event.holder_id) for event in seen.events if event.holder_kind == "user"] == [str(ada.pk)]
    assert role_group("approver")
    assert text.strip()


def test_reconcile_says_what_it_found(ada: User) -> None:
    quiet = run("--reconcile")
    User.groups.through.objects.create(user_id=ada.pk, group_id=role_group("auditor").pk)
    text = run("--reconcile")
    assert text != quiet
    assert "1" in text
    assert run("--reconcile") == quiet
