"""System checks of the settings of webhooks and of secrets at rest. Must not mend anything, nor resolve or call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from django.core import checks
from django.core.checks import CheckMessage, Error

from fsm_lifecycle import conf, encryption


def check_webhooks(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Settings that cannot be used. Missing keys are told of when a secret is to be stored."""
    return [*_keys(), *_base_url(), *_settings()]


def check_webhooks_deployed(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """What is for development alone."""
    found = []
    if conf.webhook_allow_http():
        found.append("WEBHOOK_ALLOW_HTTP lets messages go out without encryption")
    networks = conf.configured().get("WEBHOOK_ALLOWED_NETWORKS")
    if isinstance(networks, list | tuple) and any(_is_loopback(text) for text in networks):
        found.append("WEBHOOK_ALLOWED_NETWORKS lets messages reach this machine")
    return [
        checks.Warning(
            f"FSM_LIFECYCLE: {said}.",
            hint="Remove it where webhooks are not a developer's own.",
            id="fsm_lifecycle.W088",
        )
        for said in found
    ]


def _keys() -> Iterator[CheckMessage]:
    if not conf.encryption_keys():
        return
    try:
        encryption.usable()
    except encryption.UnusableKeys as error:
        yield Error(
            str(error),
            hint="The first key encrypts, all decrypt: a new one goes first.",
            id="fsm_lifecycle.E085",
        )


def _base_url() -> Iterator[CheckMessage]:
    url = conf.configured().get("BASE_URL")
    if url in (None, ""):
        return
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        sound = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
        sound = sound and parts is not None and not (parts.query or parts.fragment)
    except ValueError:
        sound = False
    if not sound:
        yield Error(
            f"FSM_LIFECYCLE['BASE_URL'] is {url!r}.",
            hint='Write where the site is, for example "https://example.com".',
            id="fsm_lifecycle.E086",
        )


def _settings() -> Iterator[CheckMessage]:
    own = conf.configured()
    rules: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
        ("WEBHOOK_ALLOW_HTTP", lambda v: isinstance(v, bool), "Write True or False."),
        ("WEBHOOK_ALLOWED_PORTS", _ports, "Write a list of ports: [443]."),
        ("WEBHOOK_ALLOWED_NETWORKS", _networks, 'Write a list of networks: ["10.1.0.0/16"].'),
        ("WEBHOOK_PROXY", _proxy, 'Write None, or a URL: "http://proxy.example.com:3128".'),
        ("WEBHOOK_TIMEOUT", _timeout, "Write seconds to connect and for the whole attempt: (5, 15)."),
    )
    for key, is_sound, hint in rules:
        if key in own and not is_sound(own[key]):
            yield Error(f"FSM_LIFECYCLE[{key!r}] is {own[key]!r}.", hint=hint, id="fsm_lifecycle.E087")


def _ports(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536 for port in value
    )


def _networks(value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return value is None
    try:
        return all(isinstance(text, str) and bool(ip_network(text)) for text in value)
    except ValueError:
        return False


def _proxy(value: Any) -> bool:
    if value in (None, ""):
        return True
    return isinstance(value, str) and urlsplit(value).scheme in ("http", "https", "socks5", "socks5h")


def _timeout(value: Any) -> bool:
    if not isinstance(value, list | tuple) or len(value) != 2:
        return False
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in value):
        return False
    return bool(0 < value[0] <= value[1] <= 300)


def _is_loopback(text: Any) -> bool:
    try:
        return bool(ip_network(text).is_loopback)
    except ValueError:
        return False
