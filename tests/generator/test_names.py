"""How an app's name becomes the model's and the plural."""

from __future__ import annotations

import pytest

from fsm_lifecycle.generator import names

pytestmark = [pytest.mark.once, pytest.mark.pure]


@pytest.mark.parametrize(
    ("many", "one"),
    [
        line.split()
        for line in """
        invoices invoice|categories category|boxes box|branches branch|classes class|heroes hero|shoes shoe
        people person|children child|cookies cookie|ties tie|days day|cases case|houses house|buses bus|causes cause
        statuses status|quizzes quiz|sizes size|archives archive|analyses analysis|leaves leave|menus menu|photos photo
        """.replace("\n", "|").split("|")
        if line.strip()
    ],
)
def test_a_plural_gives_its_singular_and_comes_back(many: str, one: str) -> None:
    assert names.singular(many) == one
    assert names.singular(one) == one
    assert names.plural(one) == many


@pytest.mark.parametrize(
    "word", ["status", "news", "series", "analysis", "address", "data", "alias", "bus", "x", "gas"]
)
def test_what_is_no_plural_stays_as_it_is(word: str) -> None:
    assert names.singular(word) == word


@pytest.mark.parametrize(
    "words", ["an invoice", "a user", "an hour", "a unit", "an update", "a case", "an event"]
)
def test_the_article_is_the_one_that_is_heard(words: str) -> None:
    assert names.with_article(words.partition(" ")[2]) == words


def test_only_the_last_word_is_changed() -> None:
    assert names.camel(names.of_the_last("sales_orders", names.singular)) == "SalesOrder"
    assert names.camel(names.of_the_last("leave_requests", names.singular)) == "LeaveRequest"
    assert names.of_the_last("news_item", names.plural) == "news_items"
