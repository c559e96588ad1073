"""What a type checker must find. Each line says after `E:` a part of what it is told."""

# ruff: noqa: B018 - an expression is enough to be judged

from __future__ import annotations

from fsm_lifecycle import Branch, Event, Firing, Snapshot, State, System, acting_as, effect, fires, guard
from fsm_lifecycle.models import LifecycleModel
from tests.testapp.models import Invoice


@guard("No.")
def has_total(invoice: Invoice) -> bool:
    return True


@effect("Prints")
def prints(invoice: Invoice, firing: Firing) -> None:
    print(firing.sorce)  # E: "Firing" has no attribute "sorce"


def firing(invoice: Invoice) -> None:
    invoice.fire()  # E: Missing positional argument "event"
    invoice.fire(5)  # E: incompatible type "int"; expected "Event | str"
    invoice.fire("pay", "alice")  # E: Too many positional arguments
    invoice.fire("pay", actr=None)  # E: Unexpected keyword argument "actr"
    invoice.fire("pay", expected_sequence="3")  # E: "expected_sequence"
    invoice.fire("pay", arguments=["x"])  # E: "arguments"
    invoice.fire("pay", occurred_at="2026-11-20")  # E: "occurred_at"
    invoice.fire("pay").evnt  # E: "TransitionLog" has no attribute "evnt"
    invoice.decide("pay").alowed  # E: "Decision" has no attribute "alowed"
    invoice.can_fire(None)  # E: "None"; expected "Event | str"
    invoice.state = 5  # E: Incompatible types in assignment
    invoice.state_at("yesterday")  # E: "state_at"


def many() -> None:
    Invoice.objects.in_state(5)  # E: "in_state"
    Invoice.objects.in_state("draft").get().amount.nothing  # E: "Decimal" has no attribute "nothing"
    Invoice.objects.fire("pay", batch_size="10")  # E: "batch_size"
    Invoice.objects.all().fire("pay", all=True)  # E: Unexpected keyword argument "all"
    Invoice.objects.stuck(days="3")  # E: "days"
    Invoice.objects.in_sate("draft")  # E: has no attribute "in_sate"


class Thing(LifecycleModel):
    class Meta:
        app_label = "samples"

    class Lifecycle:
        number = State(5)  # E: incompatible type "int"; expected "str"
        red = State("red", tone="red")  # E: "tone"
        long = State("long", stuck_after=7)  # E: "stuck_after"
        start = State("start", begin=True)  # E: Unexpected keyword argument "begin"
        nowhere = Event(start)  # E: Missing named argument "to"
        odd = Event(start, to=5)  # E: "to"
        lone = Event(start, to=start, guards=has_total)  # E: "guards"
        form = Event(start, to=start, arguments="PaymentForm")  # E: "arguments"
        branch = Event(start, to=Branch((has_total, start)))  # E: Missing named argument "otherwise"
        snapshot = Snapshot.every_nth("3")  # E: "every_nth"
        fire = Event(start, to=start, effects=[fires(None, "x")])  # E: "fires"
        cause = fires(lambda thing: thing, "x", on_failure="ignore")  # E: "on_failure"


@guard  # E: incompatible type
def no_reason(invoice: Invoice) -> bool:
    return True


has_total()  # E: Missing positional argument "invoice"
wrong: str = has_total(Invoice())  # E: Incompatible types in assignment
prints(Invoice())  # E: Missing positional argument "firing"
System(5)  # E: incompatible type "int"; expected "str"
acting_as()  # E: Missing positional argument "actor"
Invoice.lifecycle.states["draft"].colour  # E: "State" has no attribute "colour"
Invoice.lifecycle.nothing  # E: "Table" has no attribute "nothing"
Invoice.Lifecycle.sennt  # E: has no attribute "sennt"
