"""The components of the OpenAPI document that are the same in every project. Must not know views."""

from __future__ import annotations

from typing import Any, Final

_TEXT: Final = {"type": "string"}
_TEXT_OR_NONE: Final = {"type": ["string", "null"]}
_BOOLEAN: Final = {"type": "boolean"}
_TIME: Final = {"type": "string", "format": "date-time"}
_TIME_OR_NONE: Final = {"type": ["string", "null"], "format": "date-time"}
_VALUES: Final = {"type": ["object", "null"], "additionalProperties": True}
_TEXTS: Final = {"type": "array", "items": _TEXT}


def _object(*optional: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def _many(item: Any) -> dict[str, Any]:
    return {"type": "array", "items": item}


_FAULT: Final = _object(name=_TEXT, code=_TEXT, detail=_TEXT)

COMPONENTS: Final[dict[str, Any]] = {
    "Problem": {
        "description": "RFC 9457. `code` is stable; `errors` has every reason, by the name of what it is about.",
        **_object(
            type={"type": "string", "format": "uri"},
            title=_TEXT,
            status={"type": "integer"},
            detail=_TEXT,
            instance=_TEXT,
            code=_TEXT,
            errors=_many(_FAULT),
        ),
    },
    "LifecycleEntry": {
        "description": "An entry of the log. Arguments, metadata and snapshot show opened fields alone.",
        **_object(
            "leaf_index",
            hash=_TEXT,
            model=_TEXT,
            id=_TEXT,
            sequence={"type": "integer"},
            kind=_TEXT,
            event=_TEXT_OR_NONE,
            **{"from": _TEXT_OR_NONE, "to": _TEXT_OR_NONE},
            compensating=_BOOLEAN,
            recorded_at=_TIME,
            occurred_at=_TIME_OR_NONE,
            cause=_TEXT_OR_NONE,
            definition=_TEXT,
            previous=_TEXT,
            actor=_object("agent", kind=_TEXT, id=_TEXT, label=_TEXT_OR_NONE, agent=_TEXT),
            arguments=_VALUES,
            metadata=_VALUES,
            snapshot=_VALUES,
            branch=_TEXT_OR_NONE,
            on_behalf_of=_VALUES,
            reason=_TEXT_OR_NONE,
            snapshot_reason=_TEXT_OR_NONE,
            redacted=_TEXTS,
            leaf_index={"type": ["integer", "null"]},
        ),
    },
    "LifecycleEventOfRecord": _object(
        name=_TEXT,
        label=_TEXT,
        description=_TEXT,
        allowed=_BOOLEAN,
        **{"from": _TEXTS, "to": _TEXT_OR_NONE},
        compensating=_BOOLEAN,
        hidden=_BOOLEAN,
        arguments={"type": "object", "description": "A JSON Schema."},
        pending_guards=_TEXTS,
        denials=_many(_object(code=_TEXT, reason=_TEXT, name=_TEXT)),
    ),
    "LifecycleBulkResult": _object(
        results=_many(
            _object(
                "from",
                "to",
                "code",
                "title",
                "detail",
                "errors",
                id={"type": ["string", "integer"]},
                status={"type": "integer", "description": "What this record alone would have got."},
                **{"from": _TEXT, "to": _TEXT},
                code=_TEXT,
                title=_TEXT,
                detail=_TEXT,
                errors=_many(_FAULT),
            )
        ),
        succeeded={"type": "integer"},
        failed={"type": "integer"},
        batch={
            "type": ["string", "null"],
            "description": "Stands in the metadata of every entry of this request.",
        },
    ),
    "WebhookMessage": _object(
        "attempts",
        id={"type": "integer"},
        message_id=_TEXT,
        type=_TEXT,
        status=_TEXT,
        reason=_TEXT,
        attempt={"type": "integer"},
        entry=_TEXT_OR_NONE,
        model=_TEXT,
        record=_TEXT,
        sequence={"type": ["integer", "null"]},
        due_at=_TIME_OR_NONE,
        created_at=_TIME,
        settled_at=_TIME_OR_NONE,
        attempts=_many(
            _object(
                number={"type": "integer"},
                status={"type": ["integer", "null"]},
                elapsed={"type": "number"},
                response_head=_TEXT,
                error=_TEXT,
                attempted_at=_TIME,
            )
        ),
    ),
    "AgentProposal": _object(
        id={"type": "integer"},
        run={"type": "integer"},
        agent=_TEXT,
        asked_for=_TEXT,
        model=_TEXT,
        mode=_TEXT,
        status=_TEXT,
        may_decide=_BOOLEAN,
        digest=_TEXT,
        steps=_many(_object(record=_TEXT, event=_TEXT, arguments=_VALUES, sequence={"type": "integer"})),
        reason=_TEXT,
        decided_by=_TEXT_OR_NONE,
        created_at=_TIME,
        expires_at=_TIME,
        decided_at=_TIME_OR_NONE,
    ),
    "AgentRun": _object(
        id={"type": "integer"},
        agent=_TEXT,
        user=_TEXT,
        model=_TEXT,
        surface=_TEXT,
        conversation=_TEXT,
        prompt=_TEXT,
        status=_TEXT,
        stop_reason=_TEXT,
        answer=_TEXT,
        turns={"type": "integer"},
        tool_calls={"type": "integer"},
        input_tokens={"type": "integer"},
        output_tokens={"type": "integer"},
        cost=_TEXT,
        created_at=_TIME,
        finished_at=_TIME_OR_NONE,
    ),
    "LifecycleCheckpoint": _object(
        tree_size={"type": "integer"},
        root_hash=_TEXT,
        signed=_BOOLEAN,
        note={"type": "string", "description": "A C2SP tlog-checkpoint."},
        created_at=_TIME,
    ),
    "Lifecycle": _object(
        name=_TEXT,
        log=_TEXT,
        label=_TEXT,
        fingerprint=_TEXT,
        initial=_TEXT,
        states=_many(
            _object(
                value=_TEXT, label=_TEXT, description=_TEXT, initial=_BOOLEAN, terminal=_BOOLEAN, tone=_TEXT
            )
        ),
        events=_many(
            _object(
                name=_TEXT,
                label=_TEXT,
                description=_TEXT,
                **{"from": _TEXTS, "to": _TEXTS},
                guards=_many(_object(name=_TEXT, label=_TEXT)),
                arguments={"type": "object", "description": "A JSON Schema."},
                compensating=_BOOLEAN,
                hidden=_BOOLEAN,
                not_by=_TEXTS,
            )
        ),
        roles=_many(
            _object(name=_TEXT, label=_TEXT, description=_TEXT, crud=_TEXTS, may=_TEXTS, default=_BOOLEAN)
        ),
    ),
}
