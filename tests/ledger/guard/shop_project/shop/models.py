"""The shop's model, as the code of one version has it: ``SHOP_VERSION`` says which."""

from __future__ import annotations

import os
from typing import ClassVar

from django.db import models

from fsm_lifecycle import Event, State
from fsm_lifecycle.models import LifecycleModel

VERSION = os.environ.get("SHOP_VERSION", "titled")


class Ticketing:
    """Opened, closed, and opened again."""

    open = State("open", initial=True)
    closed = State("closed")
    close = Event(open, to=closed)
    reopen = Event(closed, to=open)


if VERSION == "plain":

    class Ticket(models.Model):
        title = models.CharField(max_length=20, default="")

        class Meta:
            app_label = "shop"

elif VERSION == "guarded":

    class Ticket(LifecycleModel):  # type: ignore[no-redef]
        title = models.CharField(max_length=20, default="")

        class Lifecycle(Ticketing):
            pass

elif VERSION == "titled":

    class Ticket(LifecycleModel):  # type: ignore[no-redef]
        title = models.CharField(max_length=40, default="")
        priority = models.IntegerField(default=0)

        class Lifecycle(Ticketing):
            pass

elif VERSION == "one way":

    class Ticket(LifecycleModel):  # type: ignore[no-redef]
        title = models.CharField(max_length=40, default="")
        priority = models.IntegerField(default=0)

        class Lifecycle:
            open = State("open", initial=True)
            closed = State("closed", terminal=True)
            close = Event(open, to=closed)

elif VERSION == "renamed column":

    class Ticket(LifecycleModel):  # type: ignore[no-redef]
        lifecycle_field = "phase"
        title = models.CharField(max_length=40, default="")
        priority = models.IntegerField(default=0)

        class Lifecycle(Ticketing):
            pass

elif VERSION in ("renamed model", "renamed table"):

    class Issue(LifecycleModel):
        lifecycle_field = "phase"
        title = models.CharField(max_length=40, default="")
        priority = models.IntegerField(default=0)

        class Meta:
            db_table = "Shop Issues" if VERSION == "renamed table" else "shop_issue"
            indexes: ClassVar = []

        class Lifecycle(Ticketing):
            label = "shop.ticket"
