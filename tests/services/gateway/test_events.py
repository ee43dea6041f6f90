"""Watching the whole log over HTTP: whenever a client comes, goes and comes back, it misses nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from contracts.domain import dag
from contracts.domain.agent import AGENT
from contracts.domain.dag import DAG
from contracts.runtime.stream import Origin, Stream
from tests.any_source import CODEC
from tests.services.gateway.log_writing import ATTEMPT, CREATED, REJECTED, REQUESTED, write, write_all
from tests.services.gateway.watching import StreamEvent, Watcher, watching_path
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.services.conftest import Api

EVENTS = "/api/v1/events"


@asynccontextmanager
async def watching(api: Api, query: str = "", **headers: str) -> AsyncGenerator[Watcher]:
    """A client that has been told where the log is."""
    async with watching_path(api, f"{EVENTS}{query}", **headers) as client:
        assert client.status == 200
        yield client


def briefly(told: Sequence[StreamEvent]) -> list[tuple[int | None, str, str]]:
    return [(one.id, one.event, one.data["subject"]) for one in told]


EVERYTHING = [
    (1, "dag.requested", "d1"),
    (2, "agent.created", "a1"),
    (3, "dag.requested", "d2"),
    (None, "dag.attempt_made", "d1"),
    (4, "dag.rejected", "d1"),
]


# ── sent events ─────────────────────────────────────────────────────────────────────────────────────────


async def test_the_first_frame_has_the_position_of_the_log(api: Api) -> None:
    await write_all(api.log)
    async with watching(api) as client:
        first = await client.next()
        assert (first.id, first.event) == (4, "heartbeat")
        assert first.data["timestamp"] > 1_700_000_000_000
        assert client.headers["Content-Type"] == "text/event-stream"
        assert client.headers["Cache-Control"] == "no-cache"


async def test_new_events_are_sent_as_they_are_in_the_log(api: Api) -> None:
    await write(api.log, DAG, "d0", REQUESTED)
    async with watching(api) as client:
        await client.next()
        await write(api.log, DAG, "d1", REQUESTED)
        (told,) = await client.some(1)
    (recorded,) = await api.log.read("dag", "d1")
    assert (told.id, told.event) == (2, "dag.requested")
    assert [told.data] == orjson.loads(CODEC.encode(recorded.commit))


async def test_the_events_of_one_actor_can_be_asked_for(api: Api) -> None:
    for number, actor in enumerate(("key:ci", "key:other", None, "key:ci")):
        stream = await Stream.open(api.log, DAG, f"d{number}", Origin("/test/1", actor=actor))
        await stream.append([REQUESTED])
    async with watching(api, "?after=0&actor=key:ci") as client:
        await client.next()
        told = await client.some(2)
        assert briefly(told) == [(1, "dag.requested", "d0"), (4, "dag.requested", "d3")]
        assert {one.data["actor"] for one in told} == {"key:ci"}


async def test_a_stream_of_the_past_ends_after_it(api: Api) -> None:
    await write_all(api.log)
    async with watching(api, "?after=0&follow=false") as client:
        await client.next()
        assert briefly(await client.some(5)) == EVERYTHING
        assert await client.ended()


async def test_events_of_a_request_without_a_key_have_the_actor_anonymous(api: Api) -> None:
    answer = await api.post("/api/v1/goals", {"objective": "tidy up the shed"})
    (recorded,) = await api.log.read("goal", answer.json["id"])
    assert recorded.commit.actor == "anonymous"


async def test_the_last_event_of_a_commit_has_the_id(api: Api) -> None:
    """So that a client that is cut off in between gets all of them again."""
    async with watching(api) as client:
        await client.next()
        await write(api.log, DAG, "d1", REQUESTED, ATTEMPT, REJECTED)
        assert [one.id for one in await client.some(3)] == [None, None, 1]


async def test_past_events_are_sent_on_request_and_new_ones_after_them(api: Api) -> None:
    await write_all(api.log)
    async with watching(api, "?after=0") as client:
        assert (await client.next()).id == 0
        assert briefly(await client.some(5)) == EVERYTHING
        await write(api.log, DAG, "d3", REQUESTED)
        assert briefly(await client.some(1)) == [(5, "dag.requested", "d3")]


@pytest.mark.parametrize("position", [0, 1, 2, 3, 4])
async def test_a_client_that_comes_back_goes_on_after_its_last_event(api: Api, position: int) -> None:
    await write_all(api.log)
    rest = [one for one in EVERYTHING if (one[0] or 4) > position]
    async with watching(api, "?after=0", Last_Event_ID=str(position)) as client:
        await client.next()
        assert briefly(await client.some(len(rest))) == rest
        await write(api.log, AGENT, "a2", CREATED)
        assert briefly(await client.some(1)) == [(5, "agent.created", "a2")]


async def test_a_position_that_is_not_there_yet_is_that_of_the_newest_event(api: Api) -> None:
    await write_all(api.log)
    async with watching(api, "?after=1000") as client:
        assert (await client.next()).id == 4
        await write(api.log, DAG, "d3", REQUESTED)
        assert briefly(await client.some(1)) == [(5, "dag.requested", "d3")]


async def test_nothing_is_missed_and_nothing_sent_twice_while_much_is_written(api: Api) -> None:
    """Clients that come at any time, from any position."""
    for n in range(10):
        await write(api.log, DAG, f"d{n}", REQUESTED)

    async def watch(after: int) -> list[int | None]:
        async with watching(api, f"?after={after}") as client:
            await client.next()
            return [one.id for one in await client.some(60 - after)]

    async def write_more() -> None:
        for n in range(10, 60):
            await write(api.log, DAG, f"d{n}", REQUESTED)

    came, _ = await asyncio.gather(asyncio.gather(*map(watch, range(0, 10, 2))), write_more())
    assert came == [list(range(after + 1, 61)) for after in range(0, 10, 2)]


# ── filters ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("aggregate=agent", [2]),
        ("aggregate=agent,dag", [1, 2, 3, None, 4]),
        ("aggregate=agent&aggregate=dag", [1, 2, 3, None, 4]),
        ("aggregate=goal", []),
        ("id=d1", [1, None, 4]),
        ("id=nobody", []),
        ("aggregate=agent&id=d1", []),
        ("type=dag.requested", [1, 3]),
        ("type=dag.attempt_made", [4]),
        ("type=dag.attempt_made,agent.created", [2, 4]),
        ("aggregate=dag&type=agent.created", []),
        ("id=d1&type=dag.rejected", [4]),
        ("aggregate=&type=", [1, 2, 3, None, 4]),
    ],
)
async def test_past_and_new_events_are_filtered(api: Api, query: str, wanted: list[int | None]) -> None:
    """The last wanted event of a commit has the id."""
    await write_all(api.log)
    async with watching(api, f"?after=0&{query}") as past, watching(api, f"?after=4&{query}") as present:
        await past.next()
        await present.next()
        assert [one.id for one in await past.some(len(wanted))] == wanted
        await write_all(api.log)
        later = [seq and seq + 4 for seq in wanted]
        for client in (past, present):
            assert [one.id for one in await client.some(len(wanted))] == later


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("aggregate=planet", "aggregate"),
        ("aggregate=dag,planet", "aggregate"),
        ("type=dag.requested,dag.eaten", "type"),
        ("type=run", "type"),
        ("id=a.b", "id"),
        ("id=%3E", "id"),
        ("after=-1", "after"),
        ("after=x", "after"),
        ("after=99999999999999999999", "after"),
    ],
)
async def test_an_invalid_filter_is_refused(api: Api, query: str, path: str) -> None:
    answer = await api.get(f"{EVENTS}?{query}")
    assert (answer.status, answer.json["error"]) == (400, "Invalid query parameters")
    assert {issue["path"][0] for issue in answer.json["validation_errors"]} == {path}


async def test_a_refusal_names_the_valid_values(api: Api) -> None:
    answer = await api.get(f"{EVENTS}?aggregate=planet")
    (issue,) = answer.json["validation_errors"]
    assert "'planet' is unknown; there are agent, budget, dag" in issue["message"]


# ── clients ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_heartbeats_have_the_position_for_clients_with_a_narrow_filter(api: Api) -> None:
    """So that it does not start over when it comes back."""
    api.gateway.log_feed._heartbeat_s = 0.01
    async with watching(api, "?aggregate=agent") as client:
        await client.next()
        seq = await write(api.log, DAG, "d1", REQUESTED)
        told = await client.next()
        while told.id != seq:
            assert (told.event, told.id) == ("heartbeat", 0)
            told = await client.next()


async def test_a_client_that_does_not_read_is_cut_off_and_others_are_not(api: Api, eventually: Any) -> None:
    feed = api.gateway.log_feed
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((api.url.host, api.url.port))
        deaf.sendall(f"GET {EVENTS} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        async with watching(api) as client:
            await client.next()
            await eventually(lambda: len(feed._clients) == 2)
            for n in range(24):
                big = dag.Requested(goal_text="x" * 400_000, agent_name="A")
                await write(api.log, DAG, f"d{n}", big)
                assert (await client.next()).id == n + 1
            await eventually(lambda: len(feed._clients) == 1)


async def test_everyone_shares_one_tail_of_the_log_which_ends_with_the_last(
    api: Api, eventually: Any
) -> None:
    async with watching(api) as one, watching(api, "?aggregate=dag") as two:
        await one.next()
        await two.next()
        await eventually(lambda: len(api.gateway.hub._general_listeners) == 2)
        await write(api.log, DAG, "d1", REQUESTED)
        assert (await one.next()).data == (await two.next()).data
    api.gateway.log_feed.close()
    await eventually(lambda: not api.gateway.hub._general_listeners)
    assert not api.gateway.log_feed._clients


async def test_a_stopping_gateway_ends_its_streams(api: Api) -> None:
    async with watching(api) as client:
        await client.next()
        await api.stop()
        assert await client.ended()


async def test_head_has_no_stream(api: Api) -> None:
    async with asyncio.timeout(WAIT_S):
        answer = await api.call("HEAD", EVENTS)
    assert (answer.status, answer.body) == (200, b"")
