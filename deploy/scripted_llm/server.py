"""The HTTP server of the scripted LLM: `POST /v1/chat/completions` and `GET /v1/models`."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from deploy.scripted_llm.rules import Rule, ScriptedAnswer
from deploy.scripted_llm.script import Request, Script, completion

MODEL = "scripted"
"""The listed model. Requests may name any model."""
MAX_REQUEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """A received chat request."""

    body: Mapping[str, Any]
    headers: Mapping[str, str]
    """Headers. Names are case-insensitive."""


@dataclass
class _Server:
    """State that the handlers share."""

    script: Script
    delays: bool
    received: list[Received] = field(default_factory=list)
    in_flight: int = 0
    max_in_flight: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


_SERVER = web.AppKey("server", _Server)


def create_app(rules: Iterable[Rule], *, delays: bool = True) -> web.Application:
    """Return the web application that answers by `rules`. Without `delays`, it ignores their delays."""
    app = web.Application(client_max_size=MAX_REQUEST_BYTES)
    app[_SERVER] = _Server(Script(rules), delays)
    app.router.add_post("/v1/chat/completions", _chat)
    app.router.add_get("/v1/models", _models)
    app.on_shutdown.append(_stop)
    return app


class ScriptedLlm:
    """A scripted LLM. It runs during an `async with` block."""

    def __init__(
        self, rules: Iterable[Rule], *, host: str = "127.0.0.1", port: int = 0, delays: bool = True
    ) -> None:
        self._app = create_app(rules, delays=delays)
        self._address = host, port
        self._runner = web.AppRunner(self._app, handler_cancellation=True, shutdown_timeout=1.0)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, *self._address).start()
        except BaseException:
            await self._runner.cleanup()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """`http://host:port`, for OLLAMA_BASE_URL."""
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    @property
    def base_url(self) -> str:
        """`http://host:port/v1`, for OPENAI_BASE_URL."""
        return f"{self.url}/v1"

    @property
    def requests(self) -> list[Received]:
        """All chat requests so far, oldest first."""
        return self._app[_SERVER].received

    @property
    def max_in_flight(self) -> int:
        """Maximum number of concurrent requests so far."""
        return self._app[_SERVER].max_in_flight


async def serve(
    rules: Iterable[Rule],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    started: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until cancelled. `started` receives the base URL after the port is open."""
    async with ScriptedLlm(rules, host=host, port=port) as llm:
        started(llm.base_url)
        await asyncio.Event().wait()


def environment(base_url: str) -> dict[str, str]:
    """Return the environment that makes services use the scripted LLM at `base_url`."""
    return {
        "LLM_PROVIDER": "openai",
        "LLM_MODEL": MODEL,
        "OPENAI_MODEL": MODEL,
        "OPENAI_API_KEY": MODEL,
        "OPENAI_BASE_URL": base_url,
    }


async def _stop(app: web.Application) -> None:
    app[_SERVER].stopping.set()


async def _models(_: web.Request) -> web.Response:
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "async-agent"}
    return web.json_response({"object": "list", "data": [model]})


async def _chat(http: web.Request) -> web.StreamResponse:
    server = http.app[_SERVER]
    try:
        body = await http.json()
    except ValueError as error:
        return _error(400, f"the request is not JSON: {error}")
    server.received.append(Received(body, http.headers))
    request = Request(body)
    answer = server.script.answer(request)
    number = server.script.calls
    if answer is None:
        return _error(404, f"no rule matches this request, add one: {request.user[:200]!r}")
    server.in_flight += 1
    server.max_in_flight = max(server.max_in_flight, server.in_flight)
    try:
        return await _respond(http, server, answer, lambda: completion(request, answer, number))
    finally:
        server.in_flight -= 1


async def _respond(
    http: web.Request, server: _Server, answer: ScriptedAnswer, body: Callable[[], Mapping[str, Any]]
) -> web.StreamResponse:
    if server.delays and answer.delay_ms:
        await asyncio.sleep(answer.delay_ms / 1000)
    if answer.hang:
        await server.stopping.wait()
    if answer.hang or answer.drop:
        if http.transport is not None:
            http.transport.abort()
        return web.Response(status=503)
    if answer.raw is None and answer.body is None and answer.status != 200:
        return _error(answer.status, answer.error, parameter=answer.parameter, retry_after=answer.retry_after)
    text = answer.raw if answer.raw is not None else json.dumps(answer.body or body())
    return _sent(answer, (text[: len(text) // 2] if answer.cut else text).encode())


def _sent(answer: ScriptedAnswer, data: bytes) -> web.Response:
    headers = {} if answer.retry_after is None else {"Retry-After": answer.retry_after}
    if answer.gzip:
        headers["Content-Encoding"] = "gzip"
        data = gzip.compress(data, compresslevel=1)
    kind = answer.content_type if answer.raw is not None else "application/json"
    return web.Response(body=data, status=answer.status, content_type=kind, headers=headers)


def _error(
    status: int, message: str, *, parameter: str | None = None, retry_after: str | None = None
) -> web.Response:
    error = {"message": message, "type": "scripted", "param": parameter, "code": None}
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return web.json_response({"error": error}, status=status, headers=headers)
