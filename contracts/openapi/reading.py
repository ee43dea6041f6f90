"""Reads the operations in an OpenAPI 3.0 or 3.1 document.

Specification: https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.core.event import Json
from contracts.openapi.operation import BODY, Operation, Place

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
SCHEMAS = "#/components/schemas/"
PLACES: Mapping[str, Place] = {"path": "path", "query": "query", "header": "header"}
NOT_PARAMETERS = frozenset({"accept", "content-type", "authorization"})
"""Names of header parameters that the specification says to ignore."""
MAX_REFERENCES = 16
"""Maximum length of a chain of references to references."""


class Unreadable(ValueError):
    """The document is not an OpenAPI 3 document, or refers to what it does not contain."""


def operations(document: Mapping[str, Json]) -> list[Operation]:
    """The operations whose input is JSON or none, in the order of the document.

    Operations whose body has only other media types, such as forms, are left out.

    Raises:
        Unreadable: it is not an OpenAPI 3 document, or a reference leads nowhere.
    """
    version, paths = str(document.get("openapi")), document.get("paths")
    if not version.startswith("3.") or not isinstance(paths, Mapping):
        raise Unreadable("it is not an OpenAPI 3 document: it needs `openapi: 3.…` and `paths`")
    read = _Reader(document)
    return [
        found
        for path, item in paths.items()
        for method in METHODS
        if (found := read.operation(path, method, read.resolved(item)))
    ]


@dataclass
class _Arguments:
    """The arguments of one operation."""

    schemas: dict[str, Json] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)

    def add(self, name: str, place: Place, schema: Json, *, required: bool) -> None:
        self.schemas[name], self.places[name] = schema, place
        if required:
            self.required.append(name)


class _Reader:
    def __init__(self, document: Mapping[str, Json]) -> None:
        self._document = document

    def resolved(self, value: Json) -> Mapping[str, Json]:
        """The object that `value` is, or refers to within the document."""
        for _ in range(MAX_REFERENCES):
            if not isinstance(value, Mapping):
                break
            if not isinstance(value.get("$ref"), str):
                return value
            value = self._at(value["$ref"])
        raise Unreadable("it has a reference that does not lead to an object")

    def operation(self, path: str, method: str, item: Mapping[str, Json]) -> Operation | None:
        """The operation, or None if the path has none for this method, or its body cannot be JSON."""
        if not isinstance(item.get(method), Mapping):
            return None
        operation = item[method]
        arguments = _Arguments()
        for parameter in self._parameters(item, operation):
            is_needed = bool(parameter.get("required")) or parameter["in"] == "path"
            schema = _described(parameter.get("schema") or {}, parameter)
            arguments.add(str(parameter["name"]), PLACES[parameter["in"]], schema, required=is_needed)
        if "requestBody" in operation:
            body = self.resolved(operation["requestBody"])
            schema = _json_schema(body)
            if schema is None:
                return None
            self._add_body(arguments, schema, required=bool(body.get("required")))
        return Operation(
            name=str(operation.get("operationId") or _name(method, path)),
            description=_description(operation),
            method=method.upper(),
            path=path,
            parameters=self._object(arguments),
            places=arguments.places,
        )

    def _parameters(
        self, item: Mapping[str, Json], operation: Mapping[str, Json]
    ) -> Iterator[Mapping[str, Json]]:
        """The parameters of the operation, which override those of its path."""
        listed = (*item.get("parameters", ()), *operation.get("parameters", ()))
        unique = {(one.get("name"), one.get("in")): one for one in map(self.resolved, listed)}
        for (name, place), parameter in unique.items():
            if place in PLACES and not (place == "header" and str(name).lower() in NOT_PARAMETERS):
                yield parameter

    def _add_body(self, arguments: _Arguments, schema: Json, *, required: bool) -> None:
        """Add the fields of a body as arguments; or the whole body as one, if that is not possible."""
        whole = self.resolved(schema)
        fields = whole.get("properties")
        if (
            not isinstance(fields, Mapping)
            or whole.keys() & _MIXED
            or fields.keys() & arguments.places.keys()
        ):
            arguments.add(BODY, "body", schema, required=required)
            return
        for name, one in fields.items():
            arguments.add(name, "body", one, required=name in whole.get("required", ()))

    def _object(self, arguments: _Arguments) -> dict[str, Json]:
        """The schema of all arguments as an object, and the schemas that they refer to in `$defs`."""
        definitions: dict[str, Json] = {}
        properties, required = _localised(arguments.schemas), arguments.required
        wanted = sorted(_named(arguments.schemas))
        while wanted:
            name = wanted.pop()
            if name not in definitions:
                schema = self.resolved({"$ref": SCHEMAS + name})
                definitions[name] = _localised(schema)
                wanted += sorted(_named(schema))
        found: dict[str, Json] = {"type": "object", "properties": properties, "required": required}
        return {**found, "additionalProperties": False, **({"$defs": definitions} if definitions else {})}

    def _at(self, reference: str) -> Json:
        """What a reference within the document leads to (a JSON pointer, RFC 6901)."""
        if not reference.startswith("#/"):
            raise Unreadable(f"it refers to another document: {reference}")
        found: Json = self._document
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or key not in found:
                raise Unreadable(f"its reference {reference} leads nowhere")
            found = found[key]
        return found


_MIXED = frozenset({"oneOf", "anyOf", "allOf", "not"})
"""Keywords with which the properties of a schema are not all there is to say about the object."""


def _json_schema(body: Mapping[str, Json]) -> Json:
    """The schema of the JSON form of a body; None if it has none."""
    for media_type, content in body.get("content", {}).items():
        if re.fullmatch(r"application/(.+\+)?json|\*/\*", media_type.partition(";")[0].strip().lower()):
            return content.get("schema") or {}
    return None


def _described(schema: Json, parameter: Mapping[str, Json]) -> Json:
    said = parameter.get("description")
    return {"description": said, **schema} if said and isinstance(schema, Mapping) else schema


def _description(operation: Mapping[str, Json]) -> str:
    parts = (str(operation.get(key) or "").strip() for key in ("summary", "description"))
    return "\n\n".join(dict.fromkeys(filter(None, parts)))


def _name(method: str, path: str) -> str:
    """A name for an operation without an `operationId`: `get_pets_petId` for `GET /pets/{petId}`."""
    return "_".join([method, *re.findall(r"\w+", path)])


def _named(schema: Json) -> set[str]:
    """Names of the components that a schema refers to."""
    return {one.removeprefix(SCHEMAS) for one in _references(schema) if one.startswith(SCHEMAS)}


def _references(schema: Json) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _localised(schema: Json) -> Any:
    """`schema` with its references to components as references to `$defs`."""
    if isinstance(schema, Mapping):
        return {
            key: value.replace(SCHEMAS, "#/$defs/", 1)
            if key == "$ref" and isinstance(value, str)
            else _localised(value)
            for key, value in schema.items()
        }
    return [_localised(value) for value in schema] if isinstance(schema, list) else schema
