"""Owns asking for one event on a page: its form, firing it, and what to show when that was not done.

Repeats no check: ``fire()`` decides, and what it says is turned into something a page can show. Must not know HTML.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms

from fsm_lifecycle.definition import Event
from fsm_lifecycle.engine.binding import SEQUENCE, Plan
from fsm_lifecycle.engine.decision import Decision
from fsm_lifecycle.engine.refusals import collecting
from fsm_lifecycle.exceptions import InvalidArguments, LifecycleError, StaleState
from fsm_lifecycle.models import TransitionLog
from fsm_lifecycle.presentation.inputs import help_the_browser

logger = logging.getLogger("fsm_lifecycle")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt. Exactly one of ``entry`` and the others says so."""

    entry: TransitionLog | None = None
    """The entry, where it was done."""
    form: forms.BaseForm | None = None
    """The form with its errors, where the answers do not do."""
    reasons: tuple[str, ...] = ()
    """Why it was refused."""
    stale: bool = False
    """Whether the record has changed since the page was made."""
    since: tuple[TransitionLog, ...] = field(default=())
    """What happened in between, newest first, where it is stale."""

    def __bool__(self) -> bool:
        return self.entry is not None


class Ask:
    """One event, one record, one actor."""

    def __init__(self, record: Any, event: Event, actor: Any, *, surface: str) -> None:
        self.record = record
        self.event = event
        self.actor = actor
        self.surface = surface
        self.binding = type(record)._lifecycle
        plan = self.binding.plan(event)
        assert plan is not None, "The event comes from the record's own table."
        self.plan: Plan = plan

    @property
    def submit(self) -> str:
        """What the button that fires it says: verb and object, ``Pay invoice``; a label of several words alone."""
        label, kind = str(self.event.label), str(self.binding.model._meta.verbose_name)
        return label if " " in label or kind.lower() in label.lower() else f"{label} {kind}"

    @property
    def sequence(self) -> int:
        """What the page has seen of the record; it comes back as ``expected_sequence``."""
        return int(getattr(self.record, SEQUENCE))

    def decision(self) -> Decision:
        """Whether it may be done, as far as can be told without arguments."""
        decided: Decision = self.record.decide(self.event, actor=self.actor)
        return decided

    def form(self, data: Any = None, files: Any = None) -> forms.BaseForm:
        """The event's form, empty or with what was typed; a form without fields where it takes no arguments."""
        return event_form(self.plan, data, files)

    def fire(self, data: Any, files: Any, expected: str | None) -> Outcome:
        """Fire with what a page has sent. Never raises for a refusal, nor for an effect that fails."""
        arguments = raw_arguments(self.plan, data, files)
        try:
            sequence = int(expected or "")
        except ValueError:
            return self._stale(
                self.sequence, "The page did not say which state of the record it was made for."
            )
        try:
            with collecting(self.surface):
                entry = self.record.fire(
                    self.event, actor=self.actor, arguments=arguments, expected_sequence=sequence
                )
        except InvalidArguments as error:
            return self._invalid(error, data, files)
        except StaleState as error:
            return self._stale(sequence, str(error))
        except LifecycleError as error:
            return Outcome(reasons=self._reasons(error))
        except Exception:
            logger.exception(
                "%s of %s failed in its own code", self.event.name, self.binding.describe(self.record)
            )
            return Outcome(
                reasons=(
                    f"{self.event.label} failed in its own code. Nothing was changed. The server's log has the error.",
                )
            )
        return Outcome(entry=entry)

    def _invalid(self, error: InvalidArguments, data: Any, files: Any) -> Outcome:
        form = self.form(data, files)
        form.is_valid()
        for name, texts in error.errors.items():
            where = name if name in form.fields else None
            known: Any = form.errors.get(where or "__all__", [])
            for text in texts:
                if str(text) not in [str(one) for one in known]:
                    form.add_error(where, str(text))
        return Outcome(form=form)

    def _reasons(self, error: LifecycleError) -> tuple[str, ...]:
        """Every reason, where the record still is what it was; else the one that was raised."""
        decision = self.decision()
        reasons = tuple(dict.fromkeys(denial.reason for denial in decision.denials))
        return reasons or (str(error),)

    def _stale(self, seen: int, why: str) -> Outcome:
        """Load the record again, with what happened since the page was made, at sequence ``seen``."""
        manager = type(self.record)._base_manager.using(self.record._state.db)
        fresh = manager.filter(pk=self.record.pk).first()
        if fresh is None:
            return Outcome(stale=True, reasons=("It is gone.",))
        self.record = fresh
        return Outcome(stale=True, reasons=(why,), since=tuple(since(fresh, seen)))


def since(record: Any, sequence: int, limit: int = 10) -> list[TransitionLog]:
    """The newest entries of a record after a sequence, newest first."""
    return list(record.log.filter(sequence__gt=sequence).order_by("-sequence")[:limit])


def leaves(decision: Decision) -> bool:
    """Whether the event leaves the record's state at all, whoever asks for it."""
    return all(denial.code != "wrong_state" for denial in decision.denials)


def event_form(plan: Plan, data: Any = None, files: Any = None) -> forms.BaseForm:
    """An event's form, bound where something was sent; one without fields where it takes no arguments."""
    kind: type[forms.BaseForm] = plan.form or forms.Form
    form = kind(data, files) if data is not None else kind()
    help_the_browser(form)
    return form


def raw_arguments(plan: Plan, data: Any, files: Any = None) -> dict[str, Any]:
    """What a browser sent for an event's form, and nothing else of the request, as ``fire()`` takes it."""
    if plan.form is None:
        return {}
    found: dict[str, Any] = {}
    fields: Mapping[str, forms.Field] = plan.form.base_fields
    for name, declared in fields.items():
        widget: Any = declared.widget
        if isinstance(widget, forms.MultiWidget):
            for suffix in getattr(widget, "widgets_names", ()):
                if f"{name}{suffix}" in data:
                    found[f"{name}{suffix}"] = data[f"{name}{suffix}"]
        elif files and name in files:
            found[name] = files[name]
        elif not widget.value_omitted_from_data(data, files or {}, name):
            found[name] = widget.value_from_datadict(data, files or {}, name)
    return found
