"""The sample as people meet it: its pages, its users, and `manage.py` in a process of its own."""

import io
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import reverse

from sample_project.billing.models import Contract
from sample_project.content_security import ContentSecurityPolicy
from sample_project.helpdesk.models import Ticket

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


def test_every_response_forbids_what_is_inline_or_from_elsewhere() -> None:
    middleware = ContentSecurityPolicy(lambda request: HttpResponse("a page"))
    own = ContentSecurityPolicy(
        lambda request: HttpResponse("a page", headers={"Content-Security-Policy": "sandbox"})
    )

    assert middleware(HttpRequest()).headers["Content-Security-Policy"] == "default-src 'self'"
    assert own(HttpRequest()).headers["Content-Security-Policy"] == "sandbox"
