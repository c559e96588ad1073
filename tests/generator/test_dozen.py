"""A dozen apps in one host project: each is generated and installed, then all are migrated, checked, tested, linted,
formatted, type-checked and opened in a browser at once."""

from __future__ import annotations

import fcntl
import json
import shlex
from dataclasses import dataclass
from typing import cast

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.browser import chromium
from tests.browser.site import Site
from tests.browser.visitor import PHONE, Windows, overflow
from tests.generator.host import ROOT, Host

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.timeout(1500)]

#: The example of the specification, as it is written there.
INVOICE = (
    "invoice --fields number:string amount:decimal client_name:string due_date:date owner:references:auth.User "
    "--states draft:initial,sent,overdue,paid:terminal,cancelled:terminal "
    '--events "send_invoice:draft>sent" "pay:sent|overdue>paid" "cancel:draft|sent>cancelled" '
    "--roles owner,approver,viewer"
)
TYPES = "string text integer decimal float boolean date datetime time uuid email url json".split()

APPS = [
    INVOICE,
    "categories --agent",
    # Every type, and every type left open.
    f"specimens --api --fields {' '.join(f'a_{t}:{t}' for t in TYPES)} {' '.join(f'may_{t}:{t}?' for t in TYPES)}",
    # Two references to one model, and one to an app that was generated before.
    (
        "leave_requests --fields employee:references:auth.User stand_in:references:auth.User? about:text "
        "invoice:references:invoice.Invoice --states asked,granted:terminal,declined:terminal --roles asker,boss,guest"
    ),
    # The model has the name of a class of the package.
    (
        "events --api --fields title:string? --states planned,running,over:terminal,called_off:terminal "
        '--events "begin:planned>running" "end:running>over" "call_off:*>called_off"'
    ),
    "roles --roles keeper --api",
    # Names that are legal, and words of SQL, of Python's or of Django's.
    (
        "status --api --fields settings:json? order:integer select:string type:string group:references:auth.Group? "
        "--states new,old:terminal"
    ),
    "case --fields match:string user:references:auth.User --states open,shut:terminal",
    "classes --fields pupil:references:leave_requests.LeaveRequest room:string --agent --api",
    # It references itself, and has nothing to be called by.
    "nodes --api --fields parent:references:nodes.Node? weight:float born:datetime --states seed,tree,felled:terminal",
    (
        "people --api --agent --fields key:uuid mail:email? site:url --states candidate,member,left:terminal "
        "--roles registrar"
    ),
    f"x --states {','.join(f's{n}' for n in range(29))},the_end:terminal",
    # A loop, and an event that leads back to where it began.
    'loops --states up:initial,down --events "fall:up>down" "rise:down>up" "bounce:up|down>up"',
]
GUARD = """@guard("Only tickets of over a week wait for somebody.")
def takes_long(ticket: Ticket) -> bool:
    return ticket.days > 7


class Ticket("""
#: What mypy is asked to be as strict about as the package is with itself.
CONFIGURATION = """
    [tool.mypy]
    strict = true
    warn_unreachable = true
    follow_imports = "silent"
    plugins = ["mypy_django_plugin.main"]
    exclude = ["/migrations/"]

    [tool.django-stubs]
    django_settings_module = "shop.settings"
"""


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Host:
    """Made once for all workers of a run."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "dozen"
    with (base.parent / "dozen.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "ready").exists():
            return Host(folder, made=True)
        host = Host(folder)
        host.write("pyproject.toml", CONFIGURATION)
        for app in APPS:
            host.manage("startfsmapp", *shlex.split(app), "--install")
        host.write("desk/__init__.py", "")
        fields = ("--fields", "subject:string", "days:integer")
        host.manage("startfsmapp", "tickets", *fields, "--into", "desk", "--install")
        add_a_branch(host, "desk/tickets")
        host.manage("migrate", "--verbosity", "0")
        host.write("ready", "")
        return host


BRANCH = {
    "from fsm_lifecycle import Event, State": "from fsm_lifecycle import Branch, Event, State, guard",
    "class Ticket(": GUARD,
    "Event(draft, to=active)": "Event(draft, to=Branch((takes_long, closed), otherwise=active))",
}
BRANCH_TEST = """
    \"\"\"The branch: what takes long is closed at once.\"\"\"

    from django.test import TestCase
    from fsm_lifecycle import System

    from ..models import Ticket
    from .making import make_record


    class BranchTests(TestCase):
        def test_a_ticket_of_over_a_week_is_closed(self) -> None:
            record = make_record(days=8)
            record.fire("mark_active", actor=System("tests"))
            assert record.state == Ticket.Lifecycle.closed
"""


def add_a_branch(host: Host, app: str) -> None:
    """What its author does next: one event goes one of two ways, and a test says so."""
    text = host.read(f"{app}/models.py")
    for old, new in BRANCH.items():
        assert text.count(old) == 1, (old, text)
        text = text.replace(old, new)
    host.write(f"{app}/models.py", text)
    host.write(f"{app}/tests/test_branch.py", BRANCH_TEST)


def test_it_migrates_and_no_migration_is_missing(host: Host) -> None:
    assert "[ ]" not in host.manage("showmigrations")
    assert "No changes detected" in host.manage("makemigrations", "--check", "--dry-run")


def test_the_checks_find_nothing(host: Host) -> None:
    said = host.manage("check", "--fail-level", "WARNING")
    assert "no issues" in said


def test_the_tests_it_writes_pass_at_once(host: Host) -> None:
    done = host.run("-W", "error", "manage.py", "test")
    assert done.returncode == 0, done.stderr
    assert "skipped" not in done.stderr


def test_it_is_clean_by_the_rules_of_the_package(host: Host) -> None:
    rules = ("--config", ROOT / "pyproject.toml", "--no-cache")
    for command in (("check",), ("format", "--check")):
        done = host.run("-m", "ruff", *command, *rules, ".")
        assert done.returncode == 0, done.stdout + done.stderr


def test_its_types_are_sound(host: Host) -> None:
    done = host.run("-m", "mypy", "--cache-dir", host.folder / ".mypy_cache", ".")
    assert done.returncode == 0, done.stdout + done.stderr


#: A record of every app, made as its own tests make one, and somebody who may see them all.
FILL = """
import importlib, json, django
django.setup()
from django.apps import apps
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore

shown = {}
for config in apps.get_app_configs():
    if not config.path.startswith(str(settings.BASE_DIR)):
        continue
    record = importlib.import_module(config.name + ".tests.making").make_record()
    shown[config.label] = [record.get_absolute_url(), next(iter(type(record).lifecycle.events_from(record.state))).name]
user = User.objects.create_superuser("root")
session = SessionStore()
session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session.create()
print(json.dumps([session.session_key, shown]))
"""


def test_its_pages_open_in_a_browser(host: Host) -> None:
    """Desk and phone, light and dark: nothing on the console, nothing sideways, no serious finding of axe."""
    path = chromium.executable()
    if path is None:
        pytest.skip(chromium.ADVICE)
    done = host.run("-c", f"import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'shop.settings'{FILL}")
    assert done.returncode == 0, done.stderr
    session, shown = json.loads(done.stdout)
    assert len(shown) == len(APPS) + 1
    with host.serving() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        visit = Visit(url, {"root": session})
        windows = Windows(browser, cast(Site, visit))
        desk, phone = windows.open("root"), windows.open("root", width=PHONE)
        found: list[str] = []
        for label, (record, event) in shown.items():
            thorough = label in ("invoice", "specimens")
            home = record.rsplit("/", 2)[0]
            for address in (
                f"{home}/",
                f"{home}/new/",
                record,
                f"{record}event/{event}/",
                f"{record}delete/",
            ):
                phone.goto(url + address)
                if overflow(phone) > 0:
                    found.append(f"{address} is {overflow(phone)} px too wide")
                if thorough:
                    desk.goto(url + address)
                    for scheme in ("light", "dark"):
                        found += [f"{address} {line}" for line in windows.findings(desk, scheme=scheme)]
        desk.goto(f"{url}{shown['invoice'][0]}event/send_invoice/")
        desk.get_by_role("button", name="Send invoice").click()
        expect(desk.get_by_text("A name is Sent.")).to_be_visible(timeout=60_000)
        windows.close()
        browser.close()
    assert found == []
    assert windows.trouble == []


@dataclass
class Visit:
    """As much of a site as a window needs to know."""

    url: str
    sessions: dict[str, str]

    @property
    def made(self) -> Visit:
        return self
