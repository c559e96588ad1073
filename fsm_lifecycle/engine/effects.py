"""Effects: how they are run, inside the transaction and after the outermost commit; and ``fires``.

Must not know which effects a firing has, nor how a refusal of theirs is shown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.db import connections, models, router, transaction

from fsm_lifecycle.access.actors import AgentActor
from fsm_lifecycle.access.current import in_tool_of
from fsm_lifecycle.definition import Effect
from fsm_lifecycle.definition.effects import Connection, OnFailure
from fsm_lifecycle.engine.causes import Link, chain_of, current_chain
from fsm_lifecycle.engine.firing import Firing
from fsm_lifecycle.exceptions import LifecycleError

logger = logging.getLogger("fsm_lifecycle")


def run_inside(effects: Iterable[Effect], record: Any, firing: Firing, link: Link) -> None:
    """Run effects in the open transaction. What one raises goes to the caller, who rolls back."""
    with chain_of((*current_chain(), link)), in_tool_of(None):
        for effect in effects:
            effect(record, firing)


def run_after_commit(effects: Iterable[Effect], record: Any, firing: Firing, link: Link, using: str) -> None:
    """Run each effect after the outermost commit, for itself: one that fails is logged and stops no other."""
    chain = (*current_chain(), link)
    for effect in effects:
        transaction.on_commit(partial(_isolated, effect, record, firing, chain), using=using, robust=True)


def _isolated(effect: Effect, record: Any, firing: Firing, chain: tuple[Link, ...]) -> None:
    try:
        with chain_of(chain), in_tool_of(None):
            effect(record, firing)
    except Exception:
        logger.exception(
            "The effect %s of %s on %s %s failed after commit. The state stands.",
            effect.name,
            firing.event.name,
            type(record).__name__,
            record.pk,
        )


def fires(
    target: Callable[[Any], Any], event: str, on_failure: OnFailure = "rollback", model: str = ""
) -> Effect:
    """An effect that fires an event on another record, by the same actor and with this firing as its cause.

    - ``target``: from the record to the other one, to several, or to ``None`` for none.
    - ``on_failure``: ``"rollback"`` lets the refusal undo this firing too; ``"log"`` lets this one stand and
      logs the other's failure; ``"retry"`` makes it durable work after the commit, tried again while it is refused.
    - ``model``: ``"app.Model"``, so that diagrams and exports show the connection.
    """
    name = getattr(event, "name", event)
    if on_failure not in ("rollback", "log", "retry"):
        raise ValueError(f"fires(..., on_failure={on_failure!r}): choose rollback, log or retry.")
    if not callable(target) or not isinstance(name, str):
        raise TypeError(
            'fires(target, event) takes a function and an event, for example fires(lambda i: i.contract, "activate").'
        )

    def fire_other(record: Any, firing: Firing) -> None:
        found = target(record)
        others: list[Any] = (
            [] if found is None else [found] if isinstance(found, models.Model) else list(found)
        )
        actor = firing.actor
        if isinstance(
            actor, AgentActor
        ):  # the agent asked for this event; what follows is the table's own doing
            actor = actor.in_consequence()
        for other in others:
            if on_failure == "rollback":
                other.fire(name, actor=actor)
                continue
            if on_failure == "retry":
                # Run again from its entry until it succeeds: the key makes it happen once.
                other.fire(name, actor=firing.actor, idempotency_key=_key(current_chain(), name))
                continue
            using = router.db_for_write(type(other), instance=other)
            try:
                with transaction.atomic(using=using):
                    other.fire(name, actor=actor)
            except LifecycleError as error:
                _refuse_to_go_on(using)
                logger.warning("%s of %s did not fire %s: %s", firing.event.name, record, name, error)
            except Exception:
                _refuse_to_go_on(using)
                logger.exception("%s of %s failed while it fired %s.", firing.event.name, record, name)

    where = f" on {model}" if model else " on another record"
    return Effect(
        name=f"fires:{model}:{name}" if model else f"fires:{name}",
        label=f"Fires “{name}”{where}",
        function=fire_other,
        after_commit=on_failure == "retry",
        retry=on_failure == "retry",
        connection=Connection(event=name, model=model, on_failure=on_failure),
    )


def _key(chain: tuple[Link, ...], event: str) -> str:
    """What makes the second run of a durable ``fires`` do nothing: the entry it follows from, and the event."""
    return f"{chain[-1].entry_hash}:{event}"


def _refuse_to_go_on(using: str) -> None:
    """Raise again what was caught when the database has given up the whole transaction (a deadlock)."""
    if connections[using].needs_rollback:
        raise
