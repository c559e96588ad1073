"""Visits every page of the admin in the awkward host and prints what was wrong, by subject, as one JSON document.

Run as ``python -m tests.acceptance.odd.visit``.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import django

django.setup()

from django.contrib.admin.utils import quote as admin_quote  # noqa: E402
from django.contrib.auth.models import Group, User  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402
from django.urls import reverse  # noqa: E402

from fsm_lifecycle import System, acting_as  # noqa: E402
from fsm_lifecycle.access import grant_role  # noqa: E402
from tests.acceptance.markup import Page  # noqa: E402
from tests.acceptance.odd.models import MARKUP, ODD, SECRET, Keyed, Long, Odd  # noqa: E402

SETUP = System(f"setup {ODD}"[:200])
PAGES = """dashboard log roles refusals ledger retention settings access_events checkpoints delegate redact_entry
redact_person hold purged log_csv log_json""".split()
LABELS = "odd.odd odd.keyed odd.long odd.lonely odd.nothing ODD.Odd helpdesk.ticket auth.user".split()
NONSENSE = ["", "9" * 23, "a\0b", f"{MARKUP}'\"%😀\u202e", "0001-01-01", "9999-12-31T23:59", "user:²"]
#: The pages that something is sent to, with what they do.
SENDING = {
    "roles": ["find", "grant", "revoke", "end"],
    "delegate": ["delegate"],
    "redact_entry": ["look", "redact"],
    "redact_person": ["find", "look", "redact"],
    "retention": [""],
    "hold": [""],
}
PARAMETERS = """model record event actor kind since until cause before after on user role holder page newer older stuck
below entry find_holder find_giver find_stand_in giver stand_in digest grant delegation hold surface find_person person
fields_chosen as_of code who q o p do reason scope format redact""".split()
KEYS = [
    "a/b",
    "a/b/event/switch_on/x",
    "event",
    "a b",
    "ä😀",
    MARKUP,
    "'\"&",
    "%41",
    "a_b",
    "1:2",
    "add",
    "x" * 200,
    "?q=1#f",
]

faults: dict[str, list[str]] = defaultdict(list)
visited: set[str] = set()


class Browser:
    """A client that judges every answer."""

    def __init__(self, user: User) -> None:
        self.client = Client()
        self.client.force_login(user)

    def get(self, url: str, data: Any = None) -> Any:
        return self._ask("get", url, data)

    def post(self, url: str, data: Any = None) -> Any:
        return self._ask("post", url, data)

    def _ask(self, method: str, url: str, data: Any) -> Any:
        what = f"{method} {url[:120]} {str(data)[:200] if data else ''}"
        try:
            answer: Any = getattr(self.client, method)(url, data or {})
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        except Exception as error:
            faults["breaks"].append(f"{what}: {type(error).__name__}: {str(error)[:200]}")
            return None
        visited.add(urlsplit(url).path)
        answer.body = body.decode()
        if answer.status_code >= 500:
            faults["breaks"].append(f"{what}: {answer.status_code}")
        if answer["Content-Type"].startswith("text/html") and body:
            # Django's own page of a user has a password field without its description.
            found = [] if "/auth/user/" in url else Page(answer.body).faults
            faults["markup"] += [f"{what}: {one}" for one in found]
            for raw in (MARKUP, "<b>marked"):
                if raw in answer.body:
                    at = answer.body.index(raw)
                    faults["unescaped"].append(f"{what}: …{answer.body[max(0, at - 100) : at + 40]}")
        return answer


def section(name: str) -> str:
    return reverse(f"admin:lifecycle_{name}")


def all_pages(browser: Browser) -> None:
    for name in PAGES:
        browser.get(section(name))
    for label in LABELS:
        browser.get(f"/admin/lifecycle/{label}/")
        browser.get(f"/admin/lifecycle/retention/purge/{label}/")
    for ending in ("svg", "json", "nonsense"):
        browser.get(f"/admin/lifecycle/odd.odd/diagram.{ending}")
    for model in ("odd", "keyed", "long", "lonely"):
        browser.get(f"/admin/odd/{model}/")


def one_record(browser: Browser, record: Odd) -> None:
    page = f"/admin/odd/odd/{record.pk}/"
    for name in ("change", "history", "delete"):
        browser.get(f"{page}{name}/")
    for event in Odd.lifecycle.events:
        browser.get(f"{page}event/{event}/")
    shown = Page(browser.get(f"{page}change/").body)
    events = {given.get("data-lifecycle-event") for _, given in shown.elements} - {None}
    if events != {"go", "stay", "refused", "quiet", "add_up", "finish"}:
        faults["hidden events"].append(f"shown: {sorted(map(str, events))}")


def nonsense(browser: Browser, record: Odd) -> None:
    list_, page = "/admin/odd/odd/", f"/admin/odd/odd/{record.pk}/"
    fields = (
        "reason hidden one several grouped ticked moment_0 moment_1 day_day day_month sure number details"
    )
    for text in NONSENSE:
        inside = quote(text, safe="")
        sent = dict.fromkeys(fields.split(), text)
        for sequence in ("0", text):
            browser.post(f"{page}event/go/", {"expected_sequence": sequence, **sent})
        browser.post(f"{page}event/go/", {"expected_sequence": "1", **sent, "reason": "no"})
        browser.post(f"{page}event/go/", {"review": "1", **sent})
        for url in (
            f"{list_}{inside}/change/",
            f"{list_}{inside}/event/go/",
            f"{page}event/{inside}/",
            f"/admin/lifecycle/{inside}/",
            f"/admin/lifecycle/log/{inside}/",
            f"/admin/lifecycle/retention/purge/{inside}/",
            f"/admin/lifecycle/ledger/checkpoints/{inside}/",
        ):
            browser.get(url)
        for action in ("fire_go", "fire_stay"):
            browser.post(list_, {"action": action, "_selected_action": text})
        for name in ("state", "q", "o", "p"):
            browser.get(list_, {name: text})
        for url in [*map(section, PAGES), "/admin/lifecycle/odd.odd/"]:
            browser.get(url, dict.fromkeys(PARAMETERS, text))
        for name, dos in SENDING.items():
            for do in dos:
                browser.post(section(name), {**dict.fromkeys(PARAMETERS, text), "do": do})


def many(browser: Browser, records: list[Odd]) -> None:
    list_ = "/admin/odd/odd/"
    answer = browser.post(list_, {"action": "fire_stay", "_selected_action": [one.pk for one in records]})
    if answer is not None and answer.status_code == 302:
        browser.get(answer.url)
        browser.get(answer.url, {"format": "csv"})
    asked = browser.post(list_, {"action": "fire_go", "_selected_action": [one.pk for one in records]})
    forms = [
        given for tag, given in Page(asked.body).elements if tag == "form" and "event/go" in given["action"]
    ]
    seen = re.findall(r'name="seen" value="([^"]+)"', asked.body)
    for reason in ("no", ODD[:300]):
        answer = browser.post(forms[0]["action"], {"seen": seen, "reason": reason, "hidden": SECRET})
        browser.get(answer.url)


def keyed(browser: Browser) -> None:
    with acting_as(SETUP):
        for key in KEYS:
            Keyed.objects.create(code=key)
    for key in KEYS:
        answer = browser.get(f"/admin/odd/keyed/{admin_quote(key)}/change/")
        page = Page(answer.body if answer is not None and answer.status_code == 200 else "")
        event = [link for link in page.links if link.endswith("/event/switch_on/")]
        if len(event) != 1:
            faults["keys"].append(f"{key!r}: no link to its event")
            continue
        fired = browser.post(event[0], {"expected_sequence": 1})
        if Keyed.objects.get(pk=key).state != "on" or browser.get(fired.url).status_code != 200:
            faults["keys"].append(f"{key!r}: was not fired")
    browser.get("/admin/odd/keyed/")


def follow_links(browser: Browser) -> None:
    """Every link of the section and of the awkward models leads somewhere."""
    waiting = ["/admin/lifecycle/", "/admin/odd/odd/", "/admin/odd/long/"]
    known: set[str] = set()
    often: dict[str, int] = defaultdict(int)
    while waiting:
        url = waiting.pop(0)
        kind = re.sub(r"\d+", "1", urlsplit(url).path)
        if url in known or often[kind] > 0:
            continue
        known.add(url)
        often[kind] += 1
        answer = browser.get(url)
        if answer is None or answer.status_code >= 400:
            faults["dead links"].append(f"{url}: {getattr(answer, 'status_code', 'broke')}")
        elif answer["Content-Type"].startswith("text/html"):
            links = [urljoin(url, link).split("#")[0] for link in Page(answer.body).links]
            waiting += [one for one in links if one.startswith(("/admin/lifecycle/", "/admin/odd/"))]


def main() -> None:
    setup_test_environment()
    connection.creation.create_test_db(verbosity=0)
    root = User.objects.create_superuser(f"root{MARKUP}", first_name=MARKUP, last_name="O'Brien \u202e😀")
    browser = Browser(root)
    all_pages(browser)
    with acting_as(root):
        records = [
            Odd.objects.create(text=text, hidden=f"{SECRET} {MARKUP}") for text in (ODD, "=cmd()", "", "x")
        ]
        Long.objects.create(name="N" * 200)
    grant_role(
        User.objects.create(username="evil", first_name=MARKUP, is_staff=True), "looker", on=Odd, by=SETUP
    )
    grant_role(Group.objects.create(name=f"Group {MARKUP}"), "chief", on=Odd, by=SETUP)
    one_record(browser, records[0])
    nonsense(browser, records[0])
    sent = {"expected_sequence": 1, "reason": ODD[:400], "hidden": SECRET}
    browser.post(f"/admin/odd/odd/{records[0].pk}/event/go/", sent)
    if Odd.objects.get(pk=records[0].pk).state != "<b>marked</b>\"'&":
        faults["breaks"].append("an honest firing among the nonsense was refused")
    stale = browser.post(f"/admin/odd/odd/{records[0].pk}/event/go/", {**sent, "several": ["a", "b<"]})
    if stale is not None and "has changed" not in Page(stale.body).text:
        faults["breaks"].append("a stale page does not say so")
    many(browser, records)
    keyed(browser)
    records[3].refresh_from_db()
    records[3].fire("finish", actor=SETUP)
    all_pages(browser)
    for record in records:
        for name in ("change", "history"):
            body = browser.get(f"/admin/odd/odd/{record.pk}/{name}/").body
            if SECRET in body:
                faults["hidden values"].append(f"{name} of {record.pk} at {body.index(SECRET)}")
    follow_links(browser)
    json.dump(
        {"visited": len(visited), "faults": {k: list(dict.fromkeys(v)) for k, v in faults.items()}},
        sys.stdout,
    )


if __name__ == "__main__":
    main()
