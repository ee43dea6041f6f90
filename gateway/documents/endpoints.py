"""Descriptions of the API and of the log: OpenAPI, AsyncAPI, JSON Schemas, and a reference page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property

import orjson
from aiohttp import web

from contracts.core.event import Json
from contracts.core.scopes import Scope
from gateway.documents.asyncapi import asyncapi
from gateway.documents.event_schemas import event_schema
from gateway.documents.reference import reference
from gateway.documents.schemas import Schema
from gateway.endpoint import Call, Raw, endpoint
from gateway.http.replies import JSON, json_reply

TAG = "documents"
NOTHING_FROM_AFAR = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
}


class Documents:
    """The documents of one gateway. Each is generated at its first request; `openapi` returns the first."""

    def __init__(self, openapi: Callable[[], Schema], nats_url: str) -> None:
        self._openapi = openapi
        self._nats_url = nats_url

    @cached_property
    def openapi(self) -> Schema:
        """The OpenAPI document."""
        return self._openapi()

    @cached_property
    def openapi_json(self) -> bytes:
        """The OpenAPI document as JSON."""
        return orjson.dumps(self.openapi)

    @cached_property
    def asyncapi_json(self) -> bytes:
        """The AsyncAPI document as JSON."""
        return orjson.dumps(asyncapi(self._nats_url))

    @cached_property
    def reference(self) -> bytes:
        """The reference page as HTML."""
        return reference(self.openapi)


DOCUMENTS = web.AppKey("documents", Documents)


@endpoint(
    "GET",
    "/openapi.json",
    summary="Get the OpenAPI 3.1 document of this API",
    tag=TAG,
    scope=Scope.READ,
    responses={200: dict[str, Json]},
)
async def get_openapi(call: Call[None, None]) -> web.StreamResponse:
    """The document is generated from the code."""
    return await _sent(call, JSON, lambda documents: documents.openapi_json)


@endpoint(
    "GET",
    "/asyncapi.json",
    summary="Get the AsyncAPI 3 document of the log",
    tag=TAG,
    scope=Scope.READ,
    responses={200: dict[str, Json]},
)
async def get_asyncapi(call: Call[None, None]) -> web.StreamResponse:
    """Describes subjects and events, for clients that subscribe to NATS directly."""
    return await _sent(call, JSON, lambda documents: documents.asyncapi_json)


@endpoint(
    "GET",
    "/docs",
    summary="Get the API reference",
    tag=TAG,
    scope=Scope.READ,
    responses={200: Raw("text/html", "The reference.")},
)
async def get_reference(call: Call[None, None]) -> web.StreamResponse:
    """Returns this reference as one HTML page without scripts or external resources."""
    return await _sent(call, "text/html; charset=utf-8", lambda documents: documents.reference)


@endpoint(
    "GET",
    "/schemas/{type}/{version}",
    summary="Get the JSON Schema of an event's data",
    tag=TAG,
    scope=Scope.READ,
    responses={200: dict[str, Json]},
    missing="There is no such schema",
)
async def get_event_schema(call: Call[None, None]) -> web.StreamResponse:
    """`dataschema` of an event is the path of its schema. Only the current version of each type has one."""
    schema = await asyncio.to_thread(event_schema, call.path["type"], call.path["version"])
    return json_reply(schema, headers=NOTHING_FROM_AFAR)


ENDPOINTS = (get_openapi, get_asyncapi, get_reference, get_event_schema)


async def _sent(
    call: Call[None, None], content_type: str, document: Callable[[Documents], bytes]
) -> web.StreamResponse:
    body = await asyncio.to_thread(document, call.request.app[DOCUMENTS])
    return web.Response(body=body, headers={**NOTHING_FROM_AFAR, "Content-Type": content_type})
