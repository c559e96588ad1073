"""Which entries a filter matches, and what is said of one that can match nothing."""

from __future__ import annotations

import time

import pytest

from fsm_lifecycle.webhooks.filters import defects, listed, matches, type_of

pytestmark = [pytest.mark.pure, pytest.mark.once]

PAY, CREATED = "billing.invoice.pay", "billing.invoice:created"
OTHERS = [
    "billing.invoice.send",
    "billing.contract.pay",
    "shop.order.pay",
    "shop.order:created",
    "billing.invoice:deleted",
]

#: A filter, and what it matches of all of these.
MATCHES = {
    "billing.invoice.pay": {PAY},
    "billing.invoice.*": {PAY, "billing.invoice.send"},
    "*.pay": {PAY, "billing.contract.pay", "shop.order.pay"},
    "billing.*": {PAY, "billing.invoice.send", "billing.contract.pay"},
    "*": {PAY, "billing.invoice.send", "billing.contract.pay", "shop.order.pay"},
    "billing.invoice:created": {CREATED},
    "billing.invoice:*": {CREATED, "billing.invoice:deleted"},
    "*:created": {CREATED, "shop.order:created"},
    "b*g.*v*c*.*y": {PAY},
    "b**.***pay": {PAY, "billing.contract.pay"},
    "*.pay*.pay": set(),
    "billing.invoice.pay*pay": set(),
    "*:*": {CREATED, "shop.order:created", "billing.invoice:deleted"},
    "billing.invoice": set(),
    "pay": set(),
    "BILLING.invoice.pay": set(),
    "billing.invoice.p": set(),
    "billing.invoice.pay.": set(),
    "billing?invoice.pay": set(),
    "": set(),
}


@pytest.mark.parametrize(("filter_", "wanted"), MATCHES.items(), ids=MATCHES)
def test_a_filter_matches(filter_: str, wanted: set[str]) -> None:
    assert {one for one in [PAY, CREATED, *OTHERS] if matches([filter_], one)} == wanted


@pytest.mark.parametrize("filter_", ["*" * 8 + "x", "*i" * 8 + "x", "*:" + "*e" * 8 + "*x"])
def test_a_filter_of_stars_takes_no_longer_than_another(filter_: str) -> None:
    start = time.process_time()
    assert not matches([filter_], "billing.invoice_that_is_invited.invite:" + "redeemed" * 5)
    assert not matches([filter_], "billing.invoice_that_is_invited.invite")
    assert time.process_time() - start < 5


def test_a_filter_that_is_longer_than_any_type_is_refused_unread() -> None:
    (long,) = defects(["*" * 100_000 + "x"])
    assert "210 characters" in long
    assert len(long) < 100


def test_one_of_several_is_enough() -> None:
    assert matches(["*:deleted", "*.pay"], PAY)
    assert not matches([], PAY)


def test_an_entry_is_called_by_its_event_or_its_kind() -> None:
    assert type_of("billing.invoice", "transition", "pay") == PAY
    assert type_of("billing.invoice", "created", None) == CREATED


def test_filters_may_be_one_text() -> None:
    assert listed("billing.invoice.pay, *.refund\n*:created") == [PAY, "*.refund", "*:created"]
    assert listed([PAY]) == [PAY]
    assert listed(None) == []


def test_a_filter_that_matches_nothing_is_named_with_what_there_is() -> None:
    assert defects(["testapp.invoice.pay", "testapp.light.*", "*.pay", "*", "testapp.invoice:created"]) == []
    (unknown,) = defects(["testapp.invoice.play"])
    assert "testapp.invoice.play" in unknown
    assert "pay" in unknown
    (nowhere,) = defects(["billing.invoyce.pay"])
    assert "billing.invoice" in nowhere
    (kind,) = defects(["testapp.invoice:made"])
    assert "created" in kind
    (spaced,) = defects(["a b"])
    assert "no filter" in spaced


def test_the_events_of_a_child_go_by_its_parents_label() -> None:
    assert defects(["testapp.invoice.dispute"]) == []
