"""The search over HTTP."""

from __future__ import annotations

from aiohttp import web

from contracts.api.search import HitList, SearchQuery
from contracts.core.scopes import Scope
from gateway.api.search import queries
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply
from gateway.views.paging import link


@endpoint(
    "GET",
    "/api/v1/search",
    summary="Search runs, executions, goals and DAGs, newest first",
    tag="search",
    scope=Scope.READ,
    query=SearchQuery,
    responses={200: HitList},
    invalid="Invalid query parameters",
)
async def search_texts(call: Call[None, SearchQuery]) -> web.StreamResponse:
    """Searches goals, titles, errors, ids and the beginning of reports for all words of `q`."""
    hits, cursor = await queries.found(call.gateway, call.query)
    return json_reply({"hits": hits, "nextCursor": cursor}, headers=link(call.request.url, cursor))


ENDPOINTS = (search_texts,)
