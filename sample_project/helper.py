"""A helper that needs no key: a script that stands in for a language model, so that the demo's agents do something.

It is no model. It understands the examples that the agents offer and what resembles them: a kind of record, a state, an
event, a number. What it does, it does through the same tools and limits as a model.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fsm_lifecycle.agents.providers.scripted import Call, Task, call, script

#: What is done to many records at once, at most.
MANY = 5
Talk = Generator[Call, Any, str]


@dataclass(frozen=True)
class Kind:
    """One kind of record, as the tools' names tell of it."""

    one: str
    many: str
    listing: str
    tools: Mapping[str, Mapping[str, Any]]

    @property
    def in_words(self) -> str:
        """What people call one of them."""
        told: str = self.tools[f"get_{self.one}"]["input_schema"]["properties"]["id"]["description"]
        return told.removeprefix("The id of the ").removesuffix(".")

    @property
    def filters(self) -> Mapping[str, Any]:
        """What a list may be narrowed by."""
        found: Mapping[str, Any] = self.tools[self.listing]["input_schema"]["properties"]["filters"][
            "properties"
        ]
        return found

    @property
    def states(self) -> list[str]:
        """The states that a list may be narrowed to."""
        found: list[str] = self.tools[self.listing]["input_schema"]["properties"]["state"]["enum"]
        return found

    @property
    def events(self) -> dict[str, str]:
        """Its events, each with its tool."""
        ending = f"_{self.one}"
        others = (f"get{ending}", f"available_events_for{ending}", f"transition_history_for{ending}")
        return {n.removesuffix(ending): n for n in self.tools if n.endswith(ending) and n not in others}


@script("helper", pace=0.02)
def helper(task: Task) -> Talk:
    """Does what the prompt asks for, as far as it can tell."""
    if "overdue" in task.tools and re.search(r"overdue|past (their|its) due", task.prompt, re.IGNORECASE):
        return (yield from _overdue(task))
    if "busiest_products" in task.tools and re.search(r"products?\b", task.prompt, re.IGNORECASE):
        return (yield from _products())
    if "owed" in task.tools and re.search(r"\bowes?\b", task.prompt, re.IGNORECASE):
        return (yield from _owed())
    kinds = list(_kinds(task))
    if not kinds:
        return "I have no tools for any records here."
    kind = next((k for k in kinds if _is_meant(task.prompt, k)), kinds[0])
    event = _event(task.prompt, kind)
    if event is None:
        return (yield from _tell(task, kind))
    return (yield from _do(task, kind, event))


def _overdue(task: Task) -> Talk:
    days = re.search(r"(\d+)\s+days?", task.prompt)
    asked = {"days": int(days[1])} if days else {}
    found = yield call("overdue", "Let me see which invoices are past their due date.", **asked)
    late = found["untrusted"] if found["success"] else []
    if not late:
        return "No sent invoice is past its due date by that much. There is nothing to mark."
    tool = "mark_overdue_invoice"
    if tool not in task.tools or not re.search(r"\bmark\b", task.prompt, re.IGNORECASE):
        return f"{_count(len(late), 'invoice')} past due: {_listed(one['number'] for one in late)}."
    marked: list[str] = []
    refused: list[str] = []
    for one in late[:MANY]:
        result = yield call(
            tool, f"{one['number']} was due on {one['due_on']}.", id=one["id"], expected_state="sent"
        )
        (marked if result["success"] else refused).append(one["number"])
    parts = [f"I marked {_count(len(marked), 'invoice')} as overdue: {_listed(marked)}."] if marked else []
    parts += [f"These were refused: {_listed(refused)}."] if refused else []
    parts += [f"{len(late) - MANY} more are late; ask me again."] if len(late) > MANY else []
    return " ".join(parts)


def _products() -> Talk:
    found = yield call("busiest_products", "Let me count.")
    rows = found["untrusted"] if found["success"] else []
    if not rows:
        return "No ticket is in progress."
    return (
        "Tickets in progress by product: "
        + _listed(f"{row['product']} ({row['tickets']})" for row in rows)
        + "."
    )


def _owed() -> Talk:
    found = yield call("owed", "Let me add up what is sent and not paid.")
    rows = found["untrusted"] if found["success"] else []
    if not rows:
        return "Nobody owes anything: no invoice is sent and unpaid."
    lines = [
        f"- {row['client']}: {row['amount']} EUR on {_count(row['invoices'], 'invoice')}" for row in rows
    ]
    return "What clients owe, the most first:\n" + "\n".join(lines)


def _tell(task: Task, kind: Kind) -> Talk:
    state = _state(task.prompt, kind)
    asked = {"state": state} if state else {}
    page = yield call(kind.listing, f"Let me look at the {kind.many}.", **asked)
    if not page["success"]:
        return f"I could not look: {' '.join(page['reasons'])}"
    rows = page["records"]
    if not rows:
        return f"You see no {kind.in_words}s{_in(state)}."
    lines = [f"- {_name(row)}: {_words(row['state'])}" for row in rows[:10]]
    many = (
        f"{len(rows)} {kind.in_words}s or more" if page["next_cursor"] else _count(len(rows), kind.in_words)
    )
    more = ". The first of them:" if len(rows) > 10 else ":"
    return f"You see {many}{_in(state)}{more}\n" + "\n".join(lines)


def _do(task: Task, kind: Kind, event: str) -> Talk:
    tool = kind.events[event]
    state = _state(task.prompt, kind) or _first_source(task, tool, kind)
    many = re.search(r"\b(all|every|each)\b|\bmy\b", task.prompt, re.IGNORECASE)
    number = None if many else _number(task.prompt)
    asked: dict[str, Any] = {}
    if number and "number" in kind.filters:
        asked["filters"] = _numbered(kind, number)
    elif not number and state:
        asked["state"] = state
    wanted = kind.in_words if number or not many else f"{kind.in_words}s"
    page = yield call(kind.listing, f"Let me find the {wanted} first.", **asked)
    if not page["success"]:
        return f"I could not look: {' '.join(page['reasons'])}"
    rows = [row for row in page["records"] if not number or number in (row["id"], _number(_name(row)))]
    rows = rows if many else rows[:1]
    if not rows:
        return f"You see no {kind.in_words}{f' {number}' if number else f's{_in(state)}'}."
    given, missing = _arguments(task, tool)
    if missing:
        wanted = _listed(_words(name) for name in missing)
        return f"To do that I need to be told: {wanted}. Say it after a colon, for example “…: {wanted}”."
    told = []
    for row in rows[:MANY]:
        got = yield call(f"get_{kind.one}", f"I look at {_name(row)} once more.", id=row["id"])
        if not got["success"]:
            told.append(f"{_name(row)}: {' '.join(got['reasons'])}")
            continue
        result = yield call(tool, id=row["id"], expected_state=got["current_state"], **given)
        told.append(f"{_name(row)}: {_outcome(result)}")
    return "\n".join(told)


def _outcome(result: Mapping[str, Any]) -> str:
    if result["success"]:
        return f"done, it is {_words(result['current_state'])} now."
    return f"not done. {' '.join(result['reasons'])}"


# Reading the prompt


def _kinds(task: Task) -> Iterator[Kind]:
    for name, tool in task.tools.items():
        many = name.removeprefix("list_")
        if many == name or "state" not in tool["input_schema"]["properties"]:
            continue
        one = next((o for o in (many.removesuffix("s"), many) if f"get_{o}" in task.tools), "")
        if one:
            yield Kind(one, many, name, task.tools)


def _is_meant(prompt: str, kind: Kind) -> bool:
    """Whether a word of the prompt names the kind, or ends its name: “reports” for expensereport."""
    words = (word.removesuffix("s") for word in re.findall(r"[a-z]{4,}", prompt.lower()))
    return any(kind.one.endswith(word) for word in words)


def _event(prompt: str, kind: Kind) -> str | None:
    """The event of which most words stand in the prompt."""
    best, most = None, 0
    for event in kind.events:
        words = [word for word in event.split("_") if word not in (kind.one, "in")]
        if words and all(_says(prompt, word) for word in words) and len(words) > most:
            best, most = event, len(words)
    return best


def _state(prompt: str, kind: Kind) -> str | None:
    return next((s for s in sorted(kind.states, key=len, reverse=True) if _says(prompt, _words(s))), None)


def _first_source(task: Task, tool: str, kind: Kind) -> str | None:
    properties = task.tools[tool]["input_schema"]["properties"]
    told = properties.get("expected_state", {}).get("description", "")
    _, _, sources = told.rpartition("starts from:")
    return next((s for s in re.findall(r"\w+", sources) if s in kind.states), None)


def _number(prompt: str) -> str | None:
    found = re.search(r"\b(?:[A-Z]{2,}-)?\d(?:[\w-]*\d)?\b", prompt.partition(":")[0])
    return found[0] if found and not re.match(r"\s+(days?|the)", prompt[found.end() :]) else None


def _numbered(kind: Kind, number: str) -> dict[str, Any]:
    """The filter that finds the one record with this number."""
    whole = "integer" in kind.filters["number"]["type"] and number.isdecimal()
    return {"number": int(number) if whole else number}


def _arguments(task: Task, tool: str) -> tuple[dict[str, Any], list[str]]:
    """The event's own arguments: a text after the colon, a number after the argument's name; and what is missing."""
    schema = task.tools[tool]["input_schema"]
    given: dict[str, Any] = {}
    for name in schema.get("required", []):
        if name in ("id", "expected_state"):
            continue
        kinds = schema["properties"][name].get("type", "string")
        number = re.search(rf"{_words(name)}\D{{0,5}}(\d+)", task.prompt, re.IGNORECASE)
        text = task.prompt.partition(":")[2].strip()
        if "integer" in kinds and number:
            given[name] = int(number[1])
        elif "string" in kinds and text:
            given[name] = text
    wanted = [n for n in schema.get("required", []) if n not in ("id", "expected_state")]
    return given, [name for name in wanted if name not in given]


def _says(prompt: str, words: str) -> bool:
    stem = re.escape(words.lower())
    return re.search(rf"\b{stem}(s|ed|d|led)?\b", prompt.lower()) is not None


def _words(name: str) -> str:
    return name.replace("_", " ")


def _in(state: str | None) -> str:
    return f" that are {_words(state)}" if state else ""


def _name(row: Mapping[str, Any]) -> str:
    data = row["untrusted"]
    return str(data.get("label") or data.get("number") or f"number {row['id']}")


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _listed(items: Any) -> str:
    return ", ".join(map(str, items))
