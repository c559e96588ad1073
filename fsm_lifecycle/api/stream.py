"""The log as Server-Sent Events: every entry that the user may see, in leaf order, as it is sealed.

Served under ASGI alone; a stream would hold up a whole
process of a WSGI server, which has ``/log/?after=`` instead. Must not know how the log is read.
"""

from __future__ import annotations

import json
import time
from asyncio import sleep
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections
from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.utils.encoders import JSONEncoder

from fsm_lifecycle import event_stream
from fsm_lifecycle.access.stores import user_text
from fsm_lifecycle.api import leaves
from fsm_lifecycle.api.entries import Entries
from fsm_lifecycle.api.leaves import Batch
from fsm_lifecycle.api.log import LedgerView
from fsm_lifecycle.api.problem import Problem, unreadable


class StreamView(LedgerView):
    """The log, live."""

    parameters = ("models", "after")
    #: Seconds between two looks at the log, two heartbeats, and until a client has to come again.
    interval: ClassVar[float] = 1.0
    heartbeat: ClassVar[float] = 15.0
    lifetime: ClassVar[float] = 900.0

    def get(self, request: Any) -> StreamingHttpResponse:
        """Begin after ``Last-Event-ID``, else after ``after``, else at the beginning of the log."""
        self.refuse_unknown_parameters()
        labels, after = self.labels(), self._after()
        self._require_asgi(request)
        place = event_stream.take("log", user_text(request.user))
        if place is None:
            raise Problem(
                "throttled",
                "You have as many streams open as you may. Close one first.",
                headers={"Retry-After": str(event_stream.HELD_FOR)},
            )
        return StreamingHttpResponse(
            self._frames(request.user.pk, labels, after, place),
            content_type=event_stream.CONTENT_TYPE,
            headers=event_stream.HEADERS,
        )

    def head(self, request: Any) -> HttpResponse:
        """What a stream would be sent with; none is opened."""
        self.refuse_unknown_parameters()
        self.labels(), self._after()
        self._require_asgi(request)
        return HttpResponse(content_type=event_stream.CONTENT_TYPE, headers=event_stream.HEADERS)

    def _require_asgi(self, request: Any) -> None:
        if not isinstance(request._request, ASGIRequest):
            raise Problem(
                "not_acceptable", "Streams are served under ASGI. Ask /log/?after= for the same entries."
            )

    def _after(self) -> int | None:
        last = self.request.headers.get("Last-Event-ID")
        if last is None or last == "":
            return self.whole_number("after")
        if not (last.isascii() and last.isdigit() and len(last) < 19):
            raise unreadable("Last-Event-ID", "Send the id of an event of this stream.")
        return int(last)

    async def _frames(
        self, user: Any, labels: Sequence[str] | None, after: int | None, place: event_stream.Place
    ) -> AsyncIterator[bytes]:
        began = said = held = time.monotonic()
        entries = Entries()
        try:
            yield b"retry: 2000\n\n"
            while time.monotonic() - began < self.lifetime:
                batch = await sync_to_async(self._look, thread_sensitive=False)(user, labels, after)
                if batch is None:
                    return
                for index, entry in batch.entries:
                    yield _frame(index, entries.represent(entry, leaf_index=index))
                    said = time.monotonic()
                after = batch.after
                if time.monotonic() - held > event_stream.HELD_FOR / 3:
                    await sync_to_async(place.hold, thread_sensitive=False)()
                    held = time.monotonic()
                if time.monotonic() - said >= self.heartbeat:
                    yield event_stream.PING
                    said = time.monotonic()
                if not batch.more:
                    await sleep(self.interval)
        finally:
            await sync_to_async(place.leave, thread_sensitive=False)()

    def _look(self, user: Any, labels: Sequence[str] | None, after: int | None) -> Batch | None:
        """The next batch; ``None`` once the user is gone or was deactivated. Who may see what is asked anew."""
        close_old_connections()
        try:
            person = get_user_model()._base_manager.filter(pk=user).first()
            if person is None or not person.is_active:
                return None
            if after is not None and after >= leaves.end_of_tree(self.log_alias):
                return Batch((), after, False)
            return leaves.read(person, after=after, labels=labels, size=100, using=self.log_alias)
        finally:
            close_old_connections()


def _frame(index: int, entry: dict[str, Any]) -> bytes:
    text = json.dumps(entry, cls=JSONEncoder, separators=(",", ":"), ensure_ascii=False)
    return event_stream.frame(text, at=index)
