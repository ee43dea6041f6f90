"""The error answers of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from contracts.api.errors import InvalidInput, Refused, Turned
from gateway.documents.schemas import Schema
from gateway.endpoint import Endpoint
from gateway.http import idempotency

JSON = "application/json"
UNLIMITED_TAG = "health"
"""Tag of the endpoints that have no rate limit and do not depend on other parts of the system."""

SHAPES = (InvalidInput, Refused, Turned)


@dataclass(frozen=True, slots=True)
class _Common:
    """An error answer that endpoints share."""

    name: str
    when: str
    shapes: Sequence[type[BaseModel]]


COMMON: Mapping[int, _Common] = {
    400: _Common("BadRequest", "The request is invalid.", (InvalidInput, Refused, Turned)),
    401: _Common("Unauthorized", "The key or token is missing or not valid.", (Turned,)),
    403: _Common(
        "Forbidden",
        "The key lacks the scope, or the origin or host of a request from a browser is not allowed.",
        (Turned, Refused),
    ),
    404: _Common("NotFound", "Not found.", (Refused,)),
    408: _Common("TooSlow", "The body did not arrive in time.", (Turned,)),
    413: _Common("TooLarge", "The body is too large.", (Turned, Refused)),
    415: _Common("UnsupportedMediaType", "The body has the wrong media type.", (Turned, Refused)),
    422: _Common("UsedForAnother", f"The {idempotency.HEADER} was used for another request.", (Refused,)),
    429: _Common(
        "TooManyRequests",
        "Too many requests of one key or user, or from one address without a key.",
        (Turned,),
    ),
    431: _Common("LineTooLong", "The URL or a header is too long.", (Turned,)),
    500: _Common("InternalError", "The request failed. The server's log has the cause.", (Turned, Refused)),
    503: _Common(
        "Unavailable",
        "The system or its language model is not available.",
        (Refused,),
    ),
}
"""Errors that several operations share."""
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


def statuses(endpoint: Endpoint) -> set[int]:
    """Return the error statuses of an endpoint: those that follow from its input, and those it declares."""
    always = {401, 403, 500} if endpoint.tag == UNLIMITED_TAG else {401, 403, 429, 500, 503}
    checked = {400, 431} if endpoint.query or "{" in endpoint.path else set()
    sent = {400, 408, 413, 415} if endpoint.body or endpoint.form else set()
    missing = {404} if endpoint.missing else set()
    keyed = {400, 422} if endpoint.keyed else set()
    return (always | checked | sent | missing | keyed | set(endpoint.errors)) - set(endpoint.responses)


def error(endpoint: Endpoint, status: int, schemas: Mapping[str, Schema]) -> Schema:
    """Return the description of the error answer with `status`."""
    if status in endpoint.errors:
        shapes = COMMON[status].shapes if status in COMMON else (Refused,)
        return _response(endpoint.errors[status], shapes, schemas)
    return {"$ref": f"#/components/responses/{COMMON[status].name}"}


def common_responses(schemas: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return the error answers that endpoints share."""
    return {
        one.name: {
            **_response(one.when, one.shapes, schemas),
            "x-status": str(status),
            **({"headers": RETRY_AFTER} if status in (429, 503) else {}),
        }
        for status, one in COMMON.items()
    }


def _response(description: str, shapes: Sequence[type[BaseModel]], schemas: Mapping[str, Schema]) -> Schema:
    options = [schemas[shape.__name__] for shape in shapes]
    schema = options[0] if len(options) == 1 else {"anyOf": options}
    return {"description": description, "content": {JSON: {"schema": schema}}}
