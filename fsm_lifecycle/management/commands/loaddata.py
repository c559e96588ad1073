"""``loaddata``, as Django's, and at its end every record that came without a log is adopted."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands.loaddata import Command as DjangoCommand

from fsm_lifecycle.engine.adopt import adopt_loaded
from fsm_lifecycle.engine.binding import Binding
from fsm_lifecycle.exceptions import LifecycleError
from fsm_lifecycle.models import LifecycleModel


class Command(DjangoCommand):
    """Within ``loaddata``'s own transaction, so that nothing is loaded when something is wrong."""

    def loaddata(self, fixture_labels: Any) -> None:
        self.loaded: dict[Binding, dict[Any, None]] = {}
        super().loaddata(fixture_labels)
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
        saved = bool(super().save_obj(obj))
        if saved and isinstance(obj.object, LifecycleModel):
            # A multi-table child comes without its parent's columns, but under the same key.
            binding = obj.object._lifecycle.owner._lifecycle  # type: ignore[attr-defined]
            self.loaded.setdefault(binding, {})[obj.object.pk] = None
        return saved
