"""Those who watch an execution: slow, old-fashioned, many, and left by a gateway that stops."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY

from contracts.domain import run
from contracts.runtime.log import Unavailable
from gateway.api.executions.dialect import EXECUTIONS
from gateway.streams.sse import HttpClient
from tests.services.gateway.executions.streams import (
    Microphone,
    beat_fast,
    history,
    watching,
    write,
    write_all,
)
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway


async def test_a_client_that_does_not_read_is_cut_off_and_others_are_not(api: Api, eventually: Any) -> None:
    requested, started, *_ = history()
    await write_all(api, [requested, started])
    with deaf_client(api) as deaf:
        async with watching(api) as client:
            await client.next()
            await eventually(lambda: api.gateway.feeds._watched[EXECUTIONS, "e1"].clients == 2)
            big = await api.blobs.store_if_large("x" * 3_000_000)
            for _ in range(4):
                await write(api, run.StepCompleted(step="001", result=big))
                await client.until("execution.updated")
            await eventually(lambda: api.gateway.feeds._watched[EXECUTIONS, "e1"].clients == 1)
        assert deaf.recv(1)


@contextmanager
def deaf_client(api: Api, query: bytes = b"") -> Iterator[socket.socket]:
    """A client that asks for the stream and never reads it."""
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((api.url.host, api.url.port))
        deaf.sendall(b"GET /api/v1/dag-executions/e1/events%s HTTP/1.1\r\nHost: test\r\n\r\n" % query)
        yield deaf


async def test_a_client_that_does_not_read_the_past_is_cut_off(
    api: Api, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    monkeypatch.setattr("gateway.streams.sse.WRITE_S", 0.01)
    await write_all(api, history(4, result=(await api.blobs.put_json("x" * 3_000_000)).as_json()))

    with deaf_client(api, b"?lastEventId=0"):
        await eventually(lambda: api.gateway.feeds._watched)
        await eventually(lambda: not api.gateway.feeds._watched)


async def test_many_clients_that_do_not_read_use_little_memory_each(
    api: Api, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """The buffer of each is far smaller than one event of 8 MB. The kernel may take 3 MB of it."""
    transports: list[Any] = []
    opening = HttpClient.open

    async def noted(self: HttpClient) -> None:
        transports.append(self._request.transport)
        await opening(self)

    monkeypatch.setattr(HttpClient, "open", noted)
    await write_all(api, history(4, result=(await api.blobs.put_json("x" * 8_000_000)).as_json()))
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(deaf_client(api, b"?lastEventId=0"))
        await eventually(lambda: len(transports) == 10 and all(map(unread, transports)))
        assert max(map(unread, transports)) < 300_000


def unread(transport: Any) -> int:
    size: int = transport.get_write_buffer_size()
    return size


async def test_a_stream_too_many_is_refused_and_has_room_when_another_ends(
    start_gateway: StartGateway, eventually: Any
) -> None:
    api = await start_gateway(max_streams=2)
    beat_fast(api)
    await write_all(api, history())
    before = followed()
    async with watching(api) as one, watching(api) as two:
        await one.next()
        await two.next()
        assert followed() == before + 2
        refused = await api.get("/api/v1/dag-executions/e1/events")
        assert refused.status == 503
        assert "MAX_STREAMS" in refused.json["error"]
        assert refused.headers["retry-after"] == "1"
    await eventually(lambda: not api.gateway.stream_limit.open)
    await eventually(lambda: followed() == before)
    async with watching(api) as again:
        await again.next()


def followed() -> float:
    """How many clients follow streams."""
    return REGISTRY.get_sample_value("gateway_stream_clients") or 0


async def test_a_long_past_is_sent_in_parts_and_whole(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.streams.feed.REPLAY_BYTES", 500)
    await write_all(api, history(12))
    async with watching(api, Last_Event_ID="0") as client:
        told = await client.until("execution.completed")
    assert [one.data["subStepId"] for one in told if one.event == "substep.completed"][:11] == [
        f"{n:03}" for n in range(1, 12)
    ]


async def test_a_proxy_that_speaks_http_1_0_is_sent_plain_frames(api: Api) -> None:
    requested, started, *_ = history()
    await write(api, *requested)
    reader, writer = await asyncio.open_connection(api.url.host, api.url.port)
    writer.write(b"GET /api/v1/dag-executions/e1/events HTTP/1.0\r\n\r\n")

    async with asyncio.timeout(WAIT_S):
        await reader.readuntil(b"\r\n\r\n")
        opening = await reader.readuntil(b"\n\n")
        await write(api, *started)
        told = await reader.readuntil(b"\n\n")
    writer.close()
    await writer.wait_closed()

    assert opening.startswith(b"id: 1\nevent: execution.updated\n")
    assert told.startswith(b"event: execution.started\n")


async def test_all_clients_share_one_feed_that_ends_with_the_last(api: Api, eventually: Any) -> None:
    live = Microphone()
    beat_fast(api, live)
    await write(api, *history()[0])
    async with watching(api) as one, watching(api) as two:
        await one.next()
        await two.next()
        assert api.gateway.feeds._watched[EXECUTIONS, "e1"].clients == 2
        assert list(live.listeners) == ["e1"]

    await eventually(lambda: not live.listeners)
    assert not api.gateway.feeds._watched
    assert not api.gateway.hub._listeners


async def test_a_stream_that_cannot_go_on_ends_and_can_be_resumed(api: Api) -> None:
    requested, started, *_ = history()
    await write_all(api, [requested, started])
    large = await api.blobs.store_if_large("x" * 100_000)
    async with watching(api) as client:
        position = (await client.next()).id
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(api.blobs, "get", unreachable)
            await write(api, run.StepCompleted(step="001", result=large))
            assert await client.ended()

    async with watching(api, Last_Event_ID=str(position)) as client:
        await client.next()
        assert (await client.next()).event == "substep.completed"


async def unreachable(*_: Any) -> bytes:
    raise Unavailable("the object store is away")


async def test_a_stopping_gateway_ends_its_streams(api: Api) -> None:
    await write(api, *history()[0])
    async with watching(api) as client:
        await client.next()
        api.gateway.feeds.close()

        assert await client.ended()
