"""The page about the REST API: its OpenAPI document as people read it, made here, so that nothing is loaded from
elsewhere and nothing is inline.
"""

import json
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.urls import reverse
from django.views.generic import TemplateView

from fsm_lifecycle.api.routes import served

EXAMPLES = {"string": "…", "integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}}
FORMATS = {
    "date": "2026-11-30",
    "date-time": "2026-11-30T09:00:00Z",
    "email": "anna@example.com",
    "uri": "https://example.com/",
}


@dataclass
class Operation:
    """One operation, ready for the template."""

    method: str
    path: str
    summary: str
    description: str
    parameters: list[dict[str, Any]]
    curl: str
    answers: list[tuple[str, str]]


@dataclass
class Group:
    """The operations on one kind of thing."""

    name: str
    operations: list[Operation] = field(default_factory=list)


class ApiDocs(LoginRequiredMixin, TemplateView):
    """Every operation, with an example for curl."""

    template_name = "sample/api.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        groups: list[Group] = []
        if find_spec("drf_spectacular") is not None:
            from fsm_lifecycle.api.schema import document

            base = self.request.build_absolute_uri(reverse("fsm_lifecycle_api:schema")).removesuffix(
                "schema/"
            )
            groups = _groups(document(served(), base.rstrip("/")), base)
        return super().get_context_data(groups=groups, **kwargs)


def _groups(document: dict[str, Any], base: str) -> list[Group]:
    found: dict[str, Group] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = operation["tags"][0]
            made = _operation(method.upper(), path, operation, document, base)
            found.setdefault(tag, Group(tag)).operations.append(made)
    return list(found.values())


def _operation(
    method: str, path: str, operation: dict[str, Any], document: dict[str, Any], base: str
) -> Operation:
    verb = "" if method == "GET" else f"-X {method} "
    parts = [f"curl -u anna {verb}{base.rstrip('/')}{path}"]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None:
        example = json.dumps(_example(content["schema"], document), ensure_ascii=False)
        parts += ["-H 'Content-Type: application/json'", f"-d '{example}'"]
    answers = [(status, answer["description"]) for status, answer in sorted(operation["responses"].items())]
    return Operation(
        method,
        path,
        operation["summary"],
        operation.get("description", ""),
        operation.get("parameters", []),
        " \\\n  ".join(parts),
        answers,
    )


def _example(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """A value that fits a schema, as far as an example goes: what has to be there, and nothing else."""
    if "$ref" in schema:
        return _example(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        required = schema.get("required", [])
        return {
            name: _example(one, document)
            for name, one in schema.get("properties", {}).items()
            if name in required
        }
    if schema.get("format") == "decimal":
        return "12.50"
    return FORMATS.get(schema.get("format", ""), EXAMPLES.get(kind, "…"))
