"""The pages of the ledger: what is sealed, checkpoints to take along, and redacting with a look before."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fsm_lifecycle.dispatch import work_off
from fsm_lifecycle.ledger import protection
from fsm_lifecycle.ledger.keys import new_key
from fsm_lifecycle.models import Checkpoint, TransitionLog
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db(databases=["default", "other"])]

PAGE = "/admin/lifecycle/ledger/"


@pytest.fixture
def signed(settings: Any, tmp_path: Path) -> Path:
    """The ledger has a key and a folder."""
    key = tmp_path / "very secret place" / "ledger.key"
    key.parent.mkdir()
    new_key(key, "example.com/test")
    settings.FSM_LIFECYCLE = {
        "LEDGER_ORIGIN": "example.com/test",
        "LEDGER_KEY": str(key),
        "LEDGER_CHECKPOINT_DIR": tmp_path / "checkpoints",
    }
    return key


def seal() -> None:
    call_command("lifecycle_seal", once=True, stdout=io.StringIO(), stderr=io.StringIO())


def test_an_unsealed_ledger_names_the_next_step(browser: Client, texts: Any) -> None:
    assert "The log is empty." in texts(browser.get(PAGE))
    Claim.objects.create()
    text = texts(browser.get(PAGE))
    assert "Nothing is sealed yet" in text
    assert "Make a key, and the next run seals 1 entry." in text
    assert "lifecycle_key new" in text


def test_what_is_sealed_and_what_waits(browser: Client, signed: Path, texts: Any) -> None:
    Claim.objects.create()
    seal()
    Claim.objects.create()
    answer = browser.get(PAGE)
    text = texts(answer)
    assert "Sealed entries 1 of 2" in text
    assert "Waiting to be sealed 1 oldest" in text
    assert "signed" in text
    assert "example.com/test" in text
    public = signed.with_name("ledger.key.pub").read_text().strip()
    assert public in text
    content = answer.content.decode()
    private = signed.read_text().strip()
    assert private not in content
    assert private.split("+", 4)[4] not in content
    assert "very secret place" not in content


def test_a_key_that_cannot_be_read_is_said_without_its_place(
    browser: Client, signed: Path, texts: Any
) -> None:
    signed.unlink()
    signed.with_name("ledger.key.pub").unlink()
    answer = browser.get(PAGE)
    assert "this process cannot read it" in texts(answer)
    assert "very secret place" not in answer.content.decode()


def test_a_signer_of_the_project_is_not_called(browser: Client, settings: Any, texts: Any) -> None:
    settings.FSM_LIFECYCLE = {"LEDGER_KEY": "tests.no_such_module.signer"}
    assert "with a function of the project" in texts(browser.get(PAGE))


def test_downloads(browser: Client, signed: Path) -> None:
    for _ in range(3):
        Claim.objects.create()
        seal()
    first = Checkpoint.objects.order_by("id")[1]
    answer = browser.get(f"{PAGE}checkpoints/{first.pk}/")
    assert answer.content.decode() == first.note
    assert answer["Content-Disposition"].startswith("attachment")
    archive = b"".join(browser.get(f"{PAGE}checkpoints/").streaming_content)  # type: ignore[attr-defined]
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        notes = [files.extractfile(member).read().decode() for member in files]  # type: ignore[union-attr]
    assert notes == list(Checkpoint.objects.order_by("id").values_list("note", flat=True))
    for wrong in ("0", "99999999999999999999999"):
        assert browser.get(f"{PAGE}checkpoints/{wrong}/").status_code == 404


def test_more_checkpoints_cost_no_more_statements(browser: Client, signed: Path) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as made:
            assert browser.get(PAGE).context["checkpoints"]
        return len(made)

    Claim.objects.create()
    seal()
    cost()
    few = cost()
    for _ in range(20):
        Claim.objects.create()
        seal()
    assert cost() == few
    page = browser.get(PAGE).context["slice"]
    assert len(page.rows) == 15
    older = browser.get(PAGE + page.older).context["slice"]
    assert len(older.rows) == Checkpoint.objects.count() - 15


def entry_of(actor: Any) -> TransitionLog:
    return Claim.objects.create().fire("examine", actor=actor, metadata={"note": "secret words"})


def test_redacting_an_entry_shows_first_what_goes(browser: Client, root: User, texts: Any) -> None:
    entry = entry_of(root)
    url = f"{PAGE}redact/entry/?entry={entry.entry_hash[:10]}"
    page = browser.get(url)
    assert "What the caller added" in texts(page)
    assert "secret words" not in texts(page)
    data = {"fields_chosen": ["metadata"], "reason": "asked for"}
    asked = browser.post(url, {**data, "do": "look"})
    assert "Erase this for good?" in texts(asked)
    assert "secret words" in TransitionLog.objects.get(pk=entry.pk).body
    answer = browser.post(url, {**data, "do": "redact"}, follow=True)
    assert answer.redirect_chain
    assert "erased for good" in str(next(iter(answer.context["messages"])))
    assert "secret words" not in TransitionLog.objects.get(pk=entry.pk).body
    said = TransitionLog.objects.latest("pk")
    assert (said.kind, said.actor_id, said.reason) == ("redaction", str(root.pk), "asked for")
    again = browser.post(url, {**data, "do": "redact"})
    assert again.status_code == 200, "what is gone cannot be chosen"


@pytest.mark.parametrize("asked", ["x", "\0", "abc", "0" * 64, "g" * 10, "0" * 300])
def test_a_hash_that_is_none(browser: Client, asked: str) -> None:
    answer = browser.get(f"{PAGE}redact/entry/", {"entry": asked})
    assert answer.status_code == 200
    assert answer.context["error"]
    assert browser.post(f"{PAGE}redact/entry/?entry=x", {"do": "redact"}).status_code == 200


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"fields_chosen": [], "reason": "x"}, "fields_chosen"),
        ({"fields_chosen": ["nothing"], "reason": "x"}, "fields_chosen"),
        ({"fields_chosen": ["idempotency_key"], "reason": "x"}, "fields_chosen"),
        ({"fields_chosen": ["metadata"], "reason": " "}, "reason"),
        ({"fields_chosen": ["metadata"], "reason": "\0"}, "reason"),
    ],
)
def test_what_cannot_be_redacted_is_said(
    browser: Client, root: User, described: Any, data: Any, name: str
) -> None:
    entry = entry_of(root)
    answer = browser.post(f"{PAGE}redact/entry/?entry={entry.entry_hash}", {**data, "do": "redact"})
    assert answer.status_code == 200
    assert name in answer.context["form"].errors
    described(answer)
    assert TransitionLog.objects.get(pk=entry.pk).body == entry.body


def test_an_entry_that_may_not_be_seen_is_not_redacted(
    client: Client, root: User, staff: Any, texts: Any
) -> None:
    entry = entry_of(root)
    client.force_login(staff("clerk", "redact_entries", "view_checkpoint"))
    url = f"{PAGE}redact/entry/?entry={entry.entry_hash}"
    assert "No entry that you may see has this hash." in texts(client.get(url))
    client.post(url, {"fields_chosen": ["metadata"], "reason": "x", "do": "redact"})
    assert TransitionLog.objects.get(pk=entry.pk).body == entry.body


def test_redacting_a_person_counts_first(browser: Client, root: User, texts: Any) -> None:
    dario = User.objects.create_user("dario", first_name="Dario", last_name="Greco", is_superuser=True)
    entry = entry_of(dario)
    url = f"{PAGE}redact/person/"
    found = browser.post(url, {"do": "find", "find_person": "greco"})
    assert "Dario Greco (dario)" in texts(found)
    data = {"person": f"user:{dario.pk}", "reason": "asked for"}
    asked = texts(browser.post(url, {**data, "do": "look"}))
    assert "Erase what tells of Dario Greco (dario)?" in asked
    assert "1 field in 1 entry" in asked
    assert "dario" in TransitionLog.objects.get(pk=entry.pk).body
    answer = browser.post(url, {**data, "do": "redact"}, follow=True)
    assert answer.redirect_chain == [(PAGE, 302)]
    assert "1 field in 1 entry" in str(next(iter(answer.context["messages"])))
    assert "dario" not in TransitionLog.objects.get(pk=entry.pk).body
    assert "Nothing tells of" in texts(browser.post(url, {**data, "do": "look"}))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, "Choose who it is"),
        ({"person": "user:x"}, "Choose who it is"),
        ({"find_person": "nobody"}, "No user has the key or the name"),
        ({"find_person": "pk:" + "9" * 40}, "Nothing tells of"),
        ({"person": "own"}, "people cannot redact what tells of themselves"),
        ({"person": "dario", "reason": "Dario Greco asked"}, "The reason names the person"),
        ({"person": "dario", "reason": ""}, "The log needs a reason"),
    ],
)
def test_a_person_that_cannot_be_redacted(
    browser: Client, root: User, texts: Any, data: dict[str, str], says: str
) -> None:
    dario = User.objects.create_user("dario", first_name="Dario", last_name="Greco", is_superuser=True)
    entry_of(dario)
    people = {"own": f"user:{root.pk}", "dario": f"user:{dario.pk}"}
    data = {"reason": "asked for", **data}
    data["person"] = people.get(data.get("person", ""), data.get("person", ""))
    answer = browser.post(f"{PAGE}redact/person/", {**data, "do": "redact"})
    assert answer.status_code == 200
    assert says in texts(answer)
    assert not TransitionLog.objects.filter(kind="redaction").exists()


def test_too_much_for_a_request_names_the_command(
    browser: Client, root: User, texts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsm_lifecycle.admin.section.erasing.REWRITTEN_AT_ONCE", 0)
    dario = User.objects.create_user("dario", is_superuser=True)
    entry_of(dario)
    data = {"person": f"user:{dario.pk}", "reason": "asked for", "do": "redact"}
    assert f"lifecycle_redact --person pk:{dario.pk}" in texts(browser.post(f"{PAGE}redact/person/", data))
    monkeypatch.setattr("fsm_lifecycle.admin.section.erasing.AT_ONCE", 0)
    assert f"lifecycle_redact --person pk:{dario.pk}" in texts(browser.post(f"{PAGE}redact/person/", data))
    assert not TransitionLog.objects.filter(kind="redaction").exists()


def test_who_may_see_and_who_may_redact(client: Client, staff: Any, texts: Any) -> None:
    pages = ("", "checkpoints/", "redact/entry/", "redact/person/")
    for page in pages:
        assert client.get(PAGE + page).headers["Location"].startswith("/admin/login/")
    client.force_login(staff("nobody"))
    assert {client.get(PAGE + page).status_code for page in pages} == {403}
    client.force_login(staff("auditor", "view_checkpoint"))
    assert [client.get(PAGE + page).status_code for page in pages] == [200, 200, 403, 403]
    assert client.post(f"{PAGE}redact/person/", {"do": "redact"}).status_code == 403
    assert "Redact a person" not in texts(client.get(PAGE))


def test_missing_triggers_are_named(browser: Client, signed: Path, settings: Any, texts: Any) -> None:
    settings.FSM_LIFECYCLE = {**settings.FSM_LIFECYCLE, "DATABASE_GUARD": False}
    assert "DATABASE_GUARD is off" in texts(browser.get(PAGE))


# --- checking ------------------------------------------------------------------------------------------------


def test_a_check_is_asked_for_goes_on_and_is_kept(browser: Client, signed: Path, texts: Any) -> None:
    Claim.objects.create()
    seal()
    assert "nobody has asked for one here" in texts(browser.get(PAGE))
    assert browser.post(PAGE, {"what": "check_deep"}).status_code == 302
    text = texts(browser.get(PAGE))
    assert "Waits for a worker" in text
    assert "Check now" not in text
    again = browser.post(PAGE, {"what": "check"}, follow=True)
    assert "A check is under way already." in texts(again)
    work_off("default")
    for _ in range(2):
        text = texts(browser.get(PAGE))
        assert "Last check whole" in text
        assert "with bodies" in text
        assert "root," in text
        assert "1 entry" in text
        assert "Check now" in text


def test_findings_name_the_record_and_lead_there(browser: Client, signed: Path, texts: Any) -> None:
    claim = Claim.objects.create()
    seal()
    with protection.gate(connection, "delete"):
        TransitionLog.objects.all()._raw_delete("default")
    browser.post(PAGE, {"what": "check"})
    work_off("default")
    answer = browser.get(PAGE)
    text = texts(answer)
    assert "findings in the check of" in text
    assert "HEAD_MISMATCH" in text
    assert f"Claim {claim.pk}" in text
    assert f"/admin/lifecycle/log/?model=testapp.claim&amp;record={claim.pk}" in answer.content.decode()


def test_findings_of_records_that_may_not_be_seen_say_no_more(
    client: Client, staff: Any, root: User, signed: Path, texts: Any
) -> None:
    Claim.objects.create()
    seal()
    with protection.gate(connection, "delete"):
        TransitionLog.objects.all()._raw_delete("default")
    client.force_login(staff("carla", "view_checkpoint"))
    client.post(PAGE, {"what": "check"})
    work_off("default")
    text = texts(client.get(PAGE))
    assert "hidden from you" in text
    assert "the record does not point" in text


def test_a_check_can_be_stopped_and_says_nothing_then(browser: Client, signed: Path, texts: Any) -> None:
    Claim.objects.create()
    seal()
    browser.post(PAGE, {"what": "check"})
    browser.post(PAGE, {"what": "stop"})
    work_off("default")
    text = texts(browser.get(PAGE))
    assert "did not come to its end" in text
    assert "It was told to stop. It says nothing about the ledger." in text
    assert "Last check none" in text


def test_a_check_that_cannot_be_made_does_not_tell_where_the_key_is(
    browser: Client, signed: Path, texts: Any
) -> None:
    Claim.objects.create()
    seal()
    signed.unlink()
    signed.with_name("ledger.key.pub").unlink()
    browser.post(PAGE, {"what": "check"})
    work_off("default")
    answer = browser.get(PAGE)
    assert "manage.py lifecycle_verify says why" in texts(answer)
    assert "very secret place" not in answer.content.decode()
    assert "very secret place" not in browser.get("/admin/lifecycle/work/").content.decode()
