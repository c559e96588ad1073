"""What errands keep of a record and of a person, and what becomes of it when that is to go.

Counts and keys stay; words go: reasons, and what was typed for an errand that is over. Must not know when it is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from django.db.models import QuerySet

from fsm_lifecycle.engine.errand import Errand, ErrandPart
from fsm_lifecycle.ledger import clearing
from fsm_lifecycle.ledger.clearing import Change, Subject

#: What people typed, in the payload.
_TYPED: Final = ("sent", "arguments")
_OVER: Final = (Errand.DONE, Errand.STOPPED, Errand.FAILED)


def of_record(using: str, model_label: str, object_pk: str, /) -> Iterator[Change]:
    """The errands that had the record among theirs lose every reason, since none says whose it is."""
    errands: QuerySet[Any] = QuerySet(Errand, using=using).filter(model_label=model_label)
    for pk, status, result, payload in errands.values_list("pk", "status", "result", "payload"):
        parts: QuerySet[Any] = QuerySet(ErrandPart, using=using).filter(errand_id=pk)
        concerned = False
        for key, records, outcome in parts.values_list("pk", "records", "outcome"):
            if any(str(one[0]) == object_pk for one in records):
                concerned = True
                yield from _changed(ErrandPart, key, outcome=(outcome, _silent(outcome, _all)))
        if concerned or object_pk in json.dumps(result):
            untyped = _untyped(payload) if status in _OVER else payload
            yield from _changed(
                Errand, pk, result=(result, _silent(result, _all)), payload=(payload, untyped)
            )


def of_person(using: str, person: Subject, /) -> Iterator[Change]:
    """Errands lose the reasons that name the person, and what was typed where that does."""
    columns = ("status", "result", "payload", "why")
    for pk, status, result, payload, why in clearing.rows_of(Errand, using, *columns):
        typed = json.dumps({name: payload[name] for name in _TYPED if name in payload}, ensure_ascii=False)
        named = status in _OVER and person.named_in(typed)
        yield from _changed(
            Errand,
            pk,
            result=(result, _silent(result, person.named_in)),
            payload=(payload, _untyped(payload) if named else payload),
            why=(why, "" if person.named_in(why) else why),
        )
    for pk, outcome in clearing.rows_of(ErrandPart, using, "outcome"):
        yield from _changed(ErrandPart, pk, outcome=(outcome, _silent(outcome, person.named_in)))


def _changed(model: type[Any], pk: Any, **columns: tuple[Any, Any]) -> Iterator[Change]:
    changes = {name: after for name, (before, after) in columns.items() if before != after}
    if changes:
        yield model, pk, changes


def _silent(tree: Any, gone: Callable[[str], bool], name: str = "") -> Any:
    """The same without the reasons that are to go."""
    if isinstance(tree, Mapping):
        return {key: _silent(value, gone, key) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_silent(value, gone, name) for value in tree]
    return "" if isinstance(tree, str) and name in ("reason", "reasons") and gone(tree) else tree


def _all(text: str) -> bool:
    return True


def _untyped(payload: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in payload.items() if name not in _TYPED}
    return {**kept, "sent": ""} if "sent" in payload else kept


clearing.register("errands", record=of_record, person=of_person)
