"""Every kind of bad argument is refused with a message that says what would be right, and nothing is written."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import pytest

pytestmark = [pytest.mark.once, pytest.mark.pure]

Refusal = Callable[..., str]
STATES = "--states draft:initial,sent,paid:terminal"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Invoice", "use small letters a–z"),
        ("2fast", "use small letters a–z"),
        ("my-app", "use small letters a–z"),
        ("_private", "use small letters a–z"),
        ("trailing_", "use small letters a–z"),
        ("zwei__striche", "use small letters a–z"),
        ("café", "use small letters a–z"),
        ("", "use small letters a–z"),
        ("../up", "use small letters a–z"),
        ("class", "a word of Python's own"),
        ("n" * 51, "50 is the most"),
        ("billing", "an app with the label “billing” already: sample_project.billing"),
        ("json", "a module of Python's own"),
        ("guardian", "already: guardian"),
        ("hypothesis", "There is a module “hypothesis” already, in "),
        ("lifecycles", "The model would be called Lifecycle, as the package's own is"),
    ],
)
def test_a_bad_name(refusal: Refusal, name: str, said: str) -> None:
    assert said in refusal(name)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("number", "Field “number” has no type. Write number:TYPE, one of string, text, integer"),
        ("number:", "has no type"),
        (":string", "use small letters a–z"),
        ("Number:string", "use small letters a–z"),
        ("for:string", "a word of Python's own"),
        (
            "total:money",
            "The types are string, text, integer, decimal, float, boolean, date, datetime, time, uuid",
        ),
        ("total:decimel", "Did you mean “decimal”?"),
        ("total:decimal:2", "has the type “decimal:2”, which there is not"),
        ("owner:references", "Write references:app.Model, for example references:auth.User"),
        ("owner:references:User", "which is no model of this project"),
        ("owner:references:auth.Usr", "Did you mean “auth.User”?"),
        ("bill:references:billing.Nothing", "The models of billing are billing.Contract, billing.Invoice"),
        (
            "parent:references:gadgets.Gadget",
            "the first record could never be made. Write parent:references:gadgets",
        ),
        ("state:string", "the name of something that every lifecycle model has"),
        ("lifecycle:string", "every lifecycle model has"),
        ("log:text", "every lifecycle model has"),
        ("fire:boolean", "every lifecycle model has"),
        ("save:boolean", "every lifecycle model has"),
        ("pk:integer", "every lifecycle model has"),
        ("id:integer", "every lifecycle model has"),
        ("objects:json", "every lifecycle model has"),
        ("created_by:references:auth.User", "is there in every app that this command writes"),
        ("models:string", "would hide what the model's own code uses"),
        ("is_paid:boolean", "a name that the state “paid” puts on the model"),
        ("mark_paid:boolean", "a name that the event “mark_paid” puts on the model"),
        ("a:string a:text", "Field “a” is there 2 times"),
        ("owner:references:auth.User owner_id:integer", "what the reference “owner” is stored as"),
    ],
)
def test_bad_fields(refusal: Refusal, fields: str, said: str) -> None:
    assert said in refusal("gadgets", "--fields", *fields.split(), *shlex.split(STATES))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--states draft", "needs two states or more"),
        ("--states ,", "needs two states or more"),
        ("--states draft:final,sent", "Write draft:initial or draft:terminal."),
        ("--states draft:intial,sent", "Did you mean “initial”?"),
        ("--states a:initial,b:initial", "More than one state is initial: “a” and “b”"),
        ("--states Draft,sent", "use small letters a–z"),
        ("--states draft,draft", "a state and a state"),
        ("--states label,sent", "an option of class Lifecycle"),
        (f"--states a,{'b' * 65}", "64 is the most"),
        ("--events pay:draft>paid", "--events needs the states it speaks of"),
        (f"{STATES} --events pay", "not written as NAME:FROM>TO"),
        (f"{STATES} --events 'pay:draft'", "not written as NAME:FROM>TO"),
        (f"{STATES} --events 'pay:draft>'", "not written as NAME:FROM>TO"),
        (f"{STATES} --events 'pay:darft>paid'", "The states are “draft”, “sent” and “paid”"),
        (f"{STATES} --events 'pay:darft>paid'", "Did you mean “draft”?"),
        (f"{STATES} --events 'pay:*|draft>paid'", "* already stands for every open state"),
        (f"{STATES} --events 'undo:paid>draft'", "a terminal state is final"),
        (
            f"{STATES} --events 'delete:draft>paid'",
            "puts “delete” on the model, which has an attribute of that name",
        ),
        (f"{STATES} --events 'sent:draft>sent'", "“sent” is the name of a state and an event"),
        (f"{STATES} --events 'is_paid:draft>sent'", "put on the model by a state and by an event"),
        (f"{STATES} --roles Boss", "use small letters a–z"),
        (f"{STATES} --roles draft", "“draft” is the name of a state and a role"),
        (f"{STATES} --roles viewer", "nobody could make a record. Name one that may: --roles owner,viewer"),
        ("--into nowhere", "There is no folder "),
        ("--into /", "Python would not find an app in /"),
    ],
)
def test_bad_tables_flags_and_places(refusal: Refusal, arguments: str, said: str) -> None:
    assert said in refusal("gadgets", *shlex.split(arguments))


def test_everything_that_is_wrong_is_said_at_once(refusal: Refusal) -> None:
    said = refusal(
        "gadgets",
        *("--fields", "total:money", "save:string", "who:references:auth.Nobody"),
        *("--states", "draft:first,sent"),
        *("--events", "go", "stay:draft>gone"),
        *("--roles", "Boss"),
    )
    assert said.startswith("Nothing was written.\n")
    assert said.count("\n- ") == 7
    for name in ("total", "save", "who", "first", "“go”", "stay", "Boss"):
        assert name in said
