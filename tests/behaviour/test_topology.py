"""What we find at the other end of NATS_URL, and what we refuse to run on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from nats.aio.client import ServerVersion

from contracts.runtime.nats.address import Unreachable
from contracts.runtime.nats.connection import Connection, connect
from contracts.runtime.nats.stream_state import halt
from contracts.runtime.permissions import OPERATOR
from contracts.runtime.topology import WrongServer, WrongStream, allow_batches, ensure_topology
from deploy.local.nats_server import NatsServer
from tests.shared_nats import SharedNats

if TYPE_CHECKING:
    from tests.conftest import Eventually

pytestmark = pytest.mark.nats


@pytest.fixture
def nats_url(any_nats: SharedNats) -> str:
    """A NATS without any stream."""
    any_nats.remove_streams()
    return any_nats.url


async def test_five_services_may_start_at_once(nats_url: str) -> None:
    async with AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(connect(nats_url, name=f"service-{n}")) for n in range(5)
        ]
        replicas = await asyncio.gather(*(ensure_topology(connection) for connection in connections))
        assert replicas == [1] * 5
        names = (await connections[0].api("STREAM.NAMES"))["streams"]
        assert {"LOG", "PARKED", "REPLAY", "OBJ_blobs", "KV_tools"} <= set(names)


async def test_a_log_that_an_operator_has_compressed_stays_compressed(nats_url: str) -> None:
    async with connect(nats_url, name="test") as connection:
        await ensure_topology(connection)
        config = (await connection.api("STREAM.INFO.LOG"))["config"]
        assert config["compression"] == "none"
        await connection.api("STREAM.UPDATE.LOG", config | {"compression": "s2"})
        await ensure_topology(connection)
        assert (await connection.api("STREAM.INFO.LOG"))["config"]["compression"] == "s2"


@pytest.fixture
async def operator(shared_server: SharedNats) -> AsyncGenerator[Connection]:
    """The operator of a server whose log is of an earlier version."""
    shared_server.empty()
    async with connect(shared_server.url, name="test") as connection:
        await ensure_topology(connection)
        config = (await connection.api("STREAM.INFO.LOG"))["config"]
        await connection.api("STREAM.UPDATE.LOG", config | {"allow_atomic": False})
        yield connection


@pytest.mark.parametrize(("user", "allowed"), [(OPERATOR, True), ("executor", False)])
async def test_a_user_that_may_change_the_log_lets_it_take_batches_and_another_one_leaves_it(
    shared_server: SharedNats, operator: Connection, user: str, allowed: bool
) -> None:
    config = (await operator.api("STREAM.INFO.LOG"))["config"]
    async with connect(shared_server.url_for(user), name=f"{user}/test") as connection:
        await allow_batches(connection)
    changed = (await operator.api("STREAM.INFO.LOG"))["config"]
    assert changed.pop("allow_atomic", False) is allowed
    # The server notes in the metadata which version of it the configuration needs.
    assert changed | {"metadata": None} == config | {"metadata": None}


async def test_a_halted_log_stays_as_it_is(operator: Connection) -> None:
    await halt(operator, "LOG", "it is shorter than it was")
    halted = (await operator.api("STREAM.INFO.LOG"))["config"]
    await allow_batches(operator)
    assert (await operator.api("STREAM.INFO.LOG"))["config"] == halted


@pytest.mark.parametrize(
    "change",
    [
        {"storage": "memory"},
        {"retention": "workqueue"},
        {"subjects": ["evt.run.>"]},
        {"allow_direct": False},
        {"max_age": 3_600_000_000_000},
        {"max_msgs": 1000},
        {"max_msgs_per_subject": 1},
        {"duplicate_window": 1_000_000_000},
    ],
    ids="".join,
)
async def test_a_stream_that_could_lose_commits_is_refused(nats_url: str, change: dict[str, Any]) -> None:
    """The message names the stream and what is wrong with it."""
    config = {"name": "LOG", "subjects": ["evt.>"], "storage": "file", "allow_direct": True}
    async with connect(nats_url, name="test") as connection:
        await connection.api("STREAM.CREATE.LOG", config | change)
        with pytest.raises(WrongStream, match=f"LOG: {next(iter(change))}"):
            await ensure_topology(connection)


async def test_a_stream_with_more_replicas_than_servers_is_refused(nats_url: str) -> None:
    async with connect(nats_url, name="test") as connection:
        with pytest.raises(WrongServer, match="NATS_REPLICAS"):
            await ensure_topology(connection, replicas=3)


async def test_an_old_server_is_refused(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(connection.nc), "connected_server_version", ServerVersion("2.10.29"))
    with pytest.raises(WrongServer, match=r"2\.10\.29.*Upgrade"):
        await ensure_topology(connection)


async def test_a_server_without_jetstream_is_refused(
    nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await nats_server.stop()
    monkeypatch.setattr(nats_server, "_configuration", lambda: f'listen: "127.0.0.1:{nats_server.port}"')
    await nats_server.start()
    async with connect(nats_server.url, name="test") as connection:
        with pytest.raises(WrongServer, match="-js"):
            await ensure_topology(connection, wait_s=0.1)


async def test_without_a_server_the_error_says_what_to_do(nats_server: NatsServer) -> None:
    """And keeps the password to itself."""
    await nats_server.stop()
    url = f"nats://someone:secret@127.0.0.1:{nats_server.port}"
    with pytest.raises(Unreachable, match=f"127.0.0.1:{nats_server.port} .*NATS_URL") as raised:
        async with connect(url, name="test", wait_s=0.1):
            pass
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", ["", "nats://", "nats://host:nonsense", "nats://host:99999"])
async def test_an_invalid_address_is_refused(url: str) -> None:
    with pytest.raises(Unreachable, match="NATS_URL is not a valid URL"):
        async with connect(url, name="test", wait_s=0.1):
            pass


async def test_a_service_may_start_before_nats(nats_server: NatsServer, eventually: Eventually) -> None:
    await nats_server.stop()

    async def use() -> int:
        async with connect(nats_server.url, name="early") as connection:
            return await ensure_topology(connection)

    using = asyncio.create_task(use())
    await nats_server.start()
    assert await using == 1
