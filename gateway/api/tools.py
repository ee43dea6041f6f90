"""Tools that steps can call. Executors publish them."""

from __future__ import annotations

from aiohttp import web

from contracts.api.tools import ToolDefinition, ToolQuery
from contracts.core.event import Json
from contracts.core.scopes import Scope
from contracts.core.suggestions import did_you_mean
from contracts.core.tool import ToolSpec
from gateway.endpoint import Call, endpoint
from gateway.gateway import Gateway
from gateway.http.errors import Refusal
from gateway.http.replies import json_reply

TAG = "tools"


@endpoint(
    "GET",
    "/api/v1/tools",
    summary="List tools, or get one by `name`",
    tag=TAG,
    scope=Scope.READ,
    query=ToolQuery,
    responses={200: list[ToolDefinition] | ToolDefinition},
    errors={404: "No tool has this name."},
)
async def list_tools(call: Call[None, ToolQuery]) -> web.StreamResponse:
    """Returns the tools in the order in which executors publish them."""
    if call.query.name is not None:
        return _one(call.gateway, call.query.name)
    return json_reply([_shown(spec) for spec in call.gateway.catalogue.all()])


@endpoint(
    "GET",
    "/api/v1/tools/{name}",
    summary="Get a tool",
    tag=TAG,
    scope=Scope.READ,
    responses={200: ToolDefinition},
    missing="Tool not found: {name}",
)
async def get_tool(call: Call[None, None]) -> web.StreamResponse:
    """Names are case-sensitive."""
    return _one(call.gateway, call.path["name"])


ENDPOINTS = (list_tools, get_tool)


def _shown(spec: ToolSpec) -> dict[str, Json]:
    return {**spec.as_function(), "effect": spec.effect, "outward": spec.outward is not None}


def _one(gateway: Gateway, name: str) -> web.StreamResponse:
    spec = gateway.catalogue.get(name)
    if spec is None:
        hint = did_you_mean(name, (spec.name for spec in gateway.catalogue.all()))
        raise Refusal(404, f"Tool not found: {name}{hint}")
    return json_reply(_shown(spec))
