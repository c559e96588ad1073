"""``lifecycle_purge``: asks before it purges, says what it did, and ends with what a scheduler can tell apart."""

from __future__ import annotations

import io
import json
import os
import signal
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from fsm_lifecycle.engine import eligibility
from fsm_lifecycle.engine.legal_hold import place_hold
from fsm_lifecycle.engine.retention import purge_eligible
from fsm_lifecycle.management.commands import lifecycle_purge
from fsm_lifecycle.models import RefusedAttempt, TransitionLog
from tests.acting import ACTOR
from tests.ledger.unprotected import unprotected
from tests.retention.ageing import finished
from tests.testapp.models import Light, Parcel

pytestmark = [pytest.mark.once, pytest.mark.django_db]


def run(*args: str) -> tuple[str, str, int]:
    """What it says, what it complains of, and its exit code."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("lifecycle_purge", *args, stdout=out, stderr=err)
    except CommandError as error:
        return out.getvalue(), f"{err.getvalue()}{error}", error.returncode
    return out.getvalue(), err.getvalue(), 0


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Somebody at a terminal, who gives these answers."""
    given: list[str] = []
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("builtins.input", lambda asked: given.pop(0))
    return given


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def refused(days: float) -> None:
    moment = timezone.now() - timedelta(days=days)
    RefusedAttempt.objects.create(model_label="a.b", object_pk="1", event="x", recorded_at=moment)


def test_from_a_scheduler() -> None:
    old, held, young = finished(Light), finished(Light), finished(Light, 3)
    finished(Parcel)
    place_hold(held, reason="dispute", by=ACTOR)
    for days in (10, 400):
        refused(days)
    out, err, code = run("--yes", "--reason", "ten years")
    assert code == 0, err
    assert "Purged: 2; stayed: 0.\n" in out
    assert "testapp.light: 1 legal hold is in force.\n" in out
    assert "Refusals whose days are over: 1 removed.\n" in out
    assert set(Light.objects.all()) == {held, young}
    last = TransitionLog.objects.get(model_label="testapp.light", object_pk=str(old.pk), kind="purged")
    assert (last.reason, last.actor_kind, last.actor_id) == ("ten years", "system", "lifecycle_purge")
    assert (
        "tests" not in TransitionLog.objects.filter(object_pk=str(old.pk)).values_list("body", flat=True)[0]
    )


@pytest.mark.parametrize("flag", ["--no-input", "--noinput"])
def test_as_other_commands_of_django_say_it(flag: str) -> None:
    finished(Light)
    assert run(flag)[2] == 0
    assert not Light.objects.exists()


def test_where_nobody_can_answer_nothing_goes() -> None:
    finished(Light)
    for args in ([], ["--json"]):
        _, err, code = run(*args)
        assert code == 2
        assert "Pass --yes to purge, or --dry-run to look." in err
    assert Light.objects.exists()


@pytest.mark.parametrize(("answer", "left"), [("yes", 0), ("Y", 0), ("no", 1), ("", 1)])
def test_at_a_terminal_it_asks(answers: list[str], answer: str, left: int) -> None:
    finished(Light)
    answers.append(answer)
    out, err, code = run()
    assert "testapp.Light: 1 may go.\n" in out
    assert "Their log entries are redacted." in out
    assert (Light.objects.count(), code) == (left, 2 if left else 0)
    if left:
        assert err == "Nothing was purged."


def test_where_nothing_may_go_nobody_is_asked(answers: list[str]) -> None:
    finished(Light, 3)
    refused(400)
    out, _, code = run("testapp.Light")
    assert code == 0
    assert "Purged: 0; stayed: 0." in out
    assert RefusedAttempt.objects.exists(), "only where no model was named"


def test_a_dry_run_lists_what_would_go() -> None:
    light = finished(Light)
    refused(400)
    out, _, code = run("--dry-run")
    assert code == 0
    assert f"testapp.light:{light.pk}\nWould be purged: 1; would stay: 0.\n" in out
    assert "Refusals whose days are over: 1 would be removed." in out
    assert Light.objects.exists()
    assert RefusedAttempt.objects.exists()


def test_only_so_many_and_only_the_models_named() -> None:
    for _ in range(3):
        finished(Light)
    finished(Parcel)
    assert "Purged: 2;" in run("testapp.Light", "testapp.light", "--limit", "2", "--yes")[0]
    assert (Light.objects.count(), Parcel.objects.count()) == (1, 1)


def test_bodies_can_be_kept() -> None:
    light = finished(Light)
    run("--yes", "--keep-bodies")
    assert [e.kind for e in light.log] == ["created", "transition", "purged"]


def test_what_could_not_go_is_a_finding() -> None:
    light = finished(Light)
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE testapp_light SET lifecycle_sequence = 7")
    finished(Light)
    out, err, code = run("--yes")
    assert code == 1
    assert "Purged: 1; stayed: 1.\n" in out
    assert f"testapp.light:{light.pk} stayed (stale_state). Light {light.pk} is gone, has changed" in err
    assert err.endswith("1 of them could not go.")


def test_a_hold_that_was_placed_meanwhile_is_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    light = finished(Light)
    plain = purge_eligible

    def late(*args: Any, **kwargs: Any) -> Any:
        page = eligibility.eligible_page(Light)
        place_hold(light, reason="dispute", by=ACTOR)
        pages = iter([page, []])
        monkeypatch.setattr("fsm_lifecycle.engine.retention.eligible_page", lambda *a, **k: next(pages))
        return plain(*args, **kwargs)

    monkeypatch.setattr(lifecycle_purge, "purge_eligible", late)
    out, err, code = run("testapp.Light", "--yes")
    assert code == 0
    assert "stayed (legal_hold)" in err
    assert "Purged: 0; stayed: 1." in out


def test_one_json_document() -> None:
    light, held = finished(Light), finished(Light)
    place_hold(held, reason="dispute", by=ACTOR)
    refused(400)
    looked = json.loads(run("--json", "--dry-run")[0])
    done = json.loads(run("--json", "--yes")[0])
    assert (looked["dry_run"], looked["counts"], looked["purged"]) == (True, {"eligible": 1}, 1)
    assert (done["dry_run"], done["interrupted"], done["counts"]) == (False, False, {"purged": 1})
    assert (done["stayed"], done["expired"]["refusals"], done["held"]["testapp.light"]) == (0, 1, 1)
    (outcome,) = done["outcomes"]
    assert (outcome["model_label"], outcome["object_pk"], outcome["code"]) == (
        "testapp.light",
        str(light.pk),
        "purged",
    )
    assert outcome["entry_hash"] == TransitionLog.objects.get(kind="purged").entry_hash


def test_names_that_are_wrong_are_told_which_are_right() -> None:
    _, err, code = run("testapp.Lamp", "--yes")
    assert code == 2
    assert "testapp.light" in err
    _, err, code = run("testapp.Order", "--yes")
    assert code == 2
    assert "testapp.order has no retention" in err
    assert "testapp.parcel" in err


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", "²"])
def test_a_limit_that_is_none_is_refused(limit: str) -> None:
    _, err, code = run("--limit", limit)
    assert code
    assert "limit" in err


def test_a_reason_is_needed() -> None:
    finished(Light)
    _, err, code = run("--yes", "--reason", " ")
    assert code == 2
    assert "no reason" in err
    assert Light.objects.exists()


def test_without_any_retention_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle_purge, "retained", lambda using: [])
    refused(400)
    out, _, code = run("--yes")
    assert code == 0
    assert out.startswith("No lifecycle declares how long its records stay, so none was purged.")
    assert not RefusedAttempt.objects.exists()


def test_an_interruption_ends_after_the_record_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        finished(Light)
    refused(400)
    plain = lifecycle_purge.Command._found

    def found(self: Any, outcome: Any) -> None:
        plain(self, outcome)
        if Light.objects.count() == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(lifecycle_purge.Command, "_found", found)
    out, err, code = run("--yes")
    assert code == 2
    assert "Purged: 1; stayed: 0." in out
    assert err.endswith("Interrupted. Run it again for the rest.")
    assert (Light.objects.count(), RefusedAttempt.objects.count()) == (2, 1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_dry_run_says_what_the_run_then_says() -> None:
    gone, held = finished(Light), finished(Light)
    place_hold(held, reason="dispute", by=ACTOR)
    refused(400)
    moment = timezone.now() - timedelta(days=400)
    RefusedAttempt.objects.create(
        model_label="testapp.light", object_pk=str(gone.pk), event="switch_on", recorded_at=moment
    )
    looked = json.loads(run("--json", "--dry-run")[0])
    done = json.loads(run("--json", "--yes")[0])
    same = ("purged", "stayed", "held", "expired")
    assert [looked[name] for name in same] == [done[name] for name in same]
    assert (done["purged"], done["expired"]["refusals"]) == (1, 2)
