"""Models whose lifecycles declare roles: one for each kind of key, and for each way in which grants are stored."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from fsm_lifecycle import CRUD, Event, Role, Snapshot, State, guard
from fsm_lifecycle.models import LifecycleModel


class OfficeLifecycle:
    """A claim is filed, examined by one, approved by another, paid; whoever files it owns it."""

    filed = State("filed", initial=True)
    examined = State("examined")
    approved = State("approved")
    paid = State("paid", terminal=True)
    rejected = State("rejected", terminal=True, tone="stop")

    examine = Event(filed, to=examined)
    approve = Event(examined, to=approved, not_by=[examine])
    pay = Event(approved, to=paid, not_by=[examine, approve])
    reject = Event(filed, examined, to=rejected)
    refile = Event(examined, approved, to=filed)
    reopen = Event(rejected, paid, to=filed, compensating=True)

    owner = Role("owner", crud=CRUD.READ | CRUD.UPDATE, may=[refile], default=True)
    examiner = Role("examiner", crud=CRUD.READ, may=[examine, reject])
    approver = Role("approver", crud=[CRUD.READ], may=[approve, reject])
    cashier = Role("cashier", may=[pay])
    auditor = Role("auditor", crud=CRUD.READ)
    manager = Role("manager", crud=CRUD.ALL, may=[examine, approve, pay, reject, refile])


class Claim(LifecycleModel):
    """An integer key."""

    title = models.CharField(max_length=100, default="")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)

    class Lifecycle(OfficeLifecycle):
        pass


class UrgentClaim(Claim):
    """A proxy that refines the table: one event and one role more."""

    class Meta:
        proxy = True

    class Lifecycle(Claim.Lifecycle):
        hurry = Event(OfficeLifecycle.filed, to=OfficeLifecycle.approved)
        courier = Role("courier", crud=CRUD.READ, may=[hurry])


class Dossier(LifecycleModel):
    """A UUID key."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    title = models.CharField(max_length=100, default="")

    class Lifecycle(OfficeLifecycle):
        pass


class Plate(LifecycleModel):
    """A text key."""

    code = models.CharField(max_length=40, primary_key=True)

    class Lifecycle(OfficeLifecycle):
        pass


class Filing(LifecycleModel):
    """The base of a multi-table family."""

    title = models.CharField(max_length=100, default="")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)

    class Lifecycle(OfficeLifecycle):
        snapshot = Snapshot.every()
        api_fields = ["title"]


class Appeal(Filing):
    """A child with a table and fields of its own, of which it opens one."""

    grounds = models.CharField(max_length=100, default="")
    advice = models.CharField(max_length=100, default="")

    class Lifecycle(Filing.Lifecycle):
        hearing = State("hearing")
        hear = Event(OfficeLifecycle.filed, to=hearing)
        grant = Event(hearing, to=OfficeLifecycle.approved)
        api_fields = ["title", "grounds"]


@guard("A binder needs a title.")
def has_title(binder: Binder) -> bool:
    return bool(binder.title)


class Binder(LifecycleModel):
    """Its object permissions are in tables of their own with a foreign key (guardian's direct models)."""

    title = models.CharField(max_length=100, default="")

    class Lifecycle:
        open = State("open", initial=True)
        closed = State("closed")

        close = Event(open, to=closed, guards=[has_title])
        reopen = Event(closed, to=open)

        clerk = Role("clerk", crud=CRUD.READ | CRUD.UPDATE, may=[close])
        chief = Role("chief", crud=CRUD.ALL, may=[close, reopen])


class BinderUserPermission(UserObjectPermissionBase):
    content_object = models.ForeignKey(Binder, on_delete=models.CASCADE)

    class Meta(UserObjectPermissionBase.Meta):
        abstract = False


class BinderGroupPermission(GroupObjectPermissionBase):
    content_object = models.ForeignKey(Binder, on_delete=models.CASCADE)

    class Meta(GroupObjectPermissionBase.Meta):
        abstract = False


class Duty(LifecycleModel):
    """No roles at all, but separated duties."""

    class Lifecycle:
        planned = State("planned", initial=True)
        done = State("done")
        checked = State("checked")

        do = Event(planned, to=done)
        verify = Event(done, to=checked, not_by=[do])
        plan = Event(done, checked, to=planned)
