"""The OpenAPI 3.1 document, by drf-spectacular, from what our views say of themselves.

Imported only where drf-spectacular is installed (extra ``[api]``). Must not know what an operation does.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final, cast

from django.utils.translation import get_language
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.settings import patched_settings
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.serializers import BaseSerializer

from fsm_lifecycle.api.components import COMPONENTS
from fsm_lifecycle.api.documented import Documented
from fsm_lifecycle.api.problem import KINDS, MEDIA_TYPE

_SETTINGS: Final[dict[str, Any]] = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Lifecycles",
    "DESCRIPTION": "Records that move through states, and the log of what happened to them.",
    "VERSION": "1",
    "SERVERS": [],
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [],
    "PREPROCESSING_HOOKS": [],
    "SCHEMA_PATH_PREFIX": "",
    "SCHEMA_PATH_PREFIX_TRIM": False,
    "SCHEMA_PATH_PREFIX_INSERT": "",
    "CAMELIZE_NAMES": False,
    "APPEND_COMPONENTS": {},
    "APPEND_PATHS": {},
    "EXTENSIONS_INFO": {},
    "EXTENSIONS_ROOT": {},
    "WEBHOOKS": [],
    "TAGS": [],
    "EXTERNAL_DOCS": {},
    "SECURITY": [],
}
_lock = threading.Lock()
_known: dict[Any, Any] = {}


class LifecycleSchema(AutoSchema):  # type: ignore[misc, unused-ignore]
    """Takes what a view says of an operation into the document."""

    @property
    def _said(self) -> Documented:
        said: Documented = self.view.documented(self.method)
        return said

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False  # pages say themselves what they look like

    def get_operation_id(self) -> str:
        return self._said.id

    def get_summary(self) -> str:
        return self._said.summary

    def get_description(self) -> str:
        return self._said.description

    def get_tags(self) -> list[str]:
        return [self._said.tag]

    def get_override_parameters(self) -> list[Any]:
        return [
            OpenApiParameter(
                one.name,
                type=dict(one.schema),
                location=cast("Any", one.where),
                required=one.required,
                description=one.description,
            )
            for one in self._said.parameters
        ]

    def get_request_serializer(self) -> Any:
        request = self._said.request
        return (
            request
            if request is None or isinstance(request, BaseSerializer)
            else {"application/json": request}
        )

    def get_response_serializers(self) -> Any:
        said = self._said
        found: dict[Any, Any] = {}
        for status, answer in said.answers.items():
            key = status if answer is None else (status, said.media_type)
            found[key] = OpenApiResponse(self._resolved(answer), description=_GOOD.get(status, ""))
        for status in said.problems:
            codes = ", ".join(f"`{code}`" for code, (its, _) in KINDS.items() if its == status)
            found[status, MEDIA_TYPE] = OpenApiResponse(
                self._resolved({"$ref": "#/components/schemas/Problem"}), description=codes
            )
        return found

    def _resolved(self, answer: Any) -> Any:
        """A JSON schema in which serializers have become references."""
        if isinstance(answer, BaseSerializer):
            return self.resolve_serializer(answer, "response").ref
        if isinstance(answer, dict):
            self._register(str(answer.get("$ref", "")).rpartition("/")[2])
            return {name: self._resolved(one) for name, one in answer.items()}
        if isinstance(answer, list):
            return [self._resolved(one) for one in answer]
        return answer

    def _register(self, name: str) -> None:
        """A component of ours that is referred to, also in a document of the project's own."""
        if name in COMPONENTS:
            kind: Any = ResolvedComponent
            component = kind(name, kind.SCHEMA, COMPONENTS[name], object=name)
            self.registry.register_on_missing(component)


class _Generator(SchemaGenerator):  # type: ignore[misc, unused-ignore]
    def coerce_path(self, path: str, method: str, view: Any) -> str:
        return path  # a key is called pk, whatever the model calls it


_GOOD: Final = {
    200: "Done.",
    201: "Made. `Location` is its address.",
    204: "Gone.",
    304: "Unchanged.",
}


def _without_marks(tree: Any) -> Any:
    """The document without what drf-spectacular leaves for its own hook."""
    if isinstance(tree, dict):
        return {name: _without_marks(one) for name, one in tree.items() if name != "x-spec-enum-id"}
    return [_without_marks(one) for one in tree] if isinstance(tree, list) else tree


def document(patterns: Sequence[Any], server: str) -> dict[str, Any]:
    """The document of these routes, for clients that reach them under ``server``."""
    key = (get_language(), id(patterns))
    with _lock:  # the settings of drf-spectacular are changed for as long as it works
        if key not in _known:
            with patched_settings(_SETTINGS):
                generator: Any = _Generator(patterns=list(patterns))  # type: ignore[no-untyped-call]
                made = generator.get_schema(request=None, public=True)
            schemas = made.setdefault("components", {}).setdefault("schemas", {})
            for name, schema in schemas.items():
                if name.endswith("Request"):
                    schema["additionalProperties"] = False
            _known[key] = _without_marks(made)
    return {**_known[key], "servers": [{"url": server}]}
