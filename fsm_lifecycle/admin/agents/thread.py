"""Owns a conversation as people read it: the events of its runs, folded into messages, tool calls, proposals, notes.

A page that is loaded, one that is loaded again in the middle, a second tab and the stream all fold the same rows. Must
not know HTML, nor who reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from fsm_lifecycle.admin.agents.saying import came_of, ended
from fsm_lifecycle.agents.event import AgentEvent
from fsm_lifecycle.agents.run import FAILED, STOPPED, AgentRun

YOU: Final = "you"
AGENT: Final = "agent"
TOOL: Final = "tool"
ASK: Final = "ask"
NOTE: Final = "note"

#: Characters of an answer that a page shows; all of it stands in the rows.
_SHOWN: Final = 20_000


@dataclass(slots=True)
class Piece:
    """One item of a conversation."""

    key: str
    """Its id on the page; the same whenever it is drawn."""
    kind: str
    at: datetime
    text: str = ""
    """What was said, or why it ended."""
    title: str = ""
    """Of a note."""
    by: str = ""
    """The key of who pressed stop, of the note that says so."""
    writing: bool = False
    """Whether the model is still writing it."""
    broken: bool = False
    """Whether the model was broken off, so that it is no part of the conversation."""
    name: str = ""
    """Of a tool."""
    arguments: str = ""
    answer: str = ""
    """As JSON; empty while there is none."""
    came_of: str = ""
    refused: bool = False
    milliseconds: int | None = None
    entry: str = ""
    """The hash of the log's entry that it wrote."""
    fired: int = 0
    """How many events it fired."""
    proposal: int | None = None


class Thread:
    """One run, folded event by event."""

    def __init__(self, run: AgentRun) -> None:
        self.run = run
        self.pieces: dict[str, Piece] = {}
        self.seq = 0
        """The last event that was taken in."""
        self.stopped_by = ""
        """The key of who pressed stop, if somebody did."""
        self._attempt = 0
        if run.model or run.prompt:
            self._put(Piece(f"r{run.pk}-you", YOU, run.created_at, text=run.prompt or "(erased)"))

    def take(self, event: AgentEvent) -> tuple[Piece | None, str]:
        """Take an event in. Returns the piece that it changed, and the text that it added where it added nothing else.

        Events come in their order; one that was taken in before changes nothing.
        """
        if event.seq <= self.seq:
            return None, ""
        self.seq = event.seq
        fold = getattr(self, f"_{event.kind}", None)
        if fold is None:
            return None, ""
        payload = event.payload if isinstance(event.payload, Mapping) else {}
        found: tuple[Piece | None, str] = fold(event, payload)
        return found

    def _put(self, piece: Piece) -> tuple[Piece, str]:
        self.pieces[piece.key] = piece
        return piece, ""

    # One method for each kind of event

    def _text(self, event: AgentEvent, payload: Mapping[str, Any]) -> tuple[Piece | None, str]:
        key = f"r{self.run.pk}-m{payload.get('message', 0)}-{self._attempt}"
        text = str(payload.get("text", "(erased)"))
        piece = self.pieces.get(key)
        if piece is None:
            return self._put(Piece(key, AGENT, event.at, text=text, writing=True))
        piece.text += text
        return piece, text

    def _message(self, event: AgentEvent, payload: Mapping[str, Any]) -> tuple[Piece | None, str]:
        piece = self._being_written()
        if piece is not None:
            piece.writing = False
        return piece, ""

    def _discarded(self, event: AgentEvent, payload: Mapping[str, Any]) -> tuple[Piece | None, str]:
        piece = self._being_written()
        self._attempt += 1
        if piece is not None:
            piece.writing, piece.broken = False, True
        return piece, ""

    def _being_written(self) -> Piece | None:
        return next((one for one in reversed(self.pieces.values()) if one.writing), None)

    def _tool_call(self, event: AgentEvent, payload: Mapping[str, Any]) -> tuple[Piece | None, str]:
        given = payload.get("arguments", "erased")
        piece = Piece(self._of_call(event), TOOL, event.at, name=str(payload.get("name", "")))
        piece.arguments = "" if given == {} else pretty(given)
        return self._put(piece)

    def _tool_result(self, event: AgentEvent, payload: Mapping[str, Any]) -> tuple[Piece | None, str]:
        piece = self.pieces.get(self._of_call(event))
        if piece is None:
            return None, ""
        result = payload.get("result")
        piece.answer, piece.came_of = pretty(result), came_of(result)
        piece.refused = payload.get("success") is not True
        seconds = payload.get("seconds")
        piece.milliseconds = None if seconds is None else round(1000 * seconds)
        if isinstance(result, Mapping) and result.get("success") is True:
            piece.entry = str(result.get("entry") or "")
            steps = result.get("steps")
            piece.fired = len(steps) if isinstance(steps, list) else int(bool(piece.entry))
        return piece, ""

    def _refused(self, event: AgentEvent, payload: Mapping[str, Any]) -> tuple[Piece | None, str]:
        self._put(Piece(self._of_call(event), TOOL, event.at, name=str(payload.get("name", ""))))
        return self._tool_result(event, payload)

    def _proposal(self, event: AgentEvent, payload: Mapping[str, Any]) -> tuple[Piece | None, str]:
        piece = self.pieces.get(self._of_call(event)) or Piece(self._of_call(event), ASK, event.at)
        piece.kind, piece.proposal = ASK, payload.get("proposal")
        return self._put(piece)

    def _decision(self, event: AgentEvent, payload: Mapping[str, Any]) -> tuple[Piece | None, str]:
        return self.pieces.get(self._of_call(event)), ""

    def _stop(self, event: AgentEvent, payload: Mapping[str, Any]) -> tuple[Piece | None, str]:
        self.stopped_by = str(payload.get("by", ""))
        return None, ""

    def _status(self, event: AgentEvent, payload: Mapping[str, Any]) -> tuple[Piece | None, str]:
        if payload.get("status") not in (STOPPED, FAILED):
            return None, ""
        self.run.status, self.run.stop_reason = payload["status"], str(payload.get("stop_reason", ""))
        title, reason = ended(self.run)
        if self.stopped_by:  # the title says who
            reason = ""
        text = " ".join(part for part in (reason, str(payload.get("note", "")), self._left_behind()) if part)
        note = Piece(f"r{self.run.pk}-end", NOTE, event.at, title=title, text=text, by=self.stopped_by)
        return self._put(note)

    def _left_behind(self) -> str:
        """What a run that ended early has done, and what not."""
        fired = sum(piece.fired for piece in self.pieces.values())
        if not fired:
            return "It has fired no event."
        return f"It had fired {f'{fired} events, which stay' if fired > 1 else 'one event, which stays'}; no other."

    def _of_call(self, event: AgentEvent) -> str:
        # A call is named by its place (“2.0”), or as another surface names it; an id on the page takes neither dots
        # nor anything strange.
        plain = "".join(char if char.isascii() and char.isalnum() else "_" for char in event.call or "")
        return f"r{self.run.pk}-c{plain}"


def pretty(value: Any) -> str:
    """JSON as people read it: an object line by line, a short one on one line."""
    if isinstance(value, str):
        return value
    short = json.dumps(value, ensure_ascii=False, default=str)
    text = short if len(short) <= 90 else json.dumps(value, ensure_ascii=False, indent=2, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}\n… ({len(text):,} characters)"
