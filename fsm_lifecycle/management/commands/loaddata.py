"""``loaddata``, as Django's, and at its end every record that came without a log is adopted."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError
from django.core.management.commands.loaddata import Command as DjangoCommand
from django.db import connections

from fsm_lifecycle.access import sync
from fsm_lifecycle.access.event import unrecorded
from fsm_lifecycle.access.reconcile import reconcile
from fsm_lifecycle.engine.adopt import adopt_loaded
from fsm_lifecycle.engine.binding import Binding
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.ledger import protection
from fsm_lifecycle.models import LifecycleDefinition, LifecycleModel

#: The apps whose rows are grants, or name their holders.
GRANTS = ("auth", "guardian", "fsm_lifecycle", get_user_model()._meta.app_label)


class Command(DjangoCommand):
    """Within ``loaddata``'s own transaction, so that nothing is loaded when something is wrong."""

    def loaddata(self, fixture_labels: Any) -> None:
        self.loaded: dict[Binding, dict[Any, None]] = {}
        self.grants = False
        # What a fixture may set while it is loaded is compared with its log before the transaction ends.
        with protection.gate(connections[self.using], "load"):
            self._load(fixture_labels)

    def _load(self, fixture_labels: Any) -> None:
        with unrecorded():
            super().loaddata(fixture_labels)
        if self.grants and sync.possible(self.using):
            reconcile(self.using)  # what the fixture's own access events do not tell
        for binding, keys in self.loaded.items():
            try:
                count = adopt_loaded(binding, self.using, list(keys), "loaddata")
            except LifecycleError as error:
                raise CommandError(str(error)) from None
            if count and self.verbosity >= 1:
                self.stdout.write(
                    f"Adopted {count} {binding.model._meta.verbose_name_plural} that came without a log."
                )

    def save_obj(self, obj: Any) -> bool:
        if isinstance(obj.object, LifecycleDefinition):
            # migrate has stored those in force. What tells one from another is its fingerprint, not its key.
            stored = LifecycleDefinition.objects.using(self.using)
            if stored.filter(model_label=obj.object.model_label, fingerprint=obj.object.fingerprint).exists():
                return False
            obj.object.pk = None
        saved = bool(super().save_obj(obj))
        self.grants = self.grants or obj.object._meta.app_label in GRANTS
        if saved and isinstance(obj.object, LifecycleModel):
            # A multi-table child comes without its parent's columns, but under the same key.
            binding = obj.object._lifecycle.owner._lifecycle  # type: ignore[attr-defined]
            self.loaded.setdefault(binding, {})[obj.object.pk] = None
        return saved
