"""``scripted/<name>``: answers written beforehand, for demos and tests. Needs no key and no network.

A script is a generator: it yields tool calls, is sent their results, and returns its answer. ::

    @script("chaser")
    def chaser(task):
        page = yield call("list_invoices", state="sent")
        return f"There are {len(page['items'])} sent invoices."

It is run again from its beginning for each request, over the conversation so far, so it must always do the same with
the same results. Must not know agents.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.module_loading import import_string

from fsm_lifecycle.agents.providers.failures import ProviderMissing
from fsm_lifecycle.agents.providers.key import Key
from fsm_lifecycle.agents.providers.reply import Reply, StreamEvent, TextDelta, ToolStarted, Usage
from fsm_lifecycle.agents.providers.request import ModelRequest


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that a script makes."""

    tool: str
    arguments: Mapping[str, Any]
    saying: str = ""
    """Text before it."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a script is given."""

    prompt: str
    """What the person wrote last."""
    tools: Mapping[str, Mapping[str, Any]]
    """The tools that are offered, by name, and those that were called before: what was done may
    not be offered any more, and a script that is run again must come the same way."""
    system: str


Script = Callable[[Task], Generator[Call, Any, str]]

_scripts: Final[dict[str, Script]] = {}


def call(tool: str, /, saying: str = "", **arguments: Any) -> Call:
    """A tool call: ``result = yield call("get_invoice", id=7)``."""
    return Call(tool, arguments, saying)


def script(name: str, *, pace: float = 0) -> Callable[[Script], Script]:
    """Make a generator function known as ``scripted/<name>``. ``pace``: seconds between two words, for a demo."""

    def register(function: Script) -> Script:
        _scripts[name] = function
        function.pace = pace  # type: ignore[attr-defined]
        return function

    return register


class ScriptedProvider:
    """A script, known by name or by dotted path."""

    def __init__(self, script_name: str) -> None:
        self.script_name = script_name
        if script_name not in _scripts and "." in script_name:
            try:
                import_string(script_name)
            except ImportError:
                self._unknown()
        elif script_name not in _scripts:
            self._unknown()

    def _unknown(self) -> None:
        known = ", ".join(sorted(_scripts)) or "none"
        raise ProviderMissing(
            f"There is no script “{self.script_name}”. Known are: {known}. Register one with @script(...) in a module "
            f"that is imported at start, or name it by its dotted path."
        )

    @property
    def name(self) -> str:
        return f"scripted/{self.script_name}"

    def key(self) -> Key:
        return Key(True, "A script needs no key. It is no model: its answers were written beforehand.")

    def stream(self, request: ModelRequest) -> Iterator[StreamEvent]:
        function: Script = _scripts.get(self.script_name) or import_string(self.script_name)
        pace: float = getattr(function, "pace", 0)
        said = _replay(function, request)
        text = said if isinstance(said, str) else said.saying
        for number, word in enumerate(text.split(" ")):
            if number and pace:
                time.sleep(pace)
            if text:
                yield TextDelta(word if not number else f" {word}")
        content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
        if isinstance(said, Call):
            yield ToolStarted(said.tool)
            content.append(
                {
                    "type": "tool_use",
                    "id": f"scripted_{len(request.messages)}",
                    "name": said.tool,
                    "input": dict(said.arguments),
                }
            )
        # Nobody pays for these, but budgets and their bars are to be seen at work.
        read = len(json.dumps([request.system, list(request.messages)], default=str)) // 4
        written = min(request.max_tokens, len(json.dumps(content)) // 4 + 1)
        stop = "tool_use" if isinstance(said, Call) else "end_turn"
        yield Reply(tuple(content), stop, Usage(read, written))


def _replay(function: Script, request: ModelRequest) -> Call | str:
    """What the script says next, given the results of its calls so far."""
    prompt, results = _since_last_prompt(request.messages)
    tools = {name: {"name": name, "input_schema": {"properties": {}}} for name in _called(request.messages)}
    task = Task(prompt, {**tools, **{tool["name"]: tool for tool in request.tools}}, request.system)
    talk = function(task)
    try:
        said = next(talk)
        for result in results:
            said = talk.send(result)
    except StopIteration as ended:
        return str(ended.value or "Done.")
    finally:
        talk.close()
    return said


def _called(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    said = [block for message in messages if message["role"] == "assistant" for block in message["content"]]
    return [block["name"] for block in said if isinstance(block, Mapping) and block["type"] == "tool_use"]


def _since_last_prompt(messages: Sequence[Mapping[str, Any]]) -> tuple[str, list[Any]]:
    prompt, results = "", list[Any]()
    for message in messages:
        if message["role"] != "user":
            continue
        blocks = message["content"]
        if isinstance(blocks, str):
            blocks = [{"type": "text", "text": blocks}]
        answers = [block for block in blocks if block["type"] == "tool_result"]
        if answers:
            results += [_value(block) for block in answers]
        else:
            prompt, results = " ".join(block.get("text", "") for block in blocks), []
    return prompt, results


def _value(block: Mapping[str, Any]) -> Any:
    content = block.get("content") or ""
    if not isinstance(content, str):
        content = "".join(part.get("text", "") for part in content)
    try:
        return json.loads(content)
    except ValueError:
        return content
