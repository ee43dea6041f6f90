"""All endpoints as one web application."""

from __future__ import annotations

from functools import partial

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway import (
    agents,
    artifacts,
    cost_summary,
    costs,
    dags,
    documents,
    execution,
    executions,
    experiments,
    goal_schedules,
    goals,
    health,
    log_events,
    planning,
    runs,
    tasks,
    tools,
)
from gateway.bodies import MAX_BODY_BYTES
from gateway.endpoint import Endpoint
from gateway.gateway import Gateway
from gateway.middleware import answer_errors, answer_preflights, heads, limited, observe
from gateway.rate_limit import RateLimit
from gateway.tracing import TRACE

ENDPOINTS: tuple[Endpoint, ...] = (
    *health.ENDPOINTS,
    *goals.ENDPOINTS,
    *goal_schedules.ENDPOINTS,
    *runs.ENDPOINTS,
    *agents.ENDPOINTS,
    *tools.ENDPOINTS,
    *artifacts.ENDPOINTS,
    *planning.ENDPOINTS,
    *experiments.ENDPOINTS,
    *execution.ENDPOINTS,
    *dags.ENDPOINTS,
    *executions.ENDPOINTS,
    *costs.ENDPOINTS,
    *cost_summary.ENDPOINTS,
    *tasks.ENDPOINTS,
    *log_events.ENDPOINTS,
    *documents.ENDPOINTS,
)


def create_app(gateway: Gateway) -> web.Application:
    """The application that serves `gateway`."""
    settings = gateway.settings
    rate_limit = RateLimit(settings.rate_limit_max, settings.rate_limit_exempt)
    app = web.Application(
        middlewares=[observe, answer_errors, answer_preflights, limited(rate_limit)],
        client_max_size=MAX_BODY_BYTES,
    )
    app[documents.DOCUMENTS] = documents.Documents(ENDPOINTS, settings.nats_url)
    for endpoint in ENDPOINTS:
        methods = ("GET", "HEAD") if endpoint.method == "GET" else (endpoint.method,)
        for method in methods:
            app.router.add_route(method, endpoint.path, _bound(endpoint, gateway))
    app.on_response_prepare.append(heads(settings.allowed_origins))
    app.on_shutdown.append(partial(_end_streams, gateway))
    return app


async def _end_streams(gateway: Gateway, _: web.Application) -> None:
    gateway.feeds.close()
    gateway.log_feed.close()


def _bound(endpoint: Endpoint, gateway: Gateway) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        return await endpoint.serve(gateway, request, request[TRACE].origin(gateway.settings.instance))

    return serve
