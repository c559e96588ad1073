"""Reading what a model writes, without waiting for it longer than a moment at a time.

The provider is read in a thread of its own, so that a stop, the kill switch and the end of the time are seen while a
model is silent. Must not know what the pieces are for.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Generator
from typing import Any, Final

from django.db import connections

from fsm_lifecycle.agents.providers import ModelFailure, ModelRequest, Provider, ProviderMissing, StreamEvent

logger = logging.getLogger("fsm_lifecycle")

_END: Final = object()


def pieces(
    provider: Provider, request: ModelRequest, *, tick: float
) -> Generator[StreamEvent | None, None, None]:
    """What a provider gives, and ``None`` whenever nothing came for ``tick`` seconds.

    Raises ``ModelFailure`` and ``ProviderMissing`` as the provider does, and the former for anything else that it
    raises. Who stops reading leaves the rest to the thread, which closes the stream.
    """
    found: queue.SimpleQueue[Any] = queue.SimpleQueue()
    left = threading.Event()

    def read() -> None:
        try:
            stream = iter(provider.stream(request))
            try:
                for piece in stream:
                    if left.is_set():
                        return
                    found.put(piece)
            finally:
                close = getattr(stream, "close", None)
                if close is not None:
                    close()
            found.put(_END)
        except (ModelFailure, ProviderMissing) as error:
            found.put(error)
        except Exception as error:
            logger.exception("The provider %s failed.", provider.name)
            failure = ModelFailure(f"{provider.name} failed in its own code.", again=True, began=True)
            failure.__cause__ = error
            found.put(failure)
        finally:
            connections.close_all()  # a provider of the project's own may have used this thread's

    threading.Thread(target=read, name="fsm_lifecycle model", daemon=True).start()
    end = time.monotonic() + request.seconds
    try:
        while True:
            try:
                piece = found.get(timeout=max(0.001, min(tick, end - time.monotonic())))
            except queue.Empty:
                yield None
                continue
            if piece is _END:
                return
            if isinstance(piece, Exception):
                raise piece
            yield piece
    finally:
        left.set()
