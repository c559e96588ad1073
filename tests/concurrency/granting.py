"""Owns what each racing process does about grants. Every task is given its ``Place`` first.

Must not know what the tests expect of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, OperationalError
from guardian.shortcuts import assign_perm, remove_perm

from fsm_lifecycle import System
from fsm_lifecycle.access import delegate, grant_role, revoke_delegation, revoke_role
from fsm_lifecycle.exceptions import AccessDenied, LifecycleError
from fsm_lifecycle.models import Delegation
from tests.concurrency.racers import Place
from tests.testapp.offices import Claim

RACER = System("race")


def _holder(kind: str, key: int) -> Any:
    return (User if kind == "user" else Group).objects.get(pk=key)


def tried(act: Callable[[], Any]) -> str:
    """What came of it: ``event``, ``nothing``, the class of our own exception, or ``raw`` and what it was."""
    try:
        return "event" if act() is not None else "nothing"
    except LifecycleError as error:
        return type(error).__name__
    except Exception as error:
        return f"raw {type(error).__name__}: {error}"


def grant_each(
    place: Place,
    holders: Sequence[tuple[str, int]],
    on: int | None,
    role: str,
    how_many: int,
    until: Any = None,
) -> list[str]:
    """So many of the processes grant the role to each holder at once."""
    record = Claim if on is None else Claim.objects.get(pk=on)
    answers = []
    for kind, key in holders:
        holder = _holder(kind, key)
        place.ready()
        if place.number < how_many:
            answers.append(tried(lambda: grant_role(holder, role, on=record, by=RACER, until=until)))  # noqa: B023
    return answers


def grant_or_revoke(
    place: Place, holders: Sequence[tuple[str, int]], on: int | None, role: str, rounds: int
) -> list[str]:
    """Half of them grant while the others revoke, several times."""
    record = Claim if on is None else Claim.objects.get(pk=on)
    answers = []
    for turn in range(rounds):
        for kind, key in holders:
            holder = _holder(kind, key)
            verb = grant_role if (place.number + turn) % 2 else revoke_role
            place.ready()
            answers.append(tried(lambda: verb(holder, role, on=record, by=RACER)))  # noqa: B023
    return answers


def add_or_remove(place: Place, user: int, group: int, record: int, rounds: int) -> list[str]:
    """The same by Django's and guardian's own functions, which know nothing of our locks."""
    who, role, claim = User.objects.get(pk=user), Group.objects.get(pk=group), Claim.objects.get(pk=record)
    answers = []
    for turn in range(rounds):
        place.ready()
        come = (place.number + turn) % 2
        if place.number % 4 < 2:
            answers.append(tried(lambda: who.groups.add(role) if come else who.groups.remove(role)))  # noqa: B023
        else:
            act = _assign if come else remove_perm
            answers.append(tried(lambda: act("role_approver", who, claim)))  # noqa: B023
    return answers


def _assign(permission: str, who: User, claim: Claim) -> None:
    """As guardian's. It looks, inserts, and looks again where another was faster; by then that row may be gone."""
    with suppress(IntegrityError):
        assign_perm(permission, who, claim)


def grant_or_delete(place: Place, user: int, records: Sequence[int]) -> list[str]:
    """Two processes delete each record while the others grant on it."""
    who = User.objects.get(pk=user)
    answers = []
    for key in records:
        claim = Claim.objects.get(pk=key)
        place.ready()
        if place.number < 2:
            answers.append("deleted " + tried(claim.delete))
        else:
            role = ["approver", "auditor", "cashier"][place.number % 3]
            answers.append(tried(lambda: grant_role(who, role, on=claim, by=RACER)))  # noqa: B023
        # Nobody begins with the next before this one is done.
        place.ready()
    return answers


def grant_or_delete_holder(place: Place, users: Sequence[int], record: int) -> list[str]:
    """One process deletes each user while the others grant to it."""
    claim = Claim.objects.get(pk=record)
    answers = []
    for key in users:
        who = User.objects.get(pk=key)
        place.ready()
        if place.number == 0:
            answers.append(deleted(who))
        else:
            on: Any = claim if place.number % 2 else Claim
            answers.append(tried(lambda: grant_role(who, "approver", on=on, by=RACER)))  # noqa: B023
        place.ready()
    return answers


def deleted(who: User) -> str:
    """Django reads what hangs on a user before it deletes; a grant that comes between is the host's to see."""
    try:
        who.delete()
    except (IntegrityError, OperationalError) as error:
        return type(error).__name__
    return "deleted"


def decide_then_fire(place: Place, user: int, records: Sequence[int], way: str) -> list[tuple[bool, str]]:
    """The first decides; the second takes the right away; the first fires: what it was told and what came of it."""
    who = User.objects.get(pk=user)
    answers = []
    for key in records:
        claim = Claim.objects.get(pk=key)
        allowed = False
        if place.number == 0:
            allowed = bool(claim.decide("reject", actor=who)) and who.has_perm("testapp.fire_reject", claim)
        place.ready()
        if place.number == 1:
            take_away(way, who, claim)
        place.ready()
        if place.number == 0:
            answers.append((allowed, fired(claim, who)))
    return answers


def fired(claim: Claim, who: User) -> str:
    """Empty when it was done."""
    try:
        claim.fire("reject", actor=who)
    except AccessDenied as error:
        return error.code
    except Exception as error:
        return f"raw {type(error).__name__}: {error}"
    return ""


def take_away(way: str, who: User, claim: Claim) -> None:
    """Whatever gives this user the right, in another process than the one that asked."""
    if way == "role on the record":
        revoke_role(who, "approver", on=claim, by=RACER)
    elif way == "role on all":
        revoke_role(who, "approver", on=Claim, by=RACER)
    elif way == "membership":
        who.groups.clear()
    elif way == "guardian":
        remove_perm("role_approver", who, claim)
    elif way == "permission":
        who.user_permissions.clear()
    elif way == "account":
        User.objects.filter(pk=who.pk).update(is_active=False)
    else:
        for delegation in Delegation.objects.filter(to_user=who):
            revoke_delegation(delegation, by=RACER)


def delegate_each(place: Place, giver: int, taker: int, until: Any, rounds: int) -> list[str]:
    """Everybody writes and revokes delegations between the same two."""
    one, other = User.objects.get(pk=giver), User.objects.get(pk=taker)
    answers = []
    for _ in range(rounds):
        place.ready()
        if place.number % 2:
            answers.append(tried(lambda: delegate(one, other, until=until, by=RACER)))
        else:
            for delegation in Delegation.objects.all():
                answers.append(tried(lambda: revoke_delegation(delegation, by=RACER)))  # noqa: B023
    return answers


def sync_all(place: Place) -> list[str]:
    """Everybody makes what is missing at once, as eight machines do that start after a deployment."""
    from django.core.management import call_command

    place.ready()
    try:
        call_command("lifecycle_roles", sync=True, verbosity=0)
    except Exception as error:
        return [f"raw {type(error).__name__}: {error}"]
    return ["done"]


def reconcile_all(place: Place) -> list[str]:
    """Everybody looks for what arrived silently at once."""
    from django.core.management import call_command

    place.ready()
    try:
        call_command("lifecycle_roles", reconcile=True, verbosity=0)
    except Exception as error:
        return [f"raw {type(error).__name__}: {error}"]
    return ["done"]
