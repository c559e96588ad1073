"""What an agent is told: its tools with their schemas, their names, and the system prompt."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django import forms
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from fsm_lifecycle.agents import naming, reading, registry, tool
from fsm_lifecycle.agents.catalogue import catalogue, system_prompt
from fsm_lifecycle.agents.loop.calling import _text
from fsm_lifecycle.engine.argument_schema import can_be_json, schema_of
from fsm_lifecycle.engine.schema_check import mismatches
from sample_project.billing.models import Contract, ExpenseReport, Invoice
from tests.agents.core.desk import call, declared, run_of
from tests.sample.making import an_invoice, somebody
from tests.testapp import models as testapp

pytestmark = pytest.mark.django_db


def names_for(agent: Any, user: Any) -> set[str]:
    return {found.name for found in catalogue(registry.of(agent), user).tools}


READING = {"list_invoices", "get_invoice", "available_events_for_invoice", "transition_history_for_invoice"}


def test_every_schema_is_json_schema_and_takes_nothing_else(root: Any) -> None:
    an_invoice(root)
    for profile in registry.profiles():
        for found in catalogue(profile, root).tools:
            Draft202012Validator.check_schema(found.schema)
            json.dumps(found.to_dict())
            assert found.schema["additionalProperties"] is False
            assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", found.name)
            assert found.description
            if found.kind == "fire":
                assert {"id", "expected_state"} <= set(found.schema["required"])


def test_only_events_are_offered_that_the_user_may_fire_and_some_record_could(
    alice: Any, clerk: Any, approver: Any
) -> None:
    with declared(lifecycle=Invoice) as agent:
        assert names_for(agent, alice) == READING
        record = an_invoice(alice)
        owns = {"send_invoice_invoice", "cancel_invoice", "plan_invoices"}
        assert names_for(agent, alice) == READING | owns
        assert names_for(agent, clerk) == READING | owns
        assert names_for(agent, approver) == READING  # nothing is sent yet
        record.fire("send_invoice", actor=alice)
        assert names_for(agent, alice) == READING | {"cancel_invoice", "plan_invoices"}
        assert names_for(agent, clerk) == READING | {
            "cancel_invoice",
            "mark_overdue_invoice",
            "plan_invoices",
        }
        assert names_for(agent, approver) == READING | {"pay_invoice", "plan_invoices"}
        stranger = somebody("stranger")
        assert names_for(agent, stranger) == READING
        type(alice).objects.filter(pk=alice.pk).update(is_active=False)
        alice.refresh_from_db()
        assert names_for(agent, alice) == READING


def test_the_agents_list_narrows_what_is_offered(alice: Any) -> None:
    an_invoice(alice)
    with declared(lifecycle=Invoice, events=[Invoice.Lifecycle.cancel]) as agent:
        assert names_for(agent, alice) == READING | {"cancel_invoice", "plan_invoices"}


def test_a_description_says_from_to_guards_effects_and_who_approves(alice: Any) -> None:
    an_invoice(alice)
    with declared(lifecycle=Invoice) as agent:
        found = catalogue(registry.of(agent), alice).get("send_invoice_invoice")
    assert found is not None
    for part in (
        "From: draft. To: sent.",
        "The invoice total must be positive",
        "Sends the invoice to the client by e-mail",
        "person has to approve",
    ):
        assert part in found.description
    assert (found.approval, found.destructive, found.read_only) == ("always", True, False)


def test_the_system_prompt_has_the_table_and_the_agents_instructions(alice: Any) -> None:
    with declared(lifecycle=Invoice, instructions="Chase politely.", events=["cancel"]) as agent:
        system = catalogue(registry.of(agent), alice).system
        assert "There is no event that you may ask for now." in system
        assert "- cancel: " not in system, "Alice has no invoice, so she may cancel none."
        an_invoice(alice)
        system = catalogue(registry.of(agent), alice).system
        assert "- cancel: " in system_prompt(registry.of(agent)), "For whoever it is, the whole list."
    assert "Chase politely." in system
    assert (
        "Events you may ask for now:\n- cancel: draft, sent, overdue → cancelled. A person approves."
        in system
    )
    assert "- paid (final)" in system
    assert "pay:" not in system


# Lists


def test_a_list_has_pages_of_twenty(root: Any) -> None:
    for number in range(45):
        an_invoice(root, f"{number:03}")
    with declared(lifecycle=Invoice, fields=["number"]) as agent:
        run = run_of(agent, root)
        seen: list[str] = []
        cursor = None
        sizes = []
        while True:
            page = call(run, "list_invoices", **({"cursor": cursor} if cursor else {}))
            sizes.append(len(page["records"]))
            seen += [record["untrusted"]["number"] for record in page["records"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
    assert sizes == [20, 20, 5]
    assert seen == [f"{number:03}" for number in range(45)]


@pytest.mark.parametrize("cursor", ["x", "", "9" * 30, "-", "1 OR 1=1"])
def test_a_made_up_cursor_is_refused(cursor: str, root: Any, invoice: Invoice) -> None:
    with declared(lifecycle=Invoice) as agent:
        run = run_of(agent, root)
        assert call(run, "list_invoices", cursor=cursor)["code"] == "invalid_arguments"
        answer = call(run, "transition_history_for_invoice", id=str(invoice.pk), cursor=cursor)
        assert answer["code"] == "invalid_arguments"


def test_a_page_that_would_be_too_long_is_shorter_and_says_where_it_goes_on(
    root: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGEST", 500)
    for number in range(7):
        an_invoice(root, f"A-{number}")
    with declared(lifecycle=Invoice, fields=["number", "client_name", "client_email"]) as agent:
        run = run_of(agent, root)
        seen: list[str] = []
        page = call(run, "list_invoices")
        while True:
            assert len(json.dumps(page["records"])) <= 550
            seen += [record["untrusted"]["number"] for record in page["records"]]
            if page["next_cursor"] is None:
                break
            assert run.seen.count() == len(seen)
            page = call(run, "list_invoices", cursor=page["next_cursor"])
        assert seen == [f"A-{number}" for number in range(7)]
        monkeypatch.setattr(reading, "LARGEST", 1)
        assert len(call(run, "list_invoices")["records"]) == 1


def test_a_history_that_would_be_too_long_is_shorter(
    alice: Any, invoice: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice.fire("send_invoice", actor=alice)
    monkeypatch.setattr(reading, "LARGEST", 1)
    with declared(lifecycle=Invoice) as agent:
        run, id_ = run_of(agent, alice), str(invoice.pk)
        first = call(run, "transition_history_for_invoice", id=id_)
        second = call(run, "transition_history_for_invoice", id=id_, cursor=first["next_cursor"])
    events = [entry["event"] or entry["kind"] for entry in (*first["entries"], *second["entries"])]
    assert (events, second["next_cursor"]) == (["send_invoice", "created"], None)


def test_of_an_answer_that_is_cut_the_cursor_stays() -> None:
    told = json.loads(_text({"success": True, "records": ["x" * 50_000], "next_cursor": "7"}))
    assert (told["truncated"], told["next_cursor"]) == (True, "7")


def test_a_list_is_filtered_by_state_and_by_what_may_be_read(root: Any) -> None:
    first, second = an_invoice(root, "X-1"), an_invoice(root, "Y-2")
    second.fire("send_invoice", actor=root)
    with declared(lifecycle=Invoice, fields=["number", "amount", "due_on", "paid_on", "contract"]) as agent:
        run = run_of(agent, root)

        def ids(**given: Any) -> list[str]:
            answer = call(run, "list_invoices", **given)
            return [record["id"] for record in answer["records"]]

        one, two = str(first.pk), str(second.pk)
        assert ids(state="sent") == [two]
        assert ids(filters={"number__icontains": "x"}) == [one]
        assert ids(filters={"amount__gte": "100.00", "number": "Y-2"}) == [two]
        assert ids(filters={"due_on__lte": "2000-01-01"}) == []
        assert call(run, "list_invoices", state="nowhere")["code"] == "invalid_arguments"
        for wrong in (
            {"due_on": "soon"},
            {"amount": "much"},
            {"contract": "x"},
            {"contract": 10**30},
            {"amount": "1e99999999"},
            {"amount__gte": "-1e-99999999"},
            {"amount__lte": "NaN"},
            {"amount": "Infinity"},
            {"number": 7},
        ):
            assert call(run, "list_invoices", filters=wrong)["code"] == "invalid_arguments"
        for far in (
            {"amount__gte": "1e30"},
            {"amount": 10**30},
            {"contract": 2**31 - 1},
            {"amount__gte": 1e308},
        ):
            assert ids(filters=far) == []


def test_by_default_the_id_the_label_and_the_state_are_read(alice: Any, invoice: Invoice) -> None:
    with declared(lifecycle=Invoice) as agent:
        answer = call(run_of(agent, alice), "get_invoice", id=str(invoice.pk))
    assert answer["record"] == {
        "id": str(invoice.pk),
        "state": "draft",
        "untrusted": {"label": "Invoice A-1"},
    }


def test_what_can_be_done_is_told_and_what_stands_in_the_way(
    alice: Any, clerk: Any, invoice: Invoice
) -> None:
    invoice.fire("send_invoice", actor=alice)
    with declared(lifecycle=Invoice, approval={"mark_overdue": "never"}) as agent:
        answer = call(run_of(agent, clerk), "available_events_for_invoice", id=str(invoice.pk))
        hers = call(run_of(agent, alice), "available_events_for_invoice", id=str(invoice.pk))
    assert answer["available"] == [
        {"event": "cancel", "tool": "cancel_invoice", "to": ["cancelled"], "needs_approval": "always"}
    ]
    assert answer["blocked"] == [
        {
            "event": "mark_overdue",
            "tool": "mark_overdue_invoice",
            "to": ["overdue"],
            "reasons": ["The invoice is not due yet."],
        }
    ]
    assert hers["blocked"] == []  # it is not hers to know why


# Names


def test_names_are_those_of_the_model_and_its_plural() -> None:
    found = naming.names([Contract])
    assert set(found.meant) >= {"list_contracts", "get_contract", "plan_contracts", "end_contract"}
    assert found.events(0)["end"] == "end_contract"


def test_two_lifecycles_of_one_name_get_their_apps_label_in_front() -> None:
    found = naming.names([Invoice, testapp.Invoice])
    assert {
        "list_billing_invoices",
        "list_testapp_invoices",
        "pay_billing_invoice",
        "pay_testapp_invoice",
    } <= set(found.meant)
    assert "list_invoices" not in found.meant


def test_an_event_named_like_a_tool_gives_way() -> None:
    class Table:
        options: dict[str, Any] = {}
        events = ("get", "list", "pay")

    class Model:
        class _meta:
            model_name = "invoice"
            app_label = "billing"

        class _lifecycle:
            table = Table

    found = naming.names([Model])
    assert found.find("get", 0) == "get_invoice"
    assert found.events(0) == {"get": "billing_get_invoice", "list": "list_invoice", "pay": "pay_invoice"}


def test_a_long_or_foreign_name_is_shortened_with_a_hash() -> None:
    long = naming.fit("x" * 65)
    assert len(long) == 64
    assert long != naming.fit("x" * 66)
    assert naming.fit("größe") != naming.fit("gr__e")
    assert re.fullmatch(r"[A-Za-z0-9_]+", naming.fit("größe"))
    assert naming.fit("x" * 64) == "x" * 64


def test_several_lifecycles_have_their_tools_side_by_side(root: Any) -> None:
    with declared(lifecycle=[Contract, ExpenseReport]) as agent:
        assert {"list_contracts", "list_expensereports"} <= names_for(agent, root)


def test_the_agent_of_everything_keeps_each_agents_rules(root: Any) -> None:
    found = registry.get(registry.ALL)
    scope = found.scope_of("billing.invoice")
    assert scope is not None
    assert scope == registry.of_model(Invoice).scope_of("billing.invoice")
    assert len(found.names.meant) == len(set(found.names.meant))
    assert found.mandates["billing.invoice"].events == frozenset(scope.events)


def test_an_own_tool_is_described_by_its_signature(alice: Any) -> None:
    def overdue(self: Any, run: Any, days: int = 0, state: str | None = None) -> list[Any]:
        """Sent invoices past their due date."""
        return [days, state]

    with declared(lifecycle=Invoice, overdue=tool(overdue)) as agent:
        found = catalogue(registry.of(agent), alice).get("overdue")
        answer = call(run_of(agent, alice), "overdue", days=3)
    assert found is not None
    assert found.description == "Sent invoices past their due date."
    assert found.schema["properties"] == {
        "days": {"type": "integer"},
        "state": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    }
    assert answer["untrusted"] == [3, None]


# Forms


class Everything(forms.Form):
    text = forms.CharField(min_length=2, max_length=5)
    maybe = forms.CharField(required=False)
    number = forms.IntegerField(min_value=1, max_value=9)
    money = forms.DecimalField()
    ratio = forms.FloatField(required=False)
    day = forms.DateField()
    moment = forms.DateTimeField(required=False)
    agree = forms.BooleanField()
    perhaps = forms.BooleanField(required=False)
    one_of = forms.ChoiceField(choices=[("a", "A"), ("group", [("b", "B")])])
    some_of = forms.MultipleChoiceField(choices=[("a", "A"), ("b", "B")], required=False)
    mail = forms.EmailField(required=False)
    anything = forms.JSONField(required=False)
    record = forms.ModelChoiceField(Contract.objects.all(), required=False)
    paper = forms.FileField(required=False)


FINE = {
    "text": "abc",
    "number": 5,
    "money": "1.50",
    "day": "2026-01-31",
    "agree": True,
    "one_of": "b",
}


def test_a_form_becomes_a_schema_that_says_what_it_takes() -> None:
    schema = schema_of(Everything)
    Draft202012Validator.check_schema(schema)
    assert schema["required"] == ["text", "number", "money", "day", "agree", "one_of"]
    assert "paper" not in schema["properties"]
    assert schema["properties"]["text"]["maxLength"] == 5
    assert (schema["properties"]["number"]["minimum"], schema["properties"]["number"]["maximum"]) == (1, 9)
    assert schema["properties"]["one_of"]["enum"] == ["a", "b"]
    assert can_be_json(Everything)
    assert can_be_json(None)
    assert not can_be_json(type("Needs", (forms.Form,), {"paper": forms.FileField()}))


CHANGES: dict[str, tuple[dict[str, Any], bool]] = {
    "as it is": ({}, True),
    "a text that is a number": ({"text": 5}, False),
    "a text that is a list": ({"text": ["abc"]}, False),
    "a number that is a text": ({"number": "5"}, False),
    "a number that is true": ({"number": True}, False),
    "a day that is a number": ({"day": 20260131}, False),
    "a box that is a text": ({"agree": "yes"}, False),
    "a box that is not ticked": ({"agree": False}, False),
    "a choice there is none of": ({"one_of": "c"}, False),
    "choices": ({"some_of": ["a"]}, True),
    "choices there are none of": ({"some_of": ["c"]}, False),
    "choices that are a text": ({"some_of": "a"}, False),
    "nothing where nothing is needed": ({"maybe": None, "ratio": None, "record": None}, True),
    "anything": ({"anything": {"deep": [1]}}, True),
    "a strange name": ({"user": 1}, False),
}


@pytest.mark.parametrize(("change", "fits"), CHANGES.values(), ids=CHANGES)
def test_our_check_agrees_with_json_schema(change: dict[str, Any], fits: bool) -> None:
    schema, value = schema_of(Everything), {**FINE, **change}
    assert Draft202012Validator(schema).is_valid(value) is fits
    assert (not list(mismatches(schema, value))) is fits


@pytest.mark.parametrize("missing", FINE)
def test_what_is_required_is_missed(missing: str) -> None:
    value = {name: given for name, given in FINE.items() if name != missing}
    assert [name for name, _ in mismatches(schema_of(Everything), value)] == [missing]
