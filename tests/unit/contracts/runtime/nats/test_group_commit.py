"""Which messages are sent together, and what becomes of those that wait."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import orjson
import pytest
from nats.aio.msg import Msg
from nats.js.errors import APIError

from contracts.runtime.nats import group_commit
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.group_commit import (
    MAX_BATCH,
    MAX_BATCH_BYTES,
    MIN_BATCH,
    NEARLY_IDLE,
    GroupCommit,
)
from contracts.runtime.nats.replies import Denied
from contracts.runtime.nats.retry import NoAnswer, NotSent

MANY = 100
LOCK = "Nats-Expected-Last-Subject-Sequence-Subject"


class Server:
    """A connection to a server that answers when it is told to. It takes batches."""

    interruptions = 0

    def __init__(self) -> None:
        self.sent: list[dict[str, str]] = []
        """The headers of each message."""
        self.asked: list[tuple[dict[str, str], asyncio.Future[dict[str, Any]]]] = []
        self.seq = 0

    async def publish(self, subject: str, payload: bytes, *, headers: dict[str, str]) -> None:
        self.sent.append(headers)

    async def request(
        self, subject: str, payload: bytes, headers: dict[str, str], *, timeout_s: float
    ) -> Msg:
        self.sent.append(headers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.asked.append((headers, answer))
        return Msg(_client=cast("Any", None), data=orjson.dumps(await answer))

    async def acknowledge(self, most: int = 1000, **changes: Any) -> None:
        """Answer the oldest requests, and let what follows from that happen."""
        self.answer(most, **changes)
        await settle()

    def answer(self, most: int = 1000, **changes: Any) -> None:
        """Answer the oldest requests."""
        answered, self.asked = self.asked[:most], self.asked[most:]
        for headers, answer in answered:
            count = int(headers.get("Nats-Batch-Sequence", 1))
            self.seq += count
            batch = {"batch": headers["Nats-Batch-Id"], "count": count} if count > 1 else {}
            answer.set_result({"seq": self.seq} | batch | changes)

    async def fail(self, error: Exception) -> None:
        """Fail all open requests."""
        for _, answer in self.asked:
            answer.set_exception(error)
        self.asked = []
        await settle()

    def together(self) -> list[int]:
        """The numbers of messages that were sent at once so far: 1 for one that was sent alone."""
        return [
            int(one.get("Nats-Batch-Sequence", 1))
            for one in self.sent
            if "Nats-Batch-Commit" in one or "Nats-Batch-Id" not in one
        ]


async def settle() -> None:
    """Let all tasks run until each waits for an answer."""
    for _ in range(10):
        await asyncio.sleep(0)  # noqa: TID251  turns of the loop, not time


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def group(server: Server) -> GroupCommit:
    return GroupCommit(cast("Connection", server))


async def publishing(group: GroupCommit, count: int, size: int = 1) -> list[asyncio.Task[int]]:
    tasks = [
        asyncio.create_task(group.publish(f"evt.{n}", b"x" * size, {"Nats-Msg-Id": str(n)}, timeout_s=2))
        for n in range(count)
    ]
    await settle()
    return tasks


async def test_few_messages_are_sent_alone_at_once(server: Server, group: GroupCommit) -> None:
    await publishing(group, MIN_BATCH)
    assert server.sent == [{"Nats-Msg-Id": str(n)} for n in range(MIN_BATCH)]


async def test_more_messages_wait_until_few_are_unanswered_and_are_sent_together(
    server: Server, group: GroupCommit
) -> None:
    tasks = await publishing(group, MANY)
    await server.acknowledge(MIN_BATCH - NEARLY_IDLE - 1)
    assert server.together() == [1] * MIN_BATCH
    await server.acknowledge(1)
    assert server.together() == [*[1] * MIN_BATCH, MANY - MIN_BATCH]
    await server.acknowledge()
    assert [task.result() for task in tasks] == list(range(1, MANY + 1))


async def test_few_messages_that_waited_are_sent_alone(server: Server, group: GroupCommit) -> None:
    tasks = await publishing(group, 2 * MIN_BATCH - 1)
    await server.acknowledge()
    await server.acknowledge()
    assert server.together() == [1] * (2 * MIN_BATCH - 1)
    assert all(task.done() for task in tasks)


async def test_a_batch_has_a_limited_number_of_messages(server: Server, group: GroupCommit) -> None:
    await publishing(group, MIN_BATCH + MAX_BATCH + MIN_BATCH)
    for _ in range(3):
        await server.acknowledge()
    assert server.together() == [*[1] * MIN_BATCH, MAX_BATCH, MIN_BATCH]


async def test_a_batch_has_a_limited_size(server: Server, group: GroupCommit) -> None:
    await publishing(group, MIN_BATCH + 2 * MIN_BATCH, size=MAX_BATCH_BYTES // MIN_BATCH)
    for _ in range(3):
        await server.acknowledge()
    assert server.together() == [*[1] * MIN_BATCH, MIN_BATCH, MIN_BATCH]


async def test_a_message_above_the_limit_is_sent(server: Server, group: GroupCommit) -> None:
    tasks = await publishing(group, MIN_BATCH + 1, size=MAX_BATCH_BYTES + 1)
    await server.acknowledge()
    await server.acknowledge()
    assert all(task.done() for task in tasks)


async def test_a_message_whose_sender_has_given_up_is_not_sent(server: Server, group: GroupCommit) -> None:
    tasks = await publishing(group, MANY)
    tasks[-1].cancel()
    await server.acknowledge()
    assert str(MANY - 1) not in [one["Nats-Msg-Id"] for one in server.sent]
    await server.acknowledge()
    assert all(task.done() for task in tasks)


async def test_an_answer_for_a_sender_that_has_given_up_is_ignored(
    server: Server, group: GroupCommit
) -> None:
    tasks = await publishing(group, MANY)
    await server.acknowledge()
    tasks[-1].cancel()
    await server.acknowledge()
    assert [task.result() for task in tasks[:-1]] == list(range(1, MANY))


async def test_messages_that_wait_over_an_interruption_are_not_sent(
    server: Server, group: GroupCommit
) -> None:
    """The log may be another one after it. So a writer checks it before it sends anything."""
    tasks = await publishing(group, MANY)
    server.interruptions += 1
    await server.fail(NoAnswer("interrupted"))
    assert len(server.sent) == MIN_BATCH
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results[:MIN_BATCH]} == {NoAnswer}
    assert {type(result) for result in results[MIN_BATCH:]} == {NotSent}


async def test_messages_that_wait_are_told_when_the_server_does_not_answer_to_others(
    server: Server, group: GroupCommit
) -> None:
    """Otherwise each round of those that wait would begin with a time-out of its own."""
    tasks = await publishing(group, MANY)
    await server.fail(NoAnswer("silent"))
    assert len(server.sent) == MIN_BATCH
    assert all(task.done() for task in tasks)
    assert {type(task.exception()) for task in tasks[MIN_BATCH:]} == {NotSent}


async def test_messages_with_the_same_lock_are_not_in_one_batch(server: Server, group: GroupCommit) -> None:
    """The server would check only the first of them, and store the others, too."""
    fillers = await publishing(group, MIN_BATCH)
    rivals = [
        asyncio.create_task(
            group.publish(
                f"evt.{n % MIN_BATCH}.{n}",
                b"",
                {LOCK: f"evt.{n % MIN_BATCH}.>", "number": str(n)},
                timeout_s=2,
            )
        )
        for n in range(3 * MIN_BATCH)
    ]
    await settle()
    for _ in range(4):
        await server.acknowledge()
    assert server.together() == [*[1] * MIN_BATCH, MIN_BATCH, MIN_BATCH, MIN_BATCH]
    assert [one["number"] for one in server.sent[MIN_BATCH:]] == [str(n) for n in range(3 * MIN_BATCH)]
    assert all(task.done() for task in (*fillers, *rivals))


async def test_a_refused_batch_is_not_sent_again_after_an_interruption(
    server: Server, group: GroupCommit
) -> None:
    tasks = await publishing(group, MANY)
    await server.acknowledge()
    sent = len(server.sent)
    server.answer(error={"code": 400, "err_code": 10071, "description": "no"})
    server.interruptions += 1
    await settle()
    assert len(server.sent) == sent
    for task in tasks[MIN_BATCH:]:
        with pytest.raises(NoAnswer):
            await task


async def test_what_one_message_of_a_batch_may_not_does_not_concern_the_others(
    server: Server, group: GroupCommit
) -> None:
    tasks = await publishing(group, MANY)
    await server.acknowledge()
    await server.fail(Denied("the last subject"))
    await server.acknowledge()
    assert all(task.result() for task in tasks)


async def test_without_an_answer_no_message_of_a_batch_is_known_to_be_stored(
    server: Server, group: GroupCommit
) -> None:
    tasks = await publishing(group, MANY)
    await server.acknowledge()
    await server.fail(NoAnswer("no answer"))
    for task in tasks[MIN_BATCH:]:
        with pytest.raises(NoAnswer):
            await task
    later = await publishing(group, 1)
    await server.acknowledge()
    assert later[0].done()


@pytest.mark.parametrize("err_code", [10071, 10164, 10176, 10199, 10201])
async def test_each_message_of_a_refused_batch_is_sent_alone_and_has_its_own_answer(
    server: Server, group: GroupCommit, err_code: int
) -> None:
    tasks = await publishing(group, MANY)
    await server.acknowledge()
    await server.acknowledge(error={"code": 400, "err_code": err_code, "description": "no"})
    assert server.together()[MIN_BATCH + 1 :] == [1] * (MANY - MIN_BATCH)
    await server.acknowledge(1, error={"code": 400, "err_code": 10060, "description": "no"})
    with pytest.raises(APIError):
        await tasks[MIN_BATCH]
    await server.acknowledge()
    assert len({task.result() for task in tasks[MIN_BATCH + 1 :]}) == MANY - MIN_BATCH - 1


UNSUPPORTED = pytest.mark.parametrize(
    "answer",
    [{"error": {"code": 400, "err_code": 10174, "description": "disabled"}}, {"count": None}],
    ids=["a stream without batches", "a server that does not know them and has stored each message"],
)


@UNSUPPORTED
async def test_no_second_batch_is_sent_to_a_stream_without_batches(
    server: Server, group: GroupCommit, answer: dict[str, Any]
) -> None:
    tasks = await publishing(group, MANY)
    await server.acknowledge()
    await server.acknowledge(**answer)
    await server.acknowledge()
    assert all(task.done() for task in tasks)
    server.sent.clear()
    await publishing(group, MANY)
    assert server.together() == [1] * MANY


@UNSUPPORTED
async def test_messages_that_wait_while_a_stream_turns_out_to_be_without_batches_are_sent(
    server: Server, group: GroupCommit, answer: dict[str, Any]
) -> None:
    await publishing(group, MANY)
    await server.acknowledge()
    waiting = await publishing(group, MANY)
    await server.acknowledge(1, **answer)
    await publishing(group, MIN_BATCH)
    await server.acknowledge(1)
    await server.acknowledge(2 * MANY)
    assert all(task.done() for task in waiting)


async def test_batches_are_tried_again_after_a_while(
    server: Server, group: GroupCommit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "RETRY_BATCHES_AFTER_S", 0)
    await publishing(group, MANY)
    await server.acknowledge()
    await server.acknowledge(error={"code": 400, "err_code": 10174, "description": "disabled"})
    await server.acknowledge()
    server.sent.clear()
    await publishing(group, MANY)
    await server.acknowledge()
    assert server.together() == [*[1] * MIN_BATCH, MANY - MIN_BATCH]
