"""Owns how commands find the user that an option names, and name one. Must not know what is done for them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError

from fsm_lifecycle.access.person import NoSuchPerson, find_person
from fsm_lifecycle.management.command import COULD_NOT_RUN


def active_user(name: str, option: str) -> Any:
    """The user of a name or key. Raises ``CommandError``, also where the account is deactivated."""
    try:
        person = find_person(name)
    except NoSuchPerson as error:
        raise CommandError(f"{option}: {error}", returncode=COULD_NOT_RUN) from None
    user = get_user_model()._base_manager.filter(pk=person.id).first()
    if user is None:
        raise CommandError(f"{option}: no user has the key {name}.", returncode=COULD_NOT_RUN)
    if not user.is_active:
        raise CommandError(f"{option}: the account {called(user)} is deactivated.", returncode=COULD_NOT_RUN)
    return user


def called(user: Any) -> str:
    """What a user is called on a terminal; in quotation marks where the name has blanks that would be overlooked."""
    from fsm_lifecycle.agents.transcript import plain

    name = plain(str(user))
    return name if name == " ".join(name.split()) else f"“{name}”"
