"""The page of settings says what is in force and never a secret, whatever stands where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fsm_lifecycle import conf
from fsm_lifecycle.ledger.keys import new_key
from fsm_lifecycle.models import LifecycleDefinition
from tests.testapp.offices import Claim

pytestmark = [pytest.mark.once, pytest.mark.django_db(databases=["default", "other"])]

PAGE = "/admin/lifecycle/settings/"
SECRET = "Tr0ub4dor-hunter2-x9"
#: What is public by its nature: the ledger's name stands in every checkpoint.
PUBLIC = {"LEDGER_ORIGIN"}


class Loud:
    """A value that tells everything to whoever prints it."""

    def __repr__(self) -> str:
        return SECRET

    __str__ = __repr__


def in_force(answer: Any) -> dict[str, tuple[str, bool]]:
    return {
        one.key: (one.value, one.own) for one in (*answer.context["settings"], *answer.context["to_come"])
    }


def test_every_key_with_what_is_in_force(browser: Client, settings: Any) -> None:
    settings.FSM_LIFECYCLE = {
        "MAX_CAUSE_DEPTH": 4,
        "DATABASE_GUARD": True,
        "LEDGER_EXPORT": ["fsm_lifecycle.ledger.checkpoints.commit_to_git"],
        "LEDGER_ORIGIN": "example.com/test",
        "BASE_URL": f"https://me:{SECRET}@example.com:8443/{SECRET}",
        "WEBHOOK_ALLOWED_NETWORKS": ["10.0.0.0/8"],
        "MCP_ALLOWED_ORIGINS": ["https://example.com"],
        "AGENT_MODEL": "anthropic:claude-opus-4-5",
        "ENCRYPTION_KEYS": [SECRET],
        "RETENTION_DAYS": {"refusals": None, "runs": 7},
    }
    found = in_force(browser.get(PAGE))
    assert set(found) == set(conf.KEYS)
    assert found["MAX_CAUSE_DEPTH"] == ("4", True)
    assert found["SEAL_MERGE_DELAY"] == ("60 s", False)
    assert found["ADMIN_BULK_INLINE"] == ("200", False)
    assert found["DATABASE_GUARD"] == ("on", True)
    assert found["LEDGER_EXPORT"] == ("fsm_lifecycle.ledger.checkpoints.commit_to_git", True)
    assert found["LEDGER_ORIGIN"] == ("example.com/test", True)
    assert found["BASE_URL"] == ("https://example.com:8443", True)
    assert found["WEBHOOK_ALLOWED_NETWORKS"] == ("10.0.0.0/8", True)
    assert found["AGENT_MODEL"] == ("anthropic:claude-opus-4-5", True)
    assert found["ENCRYPTION_KEYS"] == ("set", True)
    assert found["LEDGER_KEY"] == ("not set", False)
    assert "refusals for ever" in found["RETENTION_DAYS"][0]
    assert "runs 7 days" in found["RETENTION_DAYS"][0]


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        [SECRET],
        {SECRET: SECRET},
        (SECRET, SECRET),
        f"https://{SECRET}@example.com",
        f"https://example.com/?key={SECRET}",
        f"sk-ant-{SECRET}".lower(),
        Loud(),
        [Loud()],
        {"x": Loud()},
    ],
    ids=[
        "text",
        "list",
        "dict",
        "tuple",
        "user of a URL",
        "query of a URL",
        "key",
        "loud",
        "louder",
        "loudest",
    ],
)
def test_no_value_is_told_wherever_it_stands(browser: Client, settings: Any, value: Any) -> None:
    settings.FSM_LIFECYCLE = dict.fromkeys(conf.KEYS - PUBLIC, value)
    content = browser.get(PAGE).content.decode()
    assert SECRET.lower() not in content.lower()


def test_secrets_tell_neither_part_nor_length(browser: Client, settings: Any) -> None:
    pages = set()
    for secret in ("a", SECRET, SECRET * 9):
        settings.FSM_LIFECYCLE = {
            "ENCRYPTION_KEYS": [secret],
            "AGENT_PROVIDERS": {"anthropic": {"api_key": secret}},
            "WEBHOOK_PROXY": secret,
        }
        found = in_force(browser.get(PAGE))
        pages.add((found["ENCRYPTION_KEYS"], found["AGENT_PROVIDERS"], found["WEBHOOK_PROXY"]))
    assert pages == {(("set", True),) * 3}


def test_a_key_that_nothing_reads_is_counted_and_not_named(
    browser: Client, settings: Any, texts: Any
) -> None:
    settings.FSM_LIFECYCLE = {SECRET: 1, "<script>": 2}
    answer = browser.get(PAGE)
    assert SECRET not in answer.content.decode()
    assert "2 keys beside these that nothing reads" in texts(answer)


@pytest.mark.parametrize("value", [None, 5, "x", []])
def test_settings_that_are_no_dict(browser: Client, settings: Any, value: Any) -> None:
    settings.FSM_LIFECYCLE = value
    assert browser.get(PAGE).status_code == 200


def test_the_key_of_the_ledger(browser: Client, settings: Any, tmp_path: Path, texts: Any) -> None:
    key = tmp_path / "hidden place" / "ledger.key"
    key.parent.mkdir()
    new_key(key, "example.com/test")
    settings.FSM_LIFECYCLE = {
        "LEDGER_ORIGIN": "example.com/test",
        "LEDGER_KEY": str(key),
        "LEDGER_CHECKPOINT_DIR": tmp_path / "hidden place" / "checkpoints",
    }
    answer = browser.get(PAGE)
    content = answer.content.decode()
    assert "hidden place" not in content
    assert key.read_text().strip().split("+", 4)[4] not in content
    assert "Folder for checkpoints writable" in texts(answer)
    (tmp_path / "hidden place" / "checkpoints").write_text("in the way")
    assert "Folder for checkpoints not writable" in texts(browser.get(PAGE))


def test_providers_are_there_or_not(browser: Client, monkeypatch: pytest.MonkeyPatch, texts: Any) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    answer = browser.get(PAGE)
    assert "Anthropic present OpenAI not present" in texts(answer)
    assert SECRET not in answer.content.decode()


def test_databases_protection_and_definitions(browser: Client, settings: Any, texts: Any) -> None:
    Claim.objects.create()
    answer = browser.get(PAGE)
    stands = {one.alias: one for one in answer.context["databases"]}
    assert set(stands) == {"default", "other"}
    assert stands["default"].guarded.whole
    assert not stands["default"].unstored
    assert stands["default"].census.waiting == 1
    assert "never sealed" in texts(answer)
    settings.FSM_LIFECYCLE = {"DATABASE_GUARD": False}
    assert {one.guarded.word for one in browser.get(PAGE).context["databases"]} == {"off"}


def test_findings_name_the_key_and_not_the_value(browser: Client, settings: Any, texts: Any) -> None:
    settings.FSM_LIFECYCLE = {"SEAL_MERGE_DELAY": SECRET, "MAX_CAUSE_DEPTH": SECRET}
    text = texts(browser.get(PAGE))
    assert "SEAL_MERGE_DELAY in FSM_LIFECYCLE is not right." in text
    assert "MAX_CAUSE_DEPTH in FSM_LIFECYCLE is not right. Give a whole number from 1" in text
    assert SECRET not in text


def test_what_a_deploy_check_says_is_said_where_it_quotes_nothing(
    browser: Client, settings: Any, texts: Any
) -> None:
    settings.FSM_LIFECYCLE = {
        "WEBHOOK_ALLOW_HTTP": True,
        "MCP_ALLOWED_ORIGINS": [SECRET],
        SECRET: 1,
    }
    text = texts(browser.get(PAGE))
    assert "WEBHOOK_ALLOW_HTTP lets messages go out without encryption. Remove it" in text
    assert "MCP_ALLOWED_ORIGINS in FSM_LIFECYCLE is not right. Write a list of origins" in text
    assert SECRET not in text


def test_it_costs_the_same_with_a_long_log(browser: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as made:
            browser.get(PAGE)
        return len(made)

    Claim.objects.create()
    cost()
    few = cost()
    for _ in range(60):
        Claim.objects.create()
    assert cost() == few
    assert LifecycleDefinition.objects.exists()


def test_nothing_can_be_sent_there(browser: Client) -> None:
    assert browser.post(PAGE).status_code == 405


def test_who_may_see_it(client: Client, staff: Any) -> None:
    assert client.get(PAGE).headers["Location"].startswith("/admin/login/")
    client.force_login(staff("nobody", "view_transitionlog", "view_checkpoint"))
    assert client.get(PAGE).status_code == 403
    client.force_login(staff("keeper", "view_settings"))
    assert client.get(PAGE).status_code == 200
