"""The web application with all endpoints."""

from __future__ import annotations

from functools import cache, partial

from aiohttp import web
from aiohttp.typedefs import Handler

from contracts.core.scopes import Scope
from gateway.access.browsers import guarded, heads
from gateway.access.gate import Gate, Scopes, guarded_by
from gateway.access.principals import PRINCIPAL
from gateway.api import agents, artifacts, budget, events, health, keys, tools
from gateway.api.asks import endpoints as asks
from gateway.api.compare import endpoints as compare
from gateway.api.costs import breakdown, summary
from gateway.api.dags import endpoints as dags
from gateway.api.executions import attempt_endpoints as execution_attempts
from gateway.api.executions import budget_endpoints as execution_budgets
from gateway.api.executions import control, resuming
from gateway.api.executions import endpoints as executions
from gateway.api.goals import attempt_endpoints as run_attempts
from gateway.api.goals import budget_endpoints as run_budgets
from gateway.api.goals import endpoints as goals
from gateway.api.goals import memories, run_counts, schedules
from gateway.api.goals import run_endpoints as runs
from gateway.api.planning import endpoints as planning
from gateway.api.planning import experiments
from gateway.api.schedules import ticks
from gateway.api.search import endpoints as search
from gateway.api.tasks import endpoints as tasks
from gateway.console import assets
from gateway.documents import endpoints as documents
from gateway.documents.openapi import openapi
from gateway.documents.schemas import Schema
from gateway.endpoint import Endpoint
from gateway.gateway import Gateway
from gateway.http.bodies import MAX_BODY_BYTES
from gateway.http.middleware import answer_errors, complete_head, observe
from gateway.http.misses import certain_misses
from gateway.http.rate_limit import RateLimit
from gateway.http.tracing import TRACE
from gateway.mcp import endpoint as mcp

ENDPOINTS: tuple[Endpoint, ...] = (
    *health.ENDPOINTS,
    *goals.ENDPOINTS,
    *memories.ENDPOINTS,
    *schedules.ENDPOINTS,
    *ticks.ENDPOINTS,
    *run_counts.ENDPOINTS,
    *runs.ENDPOINTS,
    *run_attempts.ENDPOINTS,
    *compare.ENDPOINTS,
    *asks.ENDPOINTS,
    *agents.ENDPOINTS,
    *keys.ENDPOINTS,
    *tools.ENDPOINTS,
    *artifacts.ENDPOINTS,
    *planning.ENDPOINTS,
    *experiments.ENDPOINTS,
    *control.ENDPOINTS,
    *resuming.ENDPOINTS,
    *execution_budgets.ENDPOINTS,
    *run_budgets.ENDPOINTS,
    *dags.ENDPOINTS,
    *executions.ENDPOINTS,
    *execution_attempts.ENDPOINTS,
    *breakdown.ENDPOINTS,
    *summary.ENDPOINTS,
    *budget.ENDPOINTS,
    *tasks.ENDPOINTS,
    *search.ENDPOINTS,
    *events.ENDPOINTS,
    *documents.ENDPOINTS,
)


GATEWAY: web.AppKey[Gateway] = web.AppKey("gateway", Gateway)


def create_app(gateway: Gateway) -> web.Application:
    """Return the web application of `gateway`."""
    settings = gateway.settings
    rate_limit = RateLimit(settings.rate_limit_max, settings.rate_limit_exempt, settings.trusted_proxies)
    router, scopes = _routes()
    gate = Gate(gateway.authenticate, rate_limit, gateway.sessions, scopes, assets.is_missing_page)
    app = web.Application(
        middlewares=[
            observe,
            answer_errors,
            guarded(settings.browser_rules),
            guarded_by(gate),
            assets.no_such_page,
            certain_misses(gateway.current),
        ],
        client_max_size=MAX_BODY_BYTES,
    )
    app[GATEWAY] = gateway
    app[documents.DOCUMENTS] = documents.Documents(_openapi, settings.nats_url)
    for resource in router.resources():
        app.router.register_resource(resource)
    app.on_response_prepare.append(complete_head)
    app.on_response_prepare.append(heads(settings.allowed_origins, settings.credentialed_origins))
    app.on_shutdown.append(partial(_end_streams, gateway))
    return app


@cache
def _routes() -> tuple[web.UrlDispatcher, Scopes]:
    """The routes, which find their gateway in the application, and their scopes.

    Creating them takes 20 ms.
    """
    router = web.UrlDispatcher()
    scopes: dict[web.AbstractRoute, Scope | None] = {}
    for endpoint in ENDPOINTS:
        methods = ("GET", "HEAD") if endpoint.method == "GET" else (endpoint.method,)
        for method in methods:
            scopes[router.add_route(method, endpoint.path, _served(endpoint))] = endpoint.scope
    scopes.update(dict.fromkeys(router.add_routes(assets.routes())))
    scopes[router.add_post(mcp.PATH, mcp.mcp_handler(_openapi))] = Scope.READ
    return router, scopes


@cache
def _openapi() -> Schema:
    return openapi(ENDPOINTS)


def _served(endpoint: Endpoint) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        gateway = request.app[GATEWAY]
        origin = request[TRACE].origin(gateway.settings.instance, request[PRINCIPAL].actor)
        return await endpoint.serve(gateway, request, origin)

    return serve


async def _end_streams(gateway: Gateway, _: web.Application) -> None:
    gateway.feeds.close()
    gateway.log_feed.close()
