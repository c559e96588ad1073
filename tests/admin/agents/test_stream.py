"""The stream of a conversation from real servers: every event once, in order, whatever breaks."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as django_settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache
from django.db import connections
from django.test import AsyncClient, Client

from fsm_lifecycle import event_stream
from fsm_lifecycle.admin.agents.stream import StreamPage
from fsm_lifecycle.agents import say, start, stop
from fsm_lifecycle.agents.providers import scripted
from fsm_lifecycle.agents.providers.scripted import call
from fsm_lifecycle.dispatch.working import work_off
from fsm_lifecycle.models import AgentEvent, AgentRun
from tests.admin.agents.conftest import CHAT

pytestmark = pytest.mark.django_db(transaction=True)

#: Seconds after which what does not come is given up.
PATIENCE = 120
WORDS = " ".join(f"word{number}" for number in range(40))


class Server:
    def __init__(self, port: int) -> None:
        self.port = port

    @contextmanager
    def stream(
        self, session: str, conversation: Any, after: str = "", last: str = ""
    ) -> Iterator[http.client.HTTPResponse]:
        """One open stream. Leaving the block breaks the connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            headers = {"Cookie": f"sessionid={session}"} if session else {}
            if last:
                headers["Last-Event-ID"] = last
            connection.request("GET", f"{CHAT}{conversation}/stream/?after={after}", headers=headers)
            yield connection.getresponse()
        finally:
            connection.close()


@contextmanager
def serving(kind: str, environment: Mapping[str, str], **times: float) -> Iterator[Server]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        port, fd = listening.getsockname()[1], listening.fileno()
        more = {f"STREAM_{name.upper()}": str(seconds) for name, seconds in times.items()}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.admin.agents.served", kind, str(fd)],
            env={**environment, **more},
            pass_fds=[fd],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        server = Server(port)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with server.stream("", uuid.uuid4()) as answer:
                    assert answer.status == 302
                break
            except OSError:
                assert process.poll() is None, "The server ended."
                assert time.monotonic() < until, "The server does not answer."
                time.sleep(0.1)
        yield server
    finally:
        process.kill()
        process.wait()


@pytest.fixture(params=["wsgi", "asgi"])
def server(request: Any, child_environment: Mapping[str, str]) -> Iterator[Server]:
    """Times are short: a heartbeat after 0.4 s, an end after 4 s."""
    times = {"interval": 0.05, "idle": 0.1, "heartbeat": 0.4, "cap": 4.0, "lifetime": 4.0}
    with serving(request.param, child_environment, **times) as running:
        running.kind = request.param  # type: ignore[attr-defined]
        yield running


def session_of(user: User) -> str:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = django_settings.AUTHENTICATION_BACKENDS[1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return str(session.session_key)


Frame = dict[str, str]


def frames(response: http.client.HTTPResponse) -> Iterator[Frame]:
    """The frames of a stream as they come, until it ends."""
    frame: Frame = {}
    for raw in response:
        line = raw.decode().rstrip("\n")
        if not line:
            yield frame
            frame = {}
            continue
        name, _, value = line.partition(":")
        frame[name or "comment"] = value.removeprefix(" ")


def at_work(work: Any) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture
def seen(says: Any) -> threading.Event:
    """A script that writes slowly, calls a tool in between, and ends, but not before somebody has seen it at work."""
    seen = threading.Event()

    def talk(task: Any) -> Any:
        yield call("list_invoices", WORDS)
        assert seen.wait(PATIENCE)
        return WORDS.upper()

    scripted.script("of-these-tests", pace=0.03)(talk)
    return seen


def test_the_stream(server: Any, clerk: User, approver: User, seen: threading.Event) -> None:
    """All in one server, which takes longer to start than they take."""
    session = session_of(clerk)
    run = start("billing.invoice_agent", "Say something", user=clerk, surface="chat")
    everything_once_and_in_order_through_breaks(server, session, run, seen)
    it_goes_on_with_the_next_message(server, session, run)
    after_the_end_nothing_is_held(server, session, run)
    it_beats_and_ends_while_nothing_comes(server, session, run)
    it_is_nobody_elses(server, approver, run)
    rights_are_asked_for_again(server, clerk, session, run)


def everything_once_and_in_order_through_breaks(
    server: Any, session: str, run: AgentRun, seen: threading.Event
) -> None:
    """While the agent writes, a reader reads three events, loses the line, and comes back."""
    thread = at_work(lambda: work_off("default"))
    got: list[tuple[str, str, Any]] = []
    said: list[str] = []
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and "Answer complete." not in said:
        with server.stream(session, run.conversation, last=got[-1][0] if got else "") as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/event-stream"
            assert response.headers["Cache-Control"].startswith("no-cache, no-transform")
            assert response.headers["X-Accel-Buffering"] == "no"
            new = 0
            for frame in frames(response):
                if "id" in frame:
                    got.append((frame["id"], frame["event"], json.loads(frame["data"])))
                    new += 1
                elif frame.get("event") == "state":
                    said.append(json.loads(frame["data"])["said"])
                    if said[-1] == "At work.":
                        seen.set()
                if new == 3 or "Answer complete." in said:
                    break
    thread.join()
    assert [at for at, _, _ in got] == ids_of(run)
    assert "At work." in said
    assert said[-1] == "Answer complete."
    # What came as pieces and what came as text is what the model said.
    kinds = [kind for _, kind, _ in got]
    assert kinds.count("text") >= 2, kinds
    run.refresh_from_db()
    assert run.answer == WORDS.upper()
    texts: dict[str, str] = {}
    for _, kind, data in got:
        if kind == "text":
            texts[data["key"]] = texts.get(data["key"], "") + data["text"]
    assert any(WORDS.upper().endswith(text) for text in texts.values())


def ids_of(run: AgentRun) -> list[str]:
    """The ids of all its events."""
    rows = AgentEvent.objects.filter(run=run).order_by("seq")
    return [f"{run.pk}-{seq}" for seq in rows.values_list("seq", flat=True)]


def it_goes_on_with_the_next_message(server: Any, session: str, run: AgentRun) -> None:
    """A second tab that waited sees what the first one starts."""
    last = AgentEvent.objects.filter(run=run).order_by("seq").last()
    assert last is not None
    second = say(run, "And more <b>")
    thread = at_work(lambda: work_off("default"))
    got: list[str] = []
    until = time.monotonic() + PATIENCE
    at, html = f"{run.pk}-{last.seq}", ""
    while time.monotonic() < until and (thread.is_alive() or got != ids_of(second)):
        with server.stream(session, run.conversation, after=at) as response:
            for frame in frames(response):
                html += frame.get("data", "")
                if "id" in frame:
                    at = frame["id"]
                    got.append(at)
                if not thread.is_alive() and got == ids_of(second):
                    break
    thread.join()
    assert got == ids_of(second)
    assert "And more &lt;b&gt;" in html


def after_the_end_nothing_is_held(server: Any, session: str, run: AgentRun) -> None:
    with server.stream(session, run.conversation) as response:
        kinds = []
        for frame in frames(response):
            kinds.append(frame.get("event"))
            if server.kind == "asgi" and frame.get("event") == "state":
                break
    if server.kind == "wsgi":
        assert kinds[-1] == "rest", "A thread is not held while nothing is at work."


def it_beats_and_ends_while_nothing_comes(server: Any, session: str, run: AgentRun) -> None:
    """A run that nobody works on: the line is kept open by heartbeats, and ends in time for a new one."""
    waiting = say(AgentRun.objects.get(pk=run.pk), "Nobody works on this")
    began = time.monotonic()
    with server.stream(session, run.conversation, after=f"{waiting.pk}-1") as response:
        got = list(frames(response))
    took = time.monotonic() - began
    pings = [frame for frame in got if frame.get("comment") == "ping"]
    assert len(pings) >= 2
    assert took < 60
    assert [frame for frame in got if "id" in frame] == []
    stop(waiting)


def it_is_nobody_elses(server: Any, approver: User, run: AgentRun) -> None:
    for session, status in ((session_of(approver), 404), ("", 302)):
        with server.stream(session, run.conversation) as response:
            assert response.status == status


def rights_are_asked_for_again(server: Any, clerk: User, session: str, run: AgentRun) -> None:
    """Who may no longer use agents reads nothing on."""
    waiting = say(AgentRun.objects.get(pk=run.pk), "Nobody works on this either")
    clerk.user_permissions.clear()
    with server.stream(session, run.conversation) as response:
        assert response.status == 403
    stop(waiting)


def test_an_id_that_cannot_be_read_means_the_beginning() -> None:
    from fsm_lifecycle.admin.agents.stream import cursor_of

    assert cursor_of("12-3") == (12, 3)
    for text in ("", "12", "-", "a-b", "1-2-3", "1" * 40 + "-1", "²-1", "1-1\n"):
        assert cursor_of(text) == (0, 0)


def first_seconds_of(user: User, run: AgentRun, *, server: str) -> list[str]:
    """The events of the run's stream until it ends."""
    address = f"{CHAT}{run.conversation}/stream/"

    async def asked() -> list[bytes]:
        client = AsyncClient()
        await client.aforce_login(user)
        return [part async for part in await client.get(address)]  # type: ignore[attr-defined]

    if server == "asgi":
        parts = async_to_sync(asked)()
    else:
        client = Client()
        client.force_login(user)
        parts = list(client.get(address))
    return [
        line.partition(b": ")[2].decode() for part in parts for line in part.splitlines() if b"event:" in line
    ]


@pytest.mark.parametrize("server", ["wsgi", "asgi"])
def test_whoever_has_as_many_open_as_allowed_gets_what_is_new_and_waits(
    clerk: User, says: Any, server: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setattr(StreamPage, "cap", 0.5)
    monkeypatch.setattr(StreamPage, "lifetime", 0.5)
    settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "STREAMS_PER_USER": 2}
    cache.clear()
    run = start("billing.invoice_agent", "Nobody works on this", user=clerk, surface="chat")
    open_ones = [event_stream.take("chat", str(clerk.pk)) for _ in range(2)]
    assert None not in open_ones
    told = first_seconds_of(clerk, run, server=server)
    assert told[-1] == "rest"
    assert {"piece", "state"} <= set(told)
    # One is closed: the next stays, and gives its place back when it ends.
    assert open_ones[0] is not None
    open_ones[0].leave()
    for _ in range(2):
        assert "rest" not in first_seconds_of(clerk, run, server=server)
