"""The client, against a server that behaves badly on purpose."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import orjson
import pytest
from aiohttp import web

from contracts.api.dags import DagRow
from contracts.api.executions import ExecutionDetail
from contracts.client import ClarificationRequired, Client, InvalidAnswer, Refused, Unreachable
from contracts.core.event import Json

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[..., Awaitable[Client]]


@pytest.fixture
async def serve() -> AsyncGenerator[Serve]:
    """Starts a server of the given routes, and a client of it."""
    runners: list[web.AppRunner] = []
    clients: list[Client] = []

    async def start(**routes: Handler) -> Client:
        app = web.Application()
        for name, handler in routes.items():
            method, _, path = name.partition(" ")
            app.router.add_route(method, path, handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        client = Client(f"http://127.0.0.1:{runner.addresses[0][1]}/", patience_s=5)
        clients.append(client)
        return await client.__aenter__()

    yield start
    for client in clients:
        await client.__aexit__(None, None, None)
    for runner in runners:
        await runner.cleanup()


def says(status: int, body: object) -> Handler:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")

    return handler


def frame(seq: int | None, kind: str) -> bytes:
    data = orjson.dumps({"type": kind, "executionId": "e", "timestamp": 1}).decode()
    place = "" if seq is None else f"id: {seq}\n"
    return f"{place}event: {kind}\ndata: {data}\n\n".encode()


def envelope(seq: int | None, kind: str) -> bytes:
    told = {
        **dict.fromkeys(("id", "subject", "state", "commit", "dataschema"), "x"),
        "type": kind,
        "time": "2026-11-23T06:45:42Z",
        "version": 1,
        "data": {},
    }
    place = "" if seq is None else f"id: {seq}\n"
    return f"{place}event: {kind}\ndata: {orjson.dumps(told).decode()}\n\n".encode()


def dag_row(**fields: object) -> Json:
    return DagRow.model_validate(
        {
            **dict.fromkeys(DagRow.model_fields),
            **dict.fromkeys(("attempts", "created_at", "updated_at"), 0),
            "id": "d",
            "timezone": "UTC",
            "schedule_active": False,
            **fields,
        }
    ).model_dump(mode="json")


def execution_row(**fields: object) -> Json:
    return ExecutionDetail.model_validate(
        {
            **dict.fromkeys(ExecutionDetail.model_fields),
            **dict.fromkeys(("completed_tasks", "failed_tasks", "waiting_tasks", "retry_count"), 0),
            **dict.fromkeys(("seq", "created_at", "updated_at"), 0),
            "id": "e",
            "approvals": [],
            "dag_id": "d",
            "original_request": "goal",
            "primary_intent": "goal",
            "status": "pending",
            "trigger": "plan",
            "sub_steps": [],
            **fields,
        }
    ).model_dump(mode="json")


async def test_a_broken_stream_goes_on_after_the_last_event_heard(serve: Serve) -> None:
    """A break, a server that is just starting, and a clean end in between: no event is lost or told twice."""
    asked: list[str | None] = []

    async def events(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers.get("Last-Event-ID"))
        if len(asked) == 2:
            return web.json_response({"error": "starting"}, status=503)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        match len(asked):
            case 1:
                await response.write(frame(10, "execution.started") + frame(11, "substep.started"))
                await response.write(b'id: 12\nevent: substep.completed\ndata: {"type"')
                request.transport.abort()  # type: ignore[union-attr]  # the request is being answered
            case 3:
                await response.write(frame(12, "substep.completed") + frame(None, "heartbeat"))
            case _:
                await response.write(frame(13, "execution.completed"))
        return response

    client = await serve(**{"GET /api/v1/dag-executions/e/events": events})
    told = []
    async with aclosing(client.executions.events("e", after=9)) as stream:
        async for event in stream:
            told.append((event.seq, event.type))
            if event.is_last:
                break
    assert told == [
        (10, "execution.started"),
        (11, "substep.started"),
        (12, "substep.completed"),
        (None, "heartbeat"),
        (13, "execution.completed"),
    ]
    assert asked == ["9", "11", "11", "12"]


async def test_everything_is_followed_on_from_the_last_sign_of_life(serve: Serve) -> None:
    """A heartbeat says how far the log is: what was passed over is not asked for again."""
    asked: list[tuple[str | None, str]] = []

    async def events(request: web.Request) -> web.StreamResponse:
        asked.append((request.headers.get("Last-Event-ID"), request.query["aggregate"]))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if len(asked) == 1:
            await response.write(envelope(None, "goal.created") + envelope(7, "goal.paused"))
            await response.write(frame(90, "heartbeat"))
            request.transport.abort()  # type: ignore[union-attr]  # the request is being answered
        else:
            await response.write(envelope(91, "goal.resumed"))
        return response

    client = await serve(**{"GET /api/v1/events": events})
    async with aclosing(client.events(aggregates=("goal", "run"), aggregate_id="g", after=3)) as stream:
        told = [await anext(stream) for _ in range(3)]
    assert [(one.seq, one.type) for one in told] == [
        (None, "goal.created"),
        (7, "goal.paused"),
        (91, "goal.resumed"),
    ]
    assert asked == [("3", "goal,run"), ("90", "goal,run")]


async def test_a_stream_of_an_unknown_id_is_refused_at_once(serve: Serve) -> None:
    client = await serve(**{"GET /api/v1/dag-executions/e/events": says(404, {"error": "no such execution"})})
    async with aclosing(client.executions.events("e")) as stream:
        with pytest.raises(Refused, match="no such execution"):
            await anext(stream)


async def test_reconnecting_to_a_stream_ends_after_the_timeout() -> None:
    async with (
        Client("http://127.0.0.1:1", patience_s=0.1) as client,
        aclosing(client.executions.events("e")) as stream,
    ):
        with pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1"):
            await anext(stream)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": "Agent 'X' not found"}, "Agent 'X' not found"),
        ({"statusCode": 400, "error": "Bad Request", "message": "not JSON"}, "not JSON"),
        (
            {
                "error": "Invalid",
                "validation_errors": [{"path": ["sub_tasks", 0, "id"], "message": "Required"}],
            },
            "Invalid; sub_tasks.0.id: Required",
        ),
        (
            {"error": "Invalid cron expression", "details": "61 is no minute"},
            "Invalid cron expression; 61 is no minute",
        ),
        (
            {"error": "Validation error", "details": [{"path": ["params"], "message": "No"}, {}]},
            "Validation error; params: No",
        ),
        ([], "Bad Request"),
    ],
)
async def test_a_refusal_says_what_the_server_said(serve: Serve, body: object, message: str) -> None:
    client = await serve(**{"POST /api/v1/execute-dag": says(400, body)})
    with pytest.raises(Refused) as refused:
        await client.dags.execute("d")
    assert (str(refused.value), refused.value.status) == (message, 400)


async def test_an_answer_that_is_not_json_is_shown_as_it_is(serve: Serve) -> None:
    async def proxy(_: web.Request) -> web.StreamResponse:
        return web.Response(status=502, text="<h1>Bad Gateway</h1>")

    client = await serve(**{"POST /api/v1/execute-dag": proxy})
    with pytest.raises(Refused, match="<h1>Bad Gateway</h1>"):
        await client.dags.execute("d")


async def test_an_answer_of_something_else_is_not_understood(serve: Serve) -> None:
    client = await serve(**{"GET /api/v1/dags/d": says(200, {"kind": "directed"})})
    with pytest.raises(InvalidAnswer, match="status"):
        await client.dags.get("d")


async def test_an_id_is_one_part_of_a_path_whatever_is_in_it(serve: Serve) -> None:
    asked: list[str] = []

    async def see(request: web.Request) -> web.StreamResponse:
        asked.append(request.raw_path)
        return web.Response(status=204)

    client = await serve(**{"DELETE /{path:.*}": see})
    await client.agents.delete("a/../b?c=d#é")
    assert asked == ["/api/v1/agents/a%2F..%2Fb%3Fc%3Dd%23%C3%A9"]


async def test_an_accepted_goal_is_followed_through_a_restart_of_the_server(serve: Serve) -> None:
    """The plan is waited for, then the execution that the planner asks for a moment later."""
    answers = iter(
        [
            says(200, dag_row(status="planning")),
            says(503, {"error": "views are being rebuilt"}),
            says(404, {"error": "not yet"}),
            says(200, dag_row(status="success")),
        ]
    )
    executions = iter(
        [
            says(404, {"error": "not yet"}),
            says(200, execution_row(total_tasks=3)),
        ]
    )

    async def dag(request: web.Request) -> web.StreamResponse:
        return await next(answers)(request)

    async def execution(request: web.Request) -> web.StreamResponse:
        return await next(executions)(request)

    accepted = says(202, {"status": "planning", "dagId": "d", "executionId": "e"})
    client = await serve(
        **{
            "POST /api/v1/create-and-execute-dag": accepted,
            "GET /api/v1/dags/d": dag,
            "GET /api/v1/dag-executions/e": execution,
        }
    )
    started = await client.dags.create_and_execute("goal")
    assert (started.execution_id, started.dag_id, started.total_tasks) == ("e", "d", 3)


@pytest.mark.parametrize(
    ("dag", "error", "message"),
    [
        (
            {"status": "failed", "error": {"httpStatus": 400, "error": "Invalid DAG structure"}},
            Refused,
            "Invalid DAG structure",
        ),
        (
            {"status": "pending", "clarification_query": "Which farm?"},
            ClarificationRequired,
            r"Which farm\?",
        ),
    ],
)
async def test_a_goal_without_a_plan_says_why(
    serve: Serve, dag: dict[str, object], error: type[Exception], message: str
) -> None:
    accepted = says(202, {"status": "planning", "dagId": "d", "executionId": "e"})
    client = await serve(
        **{"POST /api/v1/create-and-execute-dag": accepted, "GET /api/v1/dags/d": says(200, dag_row(**dag))}
    )
    with pytest.raises(error, match=message):
        await client.dags.create_and_execute("goal")
