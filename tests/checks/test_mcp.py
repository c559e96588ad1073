"""The checks of the MCP server: the extra, the origins, and HTTPS."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks

from fsm_lifecycle.checks import mcp
from fsm_lifecycle.checks.mcp import check_mcp, check_mcp_deployed

pytestmark = pytest.mark.pure


@pytest.fixture
def mounted(settings: Any) -> None:
    settings.ROOT_URLCONF = "sample_project.urls"


def ids(found: Any) -> list[str]:
    return [message.id.removeprefix("fsm_lifecycle.") for message in found]


def test_it_is_sound_where_it_is_mounted_with_the_extra(mounted: None) -> None:
    assert check_mcp() == []
    assert not {"fsm_lifecycle.E100", "fsm_lifecycle.E101"} & {
        one.id for one in run_checks(tags=["fsm_lifecycle"])
    }


def test_mounted_without_the_extra_it_names_the_extra(mounted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp, "is_installed", lambda: False)

    (found,) = check_mcp()

    assert found.id == "fsm_lifecycle.E100"
    assert "/mcp" in found.msg
    assert "fsm-lifecycle[mcp]" in (found.hint or "")


def test_below_another_path_it_is_found_as_well(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ROOT_URLCONF = "tests.checks.nested_mcp"
    monkeypatch.setattr(mcp, "is_installed", lambda: False)

    (found,) = check_mcp()

    assert "/tools/v1/mcp" in found.msg


def test_without_the_extra_what_is_not_mounted_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp, "is_installed", lambda: False)

    assert check_mcp() == []
    assert check_mcp_deployed() == []


def test_broken_addresses_are_left_to_djangos_own_check(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.no_such_module"

    assert check_mcp() == []


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com",
        "http://localhost:3000",
        "http://[::1]:8080",
        "https://xn--bcher-kva.example",
    ],
)
def test_an_origin_is_what_a_browser_sends(settings: Any, origin: str) -> None:
    settings.FSM_LIFECYCLE = {"MCP_ALLOWED_ORIGINS": [origin]}

    assert check_mcp() == []


@pytest.mark.parametrize(
    "origins",
    [
        "https://app.example.com",
        None,
        7,
        ["app.example.com"],
        ["*"],
        ["null"],
        ["https://*.example.com"],
        ["https://app.example.com/"],
        ["https://app.example.com/page"],
        ["https://APP.example.com"],
        ["https://app.example.com:443"],
        ["https://user@app.example.com"],
        ["https://app.example.com:x"],
        ["ftp://app.example.com"],
        [""],
        [None],
    ],
)
def test_what_no_browser_sends_as_an_origin_is_named(settings: Any, origins: Any) -> None:
    settings.FSM_LIFECYCLE = {"MCP_ALLOWED_ORIGINS": origins}

    assert ids(check_mcp()) == ["E101"]


def test_when_deployed_it_asks_for_https(mounted: None, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = False
    assert ids(check_mcp_deployed()) == ["W102"]

    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert check_mcp_deployed() == []
    settings.SECURE_PROXY_SSL_HEADER = None
    settings.FSM_LIFECYCLE = {"BASE_URL": "https://office.example.com"}
    assert check_mcp_deployed() == []
    settings.FSM_LIFECYCLE = {}
    settings.SECURE_SSL_REDIRECT = True
    assert check_mcp_deployed() == []
