"""The OpenAPI 3.1 document, generated from the endpoints and their models."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from gateway.documents.openapi_errors import JSON, SHAPES, common_responses, error, statuses
from gateway.documents.schemas import Mode, Schema, described, referenced_name, schemas_of
from gateway.endpoint import Endpoint, Header, Raw
from gateway.http import idempotency

PACKAGE = "async-agent"

ABOUT = """A language model plans goals in plain language as DAGs. Crashes do not interrupt their execution.

Every path that supports GET supports HEAD. Bodies are JSON unless an operation states another type. Unknown
keys of a body are an error. Unknown keys of a query are ignored. Every error answer is JSON and has a field
`error` that explains it. Times are ISO 8601 in UTC. Money is exact decimal text in US dollars. Ids are opaque
strings. For live updates, use the event streams, or subscribe to the log: see
[/asyncapi.json](/asyncapi.json)."""

IDEMPOTENCY_KEY = Header(
    idempotency.HEADER,
    "A unique name of this request. For a day, a request with the same key is not executed again. It gets "
    "the same answer.",
)

SECURITY = "key"
"""Name of the security scheme."""
KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key (`async-agent keys create`), or a token of the issuer that OIDC_ISSUER names. The "
    "roles of an operation are the scopes it needs. If the setting AUTH is `off`, no operation needs a key.",
}

_VARIABLE = re.compile(r"\{(\w+)(?::[^}]*)?\}")


def openapi(endpoints: Sequence[Endpoint]) -> Schema:
    """Return the document of `endpoints`."""
    schemas, definitions = schemas_of(_types(endpoints))
    paths: dict[str, Schema] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, schemas, definitions)
        paths.setdefault(template(endpoint.path), {})[endpoint.method.lower()] = operation
    for endpoint in endpoints:
        if endpoint.query:
            definitions.pop(endpoint.query.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Async Agent",
            "version": version(PACKAGE),
            "summary": "Goals, plans, executions and their events.",
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": _tags(endpoints),
        "paths": paths,
        "components": {
            "schemas": dict(sorted(definitions.items())),
            "responses": common_responses(schemas),
            "securitySchemes": {SECURITY: KEY},
        },
    }


def template(path: str) -> str:
    """Return a path with its variables in the form of OpenAPI."""
    return _VARIABLE.sub(r"{\1}", path)


def _types(endpoints: Sequence[Endpoint]) -> Iterable[tuple[str, Mode, Any]]:
    for shape in SHAPES:
        yield shape.__name__, "serialization", shape
    for endpoint in endpoints:
        for part, model in (("body", endpoint.body), ("query", endpoint.query), ("form", endpoint.form)):
            if model:
                yield f"{endpoint.name} {part}", "validation", model
        for status, answer in endpoint.responses.items():
            if answer is not None and not isinstance(answer, Raw):
                yield f"{endpoint.name} {status}", "serialization", answer


def _operation(
    endpoint: Endpoint, schemas: Mapping[str, Schema], definitions: Mapping[str, Schema]
) -> Schema:
    parameters = [*_path_parameters(endpoint), *_query_parameters(endpoint, definitions), *_headers(endpoint)]
    operation: Schema = {
        "operationId": endpoint.name,
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "description": described(endpoint.handler.__doc__),
        "security": [{SECURITY: [endpoint.scope]}] if endpoint.scope else [],
    }
    if parameters:
        operation["parameters"] = parameters
    if endpoint.form:
        content = {"multipart/form-data": {"schema": schemas[f"{endpoint.name} form"]}}
        operation["requestBody"] = {"required": True, "content": content}
    if endpoint.body:
        schema = schemas[f"{endpoint.name} body"]
        required = bool(definitions[referenced_name(schema)].get("required"))
        operation["requestBody"] = {"required": required, "content": {JSON: {"schema": schema}}}
    operation["responses"] = {
        **{str(status): _answer(endpoint, status, schemas) for status in endpoint.responses},
        **{str(status): error(endpoint, status, schemas) for status in sorted(statuses(endpoint))},
    }
    return operation


def _path_parameters(endpoint: Endpoint) -> list[Schema]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _VARIABLE.findall(endpoint.path)
    ]


def _query_parameters(endpoint: Endpoint, definitions: Mapping[str, Schema]) -> list[Schema]:
    if endpoint.query is None:
        return []
    model = definitions[endpoint.query.__name__]
    return [_query_parameter(name, dict(schema)) for name, schema in model["properties"].items()]


def _query_parameter(name: str, schema: Schema) -> Schema:
    """Return a parameter without null: the null of an optional key cannot be sent in a query."""
    described = {"description": schema.pop("description")} if "description" in schema else {}
    options = [one for one in schema.pop("anyOf", ()) if one != {"type": "null"}]
    merged = {**schema, **(options[0] if len(options) == 1 else {"anyOf": options} if options else {})}
    listed = {"style": "form", "explode": False} if merged.get("type") == "array" else {}
    return {"name": name, "in": "query", **described, "required": False, **listed, "schema": merged}


def _headers(endpoint: Endpoint) -> list[Schema]:
    headers = (*endpoint.headers, IDEMPOTENCY_KEY) if endpoint.keyed else endpoint.headers
    return [
        {"name": one.name, "in": "header", "description": one.description, "schema": {"type": "string"}}
        for one in headers
    ]


def _answer(endpoint: Endpoint, status: int, schemas: Mapping[str, Schema]) -> Schema:
    answer = endpoint.responses[status]
    if answer is None:
        return {"description": "Success. The answer has no body."}
    if isinstance(answer, Raw):
        content = {answer.media_type: {"schema": {"type": "string"}}}
        return {"description": answer.description, "content": content}
    is_model = isinstance(answer, type) and issubclass(answer, BaseModel)
    description = described(answer.__doc__).partition("\n\n")[0] if is_model else HTTPStatus(status).phrase
    return {"description": description, "content": {JSON: {"schema": schemas[f"{endpoint.name} {status}"]}}}


def _tags(endpoints: Sequence[Endpoint]) -> list[Schema]:
    """Return the tags. The description of a tag is the docstring of its first endpoint's module."""
    first = {endpoint.tag: endpoint for endpoint in reversed(endpoints)}
    names = dict.fromkeys(endpoint.tag for endpoint in endpoints)
    abouts = {tag: sys.modules[one.handler.__module__].__doc__ for tag, one in first.items()}
    return [{"name": tag, "description": described(abouts[tag])} for tag in names]
