"""``lifecycle_token`` and ``lifecycle_mcp`` from a shell."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from fsm_lifecycle.mcp import extra, tokens
from fsm_lifecycle.models import McpToken
from tests.mcp.conftest import Wire
from tests.mcp.serving import ROOT
from tests.sample.making import somebody

pytestmark = [pytest.mark.once, pytest.mark.django_db]

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command("lifecycle_token", *arguments, stdout=out)
    return out.getvalue()


def refused(command: str, *arguments: str) -> str:
    with pytest.raises(CommandError) as error:
        call_command(command, *arguments, stdout=io.StringIO())
    assert error.value.returncode == 2
    return str(error.value)


def test_a_token_is_shown_once_used_listed_and_revoked(alice: Any) -> None:
    text, note = said(
        "create", "alice", "--agent", "tests.desk", "--days", "7", "--label", "Editor"
    ).splitlines()
    token = McpToken.objects.get()
    assert token.digest == tokens.digest_of(text)
    assert (token.expires_at - timezone.now()).days == 6 if token.expires_at else False
    assert "alice" in note
    assert Wire(text).post(PING).status_code == 200

    line = said("list").strip()
    assert [word in line for word in (str(token.pk), "alice", "tests.desk", "until", "“Editor”")] == [
        True
    ] * 5
    assert text not in line
    assert said("list", "--user", str(somebody("bob").pk)).strip() == "There are no tokens."

    assert "is revoked" in said("revoke", str(token.pk))
    assert "was revoked before" in said("revoke", str(token.pk))
    assert Wire(text).post(PING).status_code == 401
    assert "revoked" in said("list")


def test_with_json_there_is_one_document(alice: Any) -> None:
    made = json.loads(said("create", "alice", "--json"))
    listed = json.loads(said("list", "--json"))
    revoked = json.loads(said("revoke", str(made["id"]), "--json"))

    assert Wire(made.pop("token")).post(PING).status_code == 401  # it is revoked by now
    assert listed == [made]
    assert (made["user"], made["agent"], made["valid"]) == ("alice", "all", True)
    assert (revoked["valid"], revoked["revoked_at"] is not None) == (False, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "nobody"), "nobody"),
        (("create", "alice", "--agent", "no.such"), "tests.desk"),
        (("list", "--user", "nobody"), "nobody"),
        (("revoke", "9999"), "lifecycle_token list"),
        (("revoke", "fsmlc_secret"), "lifecycle_token list"),
        (("revoke", "9" * 40), "lifecycle_token list"),
    ],
)
def test_wrong_arguments_are_said_in_words(alice: Any, arguments: tuple[str, ...], words: str) -> None:
    told = refused("lifecycle_token", *arguments)

    assert words in told
    assert "fsmlc_" not in told


@pytest.mark.parametrize("days", ["0", "-1", "x", "1.5", "99999"])
def test_days_are_a_number_of_days(alice: Any, days: str) -> None:
    with pytest.raises(CommandError, match="days"):
        said("create", "alice", "--days", days)
    assert not McpToken.objects.exists()


def test_nobody_is_served_who_is_not_there_or_may_not(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nobody" in refused("lifecycle_mcp", "--user", "nobody")
    assert "tests.desk" in refused("lifecycle_mcp", "--user", "alice", "--agent", "no.such")
    type(alice).objects.update(is_active=False)
    assert "deactivated" in refused("lifecycle_mcp", "--user", "alice")
    assert "deactivated" in refused("lifecycle_token", "create", "alice")
    monkeypatch.setattr(extra, "is_installed", lambda: False)
    assert "fsm-lifecycle[mcp]" in refused("lifecycle_mcp", "--user", "alice")


@pytest.mark.django_db(transaction=True)
def test_what_goes_wrong_leaves_standard_output_empty(
    child_environment: Mapping[str, str], alice: Any
) -> None:
    command = [sys.executable, "manage.py", "lifecycle_mcp", "--user", "nobody"]
    done = subprocess.run(
        command,
        env=dict(child_environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "nobody" in done.stderr
    assert "Traceback" not in done.stderr
