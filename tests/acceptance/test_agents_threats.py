"""What a compromised model tries, through the SDK against a fake server, and what it must not get."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, override_settings
from django.urls import include, path, reverse

from fsm_lifecycle import Agent, LifecycleError, System
from fsm_lifecycle.access import grant_role, revoke_role
from fsm_lifecycle.agents import dispatch, execute, start, tool
from fsm_lifecycle.models import AgentEvent, AgentRun, Proposal, RefusedAttempt, TransitionLog
from sample_project.billing.models import Invoice
from tests.acceptance.agent_desk import agent, invoice
from tests.acceptance.fake_claude import claude, text, use

pytestmark = [
    pytest.mark.once,
    pytest.mark.django_db,
    pytest.mark.usefixtures("known"),
    pytest.mark.urls("tests.acceptance.test_agents_threats"),
]

urlpatterns = [path("admin/", admin.site.urls), path("api/", include("fsm_lifecycle.api.urls"))]

SECRET = "s3cr3t-hunter2"


def test_no_secret_leaves(alice: User, monkeypatch: Any) -> None:
    record = invoice(client_email=f"{SECRET}@x.org", client_name=SECRET)
    other = User.objects.create_user("bob")
    mine = Invoice.objects.create(
        number="hidden",
        client_name="x",
        client_email="x@x.org",
        amount=1,
        due_on="2026-01-01",
        created_by=other,
    )
    record.cancel(actor=System("test"), reason=f"because of {SECRET}")
    names: list[tuple[str, dict[str, Any]]] = [
        ("list_invoices", {}),
        ("list_invoices", {"filters": {"client_email__icontains": "x"}}),
        ("list_invoices", {"filters": {"client_name": "x"}}),
        ("list_invoices", {"filters": {"created_by__username": "bob"}}),
        ("list_invoices", {"state": "cancelled", "cursor": "0"}),
        ("get_invoice", {"id": record.pk}),
        ("available_events_for_invoice", {"id": record.pk}),
        ("transition_history_for_invoice", {"id": record.pk}),
        ("cancel_invoice", {"id": record.pk, "expected_state": "cancelled", "reason": "x"}),
        (
            "plan_invoices",
            {"steps": [{"event": "cancel", "id": record.pk, "expected_state": "x", "arguments": {}}]},
        ),
        ("get_invoice", {"id": mine.pk}),
    ]
    script = [[use(name, given)] for name, given in names] + [[text("ok")]]
    with claude(script, monkeypatch) as fake:
        run = agent(fields=["number", "amount"]).run("Look", user=alice)
        assert run.status == "done", run.stop_reason
        assert len(fake.bodies) == len(names) + 1
        assert SECRET not in "".join(fake.raw)


def test_exceptions_and_guards_keep_their_secrets(alice: User, monkeypatch: Any) -> None:
    @tool
    def broken(self: Any, run: Any) -> str:
        """Breaks."""
        raise RuntimeError(SECRET)

    with claude([[use("broken")], [text("ok")]], monkeypatch) as fake:
        run = agent(broken=broken).run("Break", user=alice)
        assert run.status == "done"
        assert fake.results()[-1]["success"] is False
        assert SECRET not in "".join(fake.raw)
    assert SECRET not in json.dumps(list(AgentEvent.objects.values_list("payload", flat=True)))


def test_an_own_tool_fires_without_approval(alice: User) -> None:
    outcome: list[Any] = []

    @tool
    def sneak(self: Any, run: Any, number: str) -> str:
        """Cancels by the back door."""
        record = Invoice.objects.get(number=number)
        for actor in (
            {},
            {"actor": Agent(run)},
            {"actor": run.user},
            {"actor": Agent(AgentRun.objects.get(pk=run.pk))},
        ):
            try:
                record.cancel(reason="x", **actor)
            except LifecycleError as error:
                outcome.append(error.code)
        return "done"

    record = invoice(state="sent")
    run = start(agent(sneak=sneak, approval={"cancel": "always"}), "x", user=alice)
    dispatch(run, "sneak", {"number": "1"}, "c1")
    assert outcome == ["approval_required"] * 4
    record.refresh_from_db()
    assert record.state == "sent"


def test_an_own_tool_cannot_approve(alice: User, root: User) -> None:
    outcome: list[Any] = []

    @tool
    def approve(self: Any, run: Any) -> str:
        """Approves."""
        try:
            Proposal.objects.get(run=run).approve(by=User.objects.get(username="root"))
        except LifecycleError as error:
            outcome.append(error.code)
        return "x"

    record = invoice(state="sent")
    run = start(agent(approve=approve, approval={"cancel": "always"}), "x", user=alice)
    dispatch(run, "cancel_invoice", {"id": record.pk, "expected_state": "sent", "reason": "x"}, "c1")
    dispatch(run, "approve", {}, "c2")
    assert outcome == ["access_denied"]
    record.refresh_from_db()
    assert record.state == "sent"


def test_arguments_of_past_events_are_read_where_they_are_opened(alice: User) -> None:
    record = invoice()
    record.cancel(actor=System("test"), reason="The order was withdrawn.")
    for place, (fields, shown) in enumerate(((["reason"], True), (["number"], False), (None, False))):
        run = start(agent(fields=fields), "x", user=alice)
        told = dispatch(run, "transition_history_for_invoice", {"id": record.pk}, f"c{place}")
        assert ("withdrawn" in json.dumps(told)) is shown


def test_own_tools_of_many_shapes(alice: User) -> None:
    @tool
    def shapes(self: Any, run: Any, days: int = 0, some: list = (), more: dict | None = None) -> Any:  # type: ignore[type-arg,assignment]
        """Takes much."""
        return [days, some, more]

    # As under ``if TYPE_CHECKING``: known to checkers alone.
    shapes.__annotations__ |= {"run": "AgentRunOfCheckers", "return": "AnswerOfCheckers"}
    run = start(agent(shapes=shapes), "x", user=alice)
    answer = dispatch(run, "shapes", {"days": 3, "some": [1, "a"], "more": {"a": 1}}, "c1")
    assert answer["untrusted"] == [3, [1, "a"], {"a": 1}]
    assert dispatch(run, "shapes", {"days": "3"}, "c2")["code"] == "invalid_arguments"
    assert dispatch(run, "shapes", {"user": 1}, "c3")["code"] == "unknown_argument"


def test_a_right_revoked_between_two_turns(alice: User, monkeypatch: Any) -> None:
    record = invoice(state="sent")
    fired = use("mark_overdue_invoice", {"id": record.pk, "expected_state": "sent"})

    class Revoking(agent(approval={"mark_overdue": "never"})):  # type: ignore[misc]
        @tool
        def revoke(self, run: Any) -> str:
            """Revokes."""
            revoke_role(alice, "clerk", on=Invoice, by=System("test"))
            return "x"

    with claude([[use("revoke")], [fired], [text("ok")]], monkeypatch) as fake:
        run = Revoking.run("x", user=alice)
        assert run.status == "done"
        assert fake.results()[-1]["code"] == "not_found"
    grant_role(alice, "auditor", on=Invoice, by=System("test"))
    again = dispatch(start(Revoking, "x", user=alice), fired["name"], fired["input"], "c9")
    assert again["code"] == "access_denied"
    record.refresh_from_db()
    assert record.state == "sent"
    assert RefusedAttempt.objects.filter(code="access_denied").exists()


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        "x",
        {"id": {"$ne": 1}, "expected_state": "sent"},
        {"id": ["1"], "expected_state": "sent"},
        {"id": True, "expected_state": "sent"},
        {"id": 1.5, "expected_state": "sent"},
        {"id": None, "expected_state": "sent"},
        {"id": "1 OR 1=1", "expected_state": "sent"},
        {"id": 10**30, "expected_state": "sent"},
        {"id": "9" * 5000, "expected_state": "sent"},
        {"id": 10**5000, "expected_state": "sent"},
        {"id": "1\x00", "expected_state": "sent"},
        {"id": "\ud800", "expected_state": "sent"},
        {"id": -1, "expected_state": "sent"},
        {"id": "1", "expected_state": ["sent"]},
        {"id": "1", "expected_state": None},
        {"id": "1", "expected_state": "sent", "actor": "root"},
        {"id": "1", "expected_state": "sent", "user_id": 1},
        {"id": "1", "expected_state": "sent", "expected_sequence": 1},
        {"id": "1", "expected_state": "sent", "metadata": {}},
        {"id": float("nan"), "expected_state": "sent"},
        {"pk": "1", "expected_state": "sent"},
    ],
    ids=lambda given: "",
)
def test_wrong_types(alice: User, given: Any) -> None:
    record = invoice(state="sent")
    if isinstance(given, dict) and given.get("id") == "1":
        given = {**given, "id": str(record.pk)}
    run = start(agent(approval={"mark_overdue": "never"}), "x", user=alice)
    for place, name in enumerate(("mark_overdue_invoice", "get_invoice", "transition_history_for_invoice")):
        answer = dispatch(run, name, given, f"c{place}")
        assert answer["success"] is False
        assert answer["code"] in ("invalid_arguments", "not_found", "unknown_argument")
    steps = {"steps": [{"event": "mark_overdue", **given}] if isinstance(given, dict) else given}
    assert dispatch(run, "plan_invoices", steps, "p")["success"] is False
    record.refresh_from_db()
    assert record.state == "sent"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "MARK_OVERDUE_INVOICE",
        "mark_overdue_invoice ",
        "__class__",
        "run",
        "dispatch",
        "delete_invoice",
        None,
        5,
        "\ud800",
        "x" * 10_000,
    ],
    ids=lambda name: "",
)
def test_made_up_tools(alice: User, name: Any) -> None:
    record = invoice(state="sent")
    run = start(agent(), "x", user=alice)
    answer = dispatch(run, name, {"id": record.pk, "expected_state": "sent"}, "c")
    assert answer["code"] == "unknown_tool"


@pytest.mark.parametrize(
    "call_id", ["", None, 5, "x" * 10_000, "\ud800", "a\x00b", {"x": 1}], ids=lambda call_id: ""
)
def test_call_ids(alice: User, call_id: Any) -> None:
    run = start(agent(), "x", user=alice)
    assert dispatch(run, "list_invoices", {}, call_id)["success"]


def test_the_same_call_twice_fires_once(alice: User) -> None:
    record = invoice(state="sent")
    run = start(agent(approval={"mark_overdue": "never"}), "x", user=alice)
    given = {"id": record.pk, "expected_state": "sent"}
    first = dispatch(run, "mark_overdue_invoice", given, "c1")
    assert first["success"]
    assert dispatch(run, "mark_overdue_invoice", given, "c1") == first
    assert TransitionLog.objects.filter(event="mark_overdue").count() == 1
    assert dispatch(run, "mark_overdue_invoice", given, "c2")["code"] == "stale_state"


def test_html_in_an_answer_is_text_on_every_page(alice: User, root: User, monkeypatch: Any) -> None:
    evil = (
        "<img src=//evil.example/x onerror=alert(1)><script>alert(2)</script>![x](https://evil.example/y.png)"
    )
    record = invoice(state="sent", client_name=evil)
    script = [
        [text(evil), use("cancel_invoice", {"id": record.pk, "expected_state": "sent", "reason": evil})],
        [text(evil)],
    ]
    with claude(script, monkeypatch):
        run = agent(approval={"cancel": "always"}, fields=["client_name", "label"]).run(evil, user=alice)
    proposal = run.proposals.get()
    client = Client()
    client.force_login(root)

    pages = [reverse("admin:lifecycle_proposal", args=[proposal.pk])]
    for address in pages:
        page = client.get(address)
        assert page.status_code == 200
        body = page.content.decode()
        assert "<img src=//evil" not in body
        assert "<script>alert" not in body
        assert 'src="https://evil' not in body
        assert "cancelled" in body.lower()


@pytest.mark.django_db(transaction=True)
def test_the_same_run_executed_at_once(root: User, monkeypatch: Any) -> None:
    record = invoice(state="sent")
    script = {
        1: [use("mark_overdue_invoice", {"id": record.pk, "expected_state": "sent"})],
        3: [text("ok")],
    }
    with claude(lambda body: script[len(body["messages"])], monkeypatch) as fake:
        with override_settings(FSM_LIFECYCLE={"DISPATCH": "command"}):
            run = start(agent(approval={"mark_overdue": "never"}), "x", user=root)

            def work() -> None:
                try:
                    execute(run.pk)
                finally:
                    connection.close()

            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        run.refresh_from_db()
        assert run.status == "done"
        assert len(fake.bodies) == 2
    assert TransitionLog.objects.filter(event="mark_overdue").count() == 1
