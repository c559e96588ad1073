"""Models in every shape that loading and saving must cope with."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.db import models

from fsm_lifecycle import Event, State
from fsm_lifecycle.models import LifecycleModel

#: The classes whose ``__init__`` was called, for tests to look at.
MADE: list[str] = []


class Switched(LifecycleModel):
    """An abstract base that brings the lifecycle and a renamed column."""

    lifecycle_field = "phase"

    class Meta:
        abstract = True

    class Lifecycle:
        off = State("off", initial=True)
        on = State("on")
        switch_on = Event(off, to=on)
        switch_off = Event(on, to=off)


class Lamp(Switched):
    """Takes the abstract base as it is."""

    watts = models.IntegerField(default=40)


class Pump(Switched):
    """Refines the abstract base's table and has a ``Meta`` of its own."""

    litres = models.IntegerField(default=1)

    class Meta(Switched.Meta):
        abstract = False
        ordering: ClassVar = ["-litres"]

    class Lifecycle(Switched.Lifecycle):
        stuck = State("stuck")
        jam = Event(Switched.Lifecycle.on, to=stuck)
        free = Event(stuck, to=Switched.Lifecycle.off)


class Upper:
    """A descriptor of a field's own: what is assigned is kept in upper case."""

    def __init__(self, field: models.Field[Any, Any]) -> None:
        self.field = field

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else instance.__dict__[self.field.attname]

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = value.upper() if isinstance(value, str) else value


class UpperField(models.CharField):  # type: ignore[type-arg]
    """A text field with a descriptor that wants to be called."""

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, name, Upper(self))


class Labelled(Switched):
    """A field with a custom descriptor: rows are loaded in Django's way."""

    code = UpperField(max_length=20, default="")


class Initialised(Switched):
    """An overridden ``__init__``: rows are loaded in Django's way."""

    name = models.CharField(max_length=20, default="")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        MADE.append(type(self).__name__)
        self.name_at_start = self.__dict__.get("name")


class Watchful(Switched):
    """An overridden ``__setattr__``: rows are loaded in Django's way."""

    name = models.CharField(max_length=20, default="")

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "name":
            self.__dict__["touched"] = self.__dict__.get("touched", 0) + 1
        super().__setattr__(name, value)


class Folder(Switched):
    """A file, a time the field fills in, and relations."""

    paper = models.FileField(blank=True, max_length=200)
    touched_at = models.DateTimeField(auto_now=True)
    count = models.IntegerField(default=0)
    owner = models.ForeignKey(Lamp, null=True, on_delete=models.CASCADE, related_name="folders")
    tags = models.ManyToManyField(Lamp, related_name="tagged")


class Person(models.Model):
    """A concrete parent without a lifecycle."""

    name = models.CharField(max_length=20, default="")


class Member(LifecycleModel, Person):  # type: ignore[misc]  # whose ``objects`` counts: ours
    """A child with a lifecycle of a parent without one: the state stands in the child's table."""

    since = models.DateField(null=True)

    class Lifecycle:
        guest = State("guest", initial=True)
        full = State("full member")
        admit = Event(guest, to=full)
        leave = Event(full, to=guest)


class Badge(Switched):
    """Its key is another record's."""

    person = models.OneToOneField(Person, primary_key=True, on_delete=models.CASCADE)
    number = models.IntegerField(default=0)


def a_span() -> timedelta:
    return timedelta(days=1, microseconds=5)


def a_moment() -> datetime:
    return datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def a_clock() -> time:
    return time(1, 2, 3)


class Archive(Switched):
    """Every kind of column, also those that the database fills in."""

    blob = models.BinaryField(default=b"\x00\xff")
    span = models.DurationField(default=a_span)
    moment = models.DateTimeField(default=a_moment)
    clock = models.TimeField(default=a_clock)
    address = models.GenericIPAddressField(default="2001:db8::1")
    token = models.UUIDField(default=uuid.uuid4)
    ratio = models.FloatField(default=0.1)
    price = models.DecimalField(max_digits=9, decimal_places=2, default=Decimal("1.50"))
    flag = models.BooleanField(default=True)
    url = models.URLField(default="https://example.org/?a=100%25")
    half = models.GeneratedField(
        expression=models.F("width") / 2, output_field=models.IntegerField(), db_persist=True
    )
    width = models.IntegerField(db_default=10)
    odd = models.IntegerField(default=1, db_column="select")

    class Meta(Switched.Meta):
        abstract = False
        select_on_save = True
