"""Names that differ in their blanks alone: each is found as it is stored, and shown so that it can be told apart."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User

from fsm_lifecycle.models import McpToken
from tests.management.calling import run

pytestmark = [pytest.mark.django_db(databases=["default", "other"]), pytest.mark.once]

NAMES = ["ann lee", "ann  lee", " ann lee", "ann lee "]
SHOWN = ["ann lee", "“ann  lee”", "“ ann lee”", "“ann lee ”"]


@pytest.fixture(autouse=True)
def users() -> list[User]:
    return [User.objects.create(username=name) for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_a_user_is_found_by_the_name_as_it_is_stored(name: str) -> None:
    user = User.objects.get(username=name)
    assert run("lifecycle_token", "create", name)[0] == 0
    assert McpToken.objects.get().user == user
    assert json.loads(run("lifecycle_token", "list", "--user", name, "--json")[1])[0]["user"] == name
    assert run("lifecycle_redact", "--person", name, "--reason", "asked")[0] == 0


@pytest.mark.parametrize("name", ["ann   lee", "ann", "ann lee\t", "annlee"])
def test_another_name_finds_nobody(name: str) -> None:
    for call in (
        ["lifecycle_token", "create", name],
        ["lifecycle_redact", "--person", name, "--reason", "asked"],
    ):
        code, _, err = run(*call)
        assert code == 2
        assert f"“{name}”" in err


def test_a_list_shows_which_is_which() -> None:
    for name in NAMES:
        run("lifecycle_token", "create", name)
    lines = run("lifecycle_token", "list")[1].splitlines()
    for shown in SHOWN[1:]:
        assert sum(f"  {shown}  " in line for line in lines) == 1
    assert all(any(f"  {shown}  " in line for line in lines) for shown in SHOWN)


@pytest.mark.parametrize(("name", "shown"), list(zip(NAMES, SHOWN, strict=True)))
def test_a_deactivated_account_is_named_so_too(name: str, shown: str) -> None:
    User.objects.filter(username=name).update(is_active=False)
    assert f"the account {shown} is deactivated" in run("lifecycle_token", "create", name)[2]
