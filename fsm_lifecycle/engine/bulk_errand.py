"""Owns one event on very many records, as an errand: part by part, each part in one transaction with what became of it.

So a killed worker leaves no part half done, and nothing is fired twice: the part either has its outcome or was never
begun. Who asked is looked up anew for each part, and the engine decides on each record. Must not know how the result
is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final
from uuid import uuid4

from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone

from fsm_lifecycle.access.visibility import visible
from fsm_lifecycle.definition import Event
from fsm_lifecycle.dispatch.kinds import GiveUp
from fsm_lifecycle.engine import errands
from fsm_lifecycle.engine.binding import SEQUENCE, Binding
from fsm_lifecycle.engine.bulk import fire_many
from fsm_lifecycle.engine.errand import Errand, ErrandPart
from fsm_lifecycle.engine.errands import Carrying
from fsm_lifecycle.engine.refusals import collecting
from fsm_lifecycle.exceptions import StaleState
from fsm_lifecycle.registry import get
from fsm_lifecycle.transactions import writing

KIND: Final = "bulk"
#: How many records a part has.
PART: Final = 200
#: How many records a result names of each sort, how many reasons it keeps apart, and how long one may be.
NAMED: Final = 20
REASONS: Final = 50
LONGEST: Final = 500
#: How often a part is begun again at once when another transaction was in the way.
TRIES: Final = 4

CHANGED: Final = "Changed by someone else since the page was made."
GONE: Final = "No longer there, or not for you to see."
OTHER: Final = "Other reasons."

#: A record as it was seen: its key as text, and its newest entry.
Seen = tuple[str, int]
#: Key, state before, state after (``None``: not moved), the number of its reason (-1: none), whether it is stale.
Line = list[Any]

#: Told of each part that was fired, in its transaction: errand, user, event, keys of the records that moved.
Witness = Callable[[Errand, Any, Event, Sequence[Any]], object]
_witnesses: dict[str, Witness] = {}


def witness(surface: str, tell: Witness) -> None:
    """Have a surface told of the records that its errands have moved, in the transaction that moves them."""
    _witnesses[surface] = tell


def ask(
    model: Any,
    event: Event,
    records: Iterable[tuple[Any, int, str]],
    *,
    user: Any,
    using: str,
    surface: str,
    sent: str = "",
) -> Errand:
    """An errand that is not begun: fire ``event`` on these records (key, sequence, state), read one after the other.

    ``sent``: answers as they were typed, for a page that asks again.
    """
    states: dict[str, int] = {}
    total = 0
    with writing(using, savepoint=True):
        errand = errands.ask(
            KIND,
            user,
            using=using,
            model_label=model._meta.label_lower,
            payload={"event": event.name, "surface": surface, "sent": sent, "code": f"b-{uuid4().hex[:10]}"},
        )
        rest = iter(records)
        for number in range(2**31):
            part = list(islice(rest, PART))
            if not part:
                break
            ErrandPart.objects.using(using).create(
                errand=errand, number=number, records=[[str(key), sequence] for key, sequence, _ in part]
            )
            for _, _, state in part:
                states[state] = states.get(state, 0) + 1
            total += len(part)
        errand.total, errand.payload["states"] = total, states
        errand.save(using=using, update_fields=["total", "payload"])
    return errand


def begin(errand: Errand, arguments: Mapping[str, Any], sent: str) -> bool:
    """Have it done with these arguments, raw as ``fire()`` takes them. ``False`` when it was begun already."""
    return errands.begin(errand, payload={**errand.payload, "arguments": dict(arguments), "sent": sent})


def stale(errand: Errand) -> Iterator[str]:
    """The keys of the records that somebody else had changed, so that trying again may help."""
    for line, _ in lines(errand):
        if line[4]:
            yield line[0]


def lines(errand: Errand) -> Iterator[tuple[Line, str]]:
    """What became of each record so far, with its reason, in the order of the parts."""
    parts = ErrandPart.objects.using(errand._state.db).filter(errand=errand, done_at__isnull=False)
    outcome: Any
    for outcome in parts.order_by("number").values_list("outcome", flat=True).iterator(chunk_size=50):
        for line in outcome["lines"]:
            yield line, outcome["reasons"][line[3]] if line[3] >= 0 else ""


# --- carrying out -------------------------------------------------------------------------------------------


def _do(carrying: Carrying) -> None:
    errand, using = carrying.errand, carrying.using
    try:
        model: Any = get(errand.model_label)
    except LookupError:
        raise GiveUp(f"There is no lifecycle {errand.model_label} any more.") from None
    event = model._lifecycle.table.events.get(errand.payload["event"])
    if event is None:
        raise GiveUp(f"There is no event “{errand.payload['event']}” any more.")
    left = ErrandPart.objects.using(using).filter(errand=errand, done_at=None).order_by("number")
    while (part := left.first()) is not None:
        _patiently(carrying, part, model, event)
        carrying.look_up()


def _patiently(carrying: Carrying, part: ErrandPart, model: Any, event: Event) -> None:
    for tries_left in reversed(range(TRIES)):
        try:
            return _part(carrying, part, model, event)
        except StaleState:  # the whole transaction was given up: another one was in the way
            if not tries_left:
                raise
            time.sleep(0.05 * (TRIES - tries_left))
    return None


def _part(carrying: Carrying, part: ErrandPart, model: Any, event: Event) -> None:
    errand, using, binding = carrying.errand, carrying.using, model._lifecycle
    user, surface = carrying.user(), errand.payload["surface"]
    with collecting(surface), writing(using, savepoint=True):
        there = _there(binding, using, [key for key, _ in part.records], user)
        fresh = [there[key][0] for key, number in part.records if key in there and there[key][1] == number]
        found: dict[str, Any] = {}
        if fresh:
            rows: QuerySet[Any] = QuerySet(model, using=using)
            done = fire_many(
                rows.filter(**{f"{binding.key_attname}__in": fresh}),
                event,
                actor=user,
                arguments=errand.payload.get("arguments") or None,
                metadata={"bulk": errand.payload["code"]},
                all_or_nothing=False,
                batch_size=len(fresh),
                progress=None,
            )
            found = {str(one.pk): one for one in done.results}
        outcome = _outcome(part.records, there, found)
        ErrandPart.objects.using(using).filter(pk=part.pk).update(outcome=outcome, done_at=timezone.now())
        moved = [there[line[0]][0] for line in outcome["lines"] if line[2] is not None]
        if moved and surface in _witnesses:
            _witnesses[surface](errand, user, event, moved)
        carrying.note(errand.done + len(part.records), result=_added(errand.result, outcome))


def _there(binding: Binding, using: str, keys: Sequence[str], user: Any) -> dict[str, tuple[Any, int, str]]:
    """Those of the records that are there and that the user may see, locked: key, newest entry, state."""
    name = binding.key_attname
    rows: QuerySet[Any] = QuerySet(binding.model, using=using).filter(**{f"{name}__in": keys})
    features, locked = connections[using].features, rows.order_by(name)
    if features.has_select_for_update:
        locked = locked.select_for_update(no_key=features.has_select_for_no_key_update)
    columns = (name, SEQUENCE, binding.state_name)
    found = {str(row[0]): row for row in locked.values_list(*columns)}
    seen = {str(key) for key in visible(rows, user).values_list(name, flat=True)}
    return {key: row for key, row in found.items() if key in seen}


def _outcome(
    records: Sequence[Sequence[Any]], there: Mapping[str, tuple[Any, int, str]], found: Mapping[str, Any]
) -> dict[str, Any]:
    """What became of each record of a part; each reason stands there once."""
    reasons: dict[str, int] = {}
    lines: list[Line] = []
    for key, _ in records:
        row, one = there.get(key), found.get(key)
        if row is None:
            lines.append([key, None, None, _number(reasons, GONE), False])
        elif one is None:
            lines.append([key, row[2], None, _number(reasons, CHANGED), True])
        elif one.ok:
            lines.append([key, one.from_state, one.to_state, -1, False])
        else:
            why = " ".join(dict.fromkeys(denial.reason for denial in one.denials))
            again = any(denial.code == "stale_state" for denial in one.denials)
            lines.append([key, one.from_state or row[2], None, _number(reasons, why), again])
    return {"reasons": list(reasons), "lines": lines}


def _number(reasons: dict[str, int], reason: str) -> int:
    return reasons.setdefault(reason[:LONGEST], len(reasons))


def _added(result: Mapping[str, Any], outcome: Mapping[str, Any]) -> dict[str, Any]:
    """The result with one more part: counts are complete; of the records the first of a sort are named."""
    moved, refused, changed = (result.get(name, 0) for name in ("moved", "refused", "changed"))
    named = list(result.get("named", []))
    groups = {(one["stale"], one["reason"]): dict(one) for one in result.get("groups", [])}
    for key, source, target, number, again in outcome["lines"]:
        if target is not None:
            moved += 1
            if len(named) < NAMED:
                named.append([key, source, target])
            continue
        refused, changed = refused + (not again), changed + bool(again)
        place = (bool(again), outcome["reasons"][number])
        if place not in groups and len(groups) >= REASONS:
            place = (bool(again), OTHER)
        group = groups.setdefault(place, {"stale": place[0], "reason": place[1], "number": 0, "records": []})
        group["number"] += 1
        if len(group["records"]) < NAMED:
            group["records"] = [*group["records"], [key, source]]
    return {
        "moved": moved,
        "refused": refused,
        "changed": changed,
        "named": named,
        "groups": list(groups.values()),
    }


def _tidied(errand: Errand) -> dict[str, Any]:
    """Answers are kept only where they may be needed again."""
    kept = {name: value for name, value in errand.payload.items() if name != "arguments"}
    if not errand.result.get("changed"):
        kept["sent"] = ""
    return {"payload": kept}


errands.register(KIND, "Events on many records", _do, tidy=_tidied)
