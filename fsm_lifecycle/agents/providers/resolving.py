"""From a provider's name, as code or settings give it, to the provider.

Never called with a name from a request or from a row's own text. Must not know what providers do.
"""

from __future__ import annotations

import re
from typing import Any, Final

from django.utils.module_loading import import_string

from fsm_lifecycle import conf
from fsm_lifecycle.agents.providers.anthropic_sdk import AnthropicProvider
from fsm_lifecycle.agents.providers.command import CommandProvider
from fsm_lifecycle.agents.providers.failures import ProviderMissing
from fsm_lifecycle.agents.providers.key import Key
from fsm_lifecycle.agents.providers.openai_compatible import OpenAIProvider
from fsm_lifecycle.agents.providers.provider import Provider
from fsm_lifecycle.agents.providers.scripted import ScriptedProvider
from fsm_lifecycle.definition.defect import nearest

_ADDRESS: Final = re.compile(r"(.+?)@(https?://.+)")
_KINDS: Final = ("anthropic", "openai", "command", "scripted")


def provider_for(name: str) -> Provider:
    """The provider of a name such as ``anthropic/claude-sonnet-5-5``; an empty one means ``AGENT_MODEL``.

    Names of ``AGENT_PROVIDERS`` come first: ``{"house": "openai/llama3.1@http://localhost:11434/v1"}`` makes ``house``
    one, ``{"mine": "shop.models.MyProvider"}`` also ``mine/<rest>``, which is called with the rest. Raises
    ``ProviderMissing`` for a name that leads nowhere.
    """
    name = name or conf.agent_model()
    own = conf.agent_providers()
    kind, _, rest = name.partition("/")
    if name in own:
        return _own(name, own[name])
    if kind in own:
        return _made(_imported(name, own[kind]), name, rest)
    if kind == "anthropic" and rest:
        return AnthropicProvider(rest)
    if kind == "openai" and rest:
        found = _ADDRESS.fullmatch(rest)
        return OpenAIProvider(*found.groups()) if found else OpenAIProvider(rest)
    if kind == "command":
        return CommandProvider(rest)
    if kind == "scripted":
        return ScriptedProvider(rest)
    if "/" not in name and "." in name:
        return _made(_imported(name, name), name, None)
    raise ProviderMissing(
        f"“{name}” names no provider. Write anthropic/<model>, openai/<model>@<base_url>, command/<program>, "
        f"scripted/<name>, a dotted path, or a name of AGENT_PROVIDERS.{nearest(kind, _KINDS)}"
    )


def key_of(name: str) -> Key:
    """Whether the provider of a name has what it needs, in words and without showing it. Never raises."""
    try:
        provider = provider_for(name)
    except ProviderMissing as missing:
        return Key(False, str(missing))
    ask = getattr(provider, "key", None)
    return ask() if callable(ask) else Key(True, "It is a provider of this project.")


def _own(name: str, value: Any) -> Provider:
    if isinstance(value, str) and "/" in value:
        if value == name or value in conf.agent_providers():
            raise ProviderMissing(
                f"AGENT_PROVIDERS: “{name}” leads to “{value}”, which is such a name again."
            )
        return provider_for(value)
    return _made(_imported(name, value), name, None)


def _imported(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except ImportError as error:
        raise ProviderMissing(f"The provider “{name}” cannot be imported: {error}") from None


def _made(value: Any, name: str, rest: str | None) -> Provider:
    """A provider as it is, or made by calling what was named."""
    made = value
    if isinstance(value, type) or not callable(getattr(value, "stream", None)):
        made = None if not callable(value) else value() if rest is None else value(rest)
    if not callable(getattr(made, "stream", None)):
        raise ProviderMissing(f"“{name}” is no provider: it has no method stream(request).")
    if not isinstance(getattr(made, "name", None), str):
        raise ProviderMissing(f"“{name}” is no provider: it has no name, which a run's row could keep.")
    provider: Provider = made
    return provider
