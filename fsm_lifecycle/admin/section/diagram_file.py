"""Owns a lifecycle's diagram as a file, in four formats. Must not know how it is drawn."""

from __future__ import annotations

from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse

from fsm_lifecycle import diagrams
from fsm_lifecycle.admin.section.label import model_of
from fsm_lifecycle.admin.section.log import VIEW_LOG
from fsm_lifecycle.admin.section.page import Page

FORMATS: Final = {"svg": "SVG", "mmd": "Mermaid", "dot": "DOT", "json": "JSON"}
_WRITTEN: Final[dict[str, tuple[str, Any]]] = {
    "svg": ("image/svg+xml", lambda model: diagrams.svg(model, standalone=True)),
    "mmd": ("text/plain; charset=utf-8", diagrams.mermaid),
    "dot": ("text/vnd.graphviz; charset=utf-8", diagrams.dot),
    "json": ("application/json", diagrams.json),
}


class DiagramFile(Page):
    """A lifecycle's diagram as a file."""

    name = "diagram"
    route = "<lifecycle_label:label>/diagram.<slug:ending>"
    permission = VIEW_LOG
    title = "Diagram"
    under = "dashboard"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        label, ending = kwargs["label"], kwargs["ending"]
        model = model_of(label)
        if ending not in _WRITTEN:
            raise Http404(f"There is no diagram in the format {ending}.")
        content_type, write = _WRITTEN[ending]
        return HttpResponse(
            write(model),
            content_type=content_type,
            headers={
                "Content-Disposition": f'attachment; filename="{label}.{ending}"',
                "X-Content-Type-Options": "nosniff",
            },
        )
