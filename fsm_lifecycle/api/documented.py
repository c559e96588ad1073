"""What the OpenAPI document says of one operation, stated by its view; and the hook that takes it there.

Works without drf-spectacular, which only the document needs. Must not know how the document is written.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rest_framework.schemas import DefaultSchema

#: What the API can answer when it does not do what was asked, by what the operation does.
READING: Final = (401, 404, 429, 400, 412)
CHANGING: Final = (401, 429, 404, 403, 400, 411, 413, 415, 412, 428, 409, 422)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the path, the query or a header."""

    name: str
    description: str
    where: str = "query"
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    required: bool = False


@dataclass(frozen=True, slots=True)
class Documented:
    """One operation."""

    id: str
    summary: str
    tag: str
    description: str = ""
    parameters: Sequence[Parameter] = ()
    request: Any = None
    """A serializer, or a JSON schema; ``None`` without a body."""
    answers: Mapping[int, Any] = field(default_factory=dict)
    """Status → serializer, JSON schema, or ``None`` without a body."""
    media_type: str = "application/json"
    """Of the good answers."""
    problems: Sequence[int] = READING


IF_MATCH = Parameter("If-Match", "The ETag of the record as it was read; 412 where it has changed.", "header")
IF_NONE_MATCH = Parameter(
    "If-None-Match", "An ETag that is known already; 304 where it is unchanged.", "header"
)
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "The same request with the same key is carried out once, within 24 hours, and answered alike.",
    "header",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
)
PAGE_SIZE = Parameter(
    "page_size", "How many at most.", schema={"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
)


def after(what: str) -> Parameter:
    """Where a page begins."""
    return Parameter("after", f"Only what comes after this {what}.", schema={"type": "integer", "minimum": 0})


def schema_of_views() -> Any:
    """What tells drf-spectacular about our views, whatever the host's settings say; without it, the framework's."""
    if importlib.util.find_spec("drf_spectacular") is None:
        return DefaultSchema()
    from fsm_lifecycle.api.schema import LifecycleSchema

    return LifecycleSchema()
