"""The lifecycle pages in unfold: they answer, in unfold's frame, with what they show anywhere else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from fsm_lifecycle.contrib.unfold import checks

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
STYLES = ROOT / "fsm_lifecycle" / "static" / "fsm_lifecycle" / "lifecycle.css"
OURS = ROOT / "fsm_lifecycle" / "contrib" / "unfold" / "static" / "fsm_lifecycle" / "unfold.css"


@pytest.fixture(scope="module")
def walk() -> Any:
    """What `unfold_visits` saw."""
    command = [
        sys.executable,
        "-W",
        "error::DeprecationWarning:fsm_lifecycle",
        "-m",
        "tests.contrib.unfold_visits",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def text(walk: Any, name: str, status: int = 200) -> str:
    """The text of a page that answered with this status, in unfold's frame."""
    page = walk["pages"][name]
    assert page["status"] == status, page["text"][:2000]
    found = str(page["text"])
    assert 'id="unfold-theme-colors"' in found
    return found


PAGES = ["list", "draft", "event", "history", "many", "section", "log", "result"]
FAR = ["work", "webhooks", "webhook", "adding", "asked", "going", "done"]


@pytest.mark.parametrize("name", [*PAGES, *FAR])
def test_every_page_has_the_lifecycle_styles_and_after_them_those_for_unfold(walk: Any, name: str) -> None:
    styles = re.findall(r'<link[^>]*href="/static/([^"]+\.css)"', text(walk, name))
    ours = [one for one in styles if one.startswith("fsm_lifecycle/")]
    assert (ours[0], ours[-1]) == ("fsm_lifecycle/lifecycle.css", "fsm_lifecycle/unfold.css")
    assert styles.index("unfold/css/styles.css") < styles.index(ours[0])


def test_the_list_shows_badges_and_offers_events_on_many(walk: Any) -> None:
    html = text(walk, "list")
    assert 'class="lifecycle-state t-new"' in html
    assert '<option value="fire_pay"' in html
    assert "Draft (1)" in html


def test_a_record_shows_its_state_its_events_and_why_the_others_cannot(walk: Any) -> None:
    html = text(walk, "draft")
    assert 'class="lifecycle-state t-new is-large"' in html
    assert re.search(r'<a class="lc-btn" data-lifecycle-event="cancel"', html)
    assert re.search(r'<button[^>]*data-lifecycle-event="send_invoice" disabled', html)
    assert "Write the client&#x27;s name first." in html


def test_the_fields_of_a_record_are_unfolds_and_its_tools_stand_in_the_header_alone(walk: Any) -> None:
    html = text(walk, "draft")
    assert re.search(r'<input[^>]*name="client_name"[^>]*class="[^"]*rounded-default', html)
    assert html.count("/history/") == 1


def test_an_event_has_its_title_its_form_and_what_will_happen(walk: Any) -> None:
    html = text(walk, "event")
    assert re.search(r'<h2 class="lc-title">[^<]*Pay', html)
    assert 'name="paid_on"' in html
    assert "Can it be undone?" in html


def test_an_event_fires_and_a_record_that_has_changed_is_shown_first(walk: Any) -> None:
    assert "Nothing was done." in text(walk, "stale", 409)
    assert walk["pages"]["fired"]["status"] == 302
    assert walk["state"] == "overdue"


def test_an_event_on_many_asks_and_says_what_became_of_each(walk: Any) -> None:
    assert 'name="seen"' in text(walk, "many")
    assert "1 of 2 invoices is Cancelled." in text(walk, "result")


def test_the_history_is_the_lifecycles_with_djangos_below(walk: Any) -> None:
    html = text(walk, "history")
    assert 'class="lc-timeline"' in html
    assert "None was made on this site." in html


def test_the_section_has_its_tabs_and_its_place_in_the_sidebar(walk: Any) -> None:
    html = text(walk, "section")
    assert re.search(r'<nav class="lc-nav".*href="/admin/lifecycle/log/".*</nav>', html, re.DOTALL)
    assert 'id="link-lifecycle-lifecyclelog"' in html
    assert 'href="/admin/lifecycle/log/"' in text(walk, "index")
    assert "/admin/lifecycle/" not in text(walk, "auditor")


def test_an_action_of_unfolds_is_offered_to_those_who_may_change_the_record(walk: Any) -> None:
    assert "Print out" in text(walk, "owner")
    assert "Print out" not in text(walk, "auditor")


def test_a_navigation_of_ones_own_can_have_the_section_as_a_group(walk: Any) -> None:
    (group,), nobodys = walk["group"]
    assert [item["title"] for item in group["items"] if item["active"]] == ["Log"]
    assert {item["link"] for item in group["items"]} >= {"/admin/lifecycle/", "/admin/lifecycle/roles/"}
    assert nobodys == []


def test_no_colour_of_the_lifecycle_pages_is_left_to_the_readers_system() -> None:
    """unfold may be dark on a light system, and the other way round."""
    styles, ours = STYLES.read_text(), OURS.read_text()
    light, dark = tokens(styles, 'html[data-theme="light"], :root'), tokens(styles, 'html[data-theme="dark"]')
    both = tokens(ours, "html:not(.dark), html.dark")
    for theirs, mine in ((light, tokens(ours, "html:not(.dark)")), (dark, tokens(ours, "html.dark"))):
        assert dark.keys() <= mine.keys() | both.keys()
        tones = {name for name in dark if re.match(r"--lc-(new|active|wait|alert|done|stop|refused)\b", name)}
        assert {name: mine[name] for name in tones} == {name: theirs[name] for name in tones}


def test_every_variable_that_the_styles_take_from_the_admin_is_there() -> None:
    used = set()
    for path in STYLES.parent.glob("*.css"):
        if path.name != "pages.css":
            used |= set(re.findall(r"var\((--[a-z-]+)\)", path.read_text()))
    admins = {name for name in used if not re.match(r"--(lc-|t\b)", name)}
    ours = OURS.read_text()
    both = tokens(ours, "html:not(.dark), html.dark")
    assert admins
    for selector in ("html:not(.dark)", "html.dark"):
        assert admins <= tokens(ours, selector).keys() | both.keys()


def tokens(css: str, selector: str) -> dict[str, str]:
    """The custom properties that a rule sets."""
    start = css.index(f"\n{selector} {{")
    return dict(re.findall(r"(--[\w-]+):\s*([^;]+);", css[start : css.index("}", start)]))


GOOD = ("fsm_lifecycle.contrib.unfold", "unfold", "django.contrib.admin", "fsm_lifecycle")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (GOOD, []),
        (("fsm_lifecycle.contrib.unfold", "unfold.contrib.filters", *GOOD[1:]), []),
        (("fsm_lifecycle.contrib.unfold", "django.contrib.admin", "fsm_lifecycle"), ["E067"]),
        (("unfold", "fsm_lifecycle.contrib.unfold", "django.contrib.admin", "fsm_lifecycle"), []),
        (("unfold", "django.contrib.admin", "fsm_lifecycle", "fsm_lifecycle.contrib.unfold"), ["E067"]),
        (("fsm_lifecycle.contrib.unfold", "django.contrib.admin", "unfold", "fsm_lifecycle"), ["E067"]),
    ],
)
def test_apps_in_an_order_that_cannot_work_are_a_finding(names: tuple[str, ...], found: list[str]) -> None:
    configs = [SimpleNamespace(name=name) for name in names]
    with mock.patch.object(checks, "apps", SimpleNamespace(get_app_configs=lambda: configs)):
        said = checks.check_order()
    assert [str(message.id).removeprefix("fsm_lifecycle.") for message in said] == found


WITHOUT_UNFOLD = """
import sys
import django

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "unfold":
            raise ModuleNotFoundError("No module named 'unfold'", name="unfold")

sys.meta_path.insert(0, Missing())
django.setup()
import fsm_lifecycle.contrib.unfold
fsm_lifecycle.contrib.unfold.LifecycleAdmin
"""


def test_without_unfold_the_import_says_what_to_install() -> None:
    command = [sys.executable, "-c", WITHOUT_UNFOLD]
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "pip install django-unfold" in done.stderr


def test_many_records_go_in_the_background(walk: Any) -> None:
    assert "in the background" in text(walk, "asked")
    going = text(walk, "going")
    assert "data-lifecycle-going" in going
    assert "fsm_lifecycle/progress.js" in going
    assert "of 5 invoices" in text(walk, "done")
