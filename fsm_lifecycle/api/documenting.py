"""What the OpenAPI document says of each operation of the package. Must not know how the document is written."""

from __future__ import annotations

from typing import Any, Final

from fsm_lifecycle.api.documented import (
    CHANGING,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    PAGE_SIZE,
    READING,
    Documented,
    Parameter,
    after,
)
from fsm_lifecycle.api.records import RecordViews
from fsm_lifecycle.api.representing import component_name, orderings
from fsm_lifecycle.engine.argument_schema import schema_of

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    """A component of ours."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(kind: str, **more: Any) -> Schema:
    """A value or nothing."""
    return {"type": [kind, "null"], **more}


def listed(item: Any, **more: Any) -> Schema:
    """A page of a list."""
    return {
        "type": "object",
        "properties": {
            "next": nullable("string", description="The address of the next page."),
            **more,
            "results": {"type": "array", "items": item},
        },
        "required": ["next", *more, "results"],
    }


CURSOR: Final = Parameter("cursor", "Where the page begins: from `next` of the answer before.")
MODELS: Final = Parameter("models", "Only entries of these lifecycles, separated by commas.")
KEY: Final = Parameter(
    "pk",
    "The record's key. Characters that mean something in a path are written as by `quote` of Django's admin.",
    "path",
    required=True,
)
ENTRY_HASH: Final = Parameter(
    "entry_hash", "The entry's hash.", "path", {"type": "string", "pattern": "^[0-9a-f]{64}$"}, required=True
)

#: The body where no field is opened for writing.
NO_FIELDS: Final[Schema] = {"type": "object", "properties": {}, "additionalProperties": False}


class RecordDocuments(RecordViews):
    """Documents the views of the records of one lifecycle."""

    def documented(self, method: str) -> Documented:
        """What the schema says of an operation."""
        if self.lifecycle_event:
            return self._event(bool(self.detail))
        return getattr(self, f"_of_{self.action}")()  # type: ignore[no-any-return]

    @property
    def _name(self) -> str:
        return component_name(self.model)

    def _made(self, verb: str, summary: str, *, parameters: Any, **more: Any) -> Documented:
        own = (Parameter(name, "Which records are served.") for name in self.query_parameters)
        return Documented(
            parameters=(*parameters, *own),
            id=f"{verb}{self._name}",
            summary=summary.format(
                one=self.model._meta.verbose_name, many=self.model._meta.verbose_name_plural
            ),
            tag=self.model._meta.label_lower,
            **more,
        )

    def _of_list(self) -> Documented:
        states, names = list(self.binding.table.states), list(orderings(self.model))
        order = {"type": "string", "enum": [*names, *(f"-{name}" for name in names)], "default": "-id"}
        return self._made(
            "list",
            "The {many} that you may see",
            parameters=(
                Parameter("state", f"Only in these states, separated by commas: {', '.join(states)}."),
                Parameter("ordering", "The order; a minus turns it round.", schema=order),
                CURSOR,
                PAGE_SIZE,
                IF_NONE_MATCH,
            ),
            answers={200: listed(self.get_serializer()), 304: None},
        )

    def _of_create(self) -> Documented:
        return self._made(
            "create",
            "Make one",
            description="It begins in its initial state. Who made it is set here.",
            parameters=(IDEMPOTENCY_KEY,),
            request=self.get_serializer(),
            answers={201: self.get_serializer()},
            problems=CHANGING,
        )

    def _of_retrieve(self) -> Documented:
        return self._made(
            "get",
            "One {one}",
            parameters=(KEY, IF_NONE_MATCH),
            answers={200: self.get_serializer(), 304: None},
        )

    def _of_partial_update(self) -> Documented:
        edited = self.get_serializer(self.model(), partial=True)
        can_be_written = any(not field.read_only for field in edited.fields.values())
        return self._made(
            "edit",
            "Edit fields",
            description="The state changes by events alone.",
            parameters=(KEY, IF_MATCH),
            request=edited if can_be_written else NO_FIELDS,
            answers={200: self.get_serializer()},
            problems=CHANGING,
        )

    def _of_destroy(self) -> Documented:
        return self._made(
            "delete",
            "Delete it",
            description="The log stays.",
            parameters=(KEY, IF_MATCH),
            answers={204: None},
            problems=CHANGING,
        )

    def _of_events(self) -> Documented:
        answer = {"type": "array", "items": ref("LifecycleEventOfRecord")}
        return self._made(
            "eventsOf",
            "Every event, allowed or not, with the reasons",
            parameters=(KEY, IF_NONE_MATCH),
            answers={200: answer, 304: None},
        )

    def _of_transitions(self) -> Documented:
        return self._made(
            "historyOf",
            "What happened to it, oldest first",
            parameters=(KEY, after("sequence"), PAGE_SIZE, IF_NONE_MATCH),
            answers={200: listed(ref("LifecycleEntry")), 304: None},
        )

    def _event(self, one: bool) -> Documented:
        event = self.binding.table.events[self.lifecycle_event]
        verb = "".join(part.capitalize() for part in event.name.split("_"))
        sources = ", ".join(str(source) for source in event.sources)
        targets = " or ".join(str(target) for target in event.targets)
        description = f"{event.description}\n\nFrom {sources} to {targets}.".strip()
        if one:
            answer = {
                "type": "object",
                "properties": {
                    "entry": ref("LifecycleEntry"),
                    "record": {"anyOf": [self.get_serializer(), {"type": "null"}]},
                },
                "required": ["entry", "record"],
            }
            return self._made(
                f"fire{verb}On",
                str(event.label),
                description=description,
                parameters=(KEY, IDEMPOTENCY_KEY, IF_MATCH),
                request=self._body(event),
                answers={200: answer},
                problems=CHANGING,
            )
        return self._made(
            f"fire{verb}OnMany",
            f"{event.label}, on several",
            description=f"{description}\n\nEach is answered for itself, in the order of `ids`.",
            parameters=(IDEMPOTENCY_KEY,),
            request=self._body_of_many(event),
            answers={200: ref("LifecycleBulkResult")},
            problems=CHANGING,
        )

    def _body(self, event: Any) -> Schema:
        return self._object(
            event,
            expected_state=nullable("string", description="409 unless it is in this state."),
            expected_sequence=nullable("integer", description="409 unless this is its newest entry."),
        )

    def _body_of_many(self, event: Any) -> Schema:
        key: Schema = {"type": ["string", "integer"]}
        ids = {"type": "array", "items": key, "uniqueItems": True, "description": "The keys of the records."}
        together = {
            "type": "boolean",
            "default": False,
            "description": "Any refusal leaves all as they were.",
        }
        schema = self._object(event, ids=ids, all_or_nothing=together)
        schema["required"] = ["ids", *schema.get("required", ())]
        return schema

    def _object(self, event: Any, **more: Schema) -> Schema:
        arguments = schema_of(event.arguments)
        schema: Schema = {
            "type": "object",
            "properties": {
                "arguments": arguments,
                **more,
                "metadata": nullable("object", description="Kept in the log entry."),
            },
            "additionalProperties": False,
        }
        if arguments["required"]:
            schema["required"] = ["arguments"]
        return schema


def log_documents(view: Any, method: str) -> Documented:
    """What the schema says of a view of the ledger."""
    return _LOG[type(view).__name__]


def lifecycle_documents(view: Any, method: str) -> Documented:
    """What the schema says of a view of the tables."""
    return _LIFECYCLES[type(view).__name__]


_LEAF: Final = nullable("integer", description="Go on after this.")
_LOG: Final = {
    "LogView": Documented(
        id="listLog",
        summary="The log in leaf order",
        tag="log",
        parameters=(MODELS, after("leaf index"), PAGE_SIZE, IF_NONE_MATCH),
        answers={200: listed(ref("LifecycleEntry"), after=_LEAF), 304: None},
    ),
    "EntryView": Documented(
        id="getLogEntry",
        summary="One entry",
        tag="log",
        parameters=(ENTRY_HASH, IF_NONE_MATCH),
        answers={200: ref("LifecycleEntry"), 304: None},
    ),
    "ProofView": Documented(
        id="proveLogEntry",
        summary="The proof that an entry is in the log",
        tag="log",
        description="A bundle for `python -m fsm_lifecycle.ledger.verifier`, with digests in place of values.",
        parameters=(ENTRY_HASH, IF_NONE_MATCH),
        answers={200: {"type": "object"}, 304: None},
        problems=(*READING, 409),
    ),
    "CheckpointsView": Documented(
        id="listCheckpoints",
        summary="The heads of the tree, newest first",
        tag="log",
        parameters=(CURSOR, PAGE_SIZE, IF_NONE_MATCH),
        answers={200: listed(ref("LifecycleCheckpoint")), 304: None},
    ),
    "LatestCheckpointView": Documented(
        id="getLatestCheckpoint",
        summary="The newest head of the tree",
        tag="log",
        parameters=(IF_NONE_MATCH,),
        answers={200: ref("LifecycleCheckpoint"), 304: None},
    ),
    "StreamView": Documented(
        id="streamLog",
        summary="The log as Server-Sent Events, under ASGI",
        tag="log",
        parameters=(
            MODELS,
            after("leaf index"),
            Parameter("Last-Event-ID", "The leaf index of the last event that arrived.", "header"),
        ),
        answers={200: {"type": "string"}},
        media_type="text/event-stream",
        problems=(*READING, 406),
    ),
}
_LIFECYCLES: Final = {
    "LifecyclesView": Documented(
        id="listLifecycles",
        summary="Every lifecycle: its table, fingerprint and roles",
        tag="lifecycles",
        parameters=(IF_NONE_MATCH,),
        answers={200: {"type": "array", "items": ref("Lifecycle")}, 304: None},
    ),
    "LifecycleView": Documented(
        id="getLifecycle",
        summary="One lifecycle",
        tag="lifecycles",
        parameters=(Parameter("label", "As `billing.invoice`.", "path", required=True), IF_NONE_MATCH),
        answers={200: ref("Lifecycle"), 304: None},
    ),
}
