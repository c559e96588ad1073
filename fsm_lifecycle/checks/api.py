"""System checks of the REST API, where it is mounted. Must not mend anything, nor import the framework by itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.urls import get_resolver

from fsm_lifecycle import conf
from fsm_lifecycle.definition.api_fields import PROVENANCE

MODULE = "fsm_lifecycle.api.viewset"


def check_api(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """The settings of the API, the installation, and serializers of the app's own."""
    found = [*_settings()]
    _load_routes()
    if MODULE in sys.modules:
        found += _installed()
        for viewset in _served(sys.modules[MODULE].LifecycleViewSet):
            found += _writable_provenance(viewset)
    return found


def _settings() -> Iterator[CheckMessage]:
    for name, value, default in (
        ("API_BULK_LIMIT", conf.configured().get("API_BULK_LIMIT", 500), 500),
        ("STREAMS_PER_USER", conf.configured().get("STREAMS_PER_USER", 5), 5),
    ):
        if type(value) is not int or value < 1:
            yield Error(
                f"FSM_LIFECYCLE[{name!r}] is {value!r}.",
                hint=f"Give a whole number from 1; the default is {default}.",
                id="fsm_lifecycle.E097",
            )


def _load_routes() -> None:
    """Routes are read late; viewsets are known once they are. What is wrong with them, Django's own check says."""
    if getattr(settings, "ROOT_URLCONF", None):
        with suppress(Exception):  # whatever a host's modules may raise
            _ = get_resolver().url_patterns


def _installed() -> Iterator[CheckMessage]:
    if not apps.is_installed("rest_framework"):
        yield checks.Warning(
            "The REST API is served, but Django REST Framework is not installed, so its messages stay in English.",
            hint='Add "rest_framework" to INSTALLED_APPS.',
            id="fsm_lifecycle.W098",
        )


def _served(viewset: type[Any]) -> Iterator[type[Any]]:
    for child in viewset.__subclasses__():
        yield child
        yield from _served(child)


def _writable_provenance(viewset: type[Any]) -> Iterator[CheckMessage]:
    kind = viewset.__dict__.get("serializer_class")
    if kind is None:
        return
    writable = [
        name
        for name, field in kind().fields.items()
        if field.source in (PROVENANCE, f"{PROVENANCE}_id") and not field.read_only
    ]
    if writable:
        yield Error(
            f"{kind.__name__} lets clients write “{writable[0]}”, and so say who made a record.",
            hint=f'Add "{writable[0]}" to its read_only_fields. It is set when the record is created.',
            obj=viewset,
            id="fsm_lifecycle.E099",
        )
