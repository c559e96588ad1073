"""The list shows what the user may see, by state, in pages that follow one another without a gap."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from fsm_lifecycle.access import grant_role
from sample_project.billing.models import Invoice
from tests.acting import statements
from tests.pages.conftest import SYSTEM, new_invoice, text_of, to

pytestmark = [pytest.mark.once, pytest.mark.django_db]

As = Callable[..., Client]


def shown(page: str) -> list[str]:
    return re.findall(r"Invoice (F-\d+)</a></th>", page)


def test_a_visitor_is_sent_to_log_in_and_comes_back(client: Client) -> None:
    for address in (
        to("list"),
        to("create"),
        to("detail", 1),
        to("update", 1),
        to("delete", 1),
        to("fire", 1, "pay"),
    ):
        answer = client.get(address)
        assert answer.status_code == 302
        assert answer["Location"].endswith(f"/login/?next={address}")


def test_only_what_may_be_read_is_listed(as_: As) -> None:
    mine, other = new_invoice(), new_invoice()
    browser = as_()
    grant_role(browser.user, "auditor", on=mine, by=SYSTEM)  # type: ignore[attr-defined]
    page = text_of(browser.get(to("list")))
    assert shown(page) == [mine.number]
    assert other.number not in page


def test_what_is_empty_says_why_and_what_next(as_: As) -> None:
    assert "None that you may see" in text_of(as_("auditor").get(to("list"))).replace(
        "There are none", "None"
    )
    page = text_of(as_("clerk", name="bob").get(to("list")))
    assert "No invoices yet" in page
    assert f'href="{to("create")}"' in page
    new_invoice()
    assert "None is paid" in text_of(as_(name="bob").get(to("list"), {"state": "paid"}))


def test_it_is_narrowed_to_a_state(as_: As) -> None:
    draft, sent = new_invoice(), new_invoice()
    sent.fire("send_invoice", actor=SYSTEM)
    browser = as_("auditor")
    assert shown(text_of(browser.get(to("list"), {"state": "sent"}))) == [sent.number]
    assert shown(text_of(browser.get(to("list"), {"state": "no such"}))) == [sent.number, draft.number]


def test_pages_follow_one_another_there_and_back(as_: As) -> None:
    numbers = [new_invoice().number for _ in range(8)][::-1]
    browser = as_("auditor")

    def walk(address: str, word: str) -> list[list[str]]:
        found = []
        while True:
            page = text_of(browser.get(address))
            found.append(shown(page))
            link = re.search(rf'href="(\?[^"]*)">{word}</a>', page)
            if link is None:
                return found
            address = to("list") + link[1].replace("&amp;", "&")

    forward = walk(to("list"), "Older")
    assert forward == [numbers[:3], numbers[3:6], numbers[6:]]
    last = Invoice.objects.order_by("pk")[2].pk
    back = walk(f"{to('list')}?older={last}", "Newer")
    assert back[:2] == [numbers[6:], numbers[3:6]]
    assert [number for page in back for number in page][-3:] == numbers[:3]


@pytest.mark.parametrize("key", ["x", "", "\0", "1' OR 1=1", "9" * 40])
def test_a_key_that_is_none_harms_nothing(as_: As, key: str) -> None:
    new_invoice()
    assert as_("auditor").get(to("list"), {"older": key}).status_code == 200


def test_it_costs_the_same_for_more_records(as_: As) -> None:
    browser = as_("auditor")
    new_invoice()
    browser.get(to("list"))
    with statements() as one:
        browser.get(to("list"))
    for _ in range(2):
        new_invoice()
    with statements() as three:
        browser.get(to("list"))
    assert len(one) == len(three)


def test_a_name_from_a_record_is_never_markup(as_: As) -> None:
    new_invoice(client_name="<script>alert(1)</script>")
    page = text_of(as_("auditor").get(to("list")))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_several_models_share_a_namespace(as_: As) -> None:
    page = text_of(as_().get(to("contract_list")))
    assert "Contracts" in page
    assert to("create") not in page
