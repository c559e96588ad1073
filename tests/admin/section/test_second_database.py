"""The section where a project has several databases: records elsewhere, copies that are read, ledgers to choose."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from fsm_lifecycle.access import grant_role
from fsm_lifecycle.dispatch import work_off
from fsm_lifecycle.engine.legal_hold import place_hold
from fsm_lifecycle.models import Checkpoint
from tests.acting import ACTOR
from tests.admin.people import client_of, staff
from tests.copies import COPY, Elsewhere, ReadsCopy, read_only_copy
from tests.testapp.models import Light
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.urls("tests.admin.desk")]

ROOT = "/desk/lifecycle/"
PAGES = [
    "",
    "log/",
    "log/?model=testapp.light&record=1",
    "log/export.csv",
    "log/export.json",
    "roles/",
    "roles/?model=testapp.claim&record=1",
    "refusals/",
    "agents/",
    "ledger/",
    "ledger/?database=other",
    "retention/",
    "retention/purge/testapp.light/",
    "work/",
    "settings/",
    "testapp.light/",
    "testapp.claim/",
]
RIGHTS = ("view_transitionlog", "view_refusedattempt", "view_checkpoint", "purge_records", "manage_work")


def call(*argv: str) -> str:
    out = io.StringIO()
    call_command(*argv, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.fixture
def auditor(db: None) -> User:
    """Sees what of the records they may read, which is few of those that have roles."""
    return staff("ada", *(f"fsm_lifecycle.{right}" for right in RIGHTS))


def visited(browser: Client, page: str) -> int:
    answer: Any = browser.get(ROOT + page)
    if answer.streaming:
        b"".join(answer.streaming_content)
    return int(answer.status_code)


class TestTablesThatStandElsewhere:
    pytestmark = pytest.mark.django_db(databases=["default", "other"])

    @pytest.fixture(autouse=True)
    def elsewhere(self, settings: Any) -> None:
        settings.DATABASE_ROUTERS = [Elsewhere("light", "claim")]
        with connection.cursor() as cursor:
            for table in ("testapp_light", "testapp_claim"):
                cursor.execute(f"ALTER TABLE {table} RENAME TO gone_{table}")

    @pytest.mark.parametrize("page", PAGES)
    def test_every_page_opens(self, page: str, auditor: User) -> None:
        Light.objects.create().fire("smash", actor=ACTOR)
        root = User.objects.create_superuser("root")
        assert visited(client_of(root), page) in (200, 404)
        assert visited(client_of(auditor), page) in (200, 403, 404)

    def test_the_log_of_the_others_is_seen(self, auditor: User) -> None:
        browser = client_of(auditor)
        assert browser.get(ROOT + "log/").status_code == 200

    @pytest.mark.parametrize(
        "command", ["lifecycle_adopt", "lifecycle_purge --yes", "lifecycle_purge --dry-run"]
    )
    def test_commands_leave_out_what_lives_elsewhere(self, command: str) -> None:
        assert "Light" not in call(*command.split())
        Light.objects.create()
        call(*command.split(), "--database", "other")

    @pytest.mark.parametrize("command", ["lifecycle_adopt", "lifecycle_purge --dry-run"])
    def test_a_model_that_lives_elsewhere_is_refused_by_name(self, command: str) -> None:
        name, *options = command.split()
        with pytest.raises(
            CommandError, match=r"testapp\.light out of the database “default”.*other"
        ) as error:
            call(name, "testapp.light", *options)
        assert error.value.returncode == 2


@pytest.mark.skipif("connection.vendor != 'sqlite'")
class TestCopiesThatAreRead:
    pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])

    @pytest.fixture(autouse=True)
    def copied(self, settings: Any, auditor: User) -> Iterator[None]:
        self.light = Light.objects.create(pk=1)
        self.claim = Claim.objects.create(pk=1)
        grant_role(auditor, "auditor", on=self.claim, by=ACTOR)
        self.root = User.objects.create_superuser("root")
        self.browser = client_of(self.root)
        with read_only_copy():
            settings.DATABASE_ROUTERS = [ReadsCopy()]
            yield

    def test_every_page_opens(self, auditor: User) -> None:
        for page in PAGES:
            assert visited(self.browser, page) == 200, page
            assert visited(client_of(auditor), page) in (200, 403), page

    def test_the_log_shows_records_that_are_read_from_a_copy(self, auditor: User) -> None:
        assert "Claim" in client_of(auditor).get(ROOT + "log/").content.decode()

    def test_a_records_page_leads_to_the_log(self) -> None:
        assert (
            "lifecycle/log/?model=testapp.light"
            in self.browser.get("/desk/testapp/light/1/change/").content.decode()
        )

    def test_many_are_fired_where_they_are_written(self) -> None:
        chosen = {"action": "fire_switch_on", "_selected_action": ["1"]}
        self.browser.post("/desk/testapp/light/", chosen)
        assert Light.objects.using("default").get().state == "on"

    def test_many_are_deleted_together_or_not_at_all(self) -> None:
        kept = Light.objects.create()
        place_hold(kept, reason="dispute", by=ACTOR)
        chosen = {"action": "delete_selected", "_selected_action": ["1", str(kept.pk)], "post": "yes"}
        self.browser.post("/desk/testapp/light/", chosen)
        assert Light.objects.using("default").count() == 2
        assert not LogEntry.objects.using("default").exists()

    def test_the_page_of_the_ledger_tells_of_the_original(self, texts: Any) -> None:
        text = texts(self.browser.get(ROOT + "ledger/"))
        assert f"/{COPY}" not in text
        assert "installed on" in text
        assert "installed on 0" not in text


class TestLedgersToChooseFrom:
    pytestmark = pytest.mark.django_db(databases=["default", "other"])

    @pytest.fixture(autouse=True)
    def sealed(self) -> None:
        for _ in range(3):
            Light.objects.using("other").create()
        call("lifecycle_seal", "--once", "--database", "other")

    def test_the_page_shows_the_ledger_that_is_asked_for(self, browser: Client, texts: Any) -> None:
        here, there = browser.get(ROOT + "ledger/"), browser.get(ROOT + "ledger/?database=other")
        assert "The log is empty." in texts(here)
        assert here.context["using"] == "default"
        assert there.context["census"].sealed == 3
        assert "lifecycle_verify --database other" in texts(there)
        assert 'href="?database=other"' in here.content.decode()

    def test_its_checkpoints_are_that_ledgers(self, browser: Client) -> None:
        checkpoint = Checkpoint.objects.using("other").get()
        [row] = browser.get(ROOT + "ledger/?database=other").context["checkpoints"]
        assert browser.get(row.url).content.decode() == checkpoint.note
        assert browser.get(row.url.partition("?")[0]).status_code == 404
        every: Any = browser.get(ROOT + "ledger/checkpoints/?database=other")
        assert checkpoint.note.encode() in b"".join(every.streaming_content)

    def test_a_check_reads_that_ledger(self, browser: Client) -> None:
        answer = browser.post(ROOT + "ledger/", {"what": "check", "database": "other"})
        assert answer["Location"].endswith("ledger/?database=other")
        work_off("other")
        assert browser.get(answer["Location"]).context["check"].checked
        assert browser.get(ROOT + "ledger/").context["check"] is None

    def test_a_database_that_there_is_not_is_the_default_one(self, browser: Client) -> None:
        assert browser.get(ROOT + "ledger/?database=nowhere").context["using"] == "default"
