"""Live events of the whole system."""

from __future__ import annotations

from aiohttp import web

from contracts.api.events import EventQuery
from contracts.core.scopes import Scope
from gateway.endpoint import LAST_EVENT_ID, Call, Raw, endpoint
from gateway.streams.log_feed import EventFilter
from gateway.streams.sse import CLIENTS, HttpClient, last_event_id


@endpoint(
    "GET",
    "/api/v1/events",
    summary="Stream all events",
    tag="events",
    scope=Scope.READ,
    query=EventQuery,
    responses={200: Raw("text/event-stream", "Server-sent events, each a CloudEvents 1.0 envelope.")},
    invalid="Invalid query parameters",
    headers=(LAST_EVENT_ID,),
)
async def watch_log(call: Call[None, EventQuery]) -> web.StreamResponse:
    """Sends the events of the log in order. The name of each event is its type.

    `id` is the position in the log. If a commit has several events, only the last has an `id`. With `after`,
    earlier events are sent first, and with `follow=false` only those. `Last-Event-ID` takes precedence over
    `after`.
    """
    with call.gateway.stream_limit.slot(call.principal.actor):
        return await _watched(call)


async def _watched(call: Call[None, EventQuery]) -> web.StreamResponse:
    client = HttpClient(call.request)
    await client.open()
    if call.request.method == "HEAD":
        return client.response
    resumed = last_event_id(call.request)
    after = call.query.after if resumed is None else resumed
    try:
        with CLIENTS.track_inprogress():
            await call.gateway.log_feed.serve(
                client, EventFilter.of(call.query), after, follow=call.query.follow
            )
    except (ConnectionResetError, TimeoutError):
        client.cut_off()
    return client.response


ENDPOINTS = (watch_log,)
