"""Owns how errands are begun, stopped and carried out: in stints, under the lease of their piece of work.

Must not know what any errand does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.access.current import refuse_in_tool
from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.dispatch import kinds
from fsm_lifecycle.dispatch.enqueuing import enqueue
from fsm_lifecycle.dispatch.kinds import GiveUp, GoOn, Kind
from fsm_lifecycle.dispatch.work import Work
from fsm_lifecycle.dispatch.work_item import WorkItem
from fsm_lifecycle.engine.errand import Errand
from fsm_lifecycle.engine.expiry import expires
from fsm_lifecycle.transactions import writing

#: Seconds of one stint; then it goes to the end of the queue.
STINT: Final = 20.0
#: After which an errand that was never begun is removed.
FORGOTTEN: Final = timedelta(days=1)

expires("work", Errand, "finished_at")
expires("work", WorkItem, "finished_at", status=WorkItem.DONE)


class Ended(Exception):
    """Ends an errand before its end: nobody's failure. ``why``: in a sentence."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass
class Carrying:
    """One stint of one errand."""

    errand: Errand
    work: Work
    _end: float = field(default_factory=lambda: time.monotonic() + STINT)

    @property
    def using(self) -> str:
        """The database it is in."""
        return self.work.using

    def user(self) -> Any:
        """Who asked for it, as the database has the account now. Raises ``Ended`` where it may do nothing any more."""
        model: Any = get_user_model()
        try:
            found = model._default_manager.filter(pk=self.errand.asked_by).first()
        except (ValueError, ValidationError):
            found = None
        if found is None:
            raise Ended("The account of the person who asked for it is gone.")
        if not found.is_active:
            raise Ended("The account of the person who asked for it was deactivated.")
        return found

    def look_up(self, *, go_on: bool = False) -> None:
        """Between two pieces: raise ``Ended`` where it was told to stop, ``GoOn`` where the stint is over.

        ``go_on``: for what cannot be done in stints.
        """
        rows: QuerySet[Errand] = QuerySet(Errand, using=self.using)
        if rows.filter(pk=self.errand.pk, stop_at__isnull=False).exists():
            raise Ended("It was told to stop.")
        if time.monotonic() > self._end and not go_on:
            raise GoOn

    def note(self, done: int, **changes: Any) -> None:
        """Write how far it is, and more, under the lease. Raises ``LeaseLost`` where another worker has it now.

        Called at the end of the transaction that did the work, which then did not happen.
        """
        self.work.report(done, self.errand.total)
        _write(self.errand, self.using, done=done, **changes)

    def end(self, status: str, why: str = "") -> None:
        """It is over."""
        with writing(self.using, savepoint=True):
            self.work.report(self.errand.done, self.errand.total)
            _write(self.errand, self.using, status=status, why=why, finished_at=timezone.now())


def _write(errand: Errand, using: str, **changes: Any) -> None:
    QuerySet(Errand, using=using).filter(pk=errand.pk).update(**changes)
    for name, value in changes.items():
        setattr(errand, name, value)


def register(name: str, label: str, do: Callable[[Carrying], object], *, tidy: Any = None) -> Kind:
    """Make a kind of errand known. ``do`` goes on where it was left off, and returns when nothing is left to do.

    ``tidy(errand)`` says what is to be changed in the row when it is over.
    """

    def run(work: Work) -> None:
        carrying = _taken_up(work)
        if carrying is None:
            return
        try:
            carrying.look_up(go_on=True)  # each stint does something
            do(carrying)
        except Ended as ended:
            carrying.end(Errand.STOPPED, ended.why)
        else:
            carrying.end(Errand.DONE)
        if tidy is not None:
            _write(carrying.errand, work.using, **tidy(carrying.errand))

    return kinds.register(Kind(name=name, label=label, run=run, on_dead=_failed))


def _taken_up(work: Work) -> Carrying | None:
    errand = Errand.objects.using(work.using).filter(pk=work.payload["errand"]).first()
    if errand is None:
        raise GiveUp("What was asked for is gone.")
    if errand.status in (Errand.DONE, Errand.STOPPED):
        return None
    with writing(work.using, savepoint=True):
        work.report(errand.done, errand.total)
        began = errand.began_at or timezone.now()
        _write(errand, work.using, status=Errand.GOING, began_at=began, finished_at=None, why="")
    return Carrying(errand, work)


def _failed(work: Work) -> None:
    why = (work.item.result or {}).get("why") if isinstance(work.item.result, dict) else ""
    QuerySet(Errand, using=work.using).filter(pk=work.payload["errand"]).update(
        status=Errand.FAILED,
        finished_at=timezone.now(),
        why=why or "It failed too often. The server’s log has the error.",
    )


# --- asking -------------------------------------------------------------------------------------------------


def ask(kind: str, user: Any, *, using: str, model_label: str = "", **fields: Any) -> Errand:
    """An errand that is not begun yet."""
    rows: QuerySet[Errand] = QuerySet(Errand, using=using)
    rows.filter(status=Errand.ASKED, asked_at__lt=timezone.now() - FORGOTTEN).delete()
    return rows.create(
        kind=kind, asked_by=key_text(user.pk), asked_at=timezone.now(), model_label=model_label, **fields
    )


def begin(errand: Errand, **changes: Any) -> bool:
    """Have it done. ``False`` when it was begun already. Raises ``AccessDenied`` in an agent's tool."""
    refuse_in_tool("begins no work that goes on for a person")
    using = errand._state.db or "default"
    with writing(using, savepoint=True):
        rows: QuerySet[Errand] = QuerySet(Errand, using=using)
        if not rows.filter(pk=errand.pk, status=Errand.ASKED).update(status=Errand.GOING, **changes):
            return False
        enqueue(errand.kind, {"errand": errand.pk}, using=using, key=errand.work_key)
    return True


def stop(errand: Errand) -> bool:
    """Have it end after the piece that is at work now. ``False`` when it is over, or was told already."""
    using = errand._state.db or "default"
    rows: QuerySet[Errand] = QuerySet(Errand, using=using)
    going = rows.filter(pk=errand.pk, status=Errand.GOING, stop_at=None)
    return bool(going.update(stop_at=timezone.now()))
