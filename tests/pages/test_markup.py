"""What holds for every page: no inline style or script, one heading, names escaped, colours for both modes."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, override_settings

from fsm_lifecycle.pages import site
from sample_project.billing.models import Invoice
from tests.pages.conftest import SYSTEM, new_invoice, text_of, to

pytestmark = pytest.mark.once

STATIC = Path(__file__).parents[2] / "fsm_lifecycle" / "static" / "fsm_lifecycle"


class Reader(HTMLParser):
    """Collects what a strict Content-Security-Policy forbids, and ids and labels."""

    def __init__(self) -> None:
        super().__init__()
        self.forbidden: list[str] = []
        self.ids: list[str] = []
        self.inputs: list[str] = []
        self.labels: list[str] = []
        self.headings = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "style") or "style" in given or any(name.startswith("on") for name in given):
            self.forbidden.append(f"<{tag} {attrs}>")
        for name in ("src", "href"):
            if re.match(r"(https?:)?//", given.get(name) or ""):
                self.forbidden.append(f"{name}={given[name]}")
        if given.get("id"):
            self.ids.append(given["id"] or "")
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self.inputs.append(given.get("id") or "")
        if tag == "label":
            self.labels.append(given.get("for") or "")
        self.headings += tag == "h1"


@pytest.mark.django_db
def test_every_page_holds_under_a_strict_policy(admin_client: Client) -> None:
    name = '<script>alert("x")</script>'
    invoice = new_invoice(client_name=name, number="<b>1</b>")
    key = invoice.pk
    pages: list[Any] = [
        admin_client.get(address)
        for address in (
            to("list"),
            to("create"),
            to("detail", key),
            to("update", key),
            to("delete", key),
            to("fire", key, "cancel"),
            to("fire", key, "pay"),
        )
    ]
    pages.append(admin_client.post(to("fire", key, "cancel"), {"reason": name, "expected_sequence": "0"}))
    pages.append(admin_client.post(to("create"), {"client_name": name}))
    for answer in pages:
        page = text_of(answer)
        reader = Reader()
        reader.feed(page)
        assert reader.forbidden == [], answer.request["PATH_INFO"]
        assert reader.headings == 1
        assert len(reader.ids) == len(set(reader.ids))
        assert set(reader.inputs) <= set(reader.labels)
        assert "<b>1" not in page


@pytest.mark.django_db
def test_a_page_that_is_not_allowed_holds_too(
    client: Client, person: Callable[..., Any], invoice: Invoice
) -> None:
    client.force_login(person("eve", "auditor"))
    reader = Reader()
    reader.feed(text_of(client.get(to("update", invoice.pk))))
    assert reader.forbidden == []
    invoice.fire("cancel", actor=SYSTEM, arguments={"reason": "x"})


@pytest.mark.pure
def test_every_colour_that_the_admin_would_give_is_given_here_in_both_modes() -> None:
    own = (STATIC / "pages.css").read_text()
    plain, _, both = own.partition("@supports (color: light-dark")
    for name in ("lifecycle.css", "diagram.css"):
        for variable in set(
            re.findall(r"var\((--(?!t\b|t-|lc-[0-9]|lc-radius)[a-z-]+)", (STATIC / name).read_text())
        ):
            if variable.startswith("--lc-") or variable in ("--font-family-primary", "--button-fg"):
                continue
            assert f"{variable}:" in plain, variable
            assert f"{variable}: light-dark(" in both, variable


@pytest.mark.pure
def test_tones_are_the_same_as_the_admins() -> None:
    admin, own = (STATIC / "lifecycle.css").read_text(), (STATIC / "pages.css").read_text()
    light: dict[str, str] = {}
    dark: dict[str, str] = {}
    for name, value in re.findall(r"(--lc-(?:new|active|wait|alert|done|stop)[a-z-]*): (#[0-9a-f]+)", admin):
        (dark if name in light else light).setdefault(name, value)
    assert len(light) == len(dark) == 18
    for name in light:
        assert f"{name}: light-dark({light[name]}, {dark[name]})" in own


@pytest.mark.pure
@pytest.mark.parametrize(
    ("templates", "base"),
    [
        ({}, "fsm_lifecycle/base.html"),
        ({"base.html": "{% block content %}{% endblock %}"}, "base.html"),
        ({"base.html": '{% extends "x.html" %}', "x.html": "{% block content %}{% endblock %}"}, "base.html"),
        ({"base.html": "{% block footer %}{% endblock %}"}, "fsm_lifecycle/base.html"),
        ({"base.html": "{% nonsense %}"}, "fsm_lifecycle/base.html"),
    ],
)
def test_pages_stand_in_the_sites_base_where_it_has_a_place(templates: dict[str, str], base: str) -> None:
    engine = {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", templates)]},
    }
    with override_settings(TEMPLATES=[engine]):
        assert site.base_of_pages() == base
