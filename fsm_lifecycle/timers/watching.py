"""Owns what a save does to the timers of its record: one that may change the field ``at=`` names moves them.

In the transaction of the save. Must not know what becomes of a timer that is due.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connections
from django.db.models.signals import post_save

from fsm_lifecycle.append_only import key_text
from fsm_lifecycle.engine.binding import Binding
from fsm_lifecycle.timers import keeping, setting
from fsm_lifecycle.timers.moments import family, fields_of


def connect() -> None:
    """Watch every model whose records may have timers."""
    for model in apps.get_models():
        binding = getattr(model, "_lifecycle", None)
        if isinstance(binding, Binding):
            watch(model)


def watch(model: type[Any]) -> None:
    """Watch one model, if a save may move its timers. What is deleted is told by the log."""
    owner: Binding = model._lifecycle.owner._lifecycle
    if any(fields_of(one) for one in family(owner)):
        post_save.connect(_saved, sender=model, dispatch_uid=f"fsm_lifecycle.timers.{model._meta.label}")


def _saved(
    sender: type[Any], instance: Any, created: bool, raw: bool, using: str, update_fields: Any, **kwargs: Any
) -> None:
    if raw or created:
        return  # the log tells of what is created; what is restored is found later
    owner: Binding = sender._lifecycle.owner._lifecycle
    if update_fields is not None:
        names = {name for one in family(owner) for name in fields_of(one)}
        if names.isdisjoint(update_fields):
            return
    key = key_text(sender._lifecycle.key_of(instance))
    if not setting.saved(connections[using], owner.label, owner, key):
        keeping.later(using, owner.label, [key])


connect()
