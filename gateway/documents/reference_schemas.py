"""JSON Schemas as HTML: types, tables of fields, and samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element

from contracts.core.event import Json
from gateway.documents.html import Child, inline, node
from gateway.documents.schemas import Schema, referenced_name

LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "{} or more",
    "maxItems": "{} or fewer",
    "pattern": "like {}",
    "default": "by default {}",
}
UNSPOKEN = {"minLength": 1}
"""Limits that are not shown."""
FEW = 8
"""Maximum number of allowed values beside the type. Longer lists are below the description."""
SAMPLES: Mapping[str, Json] = {"integer": 1, "number": 0.5, "boolean": True, "object": {}}
DEEPEST = 4


def anchor(name: str) -> str:
    """Return the anchor of a definition on the page."""
    return f"schema-{name}"


def type_of(schema: Schema) -> list[Child]:
    """Return the type of a value. Definitions are links."""
    if "$ref" in schema:
        name = referenced_name(schema)
        return [node("a", name, href=f"#{anchor(name)}")]
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return _joined((type_of(option) for option in options), " or ")
    if "const" in schema:
        return [node("code", _literal(schema["const"]))]
    if "enum" in schema and len(schema["enum"]) <= FEW:
        return _joined(([node("code", _literal(value))] for value in schema["enum"]), " | ")
    if schema.get("type") == "array":
        return ["list of ", *type_of(schema.get("items", {}))]
    named = schema.get("format") or schema.get("contentMediaType")
    return [schema.get("type", "anything"), *([f" ({named})"] if named else [])]


def fields(schema: Schema, *, marked: bool) -> Element:
    """Return a table of the keys of an object. `marked` shows which are required."""
    required = schema.get("required", ()) if marked else ()
    rows = [row(name, one, required=name in required) for name, one in schema.get("properties", {}).items()]
    return node("table", node("tbody", *rows))


def row(name: str, schema: Schema, *, required: bool, about: str = "", where: str = "") -> Element:
    """Return the table row of a key, parameter or header."""
    mark = [node("span", "required", class_="required")] if required else []
    limits = ", ".join(_limits(schema))
    text = about or schema.get("description", "")
    values = ", ".join(_long_enum(schema))
    return node(
        "tr",
        node("td", node("code", name), *([node("span", where, class_="where")] if where else []), *mark),
        node("td", *type_of(schema), *([node("span", limits, class_="limits")] if limits else [])),
        node("td", *inline(text), *([node("span", values, class_="limits")] if values else [])),
    )


def sample(  # noqa: PLR0911  one kind of schema a line
    schema: Schema, definitions: Mapping[str, Schema], depth: int = 0
) -> Json:
    """Return a sample value with the required keys."""
    match schema:
        case {"$ref": _}:
            return sample(definitions[referenced_name(schema)], definitions, depth)
        case {"anyOf": [first, *_]}:
            return sample(first, definitions, depth)
        case {"enum": [first, *_]}:
            return first
        case {"type": "array"}:
            return [sample(schema.get("items", {}), definitions, depth + 1)] if depth < DEEPEST else []
        case {"properties": dict(properties), "required": list(required)} if depth < DEEPEST:
            return {name: sample(properties[name], definitions, depth + 1) for name in required}
        case {"type": "string"}:
            return "…" * max(1, schema.get("minLength", 1))
    return SAMPLES.get(schema.get("type", "object"))


def _limits(schema: Schema) -> Iterable[str]:
    for key, words in LIMITS.items():
        value = schema.get(key)
        if value is not None and value != UNSPOKEN.get(key) and not isinstance(value, dict | list):
            yield words.format(_literal(value) if key == "default" else value)


def _long_enum(schema: Schema) -> list[str]:
    """Return the allowed values if they are too many to show beside the type."""
    values = schema.get("items", schema).get("enum", ())
    return [_literal(value) for value in values] if len(values) > FEW else []


def _literal(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case _:
            return str(value)


def _joined(parts: Iterable[list[Child]], word: str) -> list[Child]:
    joined: list[Child] = []
    for part in parts:
        joined += [word, *part] if joined else part
    return joined
