"""A conversation as Server-Sent Events, from the rows of its runs: every event once, in order, as it is written.

An event's id is ``run-seq``; ``Last-Event-ID``, or
``after`` in the address, says where to go on. Under WSGI a stream is a thread, so it ends after 25 seconds and whenever
nothing is at work; a browser comes back by itself. Who has ``STREAMS_PER_USER`` open gets what is new, and the browser
asks again after a while. Must not know how a piece is drawn.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from asyncio import sleep
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar, Final

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections, router
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.template.loader import render_to_string

from fsm_lifecycle import event_stream
from fsm_lifecycle.access.stores import user_text
from fsm_lifecycle.admin.agents import whose
from fsm_lifecycle.admin.agents.bars import bars
from fsm_lifecycle.admin.agents.conversation import SURFACE
from fsm_lifecycle.admin.agents.drawing import Reader
from fsm_lifecycle.admin.agents.saying import announced, status_of
from fsm_lifecycle.admin.agents.thread import Thread
from fsm_lifecycle.admin.section.page import Page
from fsm_lifecycle.agents import registry
from fsm_lifecycle.agents.event import AgentEvent
from fsm_lifecycle.agents.proposal import PENDING
from fsm_lifecycle.agents.risk import FOUR_EYES
from fsm_lifecycle.agents.run import QUEUED, RUNNING, WAITING, AgentRun
from fsm_lifecycle.event_stream import Place

_ID: Final = re.compile(r"([0-9]{1,18})-([0-9]{1,9})", re.ASCII)
#: So many events are read at once.
_BATCH: Final = 200
_BARS: Final = "admin/fsm_lifecycle/section/agents/bars.html"
#: How soon a browser comes back to a stream that ended, and that it should wait longer, as nothing more is sent now.
_RETRY: Final = b"retry: 500\n\n"
_REST: Final = event_stream.frame("{}", event="rest")

Cursor = tuple[int, int]


def cursor_of(text: str) -> Cursor:
    """Where to go on, from an event's id; the beginning for anything unreadable."""
    found = _ID.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


class StreamPage(Page):
    """The stream of one conversation of one's own."""

    name = "chat_stream"
    route = "<lifecycle_label:label>/agent/chat/<uuid:conversation>/stream/"
    permission = whose.USE_AGENTS
    title = "Stream of a conversation"
    under = "agents"
    http_method_names = ["get"]

    #: Seconds between two looks while something is at work and while nothing is, and between two heartbeats.
    interval: ClassVar[float] = 0.2
    idle: ClassVar[float] = 1.0
    heartbeat: ClassVar[float] = 15.0
    #: Seconds until a browser has to come again, under WSGI and under ASGI.
    cap: ClassVar[float] = 25.0
    lifetime: ClassVar[float] = 900.0

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        after = cursor_of(request.headers.get("Last-Event-ID") or request.GET.get("after", ""))
        reader = Reader(self._site, request.user, get_token(request), back=True)
        teller = Teller(reader, kwargs["conversation"], after)
        if not teller.runs().exists():
            raise Http404("There is no such conversation of yours.")
        place = event_stream.take("chat", user_text(request.user))
        tell = self._later if isinstance(request, ASGIRequest) else self._now
        return StreamingHttpResponse(
            tell(teller, place), content_type=event_stream.CONTENT_TYPE, headers=event_stream.HEADERS
        )

    def _now(self, teller: Teller, place: Place | None) -> Iterator[bytes]:
        """For a WSGI server: a thread is held, so not for long, and not at all where nothing happens."""
        until, said = time.monotonic() + self.cap, time.monotonic()
        try:
            yield _RETRY
            while True:
                frames = teller.look()
                if frames is None:
                    return
                yield from frames
                now = time.monotonic()
                said = now if frames else said
                if not teller.more and (place is None or not teller.busy):
                    yield _REST
                    return
                if now >= until:
                    return
                if now - said >= self.heartbeat:
                    yield event_stream.PING
                    said = now
                if not teller.more:
                    time.sleep(min(self.interval, max(0.0, until - now)))
        finally:
            if place is not None:
                place.leave()

    async def _later(self, teller: Teller, place: Place | None) -> AsyncIterator[bytes]:
        """For an ASGI server: it costs little, so it stays."""
        began = said = held = time.monotonic()
        try:
            yield _RETRY
            while time.monotonic() - began < self.lifetime:
                frames = await sync_to_async(_looked, thread_sensitive=False)(teller)
                if frames is None:
                    return
                for one in frames:
                    yield one
                    said = time.monotonic()
                if place is None and not teller.more:
                    yield _REST
                    return
                if place is not None and time.monotonic() - held > event_stream.HELD_FOR / 3:
                    await sync_to_async(place.hold, thread_sensitive=False)()
                    held = time.monotonic()
                if time.monotonic() - said >= self.heartbeat:
                    yield event_stream.PING
                    said = time.monotonic()
                if not teller.more:
                    await sleep(self.interval if teller.busy else self.idle)
        finally:
            if place is not None:
                await sync_to_async(place.leave, thread_sensitive=False)()


def _looked(teller: Teller) -> list[bytes] | None:
    close_old_connections()
    try:
        return teller.look()
    finally:
        close_old_connections()


class Teller:
    """What is new in a conversation, as frames."""

    def __init__(self, reader: Reader, conversation: uuid.UUID, after: Cursor) -> None:
        self.reader = reader
        self.conversation = conversation
        self.run, self.seq = after
        self.busy = True
        """Whether something is at work, as far as was seen."""
        self.more = False
        """Whether there is more to read at once."""
        self._thread: Thread | None = None
        self._state = ""
        self._asked = time.monotonic()

    def runs(self) -> Any:
        """The conversation's runs; none that are not the reader's own."""
        rows = whose.runs_of(self.reader.user).filter(
            user_key=str(self.reader.user.pk), conversation=self.conversation, surface=SURFACE
        )
        return rows.select_related("user").order_by("pk")

    def look(self) -> list[bytes] | None:
        """What is new since the last look; ``None`` once the reader may not read on."""
        if time.monotonic() - self._asked > 2:
            self._asked = time.monotonic()
            if not self._still_may():
                return None
        found: list[bytes] = []
        self.more = False
        runs = list(self.runs().filter(pk__gte=self.run))
        for run in runs:
            if run.pk > self.run:
                self.run, self.seq, self._thread = run.pk, 0, None
            found += self._of(run)
            if self.more:
                return found
        if runs:
            self.busy = runs[-1].status in (QUEUED, RUNNING)
            found += self._state_of(runs[-1])
        else:
            self.busy = False
        return found

    def _of(self, run: AgentRun) -> Iterator[bytes]:
        events = AgentEvent.objects.using(router.db_for_write(AgentEvent)).filter(run_id=run.pk)
        fresh = list(events.filter(seq__gt=self.seq).order_by("seq")[:_BATCH])
        if not fresh and self._thread is not None:
            return
        if self._thread is None:
            self._thread = Thread(run)
            for event in events.filter(seq__lte=self.seq).order_by("seq"):
                self._thread.take(event)
            if self.seq == 0:
                yield from (
                    _frame("piece", {"key": piece.key, "html": self.reader.draw(piece, run)})
                    for piece in list(self._thread.pieces.values())
                )
        for event in fresh:
            piece, text = self._thread.take(event)
            self.seq = event.seq
            at = f"{run.pk}-{event.seq}"
            if piece is None:
                yield _frame("seen", {}, at)
            elif text:
                yield _frame("text", {"key": piece.key, "text": text}, at)
            else:
                yield _frame("piece", {"key": piece.key, "html": self.reader.draw(piece, run)}, at)
        self.more = len(fresh) == _BATCH

    def _state_of(self, run: AgentRun) -> Iterator[bytes]:
        """How it stands, whenever that has changed: status, budget, what can be done."""
        told = {**state_of(run), "bars": budget_of(run)}
        text = json.dumps(told)
        if text != self._state:
            self._state = text
            yield _frame("state", told)

    def _still_may(self) -> bool:
        user = get_user_model()._base_manager.filter(pk=self.reader.user.pk).first()
        return bool(user is not None and user.is_active and user.is_staff and user.has_perm(whose.USE_AGENTS))


def state_of(run: AgentRun) -> dict[str, Any]:
    """How a run stands, for a page and for the stream."""
    busy = run.status in (QUEUED, RUNNING)
    return {
        "status": status_of(run),
        "said": announced(run),
        "busy": busy,
        "over": run.is_over,
        "first": _first(run),
        "doing": _doing(run),
    }


def _first(run: AgentRun) -> str:
    """What has to happen before anything can be sent; empty where nothing is waited for."""
    if run.status != WAITING or run.stop_requested:
        return ""
    waiting = whose.proposals().filter(run=run, status=PENDING)
    if waiting.filter(mode=FOUR_EYES).exists():
        return "Another person decides above first. You can wait, or stop."
    return "Decide above first, or stop."


def _doing(run: AgentRun) -> str:
    if run.stop_requested:
        return "Stopping"
    return "Waits for a worker" if run.status == QUEUED else "At work"


def budget_of(run: AgentRun) -> str:
    """The bars of a run's budget as HTML."""
    try:
        profile = registry.get(run.agent)
    except LookupError:
        return ""
    return render_to_string(_BARS, {"bars": bars(profile, run)})


def _frame(kind: str, data: dict[str, Any], at: str = "") -> bytes:
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return event_stream.frame(text, at=at, event=kind)
