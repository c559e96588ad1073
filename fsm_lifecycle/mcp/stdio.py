"""Owns standard input and output as a way in: one program, one user, until the input ends.

Nothing but messages reaches standard output: what code prints goes to standard error. Must not know who calls.
Importing it needs the extra ``[mcp]``.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import redirect_stdout, suppress

from asgiref.sync import sync_to_async
from django.db import close_old_connections, connections
from mcp.server.stdio import stdio_server

from fsm_lifecycle.mcp.principal import Principal
from fsm_lifecycle.mcp.server import server_for

#: How a process ends that was told to: as commands do that could not run to their end.
INTERRUPTED = 2


def serve(principal: Principal) -> None:
    """Serve until the input ends, or nobody reads the output. A signal ends the process after the call at work."""
    try:
        asyncio.run(_serve(principal))
    except* BrokenPipeError:
        pass


async def _serve(principal: Principal) -> None:
    loop = asyncio.get_running_loop()
    ending: set[asyncio.Task[None]] = set()

    def told() -> None:
        # The thread that reads the input cannot be woken, so the process ends itself.
        if ending:
            os._exit(INTERRUPTED)
        ending.add(loop.create_task(_end(principal)))

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
            loop.add_signal_handler(number, told)
    # As between two requests: the process lives longer than a connection may.
    server = server_for(principal, between=close_old_connections)
    try:
        # It takes the process's own descriptors, so that what child processes write stays away as well.
        async with stdio_server() as (incoming, outgoing):
            with redirect_stdout(sys.stderr):
                await server.run(incoming, outgoing, server.create_initialization_options())
    finally:
        await sync_to_async(_close, thread_sensitive=True)(principal)


async def _end(principal: Principal) -> None:
    try:
        await sync_to_async(_close, thread_sensitive=True)(principal)
    finally:
        sys.stderr.write("Interrupted.\n")
        sys.stderr.flush()
        os._exit(INTERRUPTED)


def _close(principal: Principal) -> None:
    try:
        principal.close()
    finally:
        connections.close_all()
