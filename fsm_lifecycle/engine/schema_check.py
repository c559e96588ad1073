"""Owns whether a JSON value is of the types that a schema names, before a form turns it into something else.

A form takes ``["x"]`` for the text ``"['x']"``; a person never sends that, a program may. Only the keywords that
``argument_schema`` writes are known. Must not know what the values are for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_WORDS: Final = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def unknown(schema: Mapping[str, Any], value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The names in a value, at any depth, that its schema does not have, each with a sentence."""
    if isinstance(value, list) and "items" in schema:
        for place, one in enumerate(value):
            yield from unknown(schema["items"], one, f"{name}[{place}]")
    properties = schema.get("properties")
    if not isinstance(value, dict) or properties is None:
        return
    front = f"{name}." if name else ""
    for key, inner in value.items():
        if key in properties:
            yield from unknown(properties[key], inner, f"{front}{key}")
        elif schema.get("additionalProperties") is False:
            yield f"{front}{key}", f"There is no such argument. It takes: {', '.join(properties) or 'none'}."


def mismatches(schema: Mapping[str, Any], value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """What is wrong with a value, by the name of the argument, each with a sentence."""
    if "anyOf" in schema:
        if all(any(mismatches(one, value, name)) for one in schema["anyOf"]):
            yield from mismatches(schema["anyOf"][0], value, name)
        return
    if "const" in schema:
        if value is not schema["const"]:
            yield name, f"Give {str(schema['const']).lower()}."
        return
    if "enum" in schema:
        # True is 1 to Python, and is none of the choices here.
        if not any(type(value) is type(one) and value == one for one in schema["enum"]):
            yield name, f"Give one of {', '.join(map(repr, schema['enum']))}."
        return
    types = schema.get("type")
    if types is None:
        return
    allowed = types if isinstance(types, list) else [types]
    if not any(_is(one, value) for one in allowed):
        yield name, f"Give {' or '.join(_WORDS[one] for one in allowed)}."
    elif isinstance(value, list):
        yield from _in_list(schema, value, name)
    elif isinstance(value, dict):
        yield from _in_object(schema, value, name)


def _in_list(schema: Mapping[str, Any], value: list[Any], name: str) -> Iterator[tuple[str, str]]:
    longest = schema.get("maxItems")
    if len(value) < schema.get("minItems", 0):
        yield name, f"Give at least {schema['minItems']}."
    if longest is not None and len(value) > longest:
        yield name, f"Give at most {longest}."
        return
    for place, one in enumerate(value):
        yield from mismatches(schema.get("items", {}), one, f"{name}[{place}]")


def _in_object(schema: Mapping[str, Any], value: dict[str, Any], name: str) -> Iterator[tuple[str, str]]:
    front = f"{name}." if name else ""
    properties = schema.get("properties")
    if properties is None:
        return
    for key in schema.get("required", ()):
        if key not in value:
            yield f"{front}{key}", "This is required."
    for key, inner in value.items():
        if key in properties:
            yield from mismatches(properties[key], inner, f"{front}{key}")
        elif schema.get("additionalProperties") is False:
            yield f"{front}{key}", "There is no such argument."


def _is(kind: str, value: Any) -> bool:
    if kind == "null":
        return value is None
    if kind == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    wanted: dict[str, Any] = {"string": str, "integer": int, "array": list, "object": dict}
    if kind == "number":
        return isinstance(value, int | float)
    return isinstance(value, wanted[kind])
