"""Everything about a record or a person goes, from the log and from every table beside it; chains stay whole."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from fsm_lifecycle import InvalidTransition, LifecycleError, System, acting_as
from fsm_lifecycle.access import delegate, grant_role, revoke_role
from fsm_lifecycle.access.actors import AgentActor
from fsm_lifecycle.access.person import person_of
from fsm_lifecycle.engine.erasure import Erasure
from fsm_lifecycle.ledger import secure_delete
from fsm_lifecycle.ledger.archive_import import import_archive
from fsm_lifecycle.ledger.export import export
from fsm_lifecycle.ledger.redaction import NotRedactable
from fsm_lifecycle.models import AccessEvent, RefusedAttempt, TransitionLog
from tests.acting import ACTOR
from tests.testapp.models import Light
from tests.testapp.offices import Claim

WHY = "the law says so"
REDACTOR = System("redactor")
NAMES = ("zyxanna", "Zyxanna Wvutberg", "zw@example.org")


@pytest.fixture
def anna(db: None) -> User:
    first, last = NAMES[1].split()
    return User.objects.create_user(NAMES[0], NAMES[2], first_name=first, last_name=last)


def erase(user: User, **more: Any) -> Any:
    return Erasure(reason=WHY, by=REDACTOR, **more).of_person(person_of(user))


def run(*arguments: str) -> str:
    """What the command prints."""
    out = io.StringIO()
    call_command("lifecycle_redact", *arguments, stdout=out)
    return out.getvalue()


def whole(model: Any = Light) -> bool:
    replays = [(record, record.replay()) for record in model.objects.all()]
    return all(replay.whole and replay.head == record.lifecycle_head for record, replay in replays)


def named_somewhere() -> list[str]:
    """Every table but the host's own that names her, in any column."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table == "auth_user":
                continue
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            if any(name.lower() in str(row).lower() for row in cursor.fetchall() for name in NAMES):
                found.append(table)
    return found


# --- a person ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_she_did_herself_or_by_an_agent_loses_her_name(anna: User) -> None:
    light = Light.objects.create(name="a")
    light.fire("switch_on", actor=anna, metadata={"n": 1})
    light.fire("switch_off", actor=AgentActor("helper", anna))
    light.fire("switch_on", actor=ACTOR, metadata={"n": 2})
    done = erase(anna)
    assert (done.entries, done.fields, done.copies, done.stays) == (2, 2, 0, [])
    log = list(light.log)
    assert [e.kind for e in log][4:] == ["redaction", "redaction"]
    assert [e.actor_label for e in log[1:4]] == ["", "", "tests"]
    assert log[1].metadata == {"n": 1}
    assert named_somewhere() == []
    assert whole()


@pytest.mark.django_db
def test_delegated_entries_and_texts_of_others_lose_her(anna: User) -> None:
    boss, bob = User.objects.create_superuser("boss"), User.objects.create_user("bob")
    claim = Claim.objects.create(created_by=bob)
    grant_role(anna, "examiner", on=claim, by=boss, reason=f"{NAMES[1]} is back")
    delegate(anna, bob, until=timezone.now() + timedelta(days=1), by=boss, reason="while zyxanna is away")
    entry = claim.fire("examine", actor=bob, metadata={"by": "for ZYXANNA"})
    assert entry.on_behalf_of == {"id": str(anna.pk), "label": NAMES[0]}
    with pytest.raises(LifecycleError):
        claim.fire("pay", actor=anna)
    revoke_role(anna, "examiner", on=claim, by=boss)
    assert set(named_somewhere()) == {
        "fsm_lifecycle_accessevent",
        "fsm_lifecycle_delegation",
        "fsm_lifecycle_refusedattempt",
        "fsm_lifecycle_transitionlog",
    }
    done = erase(anna)
    entry = claim.log.get(pk=entry.pk)
    assert (entry.on_behalf_of, entry.metadata, entry.actor_label) == (None, {}, "bob")
    assert named_somewhere() == []
    assert done.copies == len(AccessEvent.objects.filter(holder_id=str(anna.pk))) + 2
    assert RefusedAttempt.objects.get().actor_id == str(anna.pk)
    assert AccessEvent.objects.filter(actor_label="boss").count() >= 3
    assert whole(Claim)


@pytest.mark.django_db
def test_refusals_lose_the_reasons_that_name_her(anna: User) -> None:
    for label, reason in (("bob", f"Ask {NAMES[1]}."), ("bob", "Ask the boss."), (NAMES[0], "No.")):
        RefusedAttempt.objects.create(
            model_label="testapp.light",
            object_pk="1",
            event="e",
            state="s",
            actor_kind="user",
            actor_id="0",
            actor_label=label,
            code="guard_failed",
            reason=reason,
            denials=[
                {"code": "guard_failed", "name": "g", "reason": reason},
                {"code": "x", "name": "y", "reason": "z"},
            ],
            surface="code",
            recorded_at=timezone.now(),
        )
    assert erase(anna).copies == 2
    rows = RefusedAttempt.objects.order_by("pk").values_list("actor_label", "reason", "denials__0__reason")
    assert list(rows) == [("bob", "", ""), ("bob", "Ask the boss.", "Ask the boss."), ("", "No.", "No.")]
    assert all(attempt.denials[1]["reason"] == "z" for attempt in RefusedAttempt.objects.all())


@pytest.mark.django_db
def test_what_she_was_called_before_is_found_too(anna: User) -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=anna)
    light.fire("switch_off", actor=ACTOR, metadata={"by": NAMES[0]})
    User.objects.filter(pk=anna.pk).update(username="a", first_name="", last_name="", email="")
    anna.refresh_from_db()
    assert erase(anna).entries == 2
    assert named_somewhere() == []


@pytest.mark.django_db
def test_somebody_who_has_gone_is_known_by_what_the_log_says(anna: User) -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=anna)
    light.fire("switch_off", actor=ACTOR, metadata={"by": NAMES[0]})
    key = anna.pk
    anna.delete()
    assert "2 fields in 2 entries" in run("--person", str(key), "--reason", WHY)
    assert named_somewhere() == []


@pytest.mark.django_db
def test_what_must_stay_is_told(anna: User) -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=ACTOR, idempotency_key=f"of {NAMES[0]}")
    light.fire("switch_off", actor=System(f"job of {NAMES[0]}"))
    done = erase(anna)
    assert done.stays == [
        f"idempotency_key of entry 2 of testapp.light:{light.pk}",
        f"actor_id of entry 3 of testapp.light:{light.pk}",
    ]
    with pytest.raises(CommandError, match=r"2 places had to stay.*idempotency_key of entry 2") as caught:
        run("--person", NAMES[0], "--reason", WHY)
    assert caught.value.returncode == 1


@pytest.mark.django_db
def test_a_redaction_that_would_name_her_is_refused(anna: User) -> None:
    Light.objects.create().fire("switch_on", actor=anna)
    for reason, by in ((f"{NAMES[1]} asked", REDACTOR), (WHY, anna), (WHY, System(f"for {NAMES[2]}"))):
        with pytest.raises(NotRedactable):
            Erasure(reason=reason, by=by).of_person(person_of(anna))
    assert TransitionLog.objects.count() == 2


# --- a record ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_records_whole_log_is_redacted_once(anna: User) -> None:
    light, other = Light.objects.create(), Light.objects.create()
    for record in (light, other):
        record.fire("switch_on", actor=anna, metadata={"n": 1})
        with pytest.raises(InvalidTransition):
            record.fire("switch_on", actor=anna)
    name = f"testapp.Light:{light.pk}"
    assert "2 fields in 1 entries; cleared: 1 copies" in run("--record", name, "--reason", WHY)
    assert [e.kind for e in light.log] == ["created", "transition", "redaction"]
    assert light.log[1].body.count("redacted") == 2
    assert other.log[1].metadata == {"n": 1}
    assert RefusedAttempt.objects.filter(actor_label="").count() == 1
    assert "0 fields in 0 entries" in run("--record", name, "--reason", WHY)
    light.delete()
    assert "0 entries" in run("--record", name, "--reason", WHY)
    assert whole()


# --- the command ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_dry_run_lists_and_changes_nothing(anna: User) -> None:
    light = Light.objects.create()
    entry = light.fire("switch_on", actor=anna)
    with pytest.raises(InvalidTransition):
        light.fire("switch_on", actor=anna)
    before = list(TransitionLog.objects.order_by("id").values())
    out = run("--person", NAMES[0], "--reason", WHY, "--dry-run")
    assert f"{entry.entry_hash}  testapp.light:{light.pk} #2  actor" in out
    assert "Would be redacted: 1 fields in 1 entries; would be cleared: 1 copies." in out
    assert list(TransitionLog.objects.order_by("id").values()) == before
    assert RefusedAttempt.objects.get().actor_label == NAMES[0]


@pytest.mark.django_db
@pytest.mark.parametrize("whom", ["person", "record"])
def test_a_dry_run_counts_what_the_run_then_does(anna: User, whom: str, tmp_path: Path) -> None:
    light = Light.objects.create()
    light.fire("switch_on", actor=anna, metadata={"told": NAMES[0]})
    with pytest.raises(InvalidTransition):
        light.fire("switch_on", actor=anna)
    export("default", tmp_path / "log.jsonl")
    import_archive("default", tmp_path / "log.jsonl")
    order = ["--person", NAMES[0]] if whom == "person" else ["--record", f"testapp.light:{light.pk}"]
    looked = json.loads(run(*order, "--reason", WHY, "--json", "--dry-run"))
    done = json.loads(run(*order, "--reason", WHY, "--json"))
    assert done == {**looked, "dry_run": False}
    assert (done["entries"], done["copies"]) > (0, 0)
    again = json.loads(run(*order, "--reason", WHY, "--json"))
    assert (again["entries"], again["fields"], again["copies"]) == (0, 0, 0)


@pytest.mark.django_db
def test_one_entry_as_json() -> None:
    light = Light.objects.create()
    entry = light.fire("switch_on", actor=ACTOR, metadata={"n": 1})
    arguments = ("--entry", entry.entry_hash, "--fields", "metadata, actor", "--reason", WHY, "--json")
    answer = json.loads(run(*arguments))
    found = {"entry": entry.entry_hash, "record": f"testapp.light:{light.pk}", "sequence": 2}
    assert answer == {
        "dry_run": False,
        "entries": 1,
        "fields": 2,
        "copies": 0,
        "stays": [],
        "found": [{**found, "fields": ["actor", "metadata"]}],
    }
    made = light.log.last()
    assert made is not None
    assert (made.kind, made.reason, made.actor_id) == ("redaction", WHY, "lifecycle_redact")
    assert json.loads(run(*arguments))["entries"] == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--entry", "f" * 64], "go together"),
        (["--record", "testapp.light:1", "--fields", "actor"], "go together"),
        (["--entry", "f" * 64, "--fields", "actor"], "has no entry"),
        (["--record", "testapp.light:4711"], "no entry of 'testapp.light:4711'"),
        (["--record", "light"], "Write app.model:pk"),
        (["--person", "nobody"], "No user"),
    ],
)
def test_usage_errors_exit_with_two(arguments: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why) as caught:
        run(*arguments, "--reason", WHY)
    assert caught.value.returncode == 2


@pytest.mark.django_db
def test_a_field_that_the_entry_does_not_have_exits_with_two() -> None:
    entry = Light.objects.create().fire("switch_on", actor=ACTOR)
    with pytest.raises(CommandError, match="no field “metadata”") as caught:
        run("--entry", entry.entry_hash, "--fields", "actor,metadata", "--reason", WHY)
    assert caught.value.returncode == 2
    assert TransitionLog.objects.count() == 2


# --- a thousand entries, down to the bytes ------------------------------------------------------------------------


def fire_a_thousand(anna: User) -> None:
    with acting_as(anna):
        Light.objects.bulk_create(Light() for _ in range(100))
    for number in range(9):
        event = "switch_off" if number % 2 else "switch_on"
        actor = anna if number % 3 else System("other")
        done = Light.objects.all().fire(event, actor=actor, metadata={"by": NAMES[number % 3], "n": number})
        assert done.failed == 0


def bytes_of_the_database() -> bytes:
    """The SQLite file with its write-ahead log."""
    path = Path(str(connection.settings_dict["NAME"]))
    return b"".join(
        Path(f"{path}{end}").read_bytes() for end in ("", "-wal") if Path(f"{path}{end}").exists()
    )


@pytest.mark.django_db(transaction=True)
def test_a_persons_data_leave_a_thousand_entries_and_the_file(anna: User) -> None:
    fire_a_thousand(anna)
    assert TransitionLog.objects.count() == 1000
    key = str(anna.pk)
    with secure_delete.overwriting("default"):
        steps: list[tuple[int, int]] = []
        done = erase(anna, progress=lambda *step: steps.append(step))
        anna.delete()
    assert (done.entries, done.stays) == (1000, [])
    assert steps[-1] == (1000, 1000)
    assert TransitionLog.objects.filter(kind="redaction").count() == 1000
    assert named_somewhere() == []
    assert whole()
    assert TransitionLog.objects.filter(actor_id=key).count() == 700
    out = io.StringIO()
    call_command("dumpdata", stdout=out)
    held = [out.getvalue().encode()]
    if connection.vendor == "sqlite":
        if secure_delete.keeps_free_pages("default"):
            with connection.cursor() as cursor:
                cursor.execute("VACUUM")
            secure_delete.empty_log("default")
        held.append(bytes_of_the_database())
    assert not [name for name in NAMES for text in held if name.lower().encode() in text.lower()]


@pytest.mark.django_db(transaction=True)
def test_an_interrupted_run_is_taken_up_again(anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fsm_lifecycle.engine.erasure.BATCH", 10)
    monkeypatch.setattr("fsm_lifecycle.engine.erasure.PAGE", 25)
    Light.objects.bulk_create(Light() for _ in range(30))
    for event in ("switch_on", "switch_off"):
        Light.objects.all().fire(event, actor=anna, metadata={"by": NAMES[1]})

    seen: list[TransitionLog] = []

    def interrupt(entry: TransitionLog, fields: tuple[str, ...]) -> None:
        seen.append(entry)
        if len(seen) == 35:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        erase(anna, found=interrupt)
    assert TransitionLog.objects.filter(kind="redaction").count() == 30
    assert whole()
    assert erase(anna).entries == 30
    assert TransitionLog.objects.filter(kind="redaction").count() == 60
    assert named_somewhere() == []
    assert whole()
