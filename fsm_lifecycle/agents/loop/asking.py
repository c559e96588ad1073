"""Asking the model once more: within the budget, in our own counted tries, with text kept as it comes.

Must not know what the model's tools do.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from fsm_lifecycle import conf
from fsm_lifecycle.agents.loop import conversation
from fsm_lifecycle.agents.loop.accounting import Account, Reservation
from fsm_lifecycle.agents.loop.ending import Ending, done, failed, stopped
from fsm_lifecycle.agents.loop.held import Held
from fsm_lifecycle.agents.loop.reading import pieces
from fsm_lifecycle.agents.providers import (
    ModelFailure,
    ModelRequest,
    Provider,
    ProviderMissing,
    Reply,
    TextDelta,
    ToolStarted,
)
from fsm_lifecycle.agents.providers.exact import storable
from fsm_lifecycle.agents.providers.reply import message_from

#: Seconds before the second try of a request, the third and so on; after the last one the run fails.
PAUSES: tuple[float, ...] = (0.5, 2.0, 8.0)
#: The longest that a server may have us wait.
_LONGEST_PAUSE: Final = 60.0
#: Seconds, and characters, after which text is written down.
_FLUSH: Final = 0.25
_CHUNK: Final = 2000
#: Seconds between two looks at whether to stop, while a model writes.
_LOOK: Final = 0.5

_CUT_OFF: Final = (
    "Your last message was too long and was cut off, so the tool call in it was not run. Make it shorter."
)


def gate(held: Held) -> Any:
    """The user, as the database has it now. Raises where nothing more may be done: the kill switch, the stop button."""
    if not conf.agents_enabled():
        raise stopped("disabled")
    if held.stop_requested():
        raise stopped("user")
    user = held.user()
    if user is None:
        raise stopped("user_gone")
    return user


@dataclass(slots=True)
class Question:
    """What the model is asked in one turn, in as many tries as it takes."""

    held: Held
    account: Account
    provider: Provider
    system: str
    tools: list[dict[str, Any]]
    seq: int
    """The number of the message that will hold the answer."""
    _text: str = ""
    _flushed: float = field(default_factory=time.monotonic)
    _looked: float = field(default_factory=time.monotonic)

    def ask(self) -> None:
        """Ask until there is a whole answer, and write it down. Raises ``Ending`` where that is the end."""
        messages = conversation.of(self.held.run)
        for pause in (*PAUSES, None):
            gate(self.held)
            reservation = self.account.reserve([self.system, messages, self.tools])
            request = ModelRequest(
                system=self.system,
                messages=messages,
                tools=self.tools,
                max_tokens=reservation.output,
                seconds=self.account.seconds_left,
            )
            try:
                reply = self._read(request)
            except ModelFailure as failure:
                self._failed(failure, reservation, last=pause is None)
                self._pause(max(pause or 0, failure.retry_after or 0))
            except ProviderMissing as missing:
                self.held.write(**self.account.released(reservation))
                raise failed("provider_missing", str(missing)) from None
            except Ending as ending:
                # What was used is not known: the reservation stays.
                self._discard(ending.reason)
                raise
            else:
                self._keep(reply, reservation)
                return

    # Reading

    def _read(self, request: ModelRequest) -> Reply:
        with closing(pieces(self.provider, request, tick=_FLUSH)) as found:
            for piece in found:
                if isinstance(piece, Reply):
                    self._flush()
                    return _checked(piece)
                if isinstance(piece, TextDelta):
                    self._text += piece.text
                elif isinstance(piece, ToolStarted):
                    self._flush()
                    self._started(piece.name)
                self._look()
        raise ModelFailure(f"{self.provider.name} ended without an answer.", again=True, began=True)

    def _look(self) -> None:
        now = time.monotonic()
        if len(self._text) >= _CHUNK or (self._text and now - self._flushed >= _FLUSH):
            self._flush()
        if now - self._looked >= _LOOK:
            self._looked = now
            gate(self.held)
        if self.account.seconds_left <= 0:
            raise stopped("seconds")

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        if self._text:
            text, self._text = storable(self._text), ""
            self.held.write(lambda: self._event("text", {"text": text}))

    def _started(self, name: str) -> None:
        self.held.write(lambda: self._event("tool_started", {"name": storable(name)[:128]}))

    def _event(self, kind: str, payload: dict[str, Any]) -> None:
        self.held.event(kind, {**payload, "message": self.seq})

    def _discard(self, why: str, **changes: Any) -> None:
        self._text = ""
        self.held.write(lambda: self._event("discarded", {"why": why}), **changes)

    # Failing

    def _failed(self, failure: ModelFailure, reservation: Reservation, *, last: bool) -> None:
        if failure.began:
            changes = self.account.settled(reservation, failure.usage)
        else:
            changes = self.account.released(reservation)
        self._discard(str(failure), **changes)
        if last or not failure.again:
            raise failed("model_failed", str(failure))

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + min(seconds, _LONGEST_PAUSE)
        while (left := end - time.monotonic()) > 0:
            if self.account.seconds_left <= left:
                raise stopped("seconds")
            time.sleep(min(left, _FLUSH))
            gate(self.held)

    # Keeping

    def _keep(self, reply: Reply, reservation: Reservation) -> None:
        """Write the answer down, whole, before any of its tools runs; and the end, where it is the last."""
        goes_on = reply.stop_reason == "tool_use"
        content = [dict(block) for block in reply.content if goes_on or block["type"] != "tool_use"]
        cut_off = len(content) < len(reply.content)
        changes = self.account.settled(reservation, reply.usage)
        if reply.text:
            changes["answer"] = storable(reply.text)
        usage = {
            "input": reply.usage.input,
            "output": reply.usage.output,
            "bytes": reservation.size,
            "turn": self.held.run.turns,
        }

        def keep() -> None:
            if content:
                self.held.say(self.seq, "assistant", json.loads(json.dumps(storable(content))))
            self._event("message", {"stop_reason": reply.stop_reason, "kept": bool(content)})
            self._event("usage", usage)
            if cut_off or reply.stop_reason == "pause_turn":
                text = _CUT_OFF if cut_off else "Go on."
                self.held.say(self.seq + bool(content), "user", [{"type": "text", "text": text}])

        if goes_on or cut_off or reply.stop_reason == "pause_turn":
            self.held.write(keep, **changes)
        else:
            self.held.end(_ending_of(reply, reservation), keep, **changes)
            raise Finished


def _checked(reply: Reply) -> Reply:
    """The reply, if it is one: a provider of the project's own may give anything."""
    usage = {"input_tokens": reply.usage.input, "output_tokens": reply.usage.output}
    return message_from({"content": reply.content, "stop_reason": reply.stop_reason, "usage": usage})


class Finished(Exception):
    """The answer was the last, and its step has ended the run."""


def _ending_of(reply: Reply, reservation: Reservation) -> Ending:
    if reply.stop_reason == "max_tokens":
        return stopped(reservation.capped or "max_tokens")
    if reply.stop_reason == "refusal":
        return stopped("refusal")
    if reply.stop_reason == "model_context_window_exceeded":
        return stopped("context")
    return done()
