"""Edits of a host's source: the layout stays, and what is there already is not put in twice."""

from __future__ import annotations

import ast

import pytest

from fsm_lifecycle.generator.source import CannotEdit, Source

pytestmark = [pytest.mark.once, pytest.mark.pure]

LISTS = {
    'A = ["a", "b"]\n': 'A = ["a", "b", "new"]\n',
    'A = ["a", "b",]\n': 'A = ["a", "b", "new"]\n',
    'A = ["a"]  # ours\n': 'A = ["a", "new"]  # ours\n',
    "A = []\n": 'A = ["new"]\n',
    "A = ()\n": 'A = ("new",)\n',
    'A = ("a",)\n': 'A = ("a", "new")\n',
    'A = [\n    "a",\n    "b",\n]\n': 'A = [\n    "a",\n    "b",\n    "new",\n]\n',
    'A = [\n    "a",\n    "b"\n]\n': 'A = [\n    "a",\n    "b",\n    "new",\n]\n',
    'A = [\n    "a",  # first\n    # "old",\n]\n': 'A = [\n    "a",  # first\n    "new",\n    # "old",\n]\n',
    'A = [\n    "é", "b",  # ü\n]\n': 'A = [\n    "é", "b",  # ü\n    "new",\n]\n',
    'A = ["a",\n     "b"]\n': 'A = ["a",\n     "b",\n     "new",]\n',
    'A: list[str] = ["a"]\n': 'A: list[str] = ["a", "new"]\n',
    'A = ["a"]\nA += ["b"]\n': 'A = ["a"]\nA += ["b", "new"]\n',
    'B = ["b"]\nA = ["a"] + B\n': 'B = ["b", "new"]\nA = ["a"] + B\n',
    'A = [*others, "a"]\n': 'A = [*others, "a", "new"]\n',
    'if True:\n    pass\nA = [\n\t"a",\n]\n': 'if True:\n    pass\nA = [\n\t"a",\n\t"new",\n]\n',
}


@pytest.mark.parametrize("before", LISTS)
def test_an_element_is_added_as_the_others_are_written(before: str) -> None:
    source = Source(before)
    listed = source.assigned("A")
    assert listed is not None
    source.add(listed, '"new"')
    assert source.text == LISTS[before]
    ast.parse(source.text)


def test_an_element_is_put_before_another() -> None:
    source = Source('A = [\n    "a",\n    "b",\n]\nB = ["a", "b"]\n')
    for name in "AB":
        listed = source.assigned(name)
        assert listed is not None
        source.add(listed, '"new"', lambda elements: 1)
    assert source.text == 'A = [\n    "a",\n    "new",\n    "b",\n]\nB = ["a", "new", "b"]\n'


@pytest.mark.parametrize("text", ["A = other()\n", "B = []\n", "def f():\n    A = []\n", "A, B = [], []\n"])
def test_what_is_no_plain_list_is_not_guessed_at(text: str) -> None:
    assert Source(text).assigned("A") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from django.urls import path\n", "from django.urls import include, path\n"),
        ("from django.urls import include, path\n", "from django.urls import include, path\n"),
        ("from django.urls import re_path\n", "from django.urls import include, path, re_path\n"),
        ("import os\n\nx = 1\n", "import os\nfrom django.urls import include, path\n\nx = 1\n"),
        ('"""Docs."""\n\nx = 1\n', '"""Docs."""\n\nfrom django.urls import include, path\n\nx = 1\n'),
        ("x = 1\n", "from django.urls import include, path\n\nx = 1\n"),
        (
            "from django.urls import (\n    path,  # ours\n)\n",
            "from django.urls import (\n    path,  # ours\n)\nfrom django.urls import include\n",
        ),
    ],
)
def test_names_are_imported_once(before: str, after: str) -> None:
    source = Source(before)
    source.import_names("django.urls", ["include", "path"])
    assert source.text == after
    source.import_names("django.urls", ["include", "path"])
    assert source.text == after


def test_a_name_that_means_something_else_is_left_alone() -> None:
    with pytest.raises(CannotEdit, match="path is the name of something else"):
        Source("from os import path\n").import_names("django.urls", ["path"])


def test_what_python_cannot_read_is_not_edited() -> None:
    with pytest.raises(CannotEdit, match="line 2"):
        Source("x = 1\ny = (\n").assigned("A")
