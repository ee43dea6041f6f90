"""Descriptions of the API and of the log: OpenAPI, AsyncAPI, JSON Schemas, and a reference page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cached_property

import orjson
from aiohttp import web

from contracts.core.event import Json
from gateway.documents.asyncapi import asyncapi
from gateway.documents.event_schemas import event_schema
from gateway.documents.openapi import openapi
from gateway.documents.reference import reference
from gateway.documents.schemas import Schema
from gateway.endpoint import Call, Endpoint, Raw, endpoint
from gateway.http.replies import JSON, json_reply

TAG = "documents"
NOTHING_FROM_AFAR = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
}


class Documents:
    """The documents of one gateway, each made when it is first asked for."""

    def __init__(self, endpoints: Sequence[Endpoint], nats_url: str) -> None:
        self._endpoints = endpoints
        self._nats_url = nats_url

    @cached_property
    def openapi(self) -> Schema:
        """Every endpoint."""
        return openapi(self._endpoints)

    @cached_property
    def openapi_json(self) -> bytes:
        """The same as it is sent."""
        return orjson.dumps(self.openapi)

    @cached_property
    def asyncapi_json(self) -> bytes:
        """Every subject and event of the log."""
        return orjson.dumps(asyncapi(self._nats_url))

    @cached_property
    def reference(self) -> bytes:
        """The page."""
        return reference(self.openapi)


DOCUMENTS = web.AppKey("documents", Documents)


@endpoint(
    "GET",
    "/openapi.json",
    summary="This API as OpenAPI 3.1",
    tag=TAG,
    responses={200: dict[str, Json]},
)
async def get_openapi(call: Call[None, None]) -> web.StreamResponse:
    """Generated from the code that serves the requests."""
    return await _sent(call, JSON, lambda documents: documents.openapi_json)


@endpoint(
    "GET",
    "/asyncapi.json",
    summary="The log's subjects and events as AsyncAPI 3",
    tag=TAG,
    responses={200: dict[str, Json]},
)
async def get_asyncapi(call: Call[None, None]) -> web.StreamResponse:
    """For clients that subscribe to NATS directly."""
    return await _sent(call, JSON, lambda documents: documents.asyncapi_json)


@endpoint("GET", "/docs", summary="This page", tag=TAG, responses={200: Raw("text/html", "The reference.")})
async def get_reference(call: Call[None, None]) -> web.StreamResponse:
    """The API reference as one page without scripts or external resources."""
    return await _sent(call, "text/html; charset=utf-8", lambda documents: documents.reference)


@endpoint(
    "GET",
    "/schemas/{type}/{version}",
    summary="The JSON Schema of an event's data",
    tag=TAG,
    responses={200: dict[str, Json]},
    missing="There is no such schema",
)
async def get_event_schema(call: Call[None, None]) -> web.StreamResponse:
    """Events name it in `dataschema`. Each type has one, of the version that events are served in."""
    schema = await asyncio.to_thread(event_schema, call.path["type"], call.path["version"])
    return json_reply(schema, headers=NOTHING_FROM_AFAR)


ENDPOINTS = (get_openapi, get_asyncapi, get_reference, get_event_schema)


async def _sent(
    call: Call[None, None], content_type: str, document: Callable[[Documents], bytes]
) -> web.StreamResponse:
    body = await asyncio.to_thread(document, call.request.app[DOCUMENTS])
    return web.Response(body=body, headers={**NOTHING_FROM_AFAR, "Content-Type": content_type})
