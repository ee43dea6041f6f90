"""Keys with two gateways on one NATS: what is revoked through one is refused by the other."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from contracts.core.scopes import Scope
from contracts.domain import key
from contracts.domain.key import KEY
from contracts.domain.registry import CODEC
from contracts.runtime import snapshot
from contracts.runtime.continuity import LogRegressed
from contracts.runtime.nats.connection import connect
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.process.service import Worker
from contracts.runtime.stream import Origin, Stream
from contracts.runtime.topology import ensure_topology
from contracts.runtime.wire import Format
from deploy.local.nats_server import NatsServer
from gateway import service
from gateway.access import freshness
from gateway.service import kept_running
from gateway.settings import GatewaySettings
from tests.services.gateway.access.conftest import SECRET, bearer
from tests.services.gateway.watching import Watcher
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.conftest import Eventually

pytestmark = pytest.mark.nats

ADMIN = bearer(key.text_of(key.key_id("root"), SECRET))
CI = bearer(key.text_of(key.key_id("ci"), SECRET))
CI_PATH = f"/api/v1/keys/{key.key_id('ci')}"
TOOLS = "/api/v1/tools"


@dataclass
class Relay:
    """A TCP relay to NATS. While it holds, connections stay open and nothing passes."""

    target: int
    port: int = 0
    passing: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[Relay]:
        self.passing.set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.passing.set()
            server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer))

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self.passing.wait()
            sink.write(data)
        sink.close()


@dataclass
class Process:
    """A gateway as its process builds it, and a client of it."""

    client: ClientSession
    worker: Worker
    """Fails if the process would end."""

    async def status(self, header: dict[str, str]) -> int:
        """What it answers to a key."""
        async with self.client.get(TOOLS, headers=header) as answer:
            return answer.status


@asynccontextmanager
async def gateway(url: str, folder: Path) -> AsyncGenerator[Process]:
    given: dict[str, Any] = {"nats_url": url, "data_dir": folder, "port": 0, "grace_s": 0.2, "auth": "keys"}
    async with AsyncExitStack() as stack:
        with capture_logs() as logs:
            running = await stack.enter_async_context(
                service.build(GatewaySettings(_env_file=None, metrics_port=0, **given))
            )
        worker = await stack.enter_async_context(kept_running(*running.workers))
        (port,) = [line["port"] for line in logs if line["event"] == "listening"]
        client = await stack.enter_async_context(ClientSession(f"http://127.0.0.1:{port}"))
        yield Process(client, worker)


async def add_key(log: NatsLog, name: str, scope: Scope) -> None:
    stream = await Stream.open(log, KEY, key.key_id(name), Origin("/gateway/1"))
    await stream.append([key.Created(name=name, scopes=(scope,), secret_sha256=key.hashed(SECRET))])


@dataclass
class Two:
    """Two gateways; the second one reaches NATS through `relay`."""

    first: Process
    second: Process
    relay: Relay

    async def status(self, header: dict[str, str]) -> int:
        """What the second gateway answers to a key."""
        return await self.second.status(header)

    async def change(self, method: str, path: str = "") -> Any:
        """Change the key `ci` through the first gateway."""
        body: dict[str, str] | None = {} if method == "POST" else None
        async with self.first.client.request(method, CI_PATH + path, headers=ADMIN, json=body) as answer:
            assert answer.ok
            return await answer.json() if method == "POST" else None

    @asynccontextmanager
    async def stream(self) -> AsyncGenerator[Watcher]:
        """A stream of the key `ci` from the second gateway."""
        async with self.second.client.get("/api/v1/events?after=0", headers=CI) as response:
            watcher = Watcher(response)
            await watcher.next()
            yield watcher


@pytest.fixture
async def two(nats_server: NatsServer, tmp_path: Path) -> AsyncGenerator[Two]:
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connect(nats_server.url, name="test"))
        await ensure_topology(connection)
        log = NatsLog(connection, Format(CODEC, NatsBlobs(connection)))
        for name, scope in {"root": Scope.ADMIN, "ci": Scope.RUN}.items():
            await add_key(log, name, scope)
        relay = await stack.enter_async_context(Relay(nats_server.port).serving())
        relayed = nats_server.url.replace(f":{nats_server.port}", f":{relay.port}")
        first = await stack.enter_async_context(gateway(nats_server.url, tmp_path / "first"))
        second = await stack.enter_async_context(gateway(relayed, tmp_path / "second"))
        yield Two(first, second, relay)


async def test_a_key_that_one_gateway_revoked_is_refused_by_the_other_and_its_streams_end(
    two: Two, eventually: Eventually
) -> None:
    async with two.stream() as stream:
        await two.change("DELETE")

        async def refused() -> bool:
            return await two.status(CI) == 401

        await eventually(refused)
        assert await stream.broken()
    assert await two.status(ADMIN) == 200


async def test_a_secret_that_one_gateway_replaced_is_refused_by_the_other_and_its_streams_end(
    two: Two, eventually: Eventually
) -> None:
    async with two.stream() as stream:
        rotated = bearer((await two.change("POST", "/rotate"))["key"])

        async def refused() -> bool:
            return await two.status(CI) == 401

        await eventually(refused)
        assert await stream.broken()
    assert await two.status(rotated) == 200


@pytest.mark.parametrize("usable", [True, False])
async def test_a_key_that_was_revoked_since_the_snapshot_is_refused_from_the_first_request_on(
    nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, usable: bool
) -> None:
    """The same without a snapshot, where DATA_DIR cannot be written."""
    monkeypatch.setattr(snapshot, "COMMITS", 1)
    path = tmp_path / "gateway.snapshot"
    if not usable:
        path.mkdir()
    async with connect(nats_server.url, name="test") as connection:
        await ensure_topology(connection)
        log = NatsLog(connection, Format(CODEC, NatsBlobs(connection)))
        await add_key(log, "root", Scope.ADMIN)
        await add_key(log, "ci", Scope.RUN)
        async with gateway(nats_server.url, tmp_path) as first:
            assert await first.status(CI) == 200
        assert path.is_file() == usable
        await (await Stream.open(log, KEY, key.key_id("ci"), Origin("/gateway/1"))).append([key.Revoked()])
        async with gateway(nats_server.url, tmp_path) as second:
            assert await second.status(CI) == 401
            assert await second.status(ADMIN) == 200


async def test_a_gateway_that_is_cut_off_from_the_log_accepts_no_key_for_long(
    two: Two, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot know of the revocation, so it calls the key neither valid nor invalid. Health answers."""
    async with two.stream() as stream:
        two.relay.passing.clear()
        await two.change("DELETE")
        assert await two.status(CI) == 200
        monkeypatch.setattr(freshness, "MAX_AGE_S", 0.0)

        async def unsure() -> bool:
            return await two.status(CI) == 503

        await eventually(unsure)
        assert await stream.broken()
    async with two.second.client.get("/health", headers=CI) as answer:
        assert answer.status == 200
    async with two.second.client.get(TOOLS, headers=CI) as answer:
        assert int(answer.headers["retry-after"]) > 0
        assert "which keys were revoked" in (await answer.json())["error"]
    monkeypatch.undo()
    two.relay.passing.set()

    async def certain() -> bool:
        return (await two.status(ADMIN), await two.status(CI)) == (200, 401)

    await eventually(certain)


@pytest.mark.parametrize("accepted", [False, True])
async def test_a_gateway_that_knows_keys_which_the_log_has_lost_ends_and_starts_without_them(
    nats_server: NatsServer, tmp_path: Path, accepted: bool
) -> None:
    """Also if an operator has accepted the loss before the gateway is connected again."""
    copy = tmp_path / "copy"
    store = nats_server.directory / "jetstream"
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(connect(nats_server.url, name="test"))
        await ensure_topology(connection)
        log = NatsLog(connection, Format(CODEC, NatsBlobs(connection)))
        await add_key(log, "root", Scope.ADMIN)
        await nats_server.stop()
        shutil.copytree(store, copy)
        await nats_server.start()
        await add_key(log, "ci", Scope.RUN)
        relay = await stack.enter_async_context(Relay(nats_server.port).serving())
        relayed = nats_server.url.replace(f":{nats_server.port}", f":{relay.port}")
        running = await stack.enter_async_context(gateway(relayed, tmp_path / "data"))
        assert (await running.status(ADMIN), await running.status(CI)) == (200, 200)
        relay.passing.clear()
        await nats_server.stop()
        shutil.rmtree(store)
        shutil.copytree(copy, store)
        await nats_server.start()
        if accepted:
            other = NatsLog(connection, log.format)
            await other.accept()
            for n in range(3):
                await add_key(other, f"later-{n}", Scope.READ)
        relay.passing.set()
        with pytest.raises(LogRegressed):
            await asyncio.wait_for(running.worker(), WAIT_S)
        again = await stack.enter_async_context(gateway(relayed, tmp_path / "data"))
        assert (await again.status(ADMIN), await again.status(CI)) == (200, 401)
