"""Owns what is said before an event is fired: what will happen at once, what afterwards, and whether it can be undone.

Everything is read off the table, but what follows by itself. Must not know HTML.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from fsm_lifecycle.definition import Event, State
from fsm_lifecycle.definition.effects import Effect
from fsm_lifecycle.definition.member import in_words
from fsm_lifecycle.definition.table import Table
from fsm_lifecycle.engine.binding import SEQUENCE, Binding
from fsm_lifecycle.presentation.following import following
from fsm_lifecycle.presentation.opened import Opened

logger = logging.getLogger("fsm_lifecycle")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that will happen."""

    text: str
    icon: str = "arrow"
    code: str = ""
    """The name of the code that does it."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an event will do."""

    at_once: tuple[Line, ...]
    """In one transaction, together or not at all."""
    afterwards: tuple[Line, ...]
    undo: str
    irrevocable: tuple[str, ...]
    """What reaches outside and cannot be called back, a sentence each."""


def outlook(
    binding: Binding,
    event: Event,
    record: Any = None,
    target: State | None = None,
    states: Collection[str] | None = None,
    viewer: Any = None,
) -> Outlook:
    """What ``event`` will do to ``record``, or to many records without one.

    ``target``: where it leads, if known. ``states``: those of the many records, by default all that it may leave.
    ``viewer``: who is told what follows by itself; without one, nothing is said of that.
    """
    table, kind = binding.table, str(binding.model._meta.verbose_name)
    at_once = [
        Line(_becomes(table, event, kind, target), "tick"),
        Line(_entry(event, table, record, target), "page"),
    ]
    if event.stores:
        opened = Opened.nothing(binding.model)
        fields = _listed([opened.label(name).lower() for name in event.stores], "and")
        at_once.append(Line(f"Your answers set {fields}."))
    afterwards: list[Line] = []
    irrevocable: list[str] = []
    for effect in event.effects:
        line = _effect(effect, record)
        (afterwards if effect.after_commit else at_once).append(line)
        if effect.outside:
            irrevocable.append(line.text)
    if record is not None and viewer is not None:
        afterwards += [Line(text, icon) for text, icon in following(event, record, target, viewer)]
    return Outlook(
        tuple(at_once),
        tuple(afterwards),
        _undo(table, event, _left(event, binding, record, states)),
        tuple(irrevocable),
    )


def _becomes(table: Table, event: Event, kind: str, target: State | None) -> str:
    if target is not None:
        return f"The {kind} becomes {target.label}."
    labels = [_label(table, state) for state in event.targets]
    if len(labels) == 1:
        return f"The {kind} becomes {labels[0]}."
    return f"The {kind} becomes {_listed(labels, 'or')}, as the rules decide."


def _entry(event: Event, table: Table, record: Any, target: State | None) -> str:
    number = f"Entry {getattr(record, SEQUENCE) + 1}" if record is not None else "One entry for each"
    kept = ["your answers"] if event.arguments is not None else []
    policy = table.snapshot
    final = target.terminal if target is not None else all(_is_final(table, state) for state in event.targets)
    if policy is not None and (policy.reason == "every" or (policy.reason == "terminal" and final)):
        kept.append("a snapshot")
    return f"{number} is written to the log{', with ' + ' and '.join(kept) if kept else ''}."


def _effect(effect: Effect, record: Any) -> Line:
    if effect.connection is not None:
        model = effect.connection.model.partition(".")[2] or "the connected record"
        fired = f"{in_words(effect.connection.event)} on {model}"
        return Line(
            {
                "rollback": f"Fires {fired}. If that is refused, nothing is done here either.",
                "log": f"Fires {fired} as well, if that is allowed. If not, the rest is done without it.",
                "retry": f"Fires {fired} as well. If that is refused, it is tried again later.",
            }[effect.connection.on_failure],
            "link",
        )
    text = _sentence(_described(effect, record))
    if effect.outside:
        return Line(f"{text} It cannot be called back.", "outside", effect.name)
    return Line(text, "clock" if effect.after_commit else "arrow", effect.name)


def _described(effect: Effect, record: Any) -> str:
    if effect.describe is not None and record is not None:
        try:
            return str(effect.describe(record))
        except Exception:
            # What a page says in advance must not keep anybody from working.
            logger.exception("describe= of the effect %r failed", effect.name)
    return str(effect.label)


def _left(event: Event, binding: Binding, record: Any, states: Collection[str] | None) -> list[str]:
    """The states that are left: the record's, or those of many that the event can leave."""
    if record is not None:
        return [getattr(record, binding.state_name)]
    sources = [str(source) for source in event.sources]
    return [source for source in sources if states is None or source in states] or sources


def _undo(table: Table, event: Event, sources: list[str]) -> str:
    targets = list(event.targets)
    if all(source == target for source in sources for target in targets):
        return "The state stays as it is, so there is nothing to undo. The log keeps the entry."
    for back in table.events.values():
        if (
            back.name != event.name
            and set(targets) <= set(back.sources)
            and set(sources) <= set(back.targets)
        ):
            to = _listed([_label(table, source) for source in sources], "or")
            return f"Yes. {back.label} leads back to {to}. The log keeps both."
    if all(
        source == target or source in table.reachable_from(target) for source in sources for target in targets
    ):
        return "Not by one event, but other events lead back step by step. The log keeps them all."
    finals = [state for state in targets if _is_final(table, state)]
    if len(finals) == len(targets) and not any(table.events_from(state) for state in finals):
        return f"No. {_listed([_label(table, state) for state in finals], 'or')} is final."
    return "No. No event leads back."


def _is_final(table: Table, value: str) -> bool:
    state = table.states.get(value)
    return state is not None and state.terminal


def _label(table: Table, value: str) -> str:
    state = table.states.get(value)
    return str(state.label) if state is not None else str(value)


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _listed(labels: list[str], word: str) -> str:
    if len(labels) < 2:
        return "".join(labels)
    return f"{', '.join(labels[:-1])} {word} {labels[-1]}"
