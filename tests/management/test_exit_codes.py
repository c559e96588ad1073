"""How every command ends: 0 where all is well, 1 where it found something, 2 where it was called wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import get_commands
from django.db import connection

from tests.acting import ACTOR
from tests.ledger.unprotected import unprotected
from tests.management.calling import run
from tests.testapp.models import Light

pytestmark = [pytest.mark.django_db(databases=["default", "other"]), pytest.mark.once]

NO_HASH = "f" * 64

#: Calls that are wrong, and what is said of them: what is not known, and the remedy.
WRONG = {
    "lifecycle_adopt no.model": ["'no.model'", "testapp.light"],
    "lifecycle_adopt auth.user": ["'auth.user'", "testapp.light"],
    "lifecycle_adopt --database nowhere": ["'nowhere'", "'default', 'other'"],
    "lifecycle_agent no.model hello --user ada": ["no.model", "testapp.light"],
    "lifecycle_agent testapp.light hello --user nobody": ["--user", "“nobody”", "key"],
    "lifecycle_agent testapp.light hello": ["--user"],
    "lifecycle_doctor --database nowhere": ["'nowhere'", "'default', 'other'"],
    "lifecycle_export": ["--output"],
    "lifecycle_export -o - --since soon": ["“soon”", "2026-01-15"],
    "lifecycle_graph no.model": ["'no.model'", "testapp.light"],
    "lifecycle_graph": ["--all"],
    "lifecycle_graph --all --format pdf": ["'pdf'", "'mermaid'"],
    "lifecycle_import_archive no-file": ["no-file"],
    "lifecycle_key": ["new|show|rotate"],
    "lifecycle_key turn": ["'turn'", "'rotate'"],
    "lifecycle_key new": ["--path"],
    "lifecycle_mcp --user nobody": ["--user", "“nobody”", "key"],
    "lifecycle_mcp --user ada --agent no.agent": ["--agent", "no.agent", "testapp.light"],
    f"lifecycle_prove {NO_HASH} -o -": [NO_HASH],
    "lifecycle_prove short -o -": ["'short'", "64 characters"],
    "lifecycle_purge no.model --yes": ["'no.model'", "testapp.light"],
    "lifecycle_purge testapp.gate --yes": ["testapp.gate", "retention"],
    "lifecycle_purge": ["--yes", "--dry-run"],
    "lifecycle_purge --limit 0": ["--limit", "'0'"],
    "lifecycle_redact --person nobody --reason test": ["“nobody”", "key"],
    "lifecycle_redact --record no.model:1 --reason test": ["'no.model:1'", "app.model:pk"],
    f"lifecycle_redact --entry {NO_HASH} --reason test": ["--fields"],
    f"lifecycle_redact --entry {NO_HASH} --fields actor --reason test": [NO_HASH],
    "lifecycle_redact --person ada": ["--reason"],
    "lifecycle_replay no.model": ["'no.model'", "testapp.light"],
    "lifecycle_replay testapp.light:987": ["testapp.light:987"],
    "lifecycle_replay testapp.light --until soon": ["--until", "“soon”", "2026-01-15"],
    "lifecycle_report --model no.model": ["no.model", "testapp.light"],
    "lifecycle_report --since soon": ["“soon”", "2026-01-15"],
    "lifecycle_roles --prune": ["--sync --prune"],
    "lifecycle_roles approver": ["approver"],
    "lifecycle_roles --database nowhere": ["'nowhere'", "'default', 'other'"],
    "lifecycle_seal --every 0": ["--every", "'0'", "seconds"],
    "lifecycle_seal --every soon": ["--every", "'soon'", "seconds"],
    "lifecycle_seal --once --adopt no-file": ["--adopt", "no-file"],
    "lifecycle_token": ["create|list|revoke"],
    "lifecycle_token create": ["lifecycle_token create alice"],
    "lifecycle_token create nobody": ["“nobody”", "key"],
    "lifecycle_token create ada --agent no.agent": ["--agent", "no.agent", "testapp.light"],
    "lifecycle_token create ada --days 0": ["--days", "'0'", "1 to 3650"],
    "lifecycle_token list --user nobody": ["--user", "“nobody”", "key"],
    "lifecycle_token revoke 987": ["lifecycle_token list"],
    "lifecycle_verify --record light": ["--record light", "billing.invoice:7"],
    "lifecycle_verify --record testapp.light:987": ["testapp.light:987"],
    "lifecycle_verify --since soon": ["--since", "“soon”", "2026-01-15"],
    "lifecycle_verify --against no-file": ["--against", "no-file"],
    "lifecycle_work --dead list --once": ["--once", "--dead"],
    "lifecycle_work --dead retry --id 987": ["987"],
    "lifecycle_work --id 987": ["--dead"],
}

#: Calls after which all is well.
RIGHT = [
    "lifecycle_adopt",
    "lifecycle_adopt testapp.light",
    "lifecycle_export -o -",
    "lifecycle_graph testapp.light",
    "lifecycle_key show",
    "lifecycle_purge --dry-run",
    "lifecycle_redact --person ada --reason test",
    "lifecycle_replay testapp.light",
    "lifecycle_report",
    "lifecycle_roles",
    "lifecycle_roles --sync --prune --reconcile",
    "lifecycle_seal --once",
    "lifecycle_token create ada",
    "lifecycle_token list",
    "lifecycle_verify --deep",
    "lifecycle_work --dead list",
]

#: Calls that find the entry that somebody changed.
FINDING = [
    "lifecycle_doctor",
    "lifecycle_replay testapp.light",
    "lifecycle_report",
    "lifecycle_seal --once",
    "lifecycle_verify",
]


@pytest.fixture(autouse=True)
def ada() -> User:
    return User.objects.create_user("ada")


def test_no_command_is_left_out() -> None:
    ours = {name for name, app in get_commands().items() if app == "fsm_lifecycle" and "lifecycle_" in name}
    assert {call.split()[0] for call in WRONG} == ours


@pytest.mark.parametrize("call", WRONG)
def test_a_wrong_call_names_what_is_wrong_and_the_remedy(call: str) -> None:
    code, out, err = run(*call.split())
    assert (code, out) == (2, "")
    for word in WRONG[call]:
        assert word in err
    assert "Traceback" not in err


@pytest.mark.parametrize("call", RIGHT)
def test_all_is_well(call: str) -> None:
    Light.objects.create().fire("switch_on", actor=ACTOR)
    code, _, err = run(*call.split())
    assert code == 0, err


@pytest.mark.parametrize("call", FINDING)
def test_something_was_found(call: str) -> None:
    Light.objects.create().fire("switch_on", actor=ACTOR)
    with unprotected(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE fsm_lifecycle_transitionlog SET to_state = 'off' WHERE sequence = 2")
    code, _, err = run(*call.split())
    assert code == 1, err
    assert "Traceback" not in err


@pytest.mark.parametrize("call", ["lifecycle_adopt", "lifecycle_roles"])
def test_a_database_that_was_never_migrated_is_named(call: str, bare: str) -> None:
    code, out, err = run(call, "--database", bare)
    assert (code, out) == (2, "")
    assert "migrate --database bare" in err
    assert "Traceback" not in err


def test_an_import_that_is_not_whole_is_a_finding(tmp_path: Path) -> None:
    Light.objects.create()
    file = tmp_path / "log.jsonl"
    assert run("lifecycle_export", "-o", str(file))[0] == 0
    file.write_text(file.read_text().replace('"to_state":"off"', '"to_state":"on"'))
    assert run("lifecycle_import_archive", str(file))[0] == 1
