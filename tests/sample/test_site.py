"""The sample as people meet it: its pages, its users, and `manage.py` in a process of its own."""

import io
import os
import pty
import re
import subprocess
import sys
import termios
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.test import Client
from django.urls import reverse
from django.views.defaults import server_error

from sample_project.billing.models import Contract, Invoice
from sample_project.content_security import ContentSecurityPolicy
from sample_project.helpdesk.models import Ticket
from tests.sample.making import a_ticket, somebody

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.django_db
@pytest.mark.usefixtures("sample_site")
def test_the_landing_page_lists_both_apps_and_leads_to_the_admin(client: Client) -> None:
    page = client.get("/").content.decode()

    assert "Help desk" in page
    assert "Billing" in page
    assert 'href="/admin/"' in page
    assert "No tickets yet." in page
    assert "M. Polato" in page


@pytest.mark.once
@pytest.mark.django_db
@pytest.mark.usefixtures("sample_site")
def test_the_landing_page_leads_nobody_to_a_closed_page(client: Client) -> None:
    a_ticket()
    lists = {name: reverse(f"admin:{name}_changelist") for name in ("helpdesk_ticket", "billing_invoice")}
    visitors = {
        "agent": somebody("anna", agent=Ticket),
        "clerk": somebody("clara", clerk=Invoice),
        "customer": get_user_model().objects.create_user("otto"),
    }

    assert not set(lists.values()) & links(client.get("/"))
    assert f"{reverse('admin:login')}?next=/" in links(client.get("/"))
    led: dict[str, set[str]] = {}
    for name, visitor in visitors.items():
        client.force_login(visitor, backend="django.contrib.auth.backends.ModelBackend")
        led[name] = links(client.get("/"))
        own = [link for link in led[name] if link.startswith("/")]
        assert {link: client.get(link).status_code for link in own} == dict.fromkeys(own, 200)
    assert lists["helpdesk_ticket"] in led["agent"]
    assert lists["billing_invoice"] in led["clerk"]
    assert reverse("admin:index") not in led["customer"]


def links(page: Any) -> set[str]:
    return set(re.findall(r'<a href="([^"]*)"', page.content.decode()))


@pytest.mark.usefixtures("sample_site")
def test_the_admin_shows_states_and_does_not_let_them_be_edited(
    load_helpdesk: Any, admin_client: Client
) -> None:
    load_helpdesk(limit=3)
    ticket = Ticket.objects.first()
    assert ticket is not None

    assert admin_client.get(reverse("admin:helpdesk_ticket_changelist")).status_code == 200
    page = admin_client.get(reverse("admin:helpdesk_ticket_change", args=[ticket.pk])).content.decode()
    assert 'name="state"' not in page
    assert "Closed" in page


@pytest.mark.usefixtures("sample_site")
def test_the_list_of_tickets_names_people_in_full_and_days_shortly(admin_client: Client) -> None:
    anna = get_user_model().objects.create_user("anna", first_name="Anna", last_name="Serra")
    opened = datetime(2013, 1, 11, 15, 7, tzinfo=UTC)
    Ticket.objects.filter(pk=a_ticket(7).pk).update(assignee=anna, opened_at=opened)

    page = admin_client.get(reverse("admin:helpdesk_ticket_changelist")).content.decode()

    assert '<td class="field-in_charge">Anna Serra</td>' in page
    assert f'<time datetime="{opened.isoformat()}" title="11 Jan 2013, 15:07">11 Jan 2013</time>' in page


@pytest.mark.usefixtures("sample_site")
def test_a_record_made_in_the_admin_begins_in_its_initial_state(
    admin_client: Client, admin_user: Any
) -> None:
    admin_client.post(
        reverse("admin:billing_contract_add"), {"client_name": "Ferrara Logistica", "starts_on": "2026-01-01"}
    )

    contract = Contract.objects.get()
    assert contract.is_offered
    created = contract.log.get()
    assert created.kind == "created"
    assert created.actor_id == str(admin_user.pk)


@pytest.mark.django_db
def test_demo_users_prints_a_login_that_works() -> None:
    passwords = []
    for _ in range(2):
        printed = io.StringIO()
        call_command("demo_users", stdout=printed)
        found = re.search(r"^  demo +(\S+) ", printed.getvalue(), re.MULTILINE)
        assert found is not None
        passwords.append(found[1])
        user = authenticate(username="demo", password=found[1])
        assert user is not None
        assert user.is_superuser

    assert passwords[0] != passwords[1]
    assert get_user_model().objects.filter(username="demo").count() == 1


@pytest.mark.django_db
def test_demo_users_takes_a_given_password() -> None:
    call_command("demo_users", password="given to it", stdout=io.StringIO())

    assert authenticate(username="demo", password="given to it") is not None


def environment_of(database: Path) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "sample_project.settings",
        "SAMPLE_DB": "sqlite",
        "SAMPLE_DB_NAME": str(database),
        "SAMPLE_LEDGER": str(database.parent),
        "SAMPLE_DISPATCH": "command",
    }


def manage(*arguments: str, database: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment_of(database)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.once
def test_a_fresh_checkout_migrates_loads_and_loads_again(tmp_path: Path) -> None:
    database = tmp_path / "sample.sqlite3"
    manage("migrate", "--verbosity=0", database=database)
    assert "no issues" in manage("check", database=database)
    assert "No changes detected" in manage("makemigrations", "--check", "--dry-run", database=database)

    first = manage("load_helpdesk", "--limit=30", database=database)
    again = manage("load_helpdesk", "--limit=30", database=database)
    login = manage("demo_users", database=database)

    assert "Tickets loaded" in first
    assert "Nothing to do" in again
    assert "Log in at /admin/" in login
    assert first.split("All ")[-1] == again.split("All ")[-1]


@pytest.mark.once
def test_a_terminal_shows_how_far_the_load_is(tmp_path: Path) -> None:
    database = tmp_path / "sample.sqlite3"
    manage("migrate", "--verbosity=0", database=database)
    ours, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    with subprocess.Popen(
        [sys.executable, "manage.py", "load_helpdesk", "--limit=30"],
        cwd=ROOT,
        env={**os.environ, **environment_of(database)},
        stdout=terminal,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        shown = b"".join(iter(lambda: read(ours), b"")).decode()
    os.close(ours)

    assert process.returncode == 0
    assert "/30 [" in shown
    assert "Tickets loaded" in shown


def read(terminal: int) -> bytes:
    """What the terminal shows next; nothing once the process has closed its side (Linux says EIO then)."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


@pytest.mark.once
@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"SAMPLE_DB": "oracle"}, "Use sqlite, postgres or mariadb."),
        ({"SAMPLE_DEBUG": "0"}, "set SAMPLE_SECRET_KEY"),
    ],
)
def test_settings_name_what_is_wrong(environment: dict[str, str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sample_project.settings"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert says in done.stderr


@pytest.mark.django_db
@pytest.mark.usefixtures("sample_site")
def test_the_admin_is_called_operations(admin_client: Client) -> None:
    page = admin_client.get("/admin/").content.decode()

    assert '<div id="site-name"><a href="/admin/">Operations</a></div>' in page


@pytest.mark.django_db
@pytest.mark.usefixtures("sample_site")
def test_what_is_closed_or_not_there_has_a_page_in_the_look_of_the_site(client: Client) -> None:
    client.force_login(somebody("erik"), backend="django.contrib.auth.backends.ModelBackend")

    closed, gone = client.get("/admin/lifecycle/ledger/"), client.get("/nowhere/")

    assert (closed.status_code, gone.status_code) == (403, 404)
    assert "You are logged in as erik." in closed.content.decode()
    assert "There is nothing at this address" in gone.content.decode()
    for page in (closed, gone):
        assert "sample/site.css" in page.content.decode()
        assert links(page) >= {"/", "/admin/"}


@pytest.mark.django_db
@pytest.mark.usefixtures("sample_site")
def test_a_form_from_elsewhere_is_told_what_to_do() -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "demo", "password": "x"})

    assert answer.status_code == 403
    assert "Go back, load the page again" in answer.content.decode()


@pytest.mark.usefixtures("sample_site")
def test_the_page_of_a_broken_site_needs_no_database_and_no_addresses(settings: Any, rf: Any) -> None:
    settings.ROOT_URLCONF = "tests.sample.no_such_module"

    answer = server_error(rf.get("/"))  # this test may not use the database

    assert answer.status_code == 500
    assert "Something broke on our side" in answer.content.decode()
    assert "sample/site.css" in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.usefixtures("sample_site")
def test_every_page_has_an_icon_that_the_policy_lets_in(client: Client) -> None:
    icon = static("sample/favicon.svg")

    for page in ("/", "/admin/login/", "/nowhere/"):
        assert f'<link rel="icon" href="{icon}" type="image/svg+xml">' in client.get(page).content.decode()
    assert client.get("/favicon.ico").headers["Location"] == icon
    drawing = (ROOT / "sample_project/static/sample/favicon.svg").read_text()
    assert "style" not in drawing


def test_every_response_forbids_what_is_inline_or_from_elsewhere() -> None:
    middleware = ContentSecurityPolicy(lambda request: HttpResponse("a page"))
    own = ContentSecurityPolicy(
        lambda request: HttpResponse("a page", headers={"Content-Security-Policy": "sandbox"})
    )

    assert middleware(HttpRequest()).headers["Content-Security-Policy"] == "default-src 'self'"
    assert own(HttpRequest()).headers["Content-Security-Policy"] == "sandbox"
