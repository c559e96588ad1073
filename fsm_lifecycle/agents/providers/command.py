"""``command/<argv>``: a program that reads one JSON request and writes one reply in Anthropic's message format.

No shell is involved. Must not know agents.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final

from fsm_lifecycle.agents.providers.exact import NotExact, read_object
from fsm_lifecycle.agents.providers.failures import ModelFailure, ProviderMissing, broken
from fsm_lifecycle.agents.providers.key import Key
from fsm_lifecycle.agents.providers.reply import StreamEvent, TextDelta, ToolStarted, Usage, message_from
from fsm_lifecycle.agents.providers.request import ModelRequest

logger = logging.getLogger("fsm_lifecycle")

_LONGEST: Final = 300.0
_MOST: Final = 4_000_000


class CommandProvider:
    """A program of the host's. It is killed, with all it has started, when its time is up."""

    def __init__(self, command: str) -> None:
        self.command = command
        try:
            self.argv = shlex.split(command)
        except ValueError:
            self.argv = []
        if not self.argv:
            raise ProviderMissing(
                f"“command/{command}” names no program that can be run. Write it as in a shell: "
                f'"command/python answer.py --fast".'
            )

    @property
    def name(self) -> str:
        # Without its arguments, which may hold a secret: names stand in rows and in the log.
        return f"command/{self.argv[0]}"

    def key(self) -> Key:
        return Key(True, f"{self.argv[0]} is run here; if it needs a key, it has its own.")

    def stream(self, request: ModelRequest) -> Iterator[StreamEvent]:
        asked = {
            "system": request.system,
            "messages": list(request.messages),
            "tools": list(request.tools),
            "max_tokens": request.max_tokens,
        }
        sent = json.dumps(asked, ensure_ascii=False).encode()
        written = self._run(sent, min(_LONGEST, request.seconds))
        try:
            reply = message_from(read_object(written.decode()))
        except (NotExact, UnicodeDecodeError):
            raise broken(f"{self.argv[0]} wrote no message in Anthropic's format.") from None
        # What it does not count is estimated as for servers that do not: a budget of tokens is one here as well.
        used = Usage(reply.usage.input or len(sent) // 4, reply.usage.output or -(-len(written) // 3))
        reply = replace(reply, usage=used)
        for block in reply.content:
            if block["type"] == "text":
                yield TextDelta(block["text"])
            elif block["type"] == "tool_use":
                yield ToolStarted(block["name"])
        yield reply

    def _run(self, asked: bytes, seconds: float) -> bytes:
        try:
            process = subprocess.Popen(  # noqa: S603 - the host's settings name the program
                self.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise ProviderMissing(f"{self.argv[0]} cannot be run: {error.strerror}.") from None
        try:
            written, complaints = process.communicate(asked, timeout=max(0.1, seconds))
        except subprocess.TimeoutExpired:
            raise ModelFailure(
                f"{self.argv[0]} did not answer within {seconds:.0f} seconds.", again=True, began=True
            ) from None
        finally:
            _end(process)
        if process.returncode or len(written) > _MOST:
            logger.warning("%s ended with %s: %s", self.name, process.returncode, complaints[:2000])
            why = f"ended with {process.returncode}" if process.returncode else "wrote more than 4 MB"
            raise ModelFailure(f"{self.argv[0]} {why}.", again=True, began=True)
        return written


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing that it started stays behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
