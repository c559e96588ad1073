"""Owns which address leads to which view: one set for each lifecycle, and those of the ledger.

Must not know what a view does.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from typing import Any, Final

from django.urls import URLPattern, path, re_path
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from fsm_lifecycle import registry
from fsm_lifecycle.api.agents import ProposalsViewSet, RunsViewSet
from fsm_lifecycle.api.lifecycles import LifecyclesView, LifecycleView
from fsm_lifecycle.api.log import CheckpointsView, EntryView, LatestCheckpointView, LogView, ProofView
from fsm_lifecycle.api.problem import Problem, not_found, unreadable
from fsm_lifecycle.api.representing import component_name
from fsm_lifecycle.api.stream import StreamView
from fsm_lifecycle.api.view import ApiView
from fsm_lifecycle.api.viewset import LifecycleViewSet
from fsm_lifecycle.api.webhooks import WebhooksViewSet


class SchemaView(ApiView):
    """The OpenAPI document, for clients that have logged in. Tools ask for ``?format=json``, which it is anyway."""

    parameters = ("format",)
    schema = None

    def get(self, request: Any) -> Response:
        """The document, with the address under which it was asked for as its server."""
        self.refuse_unknown_parameters()
        if self.parameter("format") not in (None, "json", "openapi-json"):
            raise unreadable("format", "There is json.")
        if importlib.util.find_spec("drf_spectacular") is None:
            raise Problem(
                "not_installed", "The schema needs drf-spectacular: pip install 'fsm-lifecycle[api]'."
            )
        from fsm_lifecycle.api.schema import document

        match = re.fullmatch(r"(.*/)schema/", request.path)
        here = match[1] if match else "/"
        return Response(document(served(), request.build_absolute_uri(here).rstrip("/")))


class NothingView(ApiView):
    """What answers where there is nothing: in the same words as everywhere, and only to who has logged in."""

    schema = None

    def get(self, request: Any, **kwargs: Any) -> Response:
        """404."""
        raise not_found()

    post = patch = delete = get


def _ledger() -> list[URLPattern]:
    return [
        path("lifecycles/", LifecyclesView.as_view(), name="lifecycles"),
        path("lifecycles/<str:label>/", LifecycleView.as_view(), name="lifecycle"),
        path("log/", LogView.as_view(), name="log"),
        path("log/<str:entry_hash>/", EntryView.as_view(), name="entry"),
        path("log/<str:entry_hash>/proof/", ProofView.as_view(), name="proof"),
        path("checkpoints/", CheckpointsView.as_view(), name="checkpoints"),
        path("checkpoints/latest/", LatestCheckpointView.as_view(), name="checkpoint"),
        path("stream/", StreamView.as_view(), name="stream"),
    ]


def _records() -> list[URLPattern]:
    found: list[URLPattern] = []
    for model in registry.lifecycles():
        label = model._meta.label_lower
        viewset: Any = type(f"{component_name(model)}ViewSet", (LifecycleViewSet,), {"model": model})
        found += viewset.urls(label, name=label)
    return found


def _webhooks() -> list[URLPattern]:
    router = SimpleRouter()
    router.register("webhooks", WebhooksViewSet, basename="webhook")
    found: list[URLPattern] = router.urls
    return found


def _agents() -> list[URLPattern]:
    router = SimpleRouter()
    router.register("proposals", ProposalsViewSet, basename="proposal")
    router.register("runs", RunsViewSet, basename="run")
    found: list[URLPattern] = router.urls
    return found


#: What makes the routes that are documented. A part that comes adds its own.
ROUTES: Final[list[Callable[[], list[URLPattern]]]] = [_ledger, _webhooks, _agents, _records]

_served: list[URLPattern] = []


def served() -> list[URLPattern]:
    """The documented routes; made once, when they are first asked for."""
    if not _served:
        for make in ROUTES:
            _served.extend(make())
    return _served


def routes() -> list[URLPattern]:
    """Every route."""
    return [
        path("schema/", SchemaView.as_view(), name="schema"),
        *served(),
        # What does not end in a slash is left to whoever appends one.
        re_path(r"^(?:.*/)?$", NothingView.as_view()),
    ]
