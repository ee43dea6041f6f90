"""A client of the HTTP API: typed, asynchronous, small.

    async with Client("http://127.0.0.1:3000") as client:
        started = await client.create_and_execute("Compare solar and wind power for a small farm")
        async for event in client.events(started.execution_id, after=0):
            print(event.type, event.sub_step_id or "")
            if event.is_last:
                break

What it raises is a ClientError, whose message says what to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp
import orjson

from contracts.answers import Execution, ExecutionEvent, Readiness, Started, Step
from contracts.client_errors import (
    PASSING,
    ClarificationRequired,
    ClientError,
    Patience,
    Refused,
    Unreachable,
)
from contracts.event import Json
from contracts.sse import Message, Parser

__all__ = [
    "Client",
    "ClientError",
    "Unreachable",
    "Refused",
    "ClarificationRequired",
    "Started",
    "Execution",
    "Step",
    "ExecutionEvent",
    "Readiness",
    "DEFAULT_AGENT",
]

DEFAULT_AGENT = "DecomposerV8"
"""The planning agent that every system has."""

ANSWER_S = 60.0
PLANNING_LOOK_S = 0.2
SILENCE_S = 40.0
"""A stream without even a heartbeat for this long is broken: the server sends one every 15 s."""
EXECUTIONS = "/api/v1/dag-executions"
AT_ONCE = {"Prefer": "respond-async"}


class Client:
    """One system's API, for the length of an `async with`.

    Every method raises Unreachable when nothing answers and Refused when the server says no.
    """

    def __init__(self, base_url: str, *, patience_s: float = 60.0) -> None:
        self.base_url = base_url.rstrip("/")
        self.patience_s = patience_s
        """How long what was accepted or streamed is asked for again before that counts as unreachable."""
        self._open_session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._open_session = aiohttp.ClientSession(json_serialize=lambda body: orjson.dumps(body).decode())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def ready(self) -> Readiness:
        """Whether the system is ready; that it is not is an answer, too."""
        status, body = await self._ask("GET", "/health/ready")
        if status not in (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE) or "status" not in body:
            raise Refused(status, body)
        return Readiness.model_validate(body)

    async def create_and_execute(self, goal: str, *, agent: str = DEFAULT_AGENT, **options: Json) -> Started:
        """Have `goal` planned and the plan executed; returns when the execution is on its way.

        Once the goal is accepted, a connection that breaks meanwhile does no harm.

        Raises:
            ClarificationRequired: the model wants to know something first.
        """
        body = {"goal-text": goal, "agentName": agent, **options}
        accepted = await self._call("POST", "/api/v1/create-and-execute-dag", body, **AT_ONCE)
        dag_id, execution_id = accepted["dagId"], accepted["executionId"]
        await self._planned(dag_id)
        execution = await self._accepted(f"{EXECUTIONS}/{execution_id}")
        return Started.model_validate({**execution, "executionId": execution_id})

    async def execute_dag(self, dag_id: str) -> Started:
        """Execute a plan that is there.

        Raises:
            ClarificationRequired: it still asks for something.
        """
        return _started(await self._call("POST", "/api/v1/execute-dag", {"dagId": dag_id}))

    async def execute_job(self, job: Mapping[str, Json]) -> Started:
        """Execute a plan of one's own.

        Raises:
            ClarificationRequired: it still asks for something.
        """
        return _started(await self._call("POST", "/api/v1/execute-dag", {"job": dict(job)}))

    async def execution(self, execution_id: str) -> Execution:
        """An execution and its steps as they stand."""
        return Execution.model_validate(await self._call("GET", f"{EXECUTIONS}/{execution_id}"))

    async def cancel(self, execution_id: str, reason: str | None = None) -> None:
        """Call an execution off."""
        body = {} if reason is None else {"reason": reason}
        await self._call("POST", f"{EXECUTIONS}/{execution_id}/cancel", body)

    async def resume(self, execution_id: str) -> None:
        """Let a suspended execution go on."""
        await self._call("POST", f"/api/v1/resume-dag/{execution_id}", {})

    async def events(self, execution_id: str, *, after: int | None = None) -> AsyncGenerator[ExecutionEvent]:
        """How an execution stands, then everything that happens to it; `after=0` begins with its first event.

        A connection that breaks is made again, and the stream goes on after the last event that had a place
        in the log. It ends when the caller stops reading: see ExecutionEvent.is_last.
        """
        position = None if after is None else str(after)
        patience = Patience(self.patience_s)
        while True:
            try:
                async with aclosing(self._stream(f"{EXECUTIONS}/{execution_id}/events", position)) as stream:
                    async for message in stream:
                        position = message.id or position
                        patience.renew()
                        yield ExecutionEvent.model_validate({**orjson.loads(message.data), "seq": message.id})
            except ClientError as error:
                patience.bear(error)
            await asyncio.sleep(patience.pause())

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._open_session is None:
            raise RuntimeError("use it as `async with Client(…) as client`")
        return self._open_session

    async def _planned(self, dag_id: str) -> None:
        """Wait for the end of planning."""
        while True:
            dag = await self._accepted(f"/api/v1/dags/{dag_id}")
            if dag["status"] != "planning":
                break
            await asyncio.sleep(PLANNING_LOOK_S)
        if error := dag["error"]:
            raise Refused(error["httpStatus"], error)
        if question := dag["clarificationQuery"]:
            raise ClarificationRequired(dag_id, question)

    async def _accepted(self, path: str) -> Json:
        """What is known to be at `path`, asked for as long as that may help."""
        patience = Patience(self.patience_s, PASSING | {HTTPStatus.NOT_FOUND})
        while True:
            try:
                return await self._call("GET", path)
            except ClientError as error:
                patience.bear(error)
            await asyncio.sleep(patience.pause())

    async def _call(self, method: str, path: str, body: Json = None, **headers: str) -> Json:
        status, answer = await self._ask(method, path, body, headers)
        if status >= HTTPStatus.BAD_REQUEST:
            raise Refused(status, answer)
        return answer

    async def _ask(
        self, method: str, path: str, body: Json = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Json]:
        request = self._http.request(
            method, self.base_url + path, json=body, headers=headers, timeout=aiohttp.ClientTimeout(ANSWER_S)
        )
        try:
            async with request as response:
                return response.status, _parsed(await response.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error

    async def _stream(self, path: str, position: str | None) -> AsyncGenerator[Message]:
        headers = {"Accept": "text/event-stream"}
        if position is not None:
            headers["Last-Event-ID"] = position
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=ANSWER_S, sock_read=SILENCE_S)
        parser = Parser()
        try:
            async with self._http.get(self.base_url + path, headers=headers, timeout=timeout) as response:
                if response.status != HTTPStatus.OK:
                    raise Refused(response.status, _parsed(await response.read()))
                async for piece in response.content.iter_any():
                    for message in parser.feed(piece):
                        yield message
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> Unreachable:
        reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
        return Unreachable(f"no Async Agent at {self.base_url}: {reason}")


def _started(answer: Json) -> Started:
    if answer.get("status") == "clarification_required":
        raise ClarificationRequired(answer.get("dagId"), answer["clarification_query"])
    return Started.model_validate(answer)


def _parsed(body: bytes) -> Json:
    """What is not JSON is told as it is."""
    try:
        return orjson.loads(body)
    except ValueError:
        return {"error": body.decode("utf-8", "replace")[:500]}
