"""The gateway as a process has it: on a real NATS, and until its last answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from contracts.api.health import Readiness
from contracts.core import subjects
from contracts.core.tool import Effect, ToolSpec
from contracts.domain import executors
from contracts.domain.executors import ExecutorAlive
from contracts.runtime.catalogue import publish
from contracts.runtime.nats.connection import Connection, connect
from contracts.runtime.process.settings import ViewsSettings
from deploy.local.nats_config import NO_LIMIT
from deploy.local.nats_server import NatsServer, running
from gateway import service
from gateway.service import kept_running
from gateway.settings import GatewaySettings
from projector.service import SERVICE as PROJECTOR

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.services.conftest import Api, StartGateway

AGENT = {"name": "A", "version": "1", "promptTemplate": "x"}
TOOL = ToolSpec(name="noop", description="Nothing.", parameters={"type": "object"}, effect=Effect.READ)


@asynccontextmanager
async def started(url: str, folder: Path) -> AsyncGenerator[ClientSession]:
    """A gateway and a projector as their processes build them, and a client of the gateway."""
    common: dict[str, Any] = {"nats_url": url, "data_dir": folder, "metrics_port": 0}
    settings = GatewaySettings(_env_file=None, host="127.0.0.1", port=0, grace_s=0.2, **common)
    async with AsyncExitStack() as stack:
        projector = await stack.enter_async_context(PROJECTOR.build(ViewsSettings(_env_file=None, **common)))
        await stack.enter_async_context(kept_running(*projector.workers))
        with capture_logs() as logs:
            running = await stack.enter_async_context(service.build(settings))
        await stack.enter_async_context(kept_running(*running.workers))
        (port,) = [line["port"] for line in logs if line["event"] == "listening"]
        yield await stack.enter_async_context(ClientSession(f"http://127.0.0.1:{port}"))


@pytest.mark.nats
async def test_on_nats_what_is_written_can_be_read_at_once(nats_server: NatsServer, tmp_path: Path) -> None:
    async with started(nats_server.url, tmp_path) as http:
        for version in ("1", "2", "3"):
            async with http.post("/api/v1/agents", json=AGENT | {"version": version}) as created:
                assert created.status == 201
            async with http.get("/api/v1/agents") as listed:
                assert len(await listed.json()) == int(version)


@pytest.mark.nats
async def test_on_nats_executors_and_their_tools_are_heard_of(
    nats_server: NatsServer, tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also that a tool is gone with the last executor that could call it."""
    monkeypatch.setattr(executors, "SILENCE_S", 0.2)
    async with (
        started(nats_server.url, tmp_path) as http,
        connect(nats_server.url, name="executor") as executor,
    ):

        async def ready() -> bool:
            await say_alive(executor)
            async with http.get("/health/ready") as answer, http.get("/api/v1/tools") as tools:
                told = Readiness.model_validate(await answer.json())
                return "executor" not in told.problems and [
                    one["function"]["name"] for one in await tools.json()
                ] == ["noop"]

        await publish(executor, [TOOL, TOOL.model_copy(update={"name": "gone"})])
        assert await eventually(ready)


@pytest.mark.nats
async def test_a_write_while_nats_is_away_lands_when_it_is_back(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async with started(nats_server.url, tmp_path) as http:
        await nats_server.kill()
        async with http.get("/health/ready") as answer:
            told = await answer.json()
        assert (answer.status, told["projectorLag"]) == (503, None)
        assert "NATS_URL" in told["problems"]["nats"]
        writing = asyncio.ensure_future(http.post("/api/v1/agents", json=AGENT))
        await nats_server.start()
        async with await writing as answer:
            assert answer.status == 201
        async with http.get("/api/v1/agents") as listed:
            assert [row["name"] for row in await listed.json()] == ["A"]


@pytest.mark.nats
async def test_with_a_deleted_log_it_is_not_ready_and_refuses_and_says_so(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async with started(nats_server.url, tmp_path) as http, connect(nats_server.url, name="test") as operator:
        await operator.api("STREAM.DELETE.LOG")
        async with http.get("/health/ready") as answer:
            told = await answer.json()
        async with http.post("/api/v1/agents", json=AGENT) as refused:
            assert refused.status == 503
            assert "the stream LOG does not exist" in (await refused.json())["error"]
    assert answer.status == 503
    assert told["nats"] == told["problems"]["nats"]
    assert told["nats"].startswith("the stream LOG does not exist: it was deleted. ")


@pytest.mark.nats
async def test_with_a_full_log_it_is_not_ready_and_refuses_at_once(
    tmp_path: Path, eventually: Eventually
) -> None:
    class Full(NatsServer):
        def _configuration(self) -> str:
            return super()._configuration().replace(NO_LIMIT, "1KB")

    async with running(Full(tmp_path / "nats")) as server, started(server.url, tmp_path) as http:
        status, version = 201, 0
        while status == 201:
            version += 1
            async with http.post("/api/v1/agents", json=AGENT | {"version": str(version)}) as created:
                refused, status = await created.json(), created.status
        assert status == 503
        assert "insufficient resources" in refused["error"]
        assert created.headers["Retry-After"]

        async def tells_why() -> bool:
            async with http.get("/health/ready") as answer:
                problems = (await answer.json())["problems"]
                return answer.status == 503 and "insufficient resources" in problems["nats"]

        await eventually(tells_why)


async def test_a_request_that_is_being_answered_when_the_gateway_stops_is_answered(
    start_gateway: StartGateway, eventually: Eventually
) -> None:
    api = await start_gateway(grace_s=10)
    async with api.gateway.agents_lock:
        asking = asyncio.create_task(api.post("/api/v1/agents", AGENT))
        await eventually(lambda: _waits(api.gateway.agents_lock))
        stopping = asyncio.ensure_future(api.stop())
        await eventually(lambda: _refuses(api))
    assert (await asking).status == 201
    await stopping


async def test_a_worker_that_dies_takes_the_gateway_down() -> None:
    async def lives() -> None:
        await asyncio.Event().wait()

    async def dies() -> None:
        raise RuntimeError("no more")

    async with kept_running(lives, dies) as failure:
        with pytest.raises(RuntimeError, match="no more"):
            await failure()


async def say_alive(connection: Connection) -> None:
    alive = ExecutorAlive(instance="e", capacity=1, tools=("noop",))
    await connection.publish(subjects.EXECUTOR_ALIVE, alive.model_dump_json().encode())


def _waits(lock: asyncio.Lock) -> bool:
    return any(not waiter.done() for waiter in lock._waiters or ())


async def _refuses(api: Api) -> bool:
    """Whether no new connection is taken any more."""
    try:
        _, writer = await asyncio.open_connection(api.url.host, api.url.port)
    except ConnectionError:
        return True
    writer.close()
    await writer.wait_closed()
    return False
