"""A person is found by key or username, and known in texts by every name."""

import json

import pytest
from django.contrib.auth.models import AnonymousUser, User

from fsm_lifecycle import System
from fsm_lifecycle.access.person import NoSuchPerson, Person, find_person, person_of

pytestmark = pytest.mark.django_db


def alice() -> User:
    return User.objects.create_user("alice", "alice@example.org", first_name="Åsa", last_name='O"Neil')


def test_a_user_is_known_by_username_full_name_and_address() -> None:
    user = alice()
    assert person_of(user) == Person(str(user.pk), ("alice", 'Åsa O"Neil', "alice@example.org"))


@pytest.mark.parametrize("nobody", [AnonymousUser(), User(username="unsaved"), System("x"), "alice", None])
def test_what_is_no_saved_user_is_nobody(nobody: object) -> None:
    with pytest.raises(NoSuchPerson):
        person_of(nobody)


@pytest.mark.parametrize(
    "text",
    [
        "alice",
        "Paid by ALICE.",
        "alice's",
        "(alice)",
        "mail alice@example.org now",
        'åsa o"neil',
        'A\u030asa O"Neil',
    ],
)
def test_names_are_found_as_whole_words_in_any_case(text: str) -> None:
    person = person_of(alice())
    assert person.named_in(text)
    for ascii_only in (True, False):
        raw = json.dumps({"note": [text]}, ensure_ascii=ascii_only)
        assert person.may_be_named_in(raw) or ascii_only


@pytest.mark.parametrize("text", ["", "malice", "alices", "alice_k", "alice2", "Åsa Nilsson", "example.org"])
def test_longer_words_and_parts_of_names_are_others(text: str) -> None:
    assert not person_of(alice()).named_in(text)


def test_a_name_in_a_script_without_spaces_is_found_inside_others() -> None:
    assert Person("1", ("田中",)).named_in("山田中さん")
    assert not Person("1", ("田中",)).named_in("田 中")
    assert Person("1", ("anna",)).named_in("annaさん")


def test_somebody_without_names_is_named_nowhere() -> None:
    nobody = Person("1", ())
    assert not nobody.named_in("")
    assert not nobody.may_be_named_in("{}")
    assert nobody.also_called(["", "  ", " bob "]).names == ("bob",)


def test_people_are_found_by_key_and_by_username() -> None:
    user = alice()
    assert (
        find_person("alice") == find_person(str(user.pk)) == find_person(f"pk:{user.pk}") == person_of(user)
    )
    assert find_person("name:alice") == person_of(user)


def test_a_key_that_nobody_has_any_more_is_somebody_without_names() -> None:
    assert find_person("4711") == Person("4711", ())


@pytest.mark.parametrize("text", ["bob", "name:bob", "name:4711", "pk:bob", ""])
def test_a_name_that_nobody_has_is_refused(text: str) -> None:
    with pytest.raises(NoSuchPerson, match="No user"):
        find_person(text)


def test_the_key_of_one_and_the_name_of_another_must_be_told_apart() -> None:
    user = alice()
    other = User.objects.create_user(str(user.pk))
    with pytest.raises(NoSuchPerson, match=f"pk:{user.pk} or name:{user.pk}"):
        find_person(str(user.pk))
    assert find_person(f"pk:{user.pk}") == person_of(user)
    assert find_person(f"name:{user.pk}") == person_of(other)
