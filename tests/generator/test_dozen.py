"""A dozen apps in one host project: each is generated and installed, then all are migrated, checked, tested, linted,
formatted and type-checked at once."""

from __future__ import annotations

import shlex

import pytest

from tests.generator.host import ROOT, Host

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.timeout(600)]

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
    "categories",
    # Every type, and every type left open.
    f"specimens --fields {' '.join(f'a_{t}:{t}' for t in TYPES)} {' '.join(f'may_{t}:{t}?' for t in TYPES)}",
    # Two references to one model, and one to an app that was generated before.
    (
        "leave_requests --fields employee:references:auth.User stand_in:references:auth.User? about:text "
        "invoice:references:invoice.Invoice --states asked,granted:terminal,declined:terminal --roles asker,boss,guest"
    ),
    # The model has the name of a class of the package.
    (
        "events --fields title:string? --states planned,running,over:terminal,called_off:terminal "
        '--events "begin:planned>running" "end:running>over" "call_off:*>called_off"'
    ),
    "roles --roles keeper",
    # Names that are legal, and words of SQL, of Python's or of Django's.
    (
        "status --fields settings:json? order:integer select:string type:string group:references:auth.Group? "
        "--states new,old:terminal"
    ),
    "case --fields match:string user:references:auth.User --states open,shut:terminal",
    "classes --fields pupil:references:leave_requests.LeaveRequest room:string",
    # It references itself, and has nothing to be called by.
    "nodes --fields parent:references:nodes.Node? weight:float born:datetime --states seed,tree,felled:terminal",
    "people --fields key:uuid mail:email? site:url --states candidate,member,left:terminal --roles registrar",
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


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    host = Host(tmp_path_factory.mktemp("dozen"))
    host.write("pyproject.toml", CONFIGURATION)
    for app in APPS:
        host.manage("startfsmapp", *shlex.split(app), "--install")
    host.write("desk/__init__.py", "")
    host.manage(
        "startfsmapp", "tickets", "--fields", "subject:string", "days:integer", "--into", "desk", "--install"
    )
    add_a_branch(host, "desk/tickets")
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
    host.manage("migrate", "--verbosity", "0")
    assert "No changes detected" in host.manage("makemigrations", "--check", "--dry-run")


def test_the_checks_find_nothing(host: Host) -> None:
    said = host.manage("check", "--fail-level", "WARNING")
    assert "no issues" in said


def test_the_tests_it_writes_pass_at_once(host: Host) -> None:
    done = host.run("-W", "error", "-W", "ignore:The default scheme:DeprecationWarning", "manage.py", "test")
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
