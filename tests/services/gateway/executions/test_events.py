"""What those who watch an execution over HTTP are told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from contracts.core.subjects import live_run
from contracts.domain import run
from contracts.runtime.nats.connection import Connection
from gateway.streams.feeds import Feeds, NatsLive
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
    from tests.services.conftest import Api

# ── what is told ────────────────────────────────────────────────────────────────────────────────────────


async def test_the_first_frame_has_the_current_status(api: Api) -> None:
    *_, seq = await write_all(api, history()[:3])

    async with watching(api) as client:
        first = await client.next()

    assert (first.id, first.event) == (seq, "execution.updated")
    assert first.data.pop("timestamp") > 1_700_000_000_000
    assert first.data == {
        "type": "execution.updated",
        "executionId": "e1",
        "status": "suspended",
        "completedTasks": 0,
        "failedTasks": 1,
        "waitingTasks": 0,
    }


async def test_a_stream_has_the_events_of_a_run_from_start_to_end(api: Api) -> None:
    requested, *commits = history()
    await write(api, *requested)

    async with watching(api) as client:
        await client.next()
        seqs = await write_all(api, commits)
        told = await client.until("execution.completed")

    assert [frame.event for frame in told] == [
        "execution.started",
        "substep.started",
        "substep.failed",
        "execution.updated",
        "execution.suspended",
        "execution.resumed",
        "execution.updated",
        "substep.started",
        "substep.completed",
        "execution.updated",
        "substep.started",
        "substep.completed",
        "execution.updated",
        "substep.completed",
        "execution.completed",
    ]
    completed = told[8].data
    assert (completed["subStepId"], completed["taskId"], completed["durationMs"]) == ("001", 1, 1)
    assert completed["result"] == '{"n":1}'
    assert told[11].data["result"] == "done"
    assert (told[9].data["completedTasks"], told[9].data["failedTasks"]) == (1, 0)
    assert told[-1].data["finalResult"] == "the report"
    assert [frame.id for frame in told if frame.id] == seqs


async def test_an_answer_that_was_cut_short_is_told_as_such(api: Api) -> None:
    for events in history()[:2]:
        await write(api, *events)
    async with watching(api) as client:
        await client.next()
        await write(api, run.StepCompleted(step="001", result="Once upon", finish_reason="length"))
        (*_, completed) = await client.until("substep.completed")
    assert completed.data["finishReason"] == "length"


async def test_only_the_last_event_of_a_commit_has_its_id(api: Api) -> None:
    """Who is cut off in the middle of a commit gets the whole of it again."""
    requested, started, *_ = history()
    await write(api, *requested)

    async with watching(api) as client:
        await client.next()
        seq = await write(api, *started)
        assert [(await client.next()).id for _ in range(2)] == [None, seq]


async def test_the_stream_has_the_headers_browsers_and_proxies_need(api: Api) -> None:
    await write(api, *history()[0])

    async with watching(api, Origin="http://localhost:5173") as client:
        headers = client.headers

    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["Access-Control-Allow-Origin"] == "http://localhost:5173"


async def test_large_results_are_fetched_once_for_all_clients(api: Api) -> None:
    requested, started, *_ = history()
    await write_all(api, [requested, started])
    kept = await api.blobs.store_if_large("x" * 100_000)
    with counted_fetches(api) as fetched:
        async with watching(api) as one, watching(api) as two:
            await one.next()
            await two.next()
            await write(api, run.StepCompleted(step="001", result=kept))

            assert (await one.next()).data["result"] == (await two.next()).data["result"] == "x" * 100_000
    assert fetched == [kept["$blob"]]


@contextmanager
def counted_fetches(api: Api) -> Iterator[list[str]]:
    fetched: list[str] = []
    get = api.blobs.get

    async def counting(ref: Any) -> bytes:
        fetched.append(ref.blob)
        data: bytes = await get(ref)
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api.blobs, "get", counting)
        yield fetched


async def test_a_deleted_execution_ends_its_streams(api: Api) -> None:
    await write(api, *history()[0])

    async with watching(api) as client:
        await client.next()
        await write(api, run.Cancelled(reason="deleted"), run.Deleted())

        assert [(await client.next()).event for _ in range(2)] == ["execution.failed", "execution.deleted"]
        assert await client.ended()


async def test_a_stream_stays_open_after_the_end(api: Api) -> None:
    beat_fast(api)
    *commits, last = history()
    await write_all(api, commits)

    async with watching(api) as client:
        await client.next()
        await write(api, *last)
        await client.until("execution.completed")

        heartbeat = (await client.until("heartbeat"))[-1]

    assert heartbeat.id is None
    assert set(heartbeat.data) == {"type", "executionId", "timestamp"}


async def test_a_client_that_connects_after_the_end_receives_the_end(api: Api) -> None:
    *_, last = await write_all(api, history())

    async with watching(api) as client:
        snapshot, ending = await client.next(), await client.next()

    assert (snapshot.event, snapshot.data["status"]) == ("execution.updated", "completed")
    assert (ending.id, ending.event, ending.data["finalResult"]) == (
        last,
        "execution.completed",
        "the report",
    )


async def test_a_stream_can_be_asked_for_by_head(api: Api) -> None:
    await write(api, *history()[0])

    answer = await api.call("HEAD", "/api/v1/dag-executions/e1/events")

    assert (answer.status, answer.body) == (200, b"")


# ── what is not in the log ──────────────────────────────────────────────────────────────────────────────


async def test_the_progress_of_tools_is_told_live_and_is_not_repeated(api: Api) -> None:
    gateway, live = api.gateway, Microphone()
    gateway.feeds = Feeds(gateway.hub, gateway.log, gateway.blobs, gateway.clock, live)
    requested, started, *rest = history()
    await write(api, *requested)
    seq = await write(api, *started)

    async with watching(api) as client:
        await client.next()
        for payload in (b"no json", b"[]", b'{"kind":"odd"}', *tool_messages()):
            live.listeners["e1"](payload)
        told = [await client.next() for _ in range(2)]
        async with watching(api, Last_Event_ID=str(seq)) as second:
            await second.next()
            await write(api, *rest[0])
            assert (await second.next()).event == "substep.failed"

    assert [(frame.id, frame.event) for frame in told] == [(None, "tool.progress"), (None, "tool.completed")]
    assert told[0].data.pop("timestamp") > 0
    assert told[0].data == {
        "type": "tool.progress",
        "executionId": "e1",
        "toolName": "fetchPage",
        "message": "fetching",
        "subStepId": "001",
        "taskId": 1,
    }


def tool_messages() -> list[bytes]:
    return [
        orjson.dumps({"kind": kind, "tool": "fetchPage", "message": "fetching", "step": "001"})
        for kind in ("progress", "completed")
    ]


@pytest.mark.nats
async def test_progress_on_nats_is_heard_while_somebody_watches(connection: Connection) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    async with NatsLive(connection).listening("e1", heard.put_nowait):
        await connection.nc.flush()
        await connection.publish(live_run("other"), b"not this")
        await connection.publish(live_run("e1"), b"this")
        async with asyncio.timeout(WAIT_S):
            assert await heard.get() == b"this"
