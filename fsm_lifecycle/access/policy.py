"""The one resolver: what an actor may do to records, asked by firing, decisions, permissions and pages alike.

Must not know states, guards or the engine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from fsm_lifecycle.access import answers, holdings, stores
from fsm_lifecycle.access.actors import AgentActor, System, identify, is_user
from fsm_lifecycle.access.codenames import Codes, codes_of, concrete, subject_of
from fsm_lifecycle.access.rights import Rights, refusal_of, refusal_of_crud, rights_of
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.definition import CRUD, Event
from fsm_lifecycle.exceptions import AccessDenied, InvalidGrant

if TYPE_CHECKING:
    from django.db.models import Model

#: The rights of ``System``: it passes roles, never the table or the guards.
ALL = Rights(everything=True)


def rights(actor: Any, model: type[Model], record: Any = None, question: str = "") -> Rights:
    """What an actor may do to a record, or without one to every record of the model.

    May answer from what this request, or this page of records, has read already. ``question`` is what the answer is
    wanted for: outside a request, the same question about the same record is answered anew. Raises
    ``ActorRequired`` for what is no actor.
    """
    known = _without_grants(actor, model)
    if known is not None:
        return known
    user, codes = _user(actor), codes_of(model)
    alias = stores.alias_of(user)
    text = ""
    page: answers.Page | None = None
    saved = (
        record is not None and record.pk is not None
    )  # a form may ask with an object that is not there yet
    if saved and stores.grants_reach(model, record._state.db or alias, alias):
        text = key_text(record.pk)
        page = getattr(record._state, "lifecycle_page", None)
    name = (alias, stores.user_text(user), concrete(model))
    keeping = answers.kept(alias)
    if keeping is not None:
        held = keeping.held
    elif page is not None:
        held = page.once((*name, text, question))
    else:
        held = {}
    if (*name, text) not in held:
        together = [text] if page is None else [key_text(key) for key in page.around(record.pk)]
        wanted = [key for key in together if key and (*name, key) not in held]
        facts = _read(user, alias, codes, wanted, standing=held.get(name[:2], ...))
        held[name[:2]] = facts.standing
        for key in ("", *wanted):
            held[(*name, key)] = facts.held.get(key, ())
    found = _Facts(held[name[:2]], {"": held[(*name, "")], text: held[(*name, text)]})
    return _as_actor(actor, model, found.rights(codes, user, text))


def fresh_rights(
    actor: Any, model: type[Model], keys: Sequence[Any], using: str | None = None
) -> Mapping[Any, Rights]:
    """What an actor may do to each of these records, from the database at this moment: two statements.

    ``using``: where the records are; by default, where the actor's grants are.
    """
    known = _without_grants(actor, model)
    if known is not None:
        return dict.fromkeys(keys, known)
    user, codes = _user(actor), codes_of(model)
    alias = stores.alias_of(user)
    reach = stores.grants_reach(model, using or alias, alias)
    texts = {key: key_text(key) if reach else "" for key in keys}
    facts = _read(user, alias, codes, [text for text in texts.values() if text])
    return {key: _as_actor(actor, model, facts.rights(codes, user, text)) for key, text in texts.items()}


def fresh_model_rights(actor: Any, model: type[Model]) -> Rights:
    """What an actor may do to every record, from the database at this moment."""
    known = _without_grants(actor, model)
    if known is not None:
        return known
    user, codes = _user(actor), codes_of(model)
    return _as_actor(actor, model, _read(user, stores.alias_of(user), codes, []).rights(codes, user, ""))


def held_roles(user: Any, model: type[Model], record: Any) -> frozenset[str]:
    """The roles that a user holds, from the database at this moment; a superuser's too."""
    codes, alias, key = codes_of(model), stores.alias_of(user), ""
    if record is not None and stores.grants_reach(model, record._state.db or alias, alias):
        key = key_text(record.pk)
    connection = connections[alias]
    standing = holdings.standing(connection, user)
    if standing is None or not standing.active:
        return frozenset()
    held = _held(connection, user, standing, codes, [key] if key else [])
    return rights_of(codes, stores.user_text(user), standing, held, timezone.now()).roles


def authorize(actor: Any, what: CRUD | Event | str, on: Any) -> None:
    """Raise ``AccessDenied`` unless ``actor`` may do this to a record, or to every record of a model.

    ``what`` is a CRUD flag or an event. For views: ``authorize(request.user, CRUD.UPDATE, invoice)``.
    """
    model, record = subject_of(on)
    codes = codes_of(model)
    theirs = rights(actor, model, record, f"authorize {what}")
    if isinstance(what, CRUD):
        if not theirs.allows(what):
            raise AccessDenied(refusal_of_crud(theirs, codes, what))
        return
    event = event_of(codes, what)
    if not theirs.allows(event.name):
        raise AccessDenied(refusal_of(theirs, codes, event))


def event_of(codes: Codes, event: Event | str) -> Event:
    """The table's event that is meant. Raises ``InvalidGrant`` for one it does not have."""
    name = event if isinstance(event, str) else getattr(event, "name", "")
    found = codes.table.events.get(name)
    if found is None or (isinstance(event, Event) and event.owner not in codes.table.family):
        known = ", ".join(codes.table.events)
        raise InvalidGrant(f"{codes.model.__name__} has no event {name!r}. Its events are: {known}.")
    return found


class _Facts:
    """What was read of one user: the account, and what is held by record."""

    __slots__ = ("held", "standing")

    def __init__(
        self, standing: holdings.Standing | None, held: Mapping[str, Collection[holdings.Held]]
    ) -> None:
        self.standing = standing
        self.held = held

    def rights(self, codes: Codes, user: Any, key: str) -> Rights:
        person = stores.user_text(user)
        if self.standing is None:
            return Rights(person=person, refusal="The account does not exist any more.")
        if not self.standing.active:
            return Rights(person=person, refusal=_deactivated(user))
        if self.standing.superuser:
            return Rights(person=person, everything=True)
        held = [*self.held.get("", ()), *(self.held.get(key, ()) if key else ())]
        return rights_of(codes, person, self.standing, held, timezone.now())


def _read(user: Any, alias: str, codes: Codes, keys: Sequence[str], *, standing: Any = ...) -> _Facts:
    """Ask the database: one statement about the user, one about the grants."""
    connection = connections[alias]
    if standing is ...:
        standing = holdings.standing(connection, user)
    by_key: dict[str, list[holdings.Held]] = {}
    if standing is not None and standing.active and not standing.superuser:
        for one in _held(connection, user, standing, codes, keys):
            by_key.setdefault(one.object_pk, []).append(one)
    return _Facts(standing, by_key)


def _held(
    connection: BaseDatabaseWrapper,
    user: Any,
    standing: holdings.Standing,
    codes: Codes,
    keys: Sequence[str],
) -> list[holdings.Held]:
    users = list(dict.fromkeys([holdings.user_key(connection, user), *(a.user for a in standing.acting)]))
    return holdings.held_by(connection, users, codes.concrete, keys)


def _without_grants(actor: Any, model: type[Model]) -> Rights | None:
    """The rights that do not depend on any grant; ``None`` where grants decide."""
    if isinstance(actor, System):
        return ALL
    user = _user(actor)
    if not is_user(user):
        identify(actor)  # raises, and says what an actor is
    if not user.is_authenticated:
        return Rights(refusal="Log in first. Anonymous visitors change nothing.")
    if not user.is_active:
        return Rights(person=stores.user_text(user), refusal=_deactivated(user))
    if codes_of(model).table.roles:
        return None
    theirs = Rights(person=stores.user_text(user), everything=True)
    if isinstance(actor, AgentActor):
        # It may have been at work for long: an account that was deactivated meanwhile stops it.
        standing = holdings.standing(connections[stores.alias_of(user)], user)
        if standing is None or not standing.active:
            gone = "The account does not exist any more." if standing is None else _deactivated(user)
            theirs = Rights(person=theirs.person, refusal=gone)
    return _as_actor(actor, model, theirs)


def _user(actor: Any) -> Any:
    return actor.user if isinstance(actor, AgentActor) else actor


def _as_actor(actor: Any, model: type[Model], theirs: Rights) -> Rights:
    if isinstance(actor, AgentActor):
        return theirs.narrowed(actor.name, actor.mandate(concrete(model)._meta.label_lower))
    return theirs


def _deactivated(user: Any) -> str:
    return f"The account “{user}” is deactivated."
