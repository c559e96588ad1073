"""The log as a stream, from a real ASGI server: everything that may be seen, once, in order, whatever breaks."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest

from fsm_lifecycle.access import grant_role, revoke_role
from fsm_lifecycle.ledger.sealing import seal
from fsm_lifecycle.models import LogLeaf, TransitionLog
from sample_project.billing.models import ExpenseReport, Invoice
from tests.api.conftest import basic
from tests.api.serving import PASSWORD, Server, serving
from tests.sample.making import SETUP, an_invoice, somebody

pytestmark = pytest.mark.django_db(transaction=True)

# A stream lives long enough for what is done while it is open, also on a busy machine.
HEARTBEAT, LIFETIME = 0.4, 10.0


@pytest.fixture
def people() -> dict[str, Any]:
    found = {
        "audrey": somebody("audrey", auditor=Invoice),
        "clara": somebody("clara", clerk=Invoice),
        "erik": somebody("erik", employee=ExpenseReport),
    }
    for user in found.values():
        user.set_password(PASSWORD)
        user.save()
    return found


@pytest.fixture
def server(child_environment: Mapping[str, str], people: dict[str, Any]) -> Iterator[Server]:
    with serving(child_environment, interval=0.05, heartbeat=HEARTBEAT, lifetime=LIFETIME) as running:
        yield running


@contextmanager
def stream(server: Server, user: str, query: str = "", **headers: str) -> Iterator[http.client.HTTPResponse]:
    """One open stream. Leaving the block breaks the connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    try:
        sent = {"Authorization": basic(user, PASSWORD), **headers}
        connection.request("GET", f"/api/stream/{query}", headers=sent)
        yield connection.getresponse()
    finally:
        connection.close()


def frames(response: http.client.HTTPResponse) -> Iterator[dict[str, str]]:
    """The frames of a stream as they come, until it ends."""
    frame: dict[str, str] = {}
    for raw in response:
        line = raw.decode().rstrip("\n")
        if not line:
            yield frame
            frame = {}
            continue
        name, _, value = line.partition(":")
        frame[name] = value.removeprefix(" ")


def entries(response: http.client.HTTPResponse, number: int) -> list[tuple[int, dict[str, Any]]]:
    """So many events of a stream, with their ids."""
    found: list[tuple[int, dict[str, Any]]] = []
    for frame in frames(response):
        if "data" in frame:
            found.append((int(frame["id"]), json.loads(frame["data"])))
            if len(found) == number:
                break
    return found


def visible_leaves(label: str = "billing.invoice") -> list[tuple[int, str]]:
    """Leaf index and hash of the entries of a model, in leaf order."""
    hashes = set(TransitionLog.objects.filter(model_label=label).values_list("entry_hash", flat=True))
    leaves = LogLeaf.objects.order_by("leaf_index").values_list("leaf_index", "entry_hash")
    return [(index, entry_hash) for index, entry_hash in leaves if entry_hash in hashes]


def test_the_stream(server: Server, people: dict[str, Any]) -> None:
    """All in one server, which takes longer to start than they take."""
    everything_once_and_in_order_through_breaks(server, people)
    the_log_gives_the_same(server)
    what_is_not_asked_for_or_not_to_be_seen_does_not_come(server, people)
    a_heartbeat_and_an_end(server)
    so_many_streams_and_no_more(server)
    asked_for_its_headers_alone_none_is_opened(server)
    rights_are_asked_for_each_batch(server, people)


def everything_once_and_in_order_through_breaks(server: Server, people: dict[str, Any]) -> None:
    """While records are written and sealed, a reader reads three entries, loses the line, and comes back."""
    writer = Thread(target=_write, args=(people,))
    writer.start()
    got: list[tuple[int, dict[str, Any]]] = []
    while len(got) < 24:
        last = {"Last-Event-ID": str(got[-1][0])} if got else {}
        with stream(server, "audrey", **last) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/event-stream"
            assert response.headers["Cache-Control"] == "no-cache, no-transform"
            assert response.headers["X-Accel-Buffering"] == "no"
            got += entries(response, 3)
    writer.join()
    assert [(index, entry["hash"]) for index, entry in got] == visible_leaves()[: len(got)]
    assert {entry["model"] for _, entry in got} == {"billing.invoice"}
    assert all(entry["leaf_index"] == index for index, entry in got)


def _write(people: dict[str, Any]) -> None:
    from django.db import connection

    try:
        for number in range(12):
            an_invoice(people["clara"], f"W-{number}").fire("send_invoice", actor=people["clara"])
            ExpenseReport.objects.create(purpose="A secret", amount=1, created_by=people["erik"])
            seal()
    finally:
        connection.close()


def the_log_gives_the_same(server: Server) -> None:
    found: list[tuple[int, str]] = []
    following = "/api/log/?page_size=7"
    while following:
        page = server.ask("audrey", "GET", following).json()
        found += [(one["leaf_index"], one["hash"]) for one in page["results"]]
        following = page["next"] and page["next"].partition(str(server.port))[2]
    assert found == visible_leaves()
    again = server.ask("audrey", "GET", f"/api/log/?after={page['after']}").json()
    assert (again["results"], again["next"], again["after"]) == ([], None, page["after"])


def what_is_not_asked_for_or_not_to_be_seen_does_not_come(server: Server, people: dict[str, Any]) -> None:
    with stream(server, "erik") as response:  # a handful of records: found from the records on
        got = entries(response, 12)
    assert [(index, entry["hash"]) for index, entry in got] == visible_leaves("billing.expensereport")
    last = visible_leaves()[-1][0]
    with stream(server, "audrey", f"?after={last - 1}&models=billing.invoice,billing.contract") as response:
        assert [index for index, _ in entries(response, 1)] in ([last], [])
    for query, name in (("?models=no.model", "models"), ("?after=x", "after"), ("?since=1", "since")):
        answer = server.ask("audrey", "GET", f"/api/stream/{query}")
        assert (answer.status, [one["name"] for one in answer.json()["errors"]]) == (400, [name])
    answer = server.ask("audrey", "GET", "/api/stream/", **{"Last-Event-ID": "-1"})
    assert answer.status == 400
    assert server.ask("nobody", "GET", "/api/stream/").status == 401


def a_heartbeat_and_an_end(server: Server) -> None:
    began = time.monotonic()
    with stream(server, "audrey", "?after=1000000") as response:
        beats = [frame for frame in frames(response) if "" in frame]
    took = time.monotonic() - began
    assert 3 <= len(beats) <= took / HEARTBEAT
    assert LIFETIME - 0.2 <= took < LIFETIME + 60


def so_many_streams_and_no_more(server: Server) -> None:
    from contextlib import ExitStack

    began = time.monotonic()
    with ExitStack() as open_ones:
        for _ in range(5):
            assert open_ones.enter_context(stream(server, "clara", "?after=1000000")).status == 200
        answer = server.ask("clara", "GET", "/api/stream/?after=1000000")
        assert (answer.status, answer.json()["code"]) == (429, "throttled")
        assert int(answer.headers["retry-after"]) > 0
        with stream(server, "erik", "?after=1000000") as other:
            assert other.status == 200
    # Whoever goes makes room at once, and not only when their streams would have ended.
    while time.monotonic() - began < LIFETIME - 1:
        with stream(server, "clara", "?after=1000000") as response:
            if response.status == 200:
                return
        time.sleep(0.1)
    raise AssertionError("The places of broken streams stayed taken.")


def asked_for_its_headers_alone_none_is_opened(server: Server) -> None:
    for _ in range(7):
        began = time.monotonic()
        answer = server.ask("clara", "HEAD", "/api/stream/?after=")
        assert time.monotonic() - began < LIFETIME
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
        assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert server.ask("clara", "HEAD", "/api/stream/?after=x").status == 400


def rights_are_asked_for_each_batch(server: Server, people: dict[str, Any]) -> None:
    seal()
    last = LogLeaf.objects.order_by("leaf_index").last()
    assert last is not None
    report = ExpenseReport.objects.filter(created_by=people["erik"]).first()
    assert report is not None
    with stream(server, "erik", f"?after={last.leaf_index}") as response:
        coming = frames(response)
        assert "retry" in next(coming)
        revoke_role(people["erik"], "owner", on=report, by=SETUP)
        report.fire("submit", actor=SETUP)
        invoice = Invoice.objects.first()
        assert invoice is not None
        grant_role(people["erik"], "auditor", on=invoice, by=SETUP)
        invoice.fire("cancel", actor=SETUP, arguments={"reason": "A mistake"})
        seal()
        # What stands before it in the log would have come before it.
        first = next(json.loads(frame["data"]) for frame in coming if "data" in frame)
    assert (first["model"], first["event"]) == ("billing.invoice", "cancel")
    with stream(server, "erik", f"?after={last.leaf_index}") as response:
        coming = frames(response)
        next(coming)
        people["erik"].is_active = False
        people["erik"].save()
        began = time.monotonic()
        list(coming)
        assert time.monotonic() - began < LIFETIME - 1
