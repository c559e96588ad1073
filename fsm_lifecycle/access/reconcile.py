"""Brings grants and access events together: ends what has ended, and finds what no signal announced.

Reads in portions, so memory stays flat. Takes away nothing but what has ended or has lost its record. Must not know
why somebody went round the signals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import models, router

from fsm_lifecycle.access import branches, stores, sync, watching
from fsm_lifecycle.access.belongings import grant_of_row, role_in
from fsm_lifecycle.access.codenames import concrete, content_type, group_name, lifecycle_models
from fsm_lifecycle.access.delegation import Delegation
from fsm_lifecycle.access.event import AccessEvent, Change, because, record
from fsm_lifecycle.access.grant import Grant, GrantTerm
from fsm_lifecycle.access.granting import lock
from fsm_lifecycle.access.sweep import portions, remove_orphans, sweep
from fsm_lifecycle.exceptions import InvalidGrant
from fsm_lifecycle.transactions import writing

_HELD: Final = ("granted", "delegated")


@dataclass(slots=True)
class Reconciled:
    """How many grants of each kind were found."""

    expired: int = 0
    """Ended, and now removed."""
    orphaned: int = 0
    """On a record that is gone, and now removed."""
    arrived: int = 0
    """Held without being on record, and now on record."""
    lost: int = 0
    """On record without being held any more, and now on record as revoked."""


def reconcile(using: str, progress: Callable[[int, int], None] | None = None) -> Reconciled:
    """Sweep, then compare what is stored with what is on record. ``progress(read, total)`` is told how far it is."""
    total = _size(using) if progress is not None else 0
    read = 0

    def told(count: int) -> None:
        nonlocal read
        read += count
        if progress is not None:
            progress(read, max(read, total))

    done = Reconciled()
    done.expired = sweep(using)
    done.orphaned = remove_orphans(using, told)
    for stored in _stored(using):
        done.arrived += _record_arrived(stored, using)
        told(len(stored))
    done.arrived += _record_powerless(using)
    for events in _events_of_held(using):
        done.lost += _record_lost(events, using)
        told(len(events))
    return done


def _size(using: str) -> int:
    """About how much there is to read."""
    rows = sum(stores.all_of(m, using).count() for m in stores.object_models())
    events = stores.all_of(AccessEvent, using).filter(action__in=_HELD).count()
    user: Any = get_user_model()
    members = stores.all_of(user.groups.through, using).count() if stores.has_groups() else 0
    return 2 * rows + events + members


# What is held, in portions


def _stored(using: str) -> Iterator[list[Change]]:
    """Every grant that is stored, as the change that would have brought it."""
    kinds: list[type[models.Model]] = [AccessEvent, *dict.fromkeys(concrete(m) for m in lifecycle_models())]
    ctypes = [content_type(m, using).pk for m in kinds]
    user: Any = get_user_model()
    if stores.has_groups():
        group, member = watching.ends(user.groups.through)
        for portion in portions(stores.all_of(user.groups.through, using)):
            users = stores.all_of(user, using).in_bulk({getattr(row, member) for row in portion})
            groups = stores.all_of(Group, using).in_bulk({getattr(row, group) for row in portion})
            pairs = [
                (users[getattr(row, member)], groups[getattr(row, group)])
                for row in portion
                if getattr(row, member) in users and getattr(row, group) in groups
            ]
            yield watching.memberships(pairs, "granted", using, "reconcile")
        yield from _permissions(user.user_permissions, user, ctypes, using)
    yield from _permissions(Group.permissions, Group, ctypes, using)
    for rows in stores.object_models():
        if not router.allow_migrate_model(using, rows):
            continue
        here = stores.all_of(rows, using).filter(permission__content_type__in=ctypes)
        for portion in portions(here.select_related("permission")):
            yield _object_changes(rows, portion, using)
    for portion in portions(stores.all_of(Delegation, using)):
        yield [watching.delegation_change(delegation, "delegated") for delegation in portion]


def _permissions(relation: Any, holder: type[Any], ctypes: list[int], using: str) -> Iterator[list[Change]]:
    through, field = relation.through, relation.field
    holder_id = through._meta.get_field(field.m2m_field_name()).attname
    permission = through._meta.get_field(field.m2m_reverse_field_name())
    here = stores.all_of(through, using).filter(**{f"{permission.name}__content_type__in": ctypes})
    for portion in portions(here):
        pairs = [(getattr(row, holder_id), getattr(row, permission.attname)) for row in portion]
        yield watching.permission_changes(pairs, holder is not Group, "granted", using, "reconcile")


def _object_changes(rows: type[Any], portion: Sequence[Any], using: str) -> list[Change]:
    of_user = hasattr(rows, "user_id") or any(f.name == "user" for f in rows._meta.fields)
    name = "user_id" if of_user else "group_id"
    kind: Any = get_user_model() if of_user else Group
    holders = stores.all_of(kind, using).in_bulk({getattr(row, name) for row in portion})
    return [
        Change(
            action="granted",
            road="reconcile",
            grant=grant_of_row(row, model, of_user),
            label=str(holders.get(getattr(row, name), "")),
            role=role_in(row.permission.codename),
        )
        for row in portion
        if (model := watching.model_of(row.permission)) is not None
    ]


# Comparing


def _newest(digests: Sequence[str], using: str) -> dict[str, AccessEvent]:
    """The newest event of each grant."""
    events = stores.all_of(AccessEvent, using).filter(grant__in=digests)
    return {event.grant: event for event in events.order_by("id")}


def _unrecorded(changes: Sequence[Change], using: str) -> list[Change]:
    newest = _newest([change.grant.digest for change in changes], using)
    terms = dict(
        stores.all_of(GrantTerm, using)
        .filter(grant__in=[change.grant.digest for change in changes])
        .values_list("grant", "until")
    )
    found = []
    for change in changes:
        event = newest.get(change.grant.digest)
        until = change.until or terms.get(change.grant.digest)
        if event is None and _is_own_group(change, using):
            continue
        if event is None or event.action not in _HELD or event.until != until:
            found.append(
                Change(
                    action=change.action,
                    road="reconcile",
                    grant=change.grant,
                    label=change.label,
                    group_label=change.group_label,
                    role=change.role,
                    role_model=change.role_model,
                    delegate_label=change.delegate_label,
                    until=until,
                )
            )
    return found


def _is_own_group(change: Change, using: str) -> bool:
    """Whether this is a role's own group holding its role: made with the role, and a grant to nobody."""
    if change.grant.user or not change.role or change.grant.object_pk:
        return False
    if change.label == f"{change.grant.model}:{change.role}":
        return True  # its name, as ``group_name`` makes it
    model = {m._meta.label_lower: m for m in lifecycle_models() if not m._meta.proxy}[change.grant.model]
    own = sync.own_group(model, change.role, using)
    return own is not None and stores.text_of(own.pk) == change.grant.group


def _record_arrived(stored: Sequence[Change], using: str) -> int:
    candidates = _unrecorded(stored, using)
    if not candidates:
        return 0
    with writing(using, savepoint=True), because(road="reconcile"):
        _hold([change.grant for change in candidates], using)
        held = _still_held([change.grant for change in candidates], using)
        found = _unrecorded([change for change in candidates if change.grant.digest in held], using)
        record(using, found)
    return len(found)


def _record_powerless(using: str) -> int:
    """A role's own group that lost its role in silence has no event to compare with."""
    labels = {content_type(m, using).pk: m for m in dict.fromkeys(concrete(m) for m in lifecycle_models())}
    permissions = Permission.objects.using(using).filter(
        content_type__in=list(labels), codename__startswith="role_"
    )
    named = {group_name(labels[p.content_type_id], role_in(p.codename)): p for p in permissions}
    found: list[Change] = []
    for group in Group.objects.using(using).filter(name__in=list(named)).prefetch_related("permissions"):
        permission = named.get(group.name)
        if permission is None or permission in group.permissions.all():
            continue
        label = labels[permission.content_type_id]._meta.label_lower
        grant = Grant(group=stores.text_of(group.pk), model=label, codename=permission.codename)
        if grant.digest not in _newest([grant.digest], using):
            role = role_in(permission.codename)
            found.append(Change(action="revoked", road="reconcile", grant=grant, label=group.name, role=role))
    with writing(using, savepoint=True), because(road="reconcile"):
        record(using, found)
    return len(found)


def _events_of_held(using: str) -> Iterator[list[AccessEvent]]:
    """The newest events of the grants that are on record as held."""
    for portion in portions(stores.all_of(AccessEvent, using).filter(action__in=_HELD)):
        newest = _newest([event.grant for event in portion], using)
        yield [event for event in portion if newest[event.grant].pk == event.pk]


def _record_lost(events: Sequence[AccessEvent], using: str) -> int:
    held = _still_held([_grant_of(event) for event in events], using)
    gone = [event for event in events if event.grant not in held]
    if not gone:
        return 0
    with writing(using, savepoint=True), because(road="reconcile"):
        grants = [_grant_of(event) for event in gone]
        _hold(grants, using)
        held = _still_held(grants, using)
        newest = _newest([event.grant for event in gone], using)
        found = [event for event in gone if event.grant not in held and newest[event.grant].pk == event.pk]
        changes = [_loss(event) for event in found]
        watching.forget_terms(using, changes)
        record(using, changes, digests=[event.grant for event in found])
    return len(found)


def _grant_of(event: AccessEvent) -> Grant:
    of_user = event.holder_kind == "user"
    if of_user and event.group_id:
        return Grant(user=event.holder_id, group=event.group_id)
    return Grant(
        user=event.holder_id if of_user else "",
        group="" if of_user else event.holder_id,
        model=event.model_label if event.permission else "",
        codename=event.permission,
        object_pk=event.object_pk,
        delegate=event.delegate_id,
    )


def _loss(event: AccessEvent) -> Change:
    return Change(
        action="undelegated" if event.action == "delegated" else "revoked",
        road="reconcile",
        grant=_grant_of(event),
        label=event.holder_label,
        group_label=event.group_label,
        role=event.role,
        role_model=event.model_label,
        delegate_label=event.delegate_label,
    )


def _hold(grants: Sequence[Grant], using: str) -> None:
    """Keep others from changing the grants of these holders until the transaction ends."""
    for kind, keys in (
        (get_user_model(), {g.user for g in grants if g.user}),
        (Group, {g.group for g in grants if not g.user}),
    ):
        for holder in stores.all_of(kind, using).filter(pk__in=keys).order_by("pk"):
            try:
                lock(holder, using)
            except InvalidGrant:
                continue  # gone


def _still_held(grants: Sequence[Grant], using: str) -> set[str]:
    """The digests of those that are stored at this moment."""
    held: set[str] = set()
    user: Any = get_user_model()
    members = [g for g in grants if g.user and g.group]
    if members and stores.has_groups():
        group, member = watching.ends(user.groups.through)
        rows = stores.all_of(user.groups.through, using).filter(
            **{f"{member}__in": {g.user for g in members}, f"{group}__in": {g.group for g in members}}
        )
        held |= {
            Grant(user=stores.text_of(u), group=stores.text_of(g)).digest
            for u, g in rows.values_list(member, group)
        }
    wide = [g for g in grants if g.codename and not g.object_pk]
    relations: list[tuple[Any, Any, list[Grant]]] = [
        (user, getattr(user, "user_permissions", None), [g for g in wide if g.user]),
        (Group, Group.permissions, [g for g in wide if not g.user]),
    ]
    for holder, relation, mine in relations:
        if not mine or relation is None:
            continue
        field = relation.field
        holder_id = relation.through._meta.get_field(field.m2m_field_name()).attname
        permission = relation.through._meta.get_field(field.m2m_reverse_field_name()).attname
        rows = stores.all_of(relation.through, using).filter(
            **{f"{holder_id}__in": {g.user or g.group for g in mine}}
        )
        pairs = list(rows.values_list(holder_id, permission))
        held |= {
            change.grant.digest
            for change in watching.permission_changes(pairs, holder is not Group, "granted", using)
        }
    by_label = {m._meta.label_lower: m for m in lifecycle_models() if not m._meta.proxy}
    for label in {g.model for g in grants if g.object_pk and g.model in by_label}:
        held |= _held_on_records(
            by_label[label], [g for g in grants if g.model == label and g.object_pk], using
        )
    if any(g.delegate for g in grants):
        to = {g.delegate for g in grants if g.delegate}
        here = stores.all_of(Delegation, using).filter(to_user__in=to)
        held |= {watching.delegation_change(delegation, "delegated").grant.digest for delegation in here}
    return held


def _held_on_records(model: type[models.Model], grants: Sequence[Grant], using: str) -> set[str]:
    held: set[str] = set()
    field = branches.key_field(model)
    for rows, of_user in ((stores.user_rows(model), True), (stores.group_rows(model), False)):
        mine = [g for g in grants if bool(g.user) == of_user]
        if not mine or not router.allow_migrate_model(using, rows):
            continue
        name = "user_id" if of_user else "group_id"
        here = stores.all_of(rows, using).filter(
            **{f"{name}__in": {g.user if of_user else g.group for g in mine}}
        )
        keys = {g.object_pk for g in mine}
        if stores.is_generic(rows):
            here = here.filter(content_type=content_type(model, using), object_pk__in=keys)
        else:
            here = here.filter(content_object__in=[field.to_python(key) for key in keys])
        held |= {grant_of_row(row, model, of_user).digest for row in here.select_related("permission")}
    return held


def kept_on(using: str) -> bool:
    """Whether grants and events are kept on this database."""
    return all(router.allow_migrate_model(using, m) for m in (AccessEvent, Permission, Group, ContentType))
