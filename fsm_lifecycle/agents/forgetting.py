"""Owns what runs keep of a record and of a person, and what becomes of it when that is to go.

A conversation is text: what it tells of a record cannot be cut out of it. So the conversations that saw the record lose
their texts, arguments and results; who, when, which tool and with which outcome stays. Must not know when it is asked.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from django.db import router
from django.db.models import QuerySet

from fsm_lifecycle.agents.event import AgentEvent
from fsm_lifecycle.agents.message import AgentMessage
from fsm_lifecycle.agents.proposal import Proposal
from fsm_lifecycle.agents.run import OVER, AgentRun
from fsm_lifecycle.agents.seen import ANY, SeenRecord
from fsm_lifecycle.agents.token import McpToken
from fsm_lifecycle.ledger import clearing
from fsm_lifecycle.ledger.clearing import Change, Erased, Subject
from fsm_lifecycle.ledger.redaction import texts

#: What stands in a message's blocks instead of what was said, and what of them stays: a call and its result are nothing
#: one without the other. No argument is called so, and a call that was not run yet is refused.
_ERASED: Final[dict[str, dict[str, Any]]] = {
    "text": {"text": "(erased)"},
    "tool_use": {"input": {"(erased)": True}},
    "tool_result": {"content": "(erased)"},
}
_KEPT: Final = ("id", "name", "tool_use_id", "is_error")

#: What stays of an event: codes, keys and counts.
_STAYS: Final = frozenset(
    "name success code seconds status stop_reason proposal mode lifecycle by message kept turn input output "
    "bytes".split()
)


def of_entries(using: str, erased: Sequence[Erased], /) -> Iterator[Change]:
    """Copies of redacted fields: they stand in what runs were shown of the record."""
    for label, key in dict.fromkeys((one.model_label, one.object_pk) for one in erased):
        yield from of_record(using, label, key)


def of_record(using: str, model_label: str, object_pk: str, /) -> Iterator[Change]:
    """The conversations that saw a record lose what was said; their proposals lose arguments and reasons."""
    if not router.allow_migrate_model(using, AgentRun):
        return
    seen: QuerySet[Any] = QuerySet(SeenRecord, using=using)
    seen = seen.filter(model_label=model_label, object_pk__in=(object_pk, ANY))
    # With what was said after: a later run of the conversation was told all of it.
    rows: QuerySet[Any] = QuerySet(AgentRun, using=using)
    told = rows.filter(conversation__in=seen.values("run__conversation"))
    runs = list(told.order_by("pk").values_list("pk", flat=True))
    for page in _pages(runs):
        yield from _of_runs(using, page)
        # Nothing is left in it that could tell of another record, so that it is not looked through again.
        over = {"run_id__in": page, "run__status__in": OVER, "object_pk": ANY}
        for key, _ in _rows(SeenRecord, using, over, "run_id"):
            yield SeenRecord, key, None


def of_person(using: str, person: Subject, /) -> Iterator[Change]:
    """The person's own runs lose what was said, their tokens their labels; of others, what names the person."""
    if not router.allow_migrate_model(using, AgentRun):
        return
    rows: QuerySet[Any] = QuerySet(AgentRun, using=using)
    own = list(rows.filter(user_key=person.id).values_list("pk", flat=True))
    for page in _pages(own):
        yield from _of_runs(using, page)
    yield from _of_others(using, person, set(own))
    yield from _labels(using, person)


def _of_others(using: str, person: Subject, mine: set[int]) -> Iterator[Change]:
    others = []
    for key, prompt, answer in clearing.rows_of(AgentRun, using, "prompt", "answer"):
        if key in mine:
            continue
        others.append(key)
        if person.named_in(prompt) or person.named_in(answer):
            yield AgentRun, key, {"prompt": "", "answer": ""}
    for page in _pages(others):
        yield from _of_streamed(using, person, page)
    for key, run, content in clearing.rows_of(AgentMessage, using, "run_id", "content"):
        if run not in mine and _names(person, content):
            yield AgentMessage, key, {"content": _without_words(content)}
    for key, run, kind, payload in clearing.rows_of(AgentEvent, using, "run_id", "kind", "payload"):
        if run not in mine and kind != "text" and _names(person, payload):
            yield AgentEvent, key, {"payload": _left(payload)}
    columns = ("run_id", "arguments", "steps", "reason", "outcome")
    for key, run, *values in clearing.rows_of(Proposal, using, *columns):
        if run not in mine and _names(person, values):
            yield Proposal, key, _emptied()


def _labels(using: str, person: Subject) -> Iterator[Change]:
    for key, user, label in clearing.rows_of(McpToken, using, "user_id", "label"):
        if label and (str(user) == person.id or person.named_in(label)):
            yield McpToken, key, {"label": ""}


def _of_streamed(using: str, person: Subject, runs: list[int]) -> Iterator[Change]:
    """Answers as they were streamed, each judged as a whole: a name may begin in one piece and end in the next."""
    rows: QuerySet[Any] = QuerySet(AgentEvent, using=using)
    rows = rows.filter(run_id__in=runs, kind__in=("text", "discarded")).order_by("run_id", "seq")
    answers: dict[tuple[Any, ...], list[tuple[Any, dict[str, Any]]]] = {}
    tries: Counter[tuple[Any, ...]] = Counter()
    for key, run, kind, payload in rows.values_list("pk", "run_id", "kind", "payload"):
        message = (run, payload.get("message"))
        if kind == "discarded":
            tries[message] += 1
        else:
            answers.setdefault((*message, tries[message]), []).append((key, payload))
    for pieces in answers.values():
        if person.named_in("".join(payload.get("text", "") for _, payload in pieces)):
            for key, payload in pieces:
                yield AgentEvent, key, {"payload": _left(payload)}


def _names(person: Subject, value: Any) -> bool:
    raw = json.dumps(value, ensure_ascii=False, default=str)
    return person.may_be_named_in(raw) and any(map(person.named_in, texts(value)))


def _of_runs(using: str, runs: list[int]) -> Iterator[Change]:
    for key, prompt, answer in _rows(AgentRun, using, {"pk__in": runs}, "prompt", "answer"):
        if prompt or answer:
            yield AgentRun, key, {"prompt": "", "answer": ""}
    for key, content in _rows(AgentMessage, using, {"run_id__in": runs}, "content"):
        if (bare := _without_words(content)) != content:
            yield AgentMessage, key, {"content": bare}
    for key, payload in _rows(AgentEvent, using, {"run_id__in": runs}, "payload"):
        if (left := _left(payload)) != payload:
            yield AgentEvent, key, {"payload": left}
    columns = ("arguments", "steps", "reason", "outcome")
    for key, *values in _rows(Proposal, using, {"run_id__in": runs}, *columns):
        if any(values):
            yield Proposal, key, _emptied()


def _rows(model: Any, using: str, which: dict[str, Any], *columns: str) -> Iterable[Any]:
    """A page at a time, because what is yielded is written meanwhile."""
    rows: QuerySet[Any] = QuerySet(model, using=using).filter(**which).order_by("pk")
    page = list(rows.values_list("pk", *columns)[:500])
    while page:
        yield from page
        page = list(rows.filter(pk__gt=page[-1][0]).values_list("pk", *columns)[:500])


def _without_words(content: Any) -> list[dict[str, Any]]:
    """A message's blocks as a conversation can go on with them, without what was said."""
    found = []
    for block in content:
        kind = block["type"]
        if kind in _ERASED:
            kept = {name: block[name] for name in _KEPT if name in block}
            found.append({"type": kind, **kept, **_ERASED[kind]})
    return found or [{"type": "text", **_ERASED["text"]}]


def _pages(runs: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(runs), 200):
        yield runs[start : start + 200]


def _left(payload: Any) -> dict[str, Any]:
    """What stays of an event's payload."""
    if not isinstance(payload, dict):
        return {}
    return {name: value for name, value in payload.items() if name in _STAYS}


def _emptied() -> dict[str, Any]:
    # One that is still open no longer fits its digest: approving it says that it is stale.
    return {"arguments": {}, "steps": [], "reason": "", "outcome": None}


clearing.register("agents", entries=of_entries, record=of_record, person=of_person)
